"""Maintenance of a cache: verify and clear, while it is mounted or not."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from coursefs.base import threads
from coursefs.content.cached_file import CachedFile, Piece
from coursefs.content.engine_context import DiskThreads
from coursefs.content.identity import Key
from coursefs.content.store import CacheStore
from coursefs.errors import CoursefsError

#: bytes that are verified in one call of a thread, for which a cancellation has to wait
_STEP = 8 * 2**20


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How full the cache is, in bytes and files, and how much of it is pinned.

    `pinned_files` counts all pinned files, also those with nothing cached.
    """

    bytes: int
    files: int
    max_size: int
    directory: Path
    pinned_bytes: int = 0
    pinned_files: int = 0


@dataclass(frozen=True, slots=True)
class Verified:
    """The progress of `verify`: files and bytes that were read, and those that were damaged and dropped.

    `unreadable_bytes`, in `unreadable_files`, could not be read from the disk.
    """

    files: int = 0
    bytes: int = 0
    bad_files: int = 0
    bad_bytes: int = 0
    unreadable_files: int = 0
    unreadable_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Cleared:
    """What `clear` dropped, and what it kept because it is pinned."""

    files: int = 0
    bytes: int = 0
    kept_files: int = 0
    kept_bytes: int = 0


class Maintenance:
    """Verifies and clears the cache in one thread of its own, so that reads never wait for it."""

    def __init__(self, store: CacheStore, directory: Path, max_size: int) -> None:
        self._store = store
        self._directory = directory
        self.max_size = max_size
        self._thread = DiskThreads(1)

    def use(self) -> CacheUse:
        """How full the cache is."""
        size, files = self._store.totals()
        pins = self._store.index.pins()
        pinned = sum(self._store.cached_bytes(key) for key in pins)
        return CacheUse(size, files, self.max_size, self._directory, pinned, len(pins))

    async def whole(self, key: Key) -> bytes | None:
        """All bytes of a small content, where all are cached and match their checksums; else None.

        It does not count as a read for the order of eviction.
        """

        def read() -> bytes | None:
            row = self._store.index.row(key)
            if row is None or row.cached < row.version.size:
                return None
            file = self._store.acquire(key, row.version)
            try:
                return file.whole()
            finally:
                self._store.release(file, was_read=False)

        return await self._thread.run(read)

    async def verify(self, progress: Callable[[Verified], None] | None = None) -> Verified:
        """Read every cached piece, compare it with its checksum, and drop damaged and unreadable ones.

        `progress` is called after every few MiB; the result is the last progress.  Dropped pieces are fetched again
        when they are read.  May be cancelled at any time: pieces that were dropped until then stay dropped.
        """
        done = Verified()
        for key, row in self._store.index.rows():
            if not row.cached:
                continue
            file = await self._thread.run(self._store.acquire, key, row.version)
            try:
                bad, unreadable = done.bad_bytes, done.unreadable_bytes
                for pieces in _steps(file.pieces()):
                    wrong, lost = await self._thread.run(self._check, file, pieces)
                    done = replace(
                        done,
                        bytes=done.bytes + sum(piece.size for piece in pieces),
                        bad_bytes=done.bad_bytes + wrong,
                        unreadable_bytes=done.unreadable_bytes + lost,
                    )
                    if progress is not None:
                        progress(done)
                done = replace(
                    done,
                    files=done.files + 1,
                    bad_files=done.bad_files + (done.bad_bytes > bad),
                    unreadable_files=done.unreadable_files + (done.unreadable_bytes > unreadable),
                )
                if progress is not None:
                    progress(done)
            finally:
                with trio.CancelScope(shield=True):
                    await self._thread.run(self._release, file)
        return done

    async def clear(self, *, keep_pinned: bool = True) -> Cleared:
        """Drop all cached bytes, but with `keep_pinned` those of pinned files.  Pins stay in any case.

        Open files can be read on: their bytes are fetched again.  Raises `CoursefsError` when the disk fails.
        """
        done = Cleared()
        for key, row in self._store.index.rows():
            if not row.cached:
                continue
            if keep_pinned and self._store.index.is_pinned(key):
                done = replace(done, kept_files=done.kept_files + 1, kept_bytes=done.kept_bytes + row.cached)
                continue
            try:
                size = await self._thread.run(self._store.clear, key)
            except (OSError, sqlite3.Error) as error:
                raise CoursefsError(f"the cache {self._directory} cannot be cleared: {error}") from error
            done = replace(done, files=done.files + 1, bytes=done.bytes + size)
        return done

    async def forget(self, account: str) -> Cleared:
        """Delete everything of an account, with its rows in the index and its pins; none of its files may be open.

        Raises `CoursefsError` when the disk fails.
        """
        done = Cleared()
        try:
            for key, row in self._store.index.rows():
                if key.account == account:
                    done = replace(done, files=done.files + bool(row.cached), bytes=done.bytes + row.cached)
                    await self._thread.run(self._store.forget, key)
            for key in self._store.index.database.pins():
                if key.account == account:
                    await self._thread.run(self._store.pin, key, False)
        except (OSError, sqlite3.Error) as error:
            raise CoursefsError(f"the cache {self._directory} cannot be cleared: {error}") from error
        return done

    def _check(self, file: CachedFile, pieces: list[Piece]) -> tuple[int, int]:
        """Verify pieces; returns the bytes that were damaged and that were unreadable.  Drops both where it can."""
        damaged, unreadable = file.verify(pieces)
        if damaged or unreadable:
            self._store.drop_damaged(file, [*damaged, *unreadable])
        return sum(piece.size for piece in damaged), sum(piece.size for piece in unreadable)

    def _release(self, file: CachedFile) -> None:
        self._store.release(file, was_read=False)


@asynccontextmanager
async def open_cache(directory: Path, *, max_size: int, min_free: int) -> AsyncIterator[Maintenance]:
    """Maintenance of a cache that is not mounted, without network and accounts.

    Raises `CoursefsError` while a mount has the cache, or when it cannot be used.
    """
    store = await open_store(directory, max_size=max_size, min_free=min_free)
    try:
        yield Maintenance(store, directory, max_size)
    finally:
        with trio.CancelScope(shield=True):
            await threads.run_sync(store.close)


async def open_store(directory: Path, *, max_size: int, min_free: int, required: bool = True) -> CacheStore:
    """Open a store in a thread.

    Raises `CoursefsError` where another process has the directory, and where it is `required` but cannot be used.
    """
    try:
        return await threads.run_sync(
            lambda: CacheStore(directory, max_size=max_size, min_free=min_free, required=required)
        )
    except (OSError, sqlite3.Error) as error:
        raise CoursefsError(f"cannot use the cache {directory}: {error}") from error


def _steps(pieces: list[Piece]) -> list[list[Piece]]:
    """Pieces in groups of a few MiB."""
    steps: list[list[Piece]] = []
    size = _STEP
    for piece in pieces:
        if size >= _STEP:
            steps.append([])
            size = 0
        steps[-1].append(piece)
        size += piece.size
    return steps
