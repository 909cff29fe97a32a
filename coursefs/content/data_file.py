"""A data file: the sparse file that holds the cached bytes of one version of a file; and its checksums (CRC-32).

A spool file is a data file that is written before its version is known.  Running checksums, those of the beginnings of
a piece, allow to check a part of a piece without reading all of it.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
from array import array
from collections.abc import Sequence
from pathlib import Path

from coursefs.content.cache_folder import CacheFolder

try:  # CRC-32 by the processor's own instructions: as quick as reading the bytes, ten times as quick as zlib
    from isal.isal_zlib import crc32 as checksum

    #: whether the checksum of a piece takes no longer than the event loop can spare
    IS_QUICK = True
except ImportError:  # there are no builds of it for this processor
    from zlib import crc32 as checksum

    IS_QUICK = False

__all__ = ["BLOCK", "IS_QUICK", "DataFile", "SpoolFile", "checksum", "running_checksums"]

#: bytes of a piece that are checked together; the last block may be shorter
BLOCK = 2**15

log = logging.getLogger(__name__)


# linux/falloc.h
_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02

#: bytes of one `pwrite`: more at once waits for free memory in large parts, and each call releases the GIL
_STEP = 256 * 2**10

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def running_checksums(data: memoryview) -> Sequence[int]:
    """The checksum of no block, of the first block, of the first two, and so on; the last is that of all of `data`.

    The blocks from `i` to `j` are right when `checksum(blocks, running[i]) == running[j]`.
    """
    running = array("I", [0])
    for start in range(0, len(data), BLOCK):
        running.append(checksum(data[start : start + BLOCK], running[-1]))
    return running


class DataFile:
    """A data file, open or closed.  Every method but `read_page_cache` may wait for the disk.

    `open` and `close` must not run while another thread uses the file: `CachedFile.handles` and the count of users see
    to that.  Its bytes must be checked before they are used: other programs may have changed them, and a disk may
    return what was never written.
    """

    def __init__(self, folder: CacheFolder, name: str) -> None:
        self.name = name
        self.can_read_now = True  # whether the file system supports `RWF_NOWAIT`, as far as is known
        self._folder = folder
        self._descriptor: int | None = None

    @property
    def path(self) -> Path:
        """Its path."""
        return self._folder.path / self.name[:2] / self.name

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return self._descriptor is not None

    def open(self) -> None:
        """Open it for reading and writing.

        Never creates it: a new file in place of a deleted one would read as zeros.  Raises `FileNotFoundError`,
        `NotOurs` where something else has its name, or another `OSError`.
        """
        if self._descriptor is None:
            self._descriptor = self._folder.open_file(self.name, create=False)

    def reopen(self) -> None:
        """Open the file that has its name now, created where it is missing, in place of the one that is open.

        Forget all pieces of the old file before.  Raises `OSError`.
        """
        descriptor = self._folder.open_file(self.name, create=True)
        if self._descriptor is None:
            self._descriptor = descriptor
        else:
            # `dup2` exchanges the file atomically.  Readers may be using the descriptor in other threads: if it were
            # closed, its number could be given to another file under them.
            os.dup2(descriptor, self._descriptor, inheritable=False)
            os.close(descriptor)

    def is_in_place(self) -> bool:
        """Whether the open file is still the one of its name: it was not deleted or replaced."""
        return self._descriptor is not None and self._folder.inode(self.name) == os.fstat(self._descriptor).st_ino

    def read_page_cache(self, start: int, end: int) -> memoryview | None:
        """The bytes where all of them are in the page cache, without waiting for the disk; else None."""
        if self._descriptor is None or not self.can_read_now:
            return None
        buffer = bytearray(end - start)
        try:
            count = os.preadv(self._descriptor, [buffer], start, os.RWF_NOWAIT)  # EAGAIN instead of reading the disk
        except BlockingIOError:
            return None
        except OSError:  # EOPNOTSUPP: not supported by this file system; any other error is raised by `read`
            self.can_read_now = False
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
        """Write all of these bytes at `start`.  Raises `OSError`; then any part of them may have been written."""
        done = 0
        while done < len(data):
            done += os.pwrite(self._opened(), data[done : done + _STEP], start + done)

    def release_blocks(self, start: int, end: int) -> bool:
        """Free the disk space of these bytes (`fallocate`); False where the file system cannot punch holes."""
        done: int = _libc.fallocate(self._opened(), _PUNCH_HOLE | _KEEP_SIZE, start, end - start)
        return done == 0

    def empty(self) -> None:
        """Free all disk space."""
        os.ftruncate(self._opened(), 0)

    def remove(self) -> None:
        """Delete it; open descriptors stay usable."""
        self._folder.remove(self.name)

    def close(self) -> None:
        """Close it, if it is open.

        An error of the disk that shows only now is logged and not raised: written bytes are checked when they are read.
        """
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            os.close(descriptor)
        except OSError as error:
            log.warning("a file of the cache did not close cleanly: %s", error)

    def _opened(self) -> int:
        if self._descriptor is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._descriptor


class SpoolFile:
    """A body whose version is not known yet: grows by `append`, and ends by `move` or `remove`.

    All methods may wait for the disk.
    """

    def __init__(self, folder: CacheFolder, name: str) -> None:
        self.size = 0  # bytes
        self.pieces: list[tuple[int, int, int]] = []  # start, end, CRC-32
        self._folder = folder
        self._data = DataFile(folder, name)

    def append(self, data: memoryview) -> None:
        """Write the next piece.  Raises `OSError`."""
        self._open()
        self._data.write(self.size, data)
        end = self.size + len(data)
        self.pieces.append((self.size, end, checksum(data)))
        self.size = end

    def move(self, name: str) -> None:
        """Rename it to the data file of this name.  Raises `OSError`."""
        self._open()  # for an empty body, of which no file was created so far
        self._data.close()
        self._folder.rename(self._data.name, name)

    def remove(self) -> None:
        """Delete it.  Raises `OSError`."""
        self._data.close()
        self._data.remove()

    def _open(self) -> None:
        if not self._data.is_open:
            self._data.reopen()
