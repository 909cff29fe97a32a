"""Looking after a cache: checking it and clearing it, under a running mount or without any."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from coursefs.content.cachedfile import CachedFile, Piece
from coursefs.content.store import Store
from coursefs.errors import CoursefsError

#: bytes that are checked in one go: what a cancellation waits for
_STEP = 8 * 2**20


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What the cache holds, in bytes and files, and where; and how much of it is pinned.

    `pinned_files` are all that are pinned, be anything of them there or not.
    """

    bytes: int
    files: int
    max_size: int
    directory: Path
    pinned_bytes: int = 0
    pinned_files: int = 0


@dataclass(frozen=True, slots=True)
class Verified:
    """How far a check has come: files and bytes that were looked at, and those of them that were wrong and left."""

    files: int = 0
    bytes: int = 0
    bad_files: int = 0
    bad_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was dropped, and what was kept because it is pinned."""

    files: int = 0
    bytes: int = 0
    kept_files: int = 0
    kept_bytes: int = 0


class Upkeep:
    """Works in a thread of its own, one after the other, so that reads wait for nothing."""

    def __init__(self, store: Store, directory: Path, max_size: int) -> None:
        self._store = store
        self._directory = directory
        self.max_size = max_size
        self._thread = trio.CapacityLimiter(1)

    def use(self) -> CacheUse:
        """How full the cache is."""
        size, files = self._store.totals()
        pins = self._store.ledger.pins()
        pinned = sum(self._store.cached_bytes(key) for key in pins)
        return CacheUse(size, files, self.max_size, self._directory, pinned, len(pins))

    async def verify(self, progress: Callable[[Verified], None] | None = None) -> Verified:
        """Read every cached byte, compare it with its checksum, and drop the pieces that are wrong.

        `progress` is told after every few MiB, and the result is what it was told last.  What is dropped is fetched
        again when it is read.  May be cancelled at any time.
        """
        done = Verified()
        for key, row in self._store.ledger.rows():
            if not row.cached:
                continue
            file = await trio.to_thread.run_sync(self._store.acquire, key, row.version, limiter=self._thread)
            try:
                bad = done.bad_bytes
                for pieces in _steps(file.pieces()):
                    wrong = await trio.to_thread.run_sync(self._check, file, pieces, limiter=self._thread)
                    looked = sum(piece.size for piece in pieces)
                    done = replace(done, bytes=done.bytes + looked, bad_bytes=done.bad_bytes + wrong)
                    if progress is not None:
                        progress(done)
                done = replace(done, files=done.files + 1, bad_files=done.bad_files + (done.bad_bytes > bad))
                if progress is not None:
                    progress(done)
            finally:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(self._release, file, limiter=self._thread)
        return done

    async def clear(self, *, keep_pinned: bool = True) -> Cleared:
        """Drop what is cached, of open files too: they go on, and what they read is fetched again.

        Pins stay, even where their bytes are not kept.  Raises `CoursefsError` when the disk fails.
        """
        done = Cleared()
        for key, row in self._store.ledger.rows():
            if not row.cached:
                continue
            if keep_pinned and self._store.ledger.is_pinned(key):
                done = replace(done, kept_files=done.kept_files + 1, kept_bytes=done.kept_bytes + row.cached)
                continue
            try:
                size = await trio.to_thread.run_sync(self._store.clear, key, limiter=self._thread)
            except (OSError, sqlite3.Error) as error:
                raise CoursefsError(f"the cache {self._directory} cannot be cleared: {error}") from error
            done = replace(done, files=done.files + 1, bytes=done.bytes + size)
        return done

    async def forget(self, account: str) -> Cleared:
        """Drop everything of an account, pinned or not, and that it was ever there; nothing of it may be open.

        Raises `CoursefsError` when the disk fails.
        """
        done = Cleared()
        try:
            for key, row in self._store.ledger.rows():
                if key.account == account:
                    done = replace(done, files=done.files + bool(row.cached), bytes=done.bytes + row.cached)
                    await trio.to_thread.run_sync(self._store.forget, key, limiter=self._thread)
            for key in self._store.ledger.record.pins():
                if key.account == account:
                    await trio.to_thread.run_sync(self._store.pin, key, False, limiter=self._thread)
        except (OSError, sqlite3.Error) as error:
            raise CoursefsError(f"the cache {self._directory} cannot be cleared: {error}") from error
        return done

    def _check(self, file: CachedFile, pieces: list[Piece]) -> int:
        """Bytes that were wrong, and are dropped."""
        damaged = file.verify(pieces)
        return sum(piece.size for piece in self._store.drop_damaged(file, damaged)) if damaged else 0

    def _release(self, file: CachedFile) -> None:
        self._store.release(file, was_read=False)


@asynccontextmanager
async def open_cache(directory: Path, *, max_size: int, min_free: int) -> AsyncIterator[Upkeep]:
    """The upkeep of a cache that no mount has: no network and no account is needed for it.

    Raises `CoursefsError` while a mount has the cache, or when it cannot be used.
    """
    store = await open_store(directory, max_size=max_size, min_free=min_free)
    try:
        yield Upkeep(store, directory, max_size)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(store.close)


async def open_store(directory: Path, *, max_size: int, min_free: int) -> Store:
    """A store, opened in a thread.  Raises `CoursefsError` where the directory is taken or cannot be used."""
    try:
        return await trio.to_thread.run_sync(lambda: Store(directory, max_size=max_size, min_free=min_free))
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
