"""The engine as a whole: one cache directory, and the requests that fill it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import trio
from cachetools import LRUCache

from coursefs.content.courier import Courier
from coursefs.content.entry import Entry
from coursefs.content.fetch import SpareBuffers
from coursefs.content.identity import Content, Key
from coursefs.content.lanes import Lanes, Priority
from coursefs.content.location import Find, Location
from coursefs.content.measure import Measure
from coursefs.content.memory import Memory
from coursefs.content.prefetch import Progress, prefetch
from coursefs.content.reader import Reader
from coursefs.content.services import Services
from coursefs.content.turns import Turns
from coursefs.content.upkeep import CacheUse, Cleared, Upkeep, Verified, open_store
from coursefs.errors import CoursefsError
from coursefs.model import Version
from coursefs.transport import Transport


@dataclass(frozen=True, slots=True)
class Fetching:
    """A request for bytes of one content."""

    key: Key
    size: int  # bytes of the whole content
    start: int
    received: int  # the next byte that will come
    end: int
    priority: Priority
    runs: bool  # else it waits for its turn


#: requests for bytes that run at once, for all files together
_LANES = 24
#: threads that may wait for the cache's disk at once
_READING_THREADS = 8
_WRITING_THREADS = 4
#: and that take much from a socket at once
_RECEIVING_THREADS = 4
#: contents whose current URL is remembered
_LOCATIONS = 1024


class Contents:
    """An async context manager.  It owns the cache directory: a second one on the same directory is refused.

    `find(content, fresh)` says where the bytes are now (`Provider.source`); `max_size`: the most bytes to keep;
    `min_free`: bytes of the disk to leave free; `read_timeout`: seconds after which a read fails; `streams`: the
    most requests for one file at once.
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
    ) -> None:
        self._directory = directory
        self._transport = transport
        self._find = find
        self._max_size = max_size
        self._min_free = min_free
        self._read_timeout = read_timeout
        self._lanes = Lanes(total=_LANES, per_group=streams)
        self._entries: dict[tuple[Key, Version], Entry] = {}
        self._locations: LRUCache[Key, Location] = LRUCache(_LOCATIONS)
        self._nursery_manager = trio.open_nursery()

    async def __aenter__(self) -> Self:
        """Take the cache directory.  Raises `CoursefsError` while another process has it or it cannot be used."""
        store = await open_store(self._directory, max_size=self._max_size, min_free=self._min_free)
        nursery = await self._nursery_manager.__aenter__()
        self._services = Services(
            store,
            self._transport,
            self._lanes,
            Memory(),
            SpareBuffers(),
            nursery,
            Turns(_READING_THREADS),
            Turns(_WRITING_THREADS),
            Turns(_RECEIVING_THREADS),
            self._read_timeout,
        )
        self._upkeep = Upkeep(store, self._directory, self._max_size)
        self._measure = Measure(self._services, self._location)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._services.nursery.cancel_scope.cancel()
        try:
            # The body's error is not the nursery's: it is to come out as it is, not in a group.
            await self._nursery_manager.__aexit__(None, None, None)
        finally:
            with trio.CancelScope(shield=True):
                await self._services.writing(self._services.store.close)

    async def measure(self, content: Content, known: Version | None = None, *, again: bool = False) -> Version:
        """Size and version of a content.

        What is recorded is answered without a request, unless it contradicts what the caller has `known` so far, or is
        to be asked for `again`.  The server is asked with a GET for one byte, because signed URLs refuse HEAD; where
        it sends everything instead, that is taken into the cache.  Where it has another version than the recorded
        one, what is cached of that is dropped, and its readers get `Stale`; else `checked_ns` is now.
        Raises `CoursefsError`; `NoAnswer` after the read timeout.
        """
        recorded = self._services.store.version(content.key)
        if recorded is not None and known in {None, recorded} and not again:
            await trio.lowlevel.checkpoint()
            return recorded
        return await self._measure.ask(content)

    def open(self, content: Content, version: Version) -> Reader:
        """A reader of this version of the content; nothing is asked before the first read."""
        return Reader(self._entry(content, version), self._read_timeout)

    async def prefetch(self, content: Content, progress: Callable[[Progress], None] | None = None) -> None:
        """Bring all of a content into the cache, behind everybody who reads.

        `progress` is told how far it is, at the start and whenever a piece has come.  May be cancelled, and goes on
        where it was when it is called again.  Raises `CoursefsError`; `CacheFull` when there is no room for it.
        """
        version = await self.measure(content)
        await prefetch(self._entry(content, version), content.remote.identity, progress)

    def cached_bytes(self, content: Content) -> int:
        """How many bytes of it are in the cache."""
        return self._services.store.cached_bytes(content.key)

    def checked_ns(self, content: Content) -> int | None:
        """When the platform last said that the recorded version is the current one, ns since 1970.

        None where none is recorded; 0 where that was before such times were recorded.
        """
        row = self._services.store.ledger.row(content.key)
        return row.checked_ns if row else None

    def pinned(self, content: Content) -> bool:
        """Whether it never leaves the cache by itself."""
        return self._services.store.ledger.is_pinned(content.key)

    async def pin(self, content: Content) -> None:
        """Let nothing of it leave the cache by itself; survives restarts and new versions.  Fetches nothing."""
        await self._write_pin(content.key, True)

    async def unpin(self, content: Content) -> None:
        """Let it leave the cache like everything else."""
        await self._write_pin(content.key, False)

    async def unpin_all(self) -> int:
        """Unpin everything, also what no tree shows any more; how many files that were."""
        pins = self._services.store.ledger.pins()
        for key in pins:
            await self._write_pin(key, False)
        return len(pins)

    @asynccontextmanager
    async def passing(self, content: Content, version: Version) -> AsyncIterator[None]:
        """What comes into the cache of this version inside the context leaves it again when that ends well.

        What was there before stays, and so does all of it when it is pinned or somebody else has it open then.
        """
        entry = self._entry(content, version)
        entry.join()
        try:
            file = await entry.opened()
            before = file.present
            yield
            if not entry.is_shared and not self.pinned(content):
                passed = [piece for piece in file.pieces() if not before.covers(piece.start, piece.end)]
                await self._services.writing(self._services.store.drop, file, passed)
        finally:
            entry.leave()

    def limit(self, *, max_size: int, min_free: int, streams: int) -> None:
        """Other limits from now on; what is too much leaves when more comes."""
        self._max_size, self._min_free = max_size, min_free
        room = self._services.store.room
        room.max_size, room.min_free = max_size, min_free
        self._upkeep.max_size = max_size
        self._lanes.per_group = streams

    def fetching(self) -> list[Fetching]:
        """The requests for bytes that run now or wait for their turn."""
        return [
            Fetching(
                entry.key, entry.version.size, one.start, one.received, one.end, one.ticket.priority, one.ticket.runs
            )
            for entry in self._entries.values()
            for one in entry.fetches
        ]

    def use(self) -> CacheUse:
        """How full the cache is."""
        return self._upkeep.use()

    async def verify(self, progress: Callable[[Verified], None] | None = None) -> Verified:
        """See `Upkeep.verify`."""
        return await self._upkeep.verify(progress)

    async def clear(self, *, keep_pinned: bool = True) -> Cleared:
        """See `Upkeep.clear`."""
        return await self._upkeep.clear(keep_pinned=keep_pinned)

    async def _write_pin(self, key: Key, pinned: bool) -> None:
        try:
            await self._services.writing(self._services.store.pin, key, pinned)
        except sqlite3.Error as error:
            raise CoursefsError(f"the cache {self._directory} cannot remember that: {error}") from error

    def _entry(self, content: Content, version: Version) -> Entry:
        place = content.key, version
        entry = self._entries.get(place)
        if entry is None or entry.stale:
            courier = Courier(
                content,
                version,
                self._location(content),
                self._transport,
                self._services.nursery,
                streams=self._lanes.per_group,
                patience=self._read_timeout,
                confirmed=lambda: self._services.store.ledger.confirm(content.key, version),
            )
            entry = self._entries[place] = Entry(content.key, version, courier, self._services, self._forget)
        return entry

    def _location(self, content: Content) -> Location:
        location = self._locations.get(content.key)
        if location is None or location.content != content:  # the same identity may get another locator
            location = self._locations[content.key] = Location(content, self._find)
        return location

    def _forget(self, entry: Entry) -> None:
        self._services.memory.forget(entry)
        if self._entries.get((entry.key, entry.version)) is entry:
            del self._entries[entry.key, entry.version]
        if entry.file is not None and not self._services.nursery.cancel_scope.cancel_called:
            self._services.nursery.start_soon(self._release, entry, name="release a cached file")

    async def _release(self, entry: Entry) -> None:
        if entry.file is not None:
            await self._services.writing(self._services.store.release, entry.file)
