"""An open file version: its cached bytes and its range requests in flight."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import trio

from coursefs.base.crash_messages import log_unforeseen
from coursefs.content.cached_file import CachedFile
from coursefs.content.engine_context import DiskBusy, EngineContext
from coursefs.content.failed_reads import FailedReads
from coursefs.content.identity import Key
from coursefs.content.link import Pace
from coursefs.content.planner import Extent, InFlight, ThroughputMeter
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


@dataclass(slots=True)
class Playback:
    """What is known of a file as a film, by all its readers."""

    film_rate: float | None = None  # bytes a second that a player needs; None: not known
    look_at: float = 0.0  # when to look for it again
    is_index_requested: bool = False


class OpenFile:
    """One version of one content, shared by all its readers: its bytes on disk and in memory, and its requests.

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
        self.throughput = ThroughputMeter()
        self.playback = Playback()
        self.changed = trio.Event()  # set when more was saved or a request has ended, and replaced by a new one
        self.failed_reads = FailedReads()
        self.by_pages = Ranges()  # what the kernel reads once more, page by page: see `Reader`
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

    def cancel_requests(self, owner: object) -> None:
        """Cancel the range requests that only this owner needs."""
        for request in list(self._requests):
            request.remove_owner(owner)

    async def missing(self, start: int, end: int) -> int:
        """How many of these bytes are neither on disk nor in memory."""
        gaps = self.available(await self.opened()).missing(start, end)
        return sum(gap.end - gap.start for gap in gaps)

    async def ready(self, start: int, end: int) -> int:
        """How many of these bytes are on disk or in memory before the first one that is not."""
        gaps = self.available(await self.opened()).missing(start, end)
        return (gaps[0].start if gaps else end) - start

    async def cached(self, start: int, end: int) -> memoryview | None:
        """These bytes, if all of them are cached; makes no request."""
        file = await self.opened()
        return await self.collect(file, start, end) if file.present.covers(start, end) else None

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

    # Bytes on disk or in memory

    def available(self, file: CachedFile) -> Ranges:
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

    def gap(self, file: CachedFile, start: int, end: int) -> int | None:
        """The first of these bytes that is not available; None: all are."""
        first = self.available(file).first_missing(start)
        return first if first < end else None

    async def collect(self, file: CachedFile, start: int, end: int) -> memoryview | None:
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

    def in_flight(self) -> list[InFlight]:
        """The range requests in flight, as the planner sees them."""
        return [request.in_flight for request in self._requests]

    def request_for(self, offset: int) -> RangeRequest | None:
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
    def is_contended(self) -> bool:
        """Whether a background request wants a part of a thin link."""
        return self.pace.is_thin and self._context.scheduler.has_background

    @property
    def is_single_use(self) -> bool:
        """Whether each request costs a URL of its own."""
        return self._client.is_single_use

    def read_ahead_limit(self, most: int) -> int:
        """The most bytes to read ahead, of `most`, so that those that cannot be cached fit into memory."""
        return self._context.overflow.read_ahead_limit(self, most)

    def promote(self, request: RangeRequest) -> None:
        """A read waits for the bytes of this request now."""
        self._context.scheduler.promote(request.queued)

    def start(
        self, span: Range, owner: object, priority: Priority, *, run: Hashable = None, keep: bool = False
    ) -> RangeRequest:
        """Start a range request; it runs as long as this owner, a reader or a prefetch, or another one needs it.

        `run`: what tells the sequential reads of this owner from its others; `keep`: see `InFlight`.
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
        queued = QueuedRequest(self, priority, (id(owner), run), span.end - span.start)
        request = RangeRequest(
            span.start, span.end, queued, self._save, self._context.buffers, keep=keep, arrived=self._arrived
        )
        queued.preempt, queued.cut = request.scope.cancel, request.cut_here
        request.owners.add(owner)
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
        expected = self.available(self._acquired())
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
            self.throughput.add(len(data), trio.current_time())
            self.notify()

    def notify(self) -> None:
        """Wake the tasks that wait for a change of this file."""
        self.changed.set()
        self.changed = trio.Event()
