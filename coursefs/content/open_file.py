"""An open file version: its cached bytes and its range requests in flight."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from coursefs.base.crash_messages import log_unforeseen
from coursefs.content import media, planner
from coursefs.content.cached_file import CachedFile
from coursefs.content.engine_context import DiskBusy, EngineContext
from coursefs.content.failed_reads import FailedReads
from coursefs.content.film import RESERVE, Playing, film_rate
from coursefs.content.identity import Key
from coursefs.content.link import Pace
from coursefs.content.planner import Extent, Plan, State, ThroughputMeter
from coursefs.content.quota import QuotaExceeded
from coursefs.content.range_client import RangeClient
from coursefs.content.range_request import RangeRequest
from coursefs.content.ranges import Range, Ranges
from coursefs.content.scheduler import Priority, QueuedRequest
from coursefs.content.sharing import SharedPieces
from coursefs.errors import BadReply, CoursefsError, Stale
from coursefs.model import Version

log = logging.getLogger(__name__)

#: reads of cached bytes that the disk did not return, from which on new bytes go into the overflow buffer as well: with
#: a disk that never returns what was written, the same bytes would be fetched until the read timeout
_LOST = 4


#: seconds until it is looked up again how long a film plays
_LOOK_AGAIN = 5.0
#: seconds that a read takes over a thin link from which on it is made page by page
_LONG = 0.2


@dataclass(eq=False, slots=True)
class ReaderState:
    """What an open file remembers of one reader.  It owns the range requests that were started for the reader."""

    state: State = field(default_factory=State)
    plan_valid_for: Range = field(default=Range(0, 0))  # reads in here need no new plan where their bytes are cached
    playing: Playing | None = None  # since when it reads on


class OpenFile:
    """One version of one content, shared by all its readers.

    Lives as long as it has users: readers, reads and range requests.  Then it calls `on_idle`.  For the event loop
    only: it has no lock but the one around opening, and between two awaits nothing else changes it.
    """

    def __init__(
        self,
        key: Key,
        version: Version,
        client: RangeClient,
        context: EngineContext,
        on_idle: Callable[[OpenFile], None],
    ) -> None:
        self.key = key
        self.version = version
        self.file: CachedFile | None = None  # from the first read on
        self._client = client
        self._context = context
        self._on_idle = on_idle
        self._users = 0
        self._opening = trio.Lock()
        self._requests: list[RangeRequest] = []
        self._throughput = ThroughputMeter()
        self._film_rate: float | None = None  # bytes a second that a player needs; None: not known
        self._film_look = 0.0  # when to look for it again
        self._is_media_index_requested = False
        self.changed = trio.Event()  # set when more was saved or a request has ended, and replaced by a new one
        self.failed_reads = FailedReads()
        self._by_pages = Ranges()  # see `is_slow`
        self.uncached = 0  # pieces that could not be written to the cache
        self.shared: SharedPieces | None = None  # its pieces in the shared cache, if there is one
        self.arrived = 0  # counts the bytes that have come from the platform
        self._lost = 0  # reads of cached bytes for which the disk did not return them

    @property
    def stale(self) -> bool:
        """Whether the server has another version by now."""
        return self.file is not None and self.file.stale

    @property
    def is_shared(self) -> bool:
        """Whether it has more than one user, not counting range requests."""
        return self._users - len(self._requests) > 1

    @property
    def why_uncached(self) -> str:
        """Why new bytes are not written to the cache, for a person."""
        trouble = self._context.store.trouble
        is_full = trouble is None or isinstance(trouble, QuotaExceeded)
        return "the cache has no room for it" if is_full else f"the cache cannot keep it: {trouble}"

    def join(self) -> None:
        """Count one user more."""
        self._users += 1

    def leave(self) -> None:
        """Count one user less; the last one calls `on_idle`."""
        self._users -= 1
        if not self._users:
            self._on_idle(self)

    @property
    def requests(self) -> Sequence[RangeRequest]:
        """The range requests in flight or queued."""
        return self._requests

    def cancel_requests(self, reader: ReaderState) -> None:
        """Cancel the range requests that no reader but this one needs."""
        for request in list(self._requests):
            request.remove_owner(reader)

    def needs_no_plan(self, file: CachedFile, reader: ReaderState, start: int, end: int) -> bool:
        """Whether a read has no requests to make or to drop, if its bytes are cached."""
        valid = reader.plan_valid_for
        if valid.start <= start and end <= valid.end:
            return True
        # Without requests in flight there is nothing to drop, and with this much cached nothing to read ahead.
        return not self._requests and file.present.covers(start, min(end + planner.MOST_AHEAD, self.version.size))

    async def read(self, reader: ReaderState, start: int, end: int) -> memoryview:
        """Exactly the bytes from `start` to `end`, from the cache or the server.

        Raises `Stale` and every other `CoursefsError`.  Cancellation leaves the range requests running, until
        `cancel_requests` is called.
        """
        file = await self.opened()
        span = Range(start, end)
        file.in_use.append(span)  # keeps the pieces from being evicted between their arrival and this read
        try:
            if self._is_contended and self._film_rate is None and trio.current_time() >= self._film_look:
                self._film_look = trio.current_time() + _LOOK_AGAIN
                self._film_rate = await film_rate(self.cached, self.version.size)
            present, in_flight = self._available(file), self._in_flight()
            limit = self._context.overflow.read_ahead_limit(self, self._most_ahead())
            size, pace = self.version.size, self.pace
            plan = planner.plan(reader.state, start, end, present, in_flight, size=size, most_ahead=limit, pace=pace)
            reader.state, reader.plan_valid_for = plan.state, plan.valid_for
            if reader.playing is None or reader.playing.start != plan.run_start:
                reader.playing = Playing(plan.run_start, trio.current_time())
            self._apply(plan, reader, is_early=self._is_early(reader, start))
            data = await self._wait(file, reader, start, end)
            self._by_pages = self._by_pages.remove(start, end)
            if start == 0 and not self._is_media_index_requested:
                self._is_media_index_requested = True
                self._read_ahead_media_index(file, reader, data)
            return data
        finally:
            file.in_use.remove(span)

    async def is_slow(self, start: int, end: int) -> bool:
        """Whether a caller that reads page by page should do so here; True once for the same bytes.

        The kernel reads ahead in large steps, and a program that waits for the first page of such a read waits for all
        of it.  After an error the kernel reads each page that a program needs once more, on its own.  That read must
        not fail, so bytes for which this was True are remembered until they have been read.
        """
        pace = self.pace
        if end - start <= planner.PAGE or not pace.is_thin:
            return False
        missing = await self.missing(start, end)
        if missing <= pace.brings(_LONG, 0) or self._by_pages.missing(start, end) != (Range(start, end),):
            return False
        self._by_pages = self._by_pages.add(start, end)
        return True

    async def missing(self, start: int, end: int) -> int:
        """How many of these bytes are neither on disk nor in memory."""
        gaps = self._available(await self.opened()).missing(start, end)
        return sum(gap.end - gap.start for gap in gaps)

    async def ready(self, start: int, end: int) -> int:
        """How many of these bytes are on disk or in memory before the first one that is not."""
        gaps = self._available(await self.opened()).missing(start, end)
        return (gaps[0].start if gaps else end) - start

    async def cached(self, start: int, end: int) -> memoryview | None:
        """These bytes, if all of them are cached; makes no request."""
        file = await self.opened()
        return await self._collect(file, start, end) if file.present.covers(start, end) else None

    async def opened(self, *, recheck: bool = False) -> CachedFile:
        """The cached file, opened by the first caller.

        `recheck`: make sure that the data file was not deleted or replaced since it was opened.
        """
        if self.file is None:
            async with self._opening:  # single flight: each `acquire` counts one user, and there is one `release`
                if self.file is None:
                    self.file = await self._context.run_read(self._context.store.acquire, self.key, self.version)
        elif recheck:
            await self._context.run_read(self._context.store.recheck, self.file)
        return self.file

    def _acquired(self) -> CachedFile:
        assert self.file is not None
        return self.file

    async def _wait(self, file: CachedFile, reader: ReaderState, start: int, end: int) -> memoryview:
        while True:  # each wait ends with another look: meanwhile pieces may come, be evicted, or become stale
            if file.stale:
                raise Stale("the platform has changed this file; open it again")
            gap = self._gap(file, start, end)
            if gap is None:
                data = await self._collect(file, start, end)
                if data is not None:
                    return data
                continue  # evicted or damaged in the meantime
            request = self._request_for(gap)
            if request is None:
                present, in_flight = self._available(file), self._in_flight()
                for span in planner.needed(gap, end, present, in_flight, size=self.version.size, pace=self.pace):
                    self.start(span, reader, Priority.READ)
                continue
            # A read-ahead that a read waits for now must not stay queued behind other reads.
            if not self._is_early(reader, gap):
                self._context.scheduler.promote(request.queued)
            await request.wait(min(end, request.end), reader)
            if request.error is not None and self._gap(file, start, end) is not None:
                # A new object: several reads may wait for one request, and each adds its own traceback.
                raise type(request.error)(*request.error.args) from request.error

    # Bytes on disk or in memory

    def _available(self, file: CachedFile) -> Ranges:
        """The bytes that are cached, in the overflow buffer, or in the buffer of a request."""
        present = file.present
        for start, data in self._context.overflow.pieces(self).items():
            present = present.add(start, start + len(data))
        for request in self._requests:
            present = present.add(*request.in_memory)
        return present

    def is_in_overflow(self, start: int, end: int) -> bool:
        """Whether all these bytes are in the overflow buffer, because the cache could not keep them."""
        pieces = self._context.overflow.pieces(self).items()
        return Ranges.of(Range(at, at + len(data)) for at, data in pieces).covers(start, end)

    def _gap(self, file: CachedFile, start: int, end: int) -> int | None:
        """The first of these bytes that is not available; None: all are."""
        first = self._available(file).first_missing(start)
        return first if first < end else None

    async def _collect(self, file: CachedFile, start: int, end: int) -> memoryview | None:
        """Available bytes from disk and memory in one buffer; None when some are no longer available."""
        # Bytes that have just arrived are in the page cache: no thread is needed for them.
        data = file.read_now(start, end, time.time_ns())
        if data is not None:
            return data
        buffer = bytearray(end - start)
        have = Ranges()
        if not file.present.covers(start, end):
            # Copied before the first await below: meanwhile a request may save its buffer and use it again.
            for span, copy in self._pieces_in_memory():
                low, high = max(start, span.start), min(end, span.end)
                if low < high:
                    buffer[low - start : high - start] = copy(low, high)
                    have = have.add(low, high)
        for gap in have.missing(start, end):
            part = await self._context.run_read(self._context.store.read, file, gap.start, gap.end)
            if part is None:
                self._lost += 1
                return None
            buffer[gap.start - start : gap.end - start] = part
        return memoryview(buffer).toreadonly()

    def _pieces_in_memory(self) -> list[tuple[Range, Callable[[int, int], bytes]]]:
        """Ranges of bytes in memory, each with the function that copies bytes out of it."""

        def copier(start: int, data: bytes) -> Callable[[int, int], bytes]:
            return lambda low, high: data[low - start : high - start]

        pieces = self._context.overflow.pieces(self)
        overflow = [(Range(start, start + len(data)), copier(start, data)) for start, data in pieces.items()]
        return [*overflow, *((request.in_memory, request.copy) for request in self._requests)]

    # Range requests in flight

    def _in_flight(self) -> list[planner.InFlight]:
        return [request.in_flight for request in self._requests]

    def _request_for(self, offset: int) -> RangeRequest | None:
        """The request that brings this byte first; None: none brings it."""
        # Of several the one that has come closest to it: another may still be cut there.
        bringing = [request for request in self._requests if request.brings(offset)]
        return max(bringing, key=lambda request: request.in_flight.position, default=None)

    # The link

    @property
    def pace(self) -> Pace:
        """What is known of the link."""
        return self._context.scheduler.link.pace

    @property
    def _is_contended(self) -> bool:
        """Whether a background request wants a part of a thin link."""
        return self.pace.is_thin and self._context.scheduler.has_background

    def _is_early(self, reader: ReaderState, offset: int) -> bool:
        """Whether a player has read so much more than it has played that the background may have its share."""
        if self._film_rate is None or reader.playing is None or not self._is_contended:
            return False
        return reader.playing.is_early(offset, self._film_rate, trio.current_time())

    def _most_ahead(self) -> int:
        """The limit of the read-ahead, in bytes."""
        if self._is_contended and self._film_rate is not None:
            return int(RESERVE * self._film_rate)
        return planner.most_ahead(self._throughput.rate)

    def _apply(self, plan: Plan, reader: ReaderState, *, is_early: bool) -> None:
        """Drop and start range requests as planned."""
        for request in [each for each in self._requests if each.in_flight in plan.drop]:
            request.remove_owner(reader)
        for span in plan.needed:
            self.start(span, reader, Priority.BACKGROUND if is_early else Priority.READ)
        # With single-use URLs each request costs a URL: neighbouring ranges become one request.
        for span in Ranges.of(plan.ahead) if self._client.is_single_use else plan.ahead:
            self.start(span, reader, Priority.BACKGROUND if is_early else Priority.AHEAD)

    def _read_ahead_media_index(self, file: CachedFile, reader: ReaderState, head: memoryview) -> None:
        """Request the index of a film, wherever it lies: a player that reads the head needs it next."""
        index = media.index_of(head, self.version.size)
        if index is not None:
            expected = self._available(file)
            for in_flight in self._in_flight():
                expected = expected.add(in_flight.position, in_flight.end)
            for gap in expected.missing(*index):
                self.start(gap, reader, Priority.AHEAD, keep=True)

    def start(self, span: Range, reader: ReaderState, priority: Priority, *, keep: bool = False) -> RangeRequest:
        """Start a range request; it runs as long as this reader or another one needs it.

        The caller has made sure that nothing in flight brings these bytes soon.  Raises `CoursefsError` while the
        engine closes.
        """
        supervisor = self._context.supervisor
        if supervisor.cancel_scope.cancel_called:
            raise CoursefsError("the cache is being closed")
        for other in self._requests:
            # the new request takes over from one that would have come to these bytes too late
            if other.brings(span.start) and other.extent is not Extent.WHOLE:
                other.cut(span.start)
        if priority is Priority.READ and self._context.scheduler.is_full(self):
            self._preempt()
        queued = QueuedRequest(self, priority, (id(reader), reader.playing), span.end - span.start)
        request = RangeRequest(
            span.start, span.end, queued, self._save, self._context.buffers, keep=keep, arrived=self._arrived
        )
        queued.preempt = request.scope.cancel
        request.owners.add(reader)
        self._requests.append(request)
        self.join()
        self._context.scheduler.enqueue(request.queued)
        supervisor.start_soon(self._run, request, name=f"fetch {span.start}-{span.end}")
        return request

    def _arrived(self, request: RangeRequest, count: int) -> None:
        self.arrived += count
        self._context.scheduler.arrived(request.queued, count, request.end - request.received)

    def _is_expected(self, request: RangeRequest) -> bool:
        """Whether the missing bytes of a request are available, or in the body of a request that brings everything."""
        expected = self._available(self._acquired())
        for other in self._requests:
            if other.extent is Extent.WHOLE or (other.extent is Extent.REST and other is not request):
                expected = expected.add(other.in_flight.position, other.end)
        return expected.covers(request.received, request.end)

    def _preempt(self) -> None:
        """Cancel the least urgent request of this file, so that a read gets its slot; never one that a read waits for.

        Not a `WHOLE` one either: without ranges it is the only way to these bytes.  Nor one that is queued or cancelled
        already: it has no slot to give.
        """
        idle = [
            each
            for each in self._requests
            if each.queued.priority is not Priority.READ
            and each.extent is not Extent.WHOLE
            and each.queued.runs
            and not each.scope.cancel_called
        ]
        if idle:
            max(idle, key=lambda request: (request.queued.priority, request.start)).scope.cancel()

    async def _run(self, request: RangeRequest) -> None:
        error: CoursefsError | None = None
        try:
            with request.scope:  # around the wait for a slot as well: a cancelled request leaves the queue
                async with self._context.scheduler.slot(request.queued):
                    try:
                        await self._fetch(request)
                    finally:
                        # A cancelled prefetch saves the unfinished piece too, so that it can be resumed there.  For a
                        # cancelled read-ahead that is not worth the wait.
                        with trio.CancelScope(shield=request.queued.priority is Priority.BACKGROUND):
                            await request.flush()
        except Stale as stale:
            error = stale
            # Before the readers are woken: they must not find bytes of the old version in the cache any more.
            await self._context.run_cleanup(self._context.store.discard, self._acquired())
        except CoursefsError as failure:
            error = failure
        except Exception as unforeseen:
            log_unforeseen(log, "a fetch", unforeseen)
            error = BadReply("the file could not be fetched; the log says more")
        finally:
            # No await here: a cancelled task would not come to its end, and readers would wait for ever.
            self._requests.remove(request)
            request.finish(error)
            self.notify()
            self.leave()

    async def _fetch(self, request: RangeRequest) -> None:
        if self.shared is None:
            await self._from_platform(request)
        else:
            is_single_use = self._client.is_single_use
            await self.shared.fetch(request, self._from_platform, is_single_use=is_single_use)

    async def _from_platform(self, request: RangeRequest) -> None:
        await self._client.fetch(request, self._is_expected)

    async def save(self, start: int, data: memoryview) -> None:
        """Save these bytes to the cache, or to the overflow buffer where the cache cannot keep them."""
        await self.opened()
        await self._save(start, data)

    def in_cache(self, span: Range) -> int:
        """How many of these bytes are cached."""
        gaps = self._acquired().present.missing(*span)
        return span.end - span.start - sum(gap.end - gap.start for gap in gaps)

    async def _save(
        self, start: int, data: memoryview, complete: Callable[[], bool] | None = None, *, patient: bool = False
    ) -> None:
        """See `Save`."""
        context, file = self._context, self._acquired()
        is_complete = complete is None

        def put() -> None:
            nonlocal is_complete
            is_complete = complete is None or complete()
            if is_complete:
                context.store.put(file, start, data)

        threads = context.write_threads if complete is None else context.receive_threads
        try:
            await (threads.run(put) if patient else threads.try_run(put))
        except (QuotaExceeded, DiskBusy):
            if not is_complete:
                return
            self.uncached += 1
            self._context.overflow.put(self, start, bytes(data))  # a copy: the buffer is used again
        else:
            if is_complete and self._lost >= _LOST:
                self._context.overflow.put(self, start, bytes(data))
        if is_complete:
            self._throughput.add(len(data), trio.current_time())
            self.notify()

    def notify(self) -> None:
        """Wake the tasks that wait for a change of this file."""
        self.changed.set()
        self.changed = trio.Event()
