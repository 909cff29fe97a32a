"""Plain copies of the tree in an ordinary folder: incremental, resumable, and no FUSE needed.

A file is written beside its place under a temporary name, and gets its own when all its bytes are there and on the
disk.  What a killed process leaves is such a temporary file, which the next run removes: the bytes come from the cache
then.  Writing happens in threads; paths are those of the tree, whose names hold no separators and no leading dots.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import trio

from coursefs.content import CacheFull
from coursefs.errors import BadReply, CoursefsError, Stale
from coursefs.fetching import bring, looked_at_again
from coursefs.library import Library, Node
from coursefs.targets import Found
from coursefs.transfer import NoSpace, Task

_PREFIX, _SUFFIX = ".coursefs-", ".part"
#: bytes that go from the cache to the target at a time
_STEP = 2**20
#: ns by which the time of a copy may differ where a file system does not keep times as they are: FAT has two seconds
_COARSE = 2 * 10**9
#: a time that no coarse file system keeps, in ns
_ODD_TIME = 1_000_000_001_234_567_891
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Folder:
    """Where the copies go.  Everything in here waits for the disk, and may be called from several threads.

    What the disk refuses becomes a `CoursefsError`, a full one `NoSpace`.
    """

    def __init__(self, root: Path, umask: int) -> None:
        """Make the folder where it is missing, and learn how exactly it keeps times."""
        self._root = root
        self._umask = umask
        self._swept: set[Path] = set()
        self._turn = threading.Lock()
        with self._refusals(root):
            self._make(root)
            _sweep(root)
            self._coarseness = _coarseness(root)

    def has(self, path: str, node: Node) -> bool:
        """Whether the copy of this file is there, going by its size and its time."""
        try:
            there = (self._root / path).stat()
        except OSError:
            return False
        return there.st_size == node.size and abs(there.st_mtime_ns - node.mtime_ns) <= self._coarseness

    def make(self, path: str) -> None:
        """Make a folder."""
        place = self._root / path
        with self._refusals(place):
            self._make(place)

    def require_room(self, size: int) -> None:
        """Raise `NoSpace` where so many bytes more certainly do not fit."""
        with self._refusals(self._root):
            if shutil.disk_usage(self._root).free < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def begin(self, path: str) -> Copy:
        """A copy that is to be written; its folder is made, and what killed processes left there is taken away."""
        place = self._root / path
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


class Download:
    """A job: a copy of each file in a folder.

    The bytes come by way of the cache, behind everybody who reads, so that what was cached is not asked for and an
    interrupted run goes on where it was.  What came into the cache for the copy alone leaves it when the copy is
    whole; where the cache has no room, it is read through.
    """

    def __init__(self, library: Library, folder: Folder) -> None:
        self._library = library
        self._folder = folder

    async def look(self, found: Found) -> Task | None:
        """See `Job`; asks for the size where it is not known."""
        if found.node.is_directory:
            await trio.to_thread.run_sync(self._folder.make, found.path)
            return None
        node = await self._library.sizes.exact(found.node)
        if await trio.to_thread.run_sync(self._folder.has, found.path, node):
            return None
        size = node.size or 0
        return Task(found.path, node, size, is_at_hand=self._library.cached_bytes(node) >= size)

    async def carry(self, task: Task, came: Callable[[int], None]) -> None:
        """See `Job`."""
        try:
            await self._copy(task, task.node, came)
        except Stale:
            await self._copy(task, await looked_at_again(self._library, task.node), came)

    async def _copy(self, task: Task, node: Node, came: Callable[[int], None]) -> None:
        await trio.to_thread.run_sync(self._folder.require_room, node.size or 0)
        async with self._passing(node), self._begun(task.path) as copy:
            with suppress(CacheFull):
                await bring(self._library, node, node.size or 0, came)
            handle = await self._library.open(node.inode)
            try:
                for offset in range(0, handle.node.size or 0, _STEP):
                    data = await handle.read(offset, _STEP)
                    await trio.to_thread.run_sync(self._folder.write, copy, data)
                    came(offset + len(data))
            finally:
                handle.close()
            await trio.to_thread.run_sync(self._folder.finish, copy, handle.node)

    @asynccontextmanager
    async def _passing(self, node: Node) -> AsyncIterator[None]:
        content, version = self._library.content(node), node.version
        if content is None or version is None:
            yield
            return
        async with self._library.contents.passing(content, version):
            yield

    @asynccontextmanager
    async def _begun(self, path: str) -> AsyncIterator[Copy]:
        copy = await trio.to_thread.run_sync(self._folder.begin, path)
        try:
            yield copy
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(copy.discard)


def _coarseness(folder: Path) -> int:
    """By how many ns the time of a file in this folder may differ from the one that was asked for."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=_PREFIX, suffix=_SUFFIX) as file:
        os.utime(file.name, ns=(_ODD_TIME, _ODD_TIME))
        return 0 if os.stat(file.name).st_mtime_ns == _ODD_TIME else _COARSE  # noqa: PTH116  # a name, no Path


def _sweep(folder: Path) -> None:
    """Remove the temporary files of processes that were killed."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while a process writes it
            path.unlink()
