"""The cache folder: checked, locked, and held open, so that all names are looked up in that folder and no other.

    <directory>/CACHEDIR.TAG     so that backups leave it out
    <directory>/lock             held while a process uses the directory
    <directory>/v1/record.sqlite the cache index: which pieces of which version of which content are cached
    <directory>/v1/ab/abcd…      a data file: sparse, one for each content and version
    <directory>/v1/spool-…       a spool file: a body whose version is not known yet

The directory must belong to this user and must not be writable by all users.  Links, FIFOs and other users' files under
these names are removed, and never followed.  All methods may wait for the disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coursefs.base import safe_open
from coursefs.base.lock import FileLock
from coursefs.base.safe_open import NotOurs

_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n# The content cache of coursefs; see https://bford.info/cachedir/\n"
)
_INDEX = "record.sqlite"
_SPOOL = "spool-"

#: the file or folder that a name leads to: its device and inode number; None: there is none
_Identity = tuple[int, int] | None


class CacheFolder:
    """A cache directory, ours from `take` to `release`; it can be taken again, for example after it was deleted."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "v1"
        self._descriptor: int | None = None  # of `path`
        self._lock: FileLock | None = None
        self._names = [str(path) for path in (directory / "lock", self.path, self.index_path)]
        self._identities: tuple[_Identity, ...] = ()
        self._index_size = 0  # bytes, at the last check; SQLite never makes the file smaller

    @property
    def index_path(self) -> Path:
        """The database of the cache index."""
        return self.path / _INDEX

    @property
    def is_taken(self) -> bool:
        """Whether it is locked and open."""
        return self._descriptor is not None

    @property
    def descriptor(self) -> int:
        """The open folder `path`.  Raises `OSError` where it is not taken."""
        if self._descriptor is None:
            raise FileNotFoundError(f"the cache {self.directory} cannot be used")
        return self._descriptor

    def take(self) -> None:
        """Check the directory, create it where it is missing, and lock it.

        Raises `CoursefsError` while another process holds the lock, and `OSError` (with `NotOurs`) where the directory
        cannot be used.  After an error nothing stays open or locked.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        top = safe_open.open_folder(self.directory, follow=True)
        try:
            # Replaces a link or another user's file: the lock must be on a file of ours.
            os.close(safe_open.open_file("lock", os.O_RDWR | os.O_CREAT, dir_fd=top, replace=True))
            self._lock = FileLock(
                self.directory / "lock",
                holder=f"pid {os.getpid()}",
                taken=lambda holder: f"the cache {self.directory} is in use by another mount ({holder})",
            )
            _write_tag(top)
            self._descriptor = _open_own_folder("v1", top)
            self._remove_foreign_index()
        except BaseException:
            self.release()
            raise
        finally:
            os.close(top)

    def release(self) -> None:
        """Unlock and close it.  Files that were opened in it stay open."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def remember(self) -> None:
        """Note which files lie at its names now: `is_in_place` compares with them."""
        self._identities, self._index_size = self._look()

    def is_in_place(self) -> bool:
        """Whether folder and index are those of `remember`: not deleted, moved or replaced, and the index not cut.

        A deleted lock file alone is created and locked again; raises `CoursefsError` where another process was
        quicker.  Raises `OSError`.
        """
        if self._descriptor is None:
            return False
        now, size = self._look()
        if now == self._identities and None not in now:
            # A cleaner that truncates the index leaves its inode number: only the size shows it.
            before, self._index_size = self._index_size, size
            return size >= before
        if now[1:] != self._identities[1:] or None in now[1:]:
            return False
        self.release()
        self.take()
        self.remember()
        return True

    def open_file(self, name: str, *, create: bool) -> int:
        """Open a data file; returns its descriptor.  Raises `FileNotFoundError`, `NotOurs` and other `OSError`.

        `create`: create it where it is missing, and replace a file that is not ours.
        """
        with self._parent_of(name, create=create) as parent:
            flags = os.O_RDWR | (os.O_CREAT if create else 0)
            return safe_open.open_file(name, flags, dir_fd=parent, replace=create)

    def inode(self, name: str) -> int | None:
        """The inode number of the data file of this name; None where there is none, or something else."""
        try:
            found = os.stat(_place(name), dir_fd=self.descriptor, follow_symlinks=False)
        except OSError:
            return None
        return found.st_ino if stat.S_ISREG(found.st_mode) else None

    def rename(self, name: str, new: str) -> None:
        """Rename a file, replacing a file of the new name.  Raises `OSError`."""
        with self._parent_of(name, create=False) as source, self._parent_of(new, create=True) as target:
            os.rename(name, new, src_dir_fd=source, dst_dir_fd=target)

    def remove(self, name: str) -> None:
        """Delete a file, if there is one; open descriptors stay usable.  Raises other `OSError`."""
        with suppress(FileNotFoundError, NotOurs), self._parent_of(name, create=False) as parent:
            os.unlink(name, dir_fd=parent)

    def sweep(self, known: Collection[str]) -> set[str]:
        """Delete every file but those `known` and the index; returns which of `known` exist.  Raises `OSError`."""
        found = set()
        for entry in list(os.scandir(self.descriptor)):
            if entry.name.startswith(_INDEX):
                continue
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=self.descriptor)
                continue
            try:
                folder = safe_open.open_folder(entry.name, dir_fd=self.descriptor)
            except NotOurs:  # left alone: data files are never opened in such a folder
                continue
            try:
                for each in list(os.scandir(folder)):
                    if each.name in known and each.is_file(follow_symlinks=False):
                        found.add(each.name)
                    elif not each.is_dir(follow_symlinks=False):
                        os.unlink(each.name, dir_fd=folder)
            finally:
                os.close(folder)
        return found

    @contextmanager
    def _parent_of(self, name: str, *, create: bool) -> Iterator[int]:
        """The open folder of a file: the top for spool files, for data files one of the first letters of their name."""
        place = _place(name)
        if "/" not in place:
            yield self.descriptor
            return
        parent = place.partition("/")[0]
        if create:
            descriptor = _open_own_folder(parent, self.descriptor)
        else:
            descriptor = safe_open.open_folder(parent, dir_fd=self.descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _remove_foreign_index(self) -> None:
        """Delete links and other users' files under the names of the database, because SQLite would follow them."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            name = _INDEX + suffix
            try:
                found = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(found.st_mode):
                raise NotOurs("is a folder in place of a file", self.path / name)
            if safe_open.why_not_ours(found) is not None:
                os.unlink(name, dir_fd=self.descriptor)

    def _look(self) -> tuple[tuple[_Identity, ...], int]:
        """Which files lie at the names of the lock, the folder and the index, and the size of the index in bytes.

        Called for each piece that is written, so without `pathlib`, which takes longer than the system call.
        """
        found: list[os.stat_result | None] = []
        for name in self._names:
            try:
                found.append(os.lstat(name))
            except OSError:
                found.append(None)
        index = found[-1]
        identities = tuple(None if one is None else (one.st_dev, one.st_ino) for one in found)
        return identities, 0 if index is None else index.st_size


def spool_name(number: int) -> str:
    """The name of a spool file."""
    return f"{_SPOOL}{number}"


def _place(name: str) -> str:
    return name if name.startswith(_SPOOL) else f"{name[:2]}/{name}"


def _open_own_folder(name: str, parent: int) -> int:
    """Open a folder in another one; create it where it is missing or where a link or a file has its name."""
    try:
        return safe_open.open_folder(name, dir_fd=parent, create=True)
    except NotOurs:
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise
    os.unlink(name, dir_fd=parent)
    return safe_open.open_folder(name, dir_fd=parent, create=True)


def _write_tag(folder: int) -> None:
    descriptor = safe_open.open_file(
        "CACHEDIR.TAG", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o644, dir_fd=folder, replace=True
    )
    try:
        os.write(descriptor, _TAG)
    finally:
        os.close(descriptor)
