"""A tier in a folder: a disk of this machine, NFS, SMB, a folder that Syncthing or a USB disk carries around.

    FOLDER/ab/abcdef….piece      a piece
    FOLDER/ab/abcdef….claim      a claim on one

Each file is written under a temporary name and renamed, so no reader sees half of one.  Any file may be deleted at any
moment.  The calls run in a few threads of their own, and are given up when they take too long: a server of a
network disk may hang for ever.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import trio

from coursefs.base import threads
from coursefs.shared.pieces import MOST_SEALED
from coursefs.shared.tier import Entry, FullTier, TierFailed

T = TypeVar("T")

#: threads that wait for the folder at once
_THREADS = 4
#: seconds between two looks for an object that is waited for
_LOOK_EVERY = 0.05
#: seconds after which a temporary file belongs to a process that was killed
_LEFT = 3600.0
_TEMPORARY = ".part"
#: the folder may hold other files as well, which are neither listed nor deleted
_PART = re.compile(r"[0-9a-f]{2}")
_OBJECT = re.compile(r"[0-9a-f]{64}(\.claim)?")
_LEFT_OVER = re.compile(rf"{_OBJECT.pattern}\.[0-9a-f]{{12}}\{_TEMPORARY}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class FolderTier:
    """Objects as files of a folder.

    The folder must be there: it is not created in place of a network disk that is not mounted.
    New folders in it get its permissions, so that other users and machines can write there as well.
    """

    def __init__(self, folder: Path, *, min_free: int = 0) -> None:
        """`min_free`: bytes of the folder's disk to leave free."""
        self._folder = folder
        self._min_free = min_free
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._ahead = 0.0  # seconds that the file server's clock is ahead of ours, by the last file that was written

    @property
    def place(self) -> str:
        """The path."""
        return str(self._folder)

    async def get(self, name: str, *, wait: float = 0.0, urgent: bool = True) -> bytes | None:  # noqa: ARG002
        """See `Tier.get`."""
        until = trio.current_time() + wait
        while True:
            found = await self._run(_read, self._path(name))
            if found is not None or trio.current_time() >= until:
                return found
            await trio.sleep(_LOOK_EVERY)

    async def put(self, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """See `Tier.put`."""
        is_written, self._ahead = await self._run(_write, self._path(name), data, only_new, self._min_free)
        return is_written

    async def age(self, name: str) -> float | None:
        """See `Tier.age`."""
        return await self._run(_age, self._path(name), self._ahead)

    async def remove(self, name: str) -> None:
        """See `Tier.remove`."""
        await self._run(_remove, self._path(name))

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def entries(self) -> AsyncIterator[Entry]:
        """All objects; temporary files that killed processes have left are removed on the way."""
        for part in await self._run(_parts, self._folder):
            for entry in await self._run(_entries, part, self._ahead):
                yield entry

    def _path(self, name: str) -> Path:
        return self._folder / path_of(name)

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        try:
            return await threads.run_sync(lambda: function(*args), limiter=self._limiter, abandon_on_cancel=True)
        except OSError as error:
            failed = FullTier if error.errno in _FULL else TierFailed
            raise failed(f"{self._folder}: {error.strerror or error}") from None


def path_of(name: str) -> str:
    """The path of an object below the folder, or below the address of a web cache (pure)."""
    return f"{name[:2]}/{name}"


def is_object(path: str) -> bool:
    """Whether a path below the folder, or in a bucket, is that of an object of a tier (pure)."""
    part, _, name = path.rpartition("/")
    return part.rpartition("/")[2] == name[:2] and _OBJECT.fullmatch(name) is not None


def _read(path: Path) -> bytes | None:
    """The bytes of a file; none of what is no file.

    A machine that can write there can also leave a FIFO, which would block a thread for ever, or a link to a file of
    this machine, which `serve-cache` would hand to others.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:  # a link, a socket
            return b""
        raise
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return b""
        with os.fdopen(opened, "rb", closefd=False) as file:
            return file.read(MOST_SEALED + 1)  # what is longer is no piece, and is found out by that
    finally:
        os.close(opened)


def _write(path: Path, data: bytes, only_new: bool, min_free: int) -> tuple[bool, float]:
    """Write a file; returns whether it was written, and how far the file server's clock is ahead of ours."""
    folder = path.parent
    if not folder.is_dir():
        _make(folder)
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < min_free + MOST_SEALED:  # for a claim too: others would wait for the piece
        raise OSError(errno.ENOSPC, "the disk is full, as far as cache.min_free allows")
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(6)}{_TEMPORARY}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        ahead = temporary.stat().st_mtime - time.time()
        if not only_new:
            temporary.replace(path)
            return True, ahead
        return _link(temporary, path), ahead
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    mode = stat.S_IMODE(folder.parent.stat().st_mode)
    try:
        folder.mkdir()
    except FileExistsError:
        return
    with suppress(OSError):  # FAT has no modes
        folder.chmod(mode)


def _link(temporary: Path, path: Path) -> bool:
    """Give the file its name unless there is one of that name: atomic by link(2), also over NFS."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}:
            raise
        # FAT, exFAT and most SMB servers have no links; creating a file is atomic there
        try:
            with path.open("xb") as file:
                file.write(temporary.read_bytes())
        except FileExistsError:
            return False
    return True


def _age(path: Path, ahead: float) -> float | None:
    try:
        written = path.stat().st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return None
    return max(0.0, time.time() + ahead - written)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _parts(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if _PART.fullmatch(each.name) and each.is_dir())


def _entries(part: Path, ahead: float) -> list[Entry]:
    return list(_listed(part, ahead))


def _listed(part: Path, ahead: float) -> Iterator[Entry]:
    for path in part.iterdir():
        is_left = _LEFT_OVER.fullmatch(path.name) is not None
        if not is_left and not is_object(f"{part.name}/{path.name}"):
            continue
        with suppress(FileNotFoundError):
            status = path.stat(follow_symlinks=False)
            age = max(0.0, time.time() + ahead - status.st_mtime)
            if not is_left:
                yield Entry(path.name, status.st_size, age)
            elif age > _LEFT:
                path.unlink()
