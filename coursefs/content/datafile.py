"""The sparse file on disk that holds the bytes of one version of one content."""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from pathlib import Path

# linux/falloc.h
_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02

_STEP = 128 * 2**10

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class DataFile:
    """Every method but `read_now` may wait for the disk.

    `open` and `close` must not run while another thread uses it: the store's lock and its count of users see to that.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._read_now_works = True

    def open(self) -> None:
        """Open it for reading and writing; it is created where there is none.  Raises `OSError`."""
        if self._descriptor is None:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read_now(self, start: int, end: int) -> memoryview | None:
        """The bytes when they can be had without waiting for the disk, that is from the page cache; else None."""
        if self._descriptor is None or not self._read_now_works:
            return None
        buffer = bytearray(end - start)
        try:
            count = os.preadv(self._descriptor, [buffer], start, os.RWF_NOWAIT)
        except BlockingIOError:
            return None
        except OSError:  # EOPNOTSUPP: this file system cannot say; any other error will show in `read`
            self._read_now_works = False
            return None
        return memoryview(buffer).toreadonly() if count == len(buffer) else None

    def read(self, start: int, end: int) -> memoryview:
        """The bytes; fewer where the file ends before `end`.  Raises `OSError`."""
        buffer = bytearray(end - start)
        view = memoryview(buffer)
        done = 0
        while done < len(buffer):
            count = os.preadv(self._opened(), [view[done:]], start + done)
            if count == 0:
                break
            done += count
        return view[:done].toreadonly()

    def write(self, start: int, data: memoryview) -> None:
        """Write all of it.  Raises `OSError`."""
        done = 0
        while done < len(data):
            done += os.pwrite(self._opened(), data[done : done + _STEP], start + done)

    def release_blocks(self, start: int, end: int) -> bool:
        """Give the disk space of these bytes back; False where the file system cannot do so for a part of a file."""
        done: int = _libc.fallocate(self._opened(), _PUNCH_HOLE | _KEEP_SIZE, start, end - start)
        return done == 0

    def empty(self) -> None:
        """Give all disk space back."""
        os.ftruncate(self._opened(), 0)

    def remove(self) -> None:
        """Take the file out of its directory; who has it open keeps it."""
        with suppress(FileNotFoundError):
            self.path.unlink()

    def close(self) -> None:
        """Close it, where it is open."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if self._descriptor is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._descriptor
