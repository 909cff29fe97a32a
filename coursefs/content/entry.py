"""One version of one content while somebody has it open: what is at hand, and what is on its way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from coursefs.content import media, planner
from coursefs.content.cachedfile import CachedFile
from coursefs.content.courier import Courier
from coursefs.content.fetch import Fetch
from coursefs.content.identity import Key
from coursefs.content.lanes import Priority, Ticket
from coursefs.content.pace import Pace
from coursefs.content.planner import Plan, State
from coursefs.content.ranges import Range, Ranges
from coursefs.content.services import Services
from coursefs.content.store import NoRoom
from coursefs.content.turns import NoTurn
from coursefs.errors import BadReply, CoursefsError, Stale
from coursefs.model import Version

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Handle:
    """What is remembered of one reader; it owns the fetches that were begun for it."""

    state: State = field(default_factory=State)
    quiet: Range = field(default=Range(0, 0))  # reads in here need no plan where their bytes are there


class Entry:
    """Shared by all readers of the content.

    Lives as long as it has users: readers, reads and fetches.  Then it calls `on_idle`.
    """

    def __init__(
        self, key: Key, version: Version, courier: Courier, services: Services, on_idle: Callable[[Entry], None]
    ) -> None:
        self.key = key
        self.version = version
        self.file: CachedFile | None = None  # from the first read on
        self._courier = courier
        self._services = services
        self._on_idle = on_idle
        self._users = 0
        self._opening = trio.Lock()
        self._fetches: list[Fetch] = []
        self._pace = Pace()
        self._indexed = False
        self.changed = trio.Event()  # set when more was saved, or a fetch has ended; then there is another one
        self.unkept = 0  # pieces that the cache had no room for

    @property
    def stale(self) -> bool:
        """Whether the platform has another version by now."""
        return self.file is not None and self.file.dead

    @property
    def is_shared(self) -> bool:
        """Whether it has more than one user, not counting what is on its way."""
        return self._users - len(self._fetches) > 1

    def join(self) -> None:
        """One user more."""
        self._users += 1

    def leave(self) -> None:
        """One user less."""
        self._users -= 1
        if not self._users:
            self._on_idle(self)

    @property
    def fetches(self) -> Sequence[Fetch]:
        """What is on its way."""
        return self._fetches

    def let_go(self, reader: Handle) -> None:
        """Fetches that only this reader wanted are given up."""
        for fetch in list(self._fetches):
            fetch.let_go(reader)

    def read_now(self, reader: Handle, start: int, end: int) -> memoryview | None:
        """These bytes, where they are there and nothing is to be planned for those after them; else None."""
        file = self.file
        if file is None or not self._is_quiet(file, reader, start, end):
            return None
        data = file.read_now(start, end, time.time_ns())
        if data is not None:
            reader.state = planner.follow(reader.state, start, end)
        return data

    def _is_quiet(self, file: CachedFile, reader: Handle, start: int, end: int) -> bool:
        if reader.quiet.start <= start and end <= reader.quiet.end:
            return True
        return not self._fetches and file.present.covers(start, min(end + planner.MOST_AHEAD, self.version.size))

    async def read(self, reader: Handle, start: int, end: int) -> memoryview:
        """Exactly these bytes.  Raises `CoursefsError`."""
        file = await self.opened()
        span = Range(start, end)
        file.wanted.append(span)
        try:
            present, flights = self._at_hand(file), self._flights()
            room = self._services.memory.room_ahead(self, planner.most_ahead(self._pace.rate))
            size = self.version.size
            plan = planner.plan(reader.state, start, end, present, flights, size=size, most_ahead=room)
            reader.state, reader.quiet = plan.state, plan.quiet
            self._carry_out(plan, reader)
            data = await self._wait(file, reader, start, end)
            if start == 0 and not self._indexed:
                self._indexed = True
                self._fetch_index(file, reader, data)
            return data
        finally:
            file.wanted.remove(span)

    async def missing(self, start: int, end: int) -> int:
        """How many of these bytes are neither on disk nor in memory."""
        gaps = self._at_hand(await self.opened()).missing(start, end)
        return sum(gap.end - gap.start for gap in gaps)

    async def opened(self) -> CachedFile:
        """The cached pieces, and the file they are in."""
        if self.file is None:
            async with self._opening:
                if self.file is None:
                    self.file = await self._services.reading(self._services.store.acquire, self.key, self.version)
        return self.file

    def _acquired(self) -> CachedFile:
        assert self.file is not None
        return self.file

    async def _wait(self, file: CachedFile, reader: Handle, start: int, end: int) -> memoryview:
        while True:
            if file.dead:
                raise Stale("the platform has changed this file; open it again")
            gap = self._gap(file, start, end)
            if gap is None:
                data = await self._collect(file, start, end)
                if data is not None:
                    return data
                continue  # evicted or damaged in the meantime
            fetch = self._fetch_of(gap)
            if fetch is None:
                present, flights = self._at_hand(file), self._flights()
                for span in planner.needed(gap, end, present, flights, size=self.version.size):
                    self.start(span, reader, Priority.READ)
                continue
            self._services.lanes.hurry(fetch.ticket)
            await fetch.wait(min(end, fetch.end), reader)
            if fetch.error is not None and self._gap(file, start, end) is not None:
                raise type(fetch.error)(*fetch.error.args) from fetch.error

    # What is at hand

    def _at_hand(self, file: CachedFile) -> Ranges:
        """The bytes that are on disk or in memory."""
        present = file.present
        for start, data in self._services.memory.pieces(self).items():
            present = present.add(start, start + len(data))
        for fetch in self._fetches:
            present = present.add(*fetch.in_memory)
        return present

    def _gap(self, file: CachedFile, start: int, end: int) -> int | None:
        """The first of these bytes that is not at hand."""
        first = self._at_hand(file).first_missing(start)
        return first if first < end else None

    async def _collect(self, file: CachedFile, start: int, end: int) -> memoryview | None:
        """Bytes that are at hand, together; None when some of them no longer are."""
        data = file.read_now(start, end, time.time_ns())
        if data is not None:
            return data
        buffer = bytearray(end - start)
        have = Ranges()
        if not file.present.covers(start, end):
            for span, copy in self._memory():
                low, high = max(start, span.start), min(end, span.end)
                if low < high:
                    buffer[low - start : high - start] = copy(low, high)
                    have = have.add(low, high)
        for gap in have.missing(start, end):
            part = await self._services.reading(self._services.store.read, file, gap.start, gap.end)
            if part is None:
                return None
            buffer[gap.start - start : gap.end - start] = part
        return memoryview(buffer).toreadonly()

    def _memory(self) -> list[tuple[Range, Callable[[int, int], bytes]]]:
        def copier(start: int, data: bytes) -> Callable[[int, int], bytes]:
            return lambda low, high: data[low - start : high - start]

        pieces = self._services.memory.pieces(self)
        loose = [(Range(start, start + len(data)), copier(start, data)) for start, data in pieces.items()]
        return [*loose, *((fetch.in_memory, fetch.copy) for fetch in self._fetches)]

    # What is on its way

    def _flights(self) -> list[planner.Flight]:
        return [fetch.flight for fetch in self._fetches]

    def _fetch_of(self, offset: int) -> Fetch | None:
        """The fetch that brings this byte first."""
        holding = [fetch for fetch in self._fetches if fetch.holds(offset)]
        return max(holding, key=lambda fetch: fetch.flight.position, default=None)

    def _carry_out(self, plan: Plan, reader: Handle) -> None:
        for fetch in [each for each in self._fetches if each.flight in plan.drop]:
            fetch.let_go(reader)
        for span in plan.needed:
            self.start(span, reader, Priority.READ)
        for span in Ranges.of(plan.ahead) if self._courier.brings_the_rest else plan.ahead:
            self.start(span, reader, Priority.AHEAD)

    def _fetch_index(self, file: CachedFile, reader: Handle, head: memoryview) -> None:
        """Whoever reads the head of a film reads its index next, wherever that lies."""
        index = media.index_of(head, self.version.size)
        if index is not None:
            coming = self._at_hand(file)
            for flight in self._flights():
                coming = coming.add(flight.position, flight.end)
            for gap in coming.missing(*index):
                self.start(gap, reader, Priority.AHEAD, kept=True)

    def start(self, span: Range, reader: Handle, priority: Priority, *, kept: bool = False) -> Fetch:
        """Fetch these bytes, which nobody fetches yet, for as long as this reader or another one has use for them."""
        nursery = self._services.nursery
        if nursery.cancel_scope.cancel_called:
            raise CoursefsError("the cache is being closed")
        for other in self._fetches:
            if other.holds(span.start) and not other.whole:
                other.cut(span.start)
        if priority is Priority.READ and self._services.lanes.is_full(self):
            self._make_way()
        fetch = Fetch(span.start, span.end, Ticket(self, priority), self._save, self._services.spare, kept=kept)
        fetch.owners.add(reader)
        self._fetches.append(fetch)
        self.join()
        self._services.lanes.enqueue(fetch.ticket)
        nursery.start_soon(self._run, fetch, name=f"fetch {span.start}-{span.end}")
        return fetch

    def _comes_anyway(self, fetch: Fetch) -> bool:
        """Whether what a fetch still misses is at hand, or in a body of which the server sends all that there is."""
        coming = self._at_hand(self._acquired())
        for other in self._fetches:
            if other.whole or (other.open_ended and other is not fetch):
                coming = coming.add(other.flight.position, other.end)
        return coming.covers(fetch.received, fetch.end)

    def _make_way(self) -> None:
        """Give up what is needed last of what nobody waits for."""
        idle = [each for each in self._fetches if each.ticket.priority is not Priority.READ and not each.whole]
        if idle:
            max(idle, key=lambda fetch: (fetch.ticket.priority, fetch.start)).scope.cancel()

    async def _run(self, fetch: Fetch) -> None:
        error: CoursefsError | None = None
        try:
            with fetch.scope:
                async with self._services.lanes.lane(fetch.ticket):
                    try:
                        await self._courier.carry(fetch, self._comes_anyway)
                    finally:
                        # what was brought in the background, for later, is kept even when it is broken off
                        with trio.CancelScope(shield=fetch.ticket.priority is Priority.BACKGROUND):
                            await fetch.flush()
        except Stale as stale:
            error = stale
            await self._services.writing(self._services.store.discard, self._acquired())
        except CoursefsError as failure:
            error = failure
        except Exception:
            log.exception("a fetch failed in a way that was not foreseen")
            error = BadReply("the file could not be fetched; the log says more")
        finally:
            self._fetches.remove(fetch)
            fetch.finish(error)
            self._pulse()
            self.leave()

    async def _save(
        self, start: int, data: memoryview, complete: Callable[[], bool] | None = None, *, patient: bool = False
    ) -> None:
        services, file = self._services, self._acquired()
        is_complete = complete is None

        def put() -> None:
            nonlocal is_complete
            is_complete = complete is None or complete()
            if is_complete:
                services.store.put(file, start, data)

        turns = services.writes if complete is None else services.receives
        try:
            await (turns.take(put) if patient else turns.take_soon(put))
        except (NoRoom, NoTurn):
            if not is_complete:
                return
            self.unkept += 1
            self._services.memory.put(self, start, bytes(data))
        if is_complete:
            self._pace.came(len(data), trio.current_time())
            self._pulse()

    def _pulse(self) -> None:
        self.changed.set()
        self.changed = trio.Event()
