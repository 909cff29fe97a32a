"""The target folder of plain copies: only complete files have their final names, on any file system.

A file is written beside its place under a temporary name, and renamed when all its bytes are on disk. A killed process
leaves a temporary file, which the next run removes.

Every name below the folder is looked up relative to an open descriptor and without following symbolic links, because
other users may be able to write there. Names on disk are UTF-8 in every locale: platform names are Unicode, and the
next run must find them again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coursefs.bulk.transfer import FolderRefused, NoSpace
from coursefs.errors import BadReply, CoursefsError
from coursefs.library import Node

_PREFIX, _SUFFIX = b".coursefs-", b".part"
#: ns by which the mtime of a copy may differ on a file system with coarse times: FAT has two seconds
COARSE = 2 * 10**9
#: ns; a time that no file system with coarse times can store
_ODD_TIME = 1_000_000_001_234_567_891
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
#: characters that FAT, exFAT and NTFS forbid in names, and their full-width forms in their place, as in rclone
_WIDE = str.maketrans('<>:"|?*\\', "＜＞：＂｜？＊＼")
#: a folder that is only to be looked into by name needs no right to list it
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def portable(path: str) -> str:
    """A path of the tree with names that every file system accepts (pure)."""
    return "/".join(_wide_end(name.translate(_WIDE)) for name in path.split("/"))


def _wide_end(name: str) -> str:
    return f"{name[:-1]}．" if name.endswith(".") else name  # FAT drops a final dot


class CopyFolder:
    """The target folder. All methods block on the disk and are thread-safe.

    A disk error becomes a `CoursefsError`, a full disk `NoSpace`, a link in place of a folder `FolderRefused`. Call
    `close` when no copy is being written any more.
    """

    def __init__(self, root: Path, umask: int) -> None:
        """Create the folder if it is missing, and test which times and names its file system keeps.

        Links in `root` itself are followed, because the user has named it.
        """
        self._root = root
        self._umask = umask
        self._swept: set[str] = set()
        self._turn = threading.Lock()
        with self._refusals(root):
            self._make_root(root)
            self._descriptor = os.open(root, _FOLDER)
            try:
                _sweep(self._descriptor)
                self._coarseness = _coarseness(self._descriptor)
                self._is_choosy = _is_choosy(self._descriptor)
            except BaseException:
                os.close(self._descriptor)
                raise

    def close(self) -> None:
        """Close the descriptor of the folder."""
        os.close(self._descriptor)

    def has(self, path: str, node: Node) -> bool:
        """Whether the copy of this file exists, by size and mtime.

        A link in place of the file is followed: the user may keep some copies on another disk.
        """
        *folders, name = self._names(path)
        with self._refusals(self._root / path):
            try:
                with self._open(folders) as folder:
                    there = os.stat(name, dir_fd=folder)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return (
            stat.S_ISREG(there.st_mode)
            and there.st_size == node.size
            and abs(there.st_mtime_ns - node.mtime_ns) <= self._coarseness
        )

    def make(self, path: str) -> None:
        """Make a folder."""
        with self._refusals(self._root / path), self._open(self._names(path), make=True):
            pass

    def require_room(self, size: int) -> None:
        """Raise `NoSpace` if this many bytes certainly do not fit."""
        with self._refusals(self._root):
            if shutil.disk_usage(self._descriptor).free < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def begin(self, path: str) -> Copy:
        """Begin a copy: create its folder, and remove the temporary files of killed processes there."""
        *folders, name = self._names(path)
        place = self._root / path
        with self._refusals(place), self._turn, self._open(folders, make=True) as folder:
            above = path.rpartition("/")[0]
            if above not in self._swept:
                _sweep(folder)
                self._swept.add(above)
            return Copy(place, folder, name, 0o666 & ~self._umask)

    def write(self, copy: Copy, data: bytes | memoryview) -> None:
        """Write the next bytes of a copy."""
        with self._refusals(copy.place):
            copy.write(data)

    def finish(self, copy: Copy, node: Node) -> None:
        """Finish a complete copy: it gets the mtime of its file, and its final name."""
        if copy.size != node.size:
            raise BadReply(f"{copy.size} bytes arrived instead of {node.size}")
        with self._refusals(copy.place):
            copy.finish(node.mtime_ns)

    def _names(self, path: str) -> list[bytes]:
        """The names along a path, as they are on disk."""
        names = (portable(path) if self._is_choosy else path).split("/")
        if not all(names) or not {".", ".."}.isdisjoint(names):
            raise CoursefsError(f"{path}: is not a valid file name")
        try:
            return [name.encode() for name in names]
        except UnicodeEncodeError:  # a lone surrogate
            raise CoursefsError("its name is not valid Unicode, so it cannot be saved") from None

    @contextmanager
    def _open(self, names: list[bytes], *, make: bool = False) -> Iterator[int]:
        """A descriptor of the folder with this path below the root. Raises `FolderRefused`, and `OSError`."""
        folder = os.dup(self._descriptor)
        try:
            for depth, name in enumerate(names, 1):
                try:
                    below = self._below(name, folder, make=make)
                except OSError as error:
                    if error.errno in {errno.ENOTDIR, errno.ELOOP} and _is_link(name, folder):
                        raise self._refused(names[:depth]) from None
                    raise
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)

    def _refused(self, names: list[bytes]) -> FolderRefused:
        path = b"/".join(names).decode()
        return FolderRefused(
            path, f"is a symbolic link where {self._root} needs a folder; nothing is written through it: remove it"
        )

    def _below(self, name: bytes, folder: int, *, make: bool) -> int:
        try:
            return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        except FileNotFoundError:
            if not make:
                raise
        with suppress(FileExistsError):  # another thread was first
            self._make(name, folder)
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)

    def _make(self, name: bytes, folder: int) -> None:
        """Create a folder with the mode that the user's umask allows."""
        os.mkdir(name, dir_fd=folder)
        made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _NO_LINK, dir_fd=folder)
        try:
            with suppress(PermissionError):  # FAT has no modes
                os.fchmod(made, 0o777 & ~self._umask)
        finally:
            os.close(made)

    def _make_root(self, root: Path) -> None:
        if root.is_dir():
            return
        self._make_root(root.parent)
        try:
            root.mkdir()
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        with suppress(PermissionError):  # FAT has no modes
            root.chmod(0o777 & ~self._umask)

    @contextmanager
    def _refusals(self, place: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise NoSpace(f"{self._root}: no space left; free some and run it again to continue") from None
            raise CoursefsError(f"cannot write {place}: {error.strerror}") from None


class Copy:
    """A temporary file that gets the name `name` when it is complete. Raises `OSError`."""

    def __init__(self, place: Path, folder: int, name: bytes, mode: int) -> None:
        """`folder` is a descriptor owned by the caller; `place` is the path of the copy, for messages."""
        self.place = place
        self.size = 0  # bytes
        self._name = name
        self._folder = os.dup(folder)
        try:
            descriptor, self._temporary = _temporary(self._folder)
        except BaseException:
            os.close(self._folder)
            raise
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        try:
            with suppress(OSError):  # some network file systems have no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # marks it as in use: `_sweep` skips it
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
        """Set the mtime and rename it to its final name. An old file is replaced; of a link, the link itself."""
        os.utime(self._file.fileno(), ns=(mtime_ns, mtime_ns))
        os.fsync(self._file.fileno())
        os.replace(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._close()

    def discard(self) -> None:
        """Delete it, unless it is finished."""
        if not self._file.closed:
            try:
                with suppress(FileNotFoundError):
                    os.unlink(self._temporary, dir_fd=self._folder)
            finally:
                self._close()

    def _close(self) -> None:
        self._file.close()
        os.close(self._folder)


def _temporary(folder: int, odd: bytes = b"") -> tuple[int, bytes]:
    """Create a new temporary file in a folder; return its descriptor and its name, which contains `odd`."""
    name = _PREFIX + odd + secrets.token_hex(8).encode() + _SUFFIX
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600, dir_fd=folder), name


def _is_link(name: bytes, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _coarseness(folder: int) -> int:
    """The difference in ns between the mtime that is set in this folder and the one that is stored."""
    file, name = _temporary(folder)
    try:
        os.utime(file, ns=(_ODD_TIME, _ODD_TIME))
        return 0 if os.stat(name, dir_fd=folder).st_mtime_ns == _ODD_TIME else COARSE
    finally:
        os.close(file)
        os.unlink(name, dir_fd=folder)


def _is_choosy(folder: int) -> bool:
    """Whether the file system refuses names that the tree may contain."""
    try:
        file, name = _temporary(folder, b"?:")
    except OSError as error:
        if error.errno == errno.EINVAL:
            return True
        raise
    os.close(file)
    os.unlink(name, dir_fd=folder)
    return False


def _sweep(folder: int) -> None:
    """Remove the temporary files of killed processes."""
    # `listdir` needs a descriptor without O_PATH
    listed = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        # names as bytes: names that are not text in this locale are skipped
        left = [name for name in map(os.fsencode, os.listdir(listed)) if name.startswith(_PREFIX)]  # noqa: PTH208
    finally:
        os.close(listed)
    for name in left:
        if name.endswith(_SUFFIX):
            with suppress(OSError):
                _remove_unused(name, folder)


def _remove_unused(name: bytes, folder: int) -> None:
    file = os.open(name, os.O_RDONLY | _NO_LINK, dir_fd=folder)
    try:
        if stat.S_ISREG(os.fstat(file).st_mode):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while a process writes it
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(file)
