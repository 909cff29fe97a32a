"""The folder that plain copies are written into: whole files only, on whatever disk it is.

A file is written beside its place under a temporary name, and gets its own when all its bytes are there and on the
disk.  What a killed process leaves is such a temporary file, which the next run removes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coursefs.errors import BadReply, CoursefsError
from coursefs.library import Node
from coursefs.transfer import NoSpace

_PREFIX, _SUFFIX = ".coursefs-", ".part"
#: ns by which the time of a copy may differ where a file system does not keep times as they are: FAT has two seconds
_COARSE = 2 * 10**9
#: a time that no coarse file system keeps, in ns
_ODD_TIME = 1_000_000_001_234_567_891
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
#: what FAT, exFAT and NTFS have in no name, and what stands for it, as with rclone: the same characters, only wider
_WIDE = str.maketrans('<>:"|?*\\', "＜＞：＂｜？＊＼")


def portable(path: str) -> str:
    """A path of the tree in names that every disk can have (pure)."""
    return "/".join(_wide_end(name.translate(_WIDE)) for name in path.split("/"))


def _wide_end(name: str) -> str:
    return f"{name[:-1]}．" if name.endswith(".") else name  # FAT drops it


class Folder:
    """Where the copies go.  Everything in here waits for the disk, and may be called from several threads.

    What the disk refuses becomes a `CoursefsError`, a full one `NoSpace`.
    """

    def __init__(self, root: Path, umask: int) -> None:
        """Make the folder where it is missing, and learn which times and names its disk keeps."""
        self._root = root
        self._umask = umask
        self._swept: set[Path] = set()
        self._turn = threading.Lock()
        with self._refusals(root):
            self._make(root)
            _sweep(root)
            self._coarseness = _coarseness(root)
            self._is_choosy = _is_choosy(root)

    def has(self, path: str, node: Node) -> bool:
        """Whether the copy of this file is there, going by its size and its time."""
        try:
            there = self._place(path).stat()
        except OSError:
            return False
        return there.st_size == node.size and abs(there.st_mtime_ns - node.mtime_ns) <= self._coarseness

    def make(self, path: str) -> None:
        """Make a folder."""
        place = self._place(path)
        with self._refusals(place):
            self._make(place)

    def require_room(self, size: int) -> None:
        """Raise `NoSpace` where so many bytes more certainly do not fit."""
        with self._refusals(self._root):
            if shutil.disk_usage(self._root).free < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def begin(self, path: str) -> Copy:
        """A copy that is to be written; its folder is made, and what killed processes left there is taken away."""
        place = self._place(path)
        with self._refusals(place):
            with self._turn:
                if place.parent not in self._swept:
                    self._make(place.parent)
                    _sweep(place.parent)
                    self._swept.add(place.parent)
            return Copy(place, 0o666 & ~self._umask)

    def write(self, copy: Copy, data: bytes | memoryview) -> None:
        """The next bytes of a copy."""
        with self._refusals(copy.place):
            copy.write(data)

    def finish(self, copy: Copy, node: Node) -> None:
        """The copy is whole: it gets the time of its file, and its name."""
        if copy.size != node.size:
            raise BadReply(f"{copy.size} bytes came in place of {node.size}")
        with self._refusals(copy.place):
            copy.finish(node.mtime_ns)

    def _place(self, path: str) -> Path:
        return self._root / (portable(path) if self._is_choosy else path)

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it, with the modes of whoever asked for the copies."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        try:
            folder.mkdir()
        except FileExistsError:
            if not folder.is_dir():  # else another thread has made it
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        else:
            with suppress(PermissionError):  # FAT has no modes
                folder.chmod(0o777 & ~self._umask)

    @contextmanager
    def _refusals(self, place: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise NoSpace(f"{self._root}: there is no space left; free some and start again to go on") from None
            raise CoursefsError(f"cannot write {place}: {error.strerror}") from None


class Copy:
    """A temporary file that becomes the one at `place`, or nothing.  Raises `OSError`."""

    def __init__(self, place: Path, mode: int) -> None:
        self.place = place
        self.size = 0  # bytes
        descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=_PREFIX, suffix=_SUFFIX)
        self._temporary = Path(name)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        try:
            with suppress(OSError):  # some network file systems have no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it is in use: not to be swept
            with suppress(PermissionError):  # FAT has no modes
                os.fchmod(descriptor, mode)
        except BaseException:
            self.discard()
            raise

    def write(self, data: bytes | memoryview) -> None:
        """Write the next bytes, all of them."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.size += len(data)

    def finish(self, mtime_ns: int) -> None:
        """Put it in its place, with this time."""
        os.utime(self._temporary, ns=(mtime_ns, mtime_ns))
        os.fsync(self._file.fileno())
        self._temporary.replace(self.place)
        self._file.close()

    def discard(self) -> None:
        """Leave nothing of it, unless it is finished."""
        if not self._file.closed:
            self._temporary.unlink(missing_ok=True)
            self._file.close()


def _coarseness(folder: Path) -> int:
    """By how many ns the time of a file in this folder may differ from the one that was asked for."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=_PREFIX, suffix=_SUFFIX) as file:
        os.utime(file.name, ns=(_ODD_TIME, _ODD_TIME))
        return 0 if os.stat(file.name).st_mtime_ns == _ODD_TIME else _COARSE  # noqa: PTH116  # a name, no Path


def _is_choosy(folder: Path) -> bool:
    """Whether the disk refuses names that the tree may have."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f"{_PREFIX}?:", suffix=_SUFFIX):
            return False
    except OSError as error:
        if error.errno == errno.EINVAL:
            return True
        raise


def _sweep(folder: Path) -> None:
    """Remove the temporary files of processes that were killed."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while a process writes it
            path.unlink()
