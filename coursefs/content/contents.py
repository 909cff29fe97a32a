"""The contents of one cache directory: the front of the content engine."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import trio
from cachetools import LRUCache

from coursefs.base.supervisor import Supervisor, Tasks
from coursefs.content.edge_tags import EdgeTags
from coursefs.content.engine_context import DiskThreads, EngineContext
from coursefs.content.film import film_duration
from coursefs.content.identity import Content, Key
from coursefs.content.maintenance import CacheUse, Cleared, Maintenance, Verified, open_store
from coursefs.content.open_file import OpenFile
from coursefs.content.overflow import OverflowBuffer
from coursefs.content.prefetch import Progress, prefetch, prefetch_beginning
from coursefs.content.probe import Probe
from coursefs.content.range_client import RangeClient
from coursefs.content.range_request import BufferPool
from coursefs.content.ranges import Range, Ranges
from coursefs.content.reader import Reader
from coursefs.content.scheduler import Priority, Scheduler
from coursefs.content.sharing import SharedPieces, Sharing
from coursefs.content.url_cache import Find, UrlCache
from coursefs.errors import CoursefsError
from coursefs.model import Version
from coursefs.shared import SharedCache
from coursefs.transport import Transport


@dataclass(frozen=True, slots=True)
class Fetching:
    """The state of a range request, for `status`."""

    key: Key
    size: int  # bytes of the whole content
    start: int
    received: int  # offset of the next byte from the server
    end: int
    priority: Priority
    runs: bool  # whether it has a scheduler slot; False: it is queued


#: scheduler slots: range requests that run at once, for all files together
_SLOTS = 24
#: threads of each disk pool; so many calls may wait for the disk at once
_READING_THREADS = 8
_WRITING_THREADS = 4
_RECEIVING_THREADS = 4
#: contents whose current URL is kept
_URL_CACHES = 1024


class Contents:
    """All contents behind one cache directory, which it owns: a second owner of the same directory is refused.

    An async context manager.  `find(content, fresh)` returns the current URL (`Provider.source`); `max_size`: the most
    bytes to cache; `min_free`: bytes of the disk to leave free; `read_timeout`: seconds after which a read fails;
    `streams`: the most requests for one file at once; `failed(name, error)` is called when a background task fails;
    `sharing` makes the shared cache, if there is one.
    """

    def __init__(
        self,
        directory: Path,
        transport: Transport,
        find: Find,
        *,
        max_size: int,
        min_free: int,
        read_timeout: float,
        streams: int,
        failed: Callable[[str, CoursefsError], None] | None = None,
        sharing: Callable[[Tasks], Sharing] | None = None,
    ) -> None:
        self._directory = directory
        self._transport = transport
        self._find = find
        self._max_size = max_size
        self._min_free = min_free
        self._read_timeout = read_timeout
        self._failed = failed
        self._make_sharing = sharing
        self._sharing: Sharing | None = None
        self._scheduler = Scheduler(total=_SLOTS, per_group=streams)
        self._open_files: dict[tuple[Key, Version], OpenFile] = {}
        self._url_caches: LRUCache[Key, UrlCache] = LRUCache(_URL_CACHES)
        self._nursery_manager = trio.open_nursery()
        self._notice: str | None = None

    async def __aenter__(self) -> Self:
        """Open the store.  Raises `CoursefsError` while another process has the directory.

        Where it cannot be used files are read without a cache, and `notice` says so.
        """
        store = await open_store(self._directory, max_size=self._max_size, min_free=self._min_free, required=False)
        self._notice = store.notice
        nursery = await self._nursery_manager.__aenter__()
        self._context = EngineContext(
            store,
            self._transport,
            self._scheduler,
            OverflowBuffer(),
            BufferPool(),
            Supervisor(nursery, self._failed),
            DiskThreads(_READING_THREADS),
            DiskThreads(_WRITING_THREADS),
            DiskThreads(_RECEIVING_THREADS),
            self._read_timeout,
            EdgeTags(),
        )
        if self._make_sharing is not None:
            self._sharing = self._make_sharing(self._context.supervisor)
        self._maintenance = Maintenance(store, self._directory, self._max_size)
        self._probe = Probe(self._context, self._url_cache)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.supervisor.cancel_scope.cancel()
        try:
            # Without the error of the body, because the nursery would wrap it in an exception group.
            await self._nursery_manager.__aexit__(None, None, None)
        finally:
            with trio.CancelScope(shield=True):
                if self._sharing is not None:
                    await self._sharing.cache.aclose()
                await self._context.run_cleanup(self._context.store.close)

    async def probe(self, content: Content, known: Version | None = None, *, again: bool = False) -> Version:
        """The size and version of a content.

        Returns the recorded version without a request, unless it contradicts the version `known` to the caller, or
        `again` demands to revalidate it.  The server is asked by a GET for one byte, because signed URLs refuse HEAD; a
        whole body that comes instead is cached.  Where the server has another version than the recorded one, cached
        bytes are dropped and readers get `Stale`; else `checked_ns` is set to now.

        Raises `CoursefsError`; `NoAnswer` after the read timeout, `BadReply` for an implausible size (`is_doubtful`).
        Cancellation leaves the probe running for other callers.
        """
        recorded = self._context.store.version(content.key)
        if recorded is not None and known in {None, recorded} and not again:
            await trio.lowlevel.checkpoint()
            return recorded
        return await self._probe.run(content, known)

    def open(self, content: Content, version: Version, *, by_pages: bool = False) -> Reader:
        """A reader of this version of the content; makes no request before the first read.  `by_pages`: `Reader`."""
        return Reader(self._open_file(content, version), self._read_timeout, by_pages=by_pages)

    async def prefetch(self, content: Content, progress: Callable[[Progress], None] | None = None) -> None:
        """Bring all of a content into the cache, at a lower priority than reads.

        `progress` is called at the start and whenever bytes have arrived.  May be cancelled; a later call resumes.
        Raises `CoursefsError`; `CacheFull` when the cache cannot keep it.
        """
        version = await self.probe(content)
        await prefetch(self._open_file(content, version), content.remote.identity, progress)

    async def prefetch_beginning(self, content: Content, most: int) -> bool:
        """Bring what a player needs to start this film into the cache, at the lowest priority: at most so many bytes.

        These are its index and its beginning.  Returns False where its server knows no ranges, so that asking for more
        would bring the beginning again.  Raises what `prefetch` raises.
        """
        version = await self.probe(content)
        return await prefetch_beginning(self._open_file(content, version), content.remote.identity, most)

    async def duration(self, content: Content, version: Version) -> float | None:
        """How long a film plays, in seconds, by its cached head and index; None: they do not say it."""
        open_file = self._open_file(content, version)
        open_file.join()
        try:
            return await film_duration(open_file.cached, version.size)
        finally:
            open_file.leave()

    def cached_bytes(self, content: Content) -> int:
        """How many bytes of a content are cached."""
        return self.cached_bytes_of(content.key)

    def cached_bytes_of(self, key: Key) -> int:
        """How many bytes of the content with this key are cached."""
        return self._context.store.cached_bytes(key)

    def complete(self, most: int) -> Iterator[tuple[Key, int]]:
        """The contents of at most so many bytes that are cached completely, with their sizes."""
        for key, row in self._context.store.index.rows():
            if 0 < row.cached == row.version.size <= most:
                yield key, row.cached

    def content_changes(self) -> object:
        """Something that is another one after pieces have come or gone."""
        return self._context.store.index.changes

    async def whole(self, key: Key) -> bytes | None:
        """See `Maintenance.whole`."""
        return await self._maintenance.whole(key)

    def checked_ns(self, content: Content) -> int | None:
        """When the platform last confirmed the recorded version, in ns since 1970.

        None where no version is recorded; 0 for a version that an older coursefs recorded without a time.
        """
        row = self._context.store.index.row(content.key)
        return row.checked_ns if row else None

    def pinned(self, content: Content) -> bool:
        """Whether a content is exempt from eviction."""
        return self._context.store.index.is_pinned(content.key)

    async def pin(self, content: Content) -> None:
        """Exempt a content from eviction, also after a restart and in new versions.  Requests nothing."""
        await self._write_pin(content.key, True)

    async def unpin(self, content: Content) -> None:
        """Let a content be evicted again."""
        await self._write_pin(content.key, False)

    async def unpin_all(self) -> int:
        """Unpin all contents, also those that no tree shows any more; returns how many."""
        pins = self._context.store.index.pins()
        for key in pins:
            await self._write_pin(key, False)
        return len(pins)

    @asynccontextmanager
    async def passing(self, content: Content, version: Version) -> AsyncIterator[None]:
        """Drop at the end of the context the bytes of this version that were cached inside it.

        Bytes that were cached before stay.  Nothing is dropped after an error, or when the content is pinned or has
        another user by then.
        """
        open_file = self._open_file(content, version)
        open_file.join()
        try:
            file = await open_file.opened()
            before = file.present
            yield
            if open_file.shared is not None:
                await open_file.shared.settled()
            if not open_file.is_shared and not self.pinned(content):
                passed = [piece for piece in file.pieces() if not before.covers(piece.start, piece.end)]
                await self._context.run_write(self._context.store.drop, file, passed)
        finally:
            open_file.leave()

    def limit(self, *, max_size: int, min_free: int, streams: int) -> None:
        """Change the limits.  What exceeds them is evicted at the next write."""
        self._max_size, self._min_free = max_size, min_free
        quota = self._context.store.quota
        quota.max_size, quota.min_free = max_size, min_free
        self._maintenance.max_size = max_size
        self._scheduler.per_group = streams

    def fetching(self) -> list[Fetching]:
        """The range requests that run now or are queued."""
        return [
            Fetching(
                open_file.key,
                open_file.version.size,
                one.start,
                one.received,
                one.end,
                one.queued.priority,
                one.queued.runs,
            )
            for open_file in self._open_files.values()
            for one in open_file.requests
        ]

    @property
    def shared(self) -> SharedCache | None:
        """The shared cache, if there is one."""
        return None if self._sharing is None else self._sharing.cache

    @property
    def notice(self) -> str | None:
        """A message for a person that the cache could not be used at the start; None: it could."""
        return self._notice

    def use(self) -> CacheUse:
        """How full the cache is."""
        return self._maintenance.use()

    async def verify(self, progress: Callable[[Verified], None] | None = None) -> Verified:
        """See `Maintenance.verify`."""
        return await self._maintenance.verify(progress)

    async def clear(self, *, keep_pinned: bool = True) -> Cleared:
        """See `Maintenance.clear`."""
        return await self._maintenance.clear(keep_pinned=keep_pinned)

    async def _write_pin(self, key: Key, pinned: bool) -> None:
        try:
            await self._context.run_write(self._context.store.pin, key, pinned)
        except (OSError, sqlite3.Error) as error:
            raise CoursefsError(f"the cache {self._directory} cannot remember that: {error}") from error

    def _open_file(self, content: Content, version: Version) -> OpenFile:
        place = content.key, version
        open_file = self._open_files.get(place)
        if open_file is None or open_file.stale:
            client = RangeClient(
                content,
                version,
                self._url_cache(content),
                self._transport,
                self._context.supervisor,
                self._scheduler.link,
                self._context.edge_tags,
                streams=self._scheduler.per_group,
                patience=self._read_timeout,
                confirmed=lambda: self._context.store.index.confirm(content.key, version),
            )
            open_file = self._open_files[place] = OpenFile(content.key, version, client, self._context, self._forget)
            open_file.shared = self._shared_pieces(content, version, open_file)
        return open_file

    def _shared_pieces(self, content: Content, version: Version, open_file: OpenFile) -> SharedPieces | None:
        file = None if self._sharing is None else self._sharing.file(content, version)
        if self._sharing is None or file is None:
            return None

        async def complete(span: Range) -> None:
            await prefetch(open_file, content.remote.identity, None, Ranges.of([span]))

        async def confirm() -> None:
            if not self._transport.offline:
                await self.probe(content, version, again=True)

        tasks, confirmed = self._context.supervisor, lambda: self.checked_ns(content)
        return SharedPieces(self._sharing.cache, file, open_file, tasks, complete, confirmed, confirm)

    def _url_cache(self, content: Content) -> UrlCache:
        url_cache = self._url_caches.get(content.key)
        if url_cache is None or url_cache.content != content:  # the same identity may have got another locator
            url_cache = self._url_caches[content.key] = UrlCache(content, self._find, self._transport.servers_time)
        return url_cache

    def _forget(self, open_file: OpenFile) -> None:
        self._context.overflow.forget(open_file)
        if self._open_files.get((open_file.key, open_file.version)) is open_file:
            del self._open_files[open_file.key, open_file.version]
        # While the engine closes `CacheStore.close` closes all files, and no task may be started any more.
        if open_file.file is not None and not self._context.supervisor.cancel_scope.cancel_called:
            self._context.supervisor.start_soon(self._release, open_file, name="release a cached file")

    async def _release(self, open_file: OpenFile) -> None:
        if open_file.file is not None:
            await self._context.run_cleanup(self._context.store.release, open_file.file)
