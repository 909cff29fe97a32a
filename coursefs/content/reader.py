"""A reader: one opened file as the library reads it. It plans each read, and waits for the bytes, with a deadline."""

from __future__ import annotations

import math
import time

import trio

from coursefs.content import media, planner
from coursefs.content.cached_file import CachedFile
from coursefs.content.failed_reads import FailedRead
from coursefs.content.film import RESERVE, Playing, film_rate
from coursefs.content.open_file import OpenFile
from coursefs.content.planner import Plan, State
from coursefs.content.ranges import Range, Ranges
from coursefs.content.scheduler import Priority
from coursefs.errors import CoursefsError, NoAnswer, ReadByPages, Stale

#: longer reads are split into steps of this many bytes, each with a deadline of its own
_STEP = 2**20

#: the least that is worth an answer of its own, in bytes
_SOON = 16 * 2**10
#: seconds of a thin link that are worth waiting for more
_SOON_SECONDS = 0.02
#: for a reader that reads on: the part of the time since it began to, and the most seconds.  A player has a few seconds
#: of its film by then, and each answer costs the daemon, the kernel and the player work
_SOON_PART, _SOON_MOST = 0.02, 0.5
#: seconds left until the deadline below which a repeated read fails at once
_LEAST = 0.1
#: seconds until it is looked up again how long a film plays
_LOOK_AGAIN = 5.0
#: seconds that a read takes over a thin link from which on it is made page by page
_LONG = 0.2


class Reader:
    """Reads one version of one content.  Any number of its reads may run at once.

    It owns the range requests that it starts: they run as long as it, or another reader, needs them.
    """

    def __init__(self, open_file: OpenFile, read_timeout: float, *, by_pages: bool = False) -> None:
        """`by_pages`: a read may raise `ReadByPages`."""
        self._open_file = open_file
        self._timeout = read_timeout
        self._by_pages = by_pages
        self._state = State()  # the planner's
        self._plan_valid_for = Range(0, 0)  # reads in here need no new plan where their bytes are cached
        self._playing: Playing | None = None  # since when it reads on
        self._closed = False

        open_file.join()

    async def read(self, offset: int, length: int) -> bytes | memoryview:
        """Exactly the bytes asked for, fewer only at the end of the file.

        Raises `NoAnswer` when a MiB of them does not arrive within the read timeout, `Stale` when the platform has
        another version, or another `CoursefsError`.  Within a second after a read of the same bytes failed it has only
        the time that was left of that one's timeout (`FailedReads`).  A cancelled read also cancels the range requests
        that no other reader needs.  With `by_pages` a read over a thin link may raise `ReadByPages`.
        """
        if offset < 0 or length < 0 or self._closed:
            raise ValueError("read of a closed file, or of a negative range")
        end = min(offset + length, self._open_file.version.size)
        await trio.lowlevel.checkpoint_if_cancelled()
        self._open_file.join()
        try:
            if self._by_pages and await self._is_slow(offset, end):
                raise ReadByPages
            parts = [await self._step(start, min(start + _STEP, end)) for start in range(offset, end, _STEP)]
        except trio.Cancelled:
            self._open_file.cancel_requests(self)
            raise
        finally:
            self._open_file.leave()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_now(self, offset: int, length: int) -> memoryview | None:
        """The bytes as `read` returns them, where that needs no plan and no wait for disk or network; else None.

        The short way of a cached read, for a caller that calls `read` after None.  It has no checkpoint: the caller has
        to let other tasks run.  A mount does, in its loop for requests of the kernel.
        """
        end = min(offset + length, self._open_file.version.size)
        if self._closed or not 0 <= offset < end <= offset + _STEP:
            return None
        file = self._open_file.file
        if file is None or not self._needs_no_plan(file, offset, end):
            return None
        data = file.read_now(offset, end, time.time_ns())
        if data is not None:
            self._state = planner.follow(self._state, offset, end)
        return data

    async def soon(self, offset: int, length: int) -> int:
        """How many of these bytes to wait for where fewer are enough: what is there, or a thin link brings in a moment.

        Over a quick link all of them: each answer costs the kernel and the program a request.
        """
        pace, end = self._open_file.pace, min(offset + length, self._open_file.version.size)
        if offset >= end or (pace.rate is not None and not pace.is_thin):
            return length
        ready = await self._open_file.ready(offset, end)
        return min(length, max(ready, _SOON, pace.brings(self._patience(offset), 0)))

    def _patience(self, offset: int) -> float:
        """How many seconds of a thin link are worth waiting for: few after a jump, and more the longer it reads on."""
        playing = self._playing
        if playing is None or not any((run.start, run.position) == (playing.start, offset) for run in self._state.runs):
            return _SOON_SECONDS
        reads_on = trio.current_time() - playing.began
        return min(max(_SOON_SECONDS, reads_on * _SOON_PART), _SOON_MOST)

    async def missing(self, offset: int, length: int) -> int:
        """How many of these bytes are not cached: a read of them waits for the network."""
        return await self._open_file.missing(offset, min(offset + length, self._open_file.version.size))

    async def cached(self, offset: int, length: int) -> memoryview | None:
        """The bytes as `read` returns them, if all of them are cached; makes no request."""
        return await self._open_file.cached(offset, min(offset + length, self._open_file.version.size))

    def close(self) -> None:
        """End this reader; cancels the range requests that no other reader needs.  May be called twice."""
        if not self._closed:
            self._closed = True
            self._open_file.cancel_requests(self)
            self._open_file.leave()

    async def _step(self, start: int, end: int) -> memoryview:
        await trio.lowlevel.checkpoint()
        now = trio.current_time()
        before = self._open_file.failed_reads.before(start, end, now)
        began = now if before is None else before.began
        if before is not None and began + self._timeout - now < _LEAST:
            raise type(before.error)(*before.error.args) from before.error
        error: CoursefsError = NoAnswer(f"no answer within {self._timeout:g} s")
        with trio.move_on_at(began + self._timeout):
            try:
                return await self._planned(start, end)
            except CoursefsError as failure:
                error = failure
        self._open_file.cancel_requests(self)  # the next read must not wait for a request that is stuck
        if before is None:
            self._open_file.failed_reads.add(FailedRead(start, end, began, trio.current_time(), error))
        raise error

    async def _planned(self, start: int, end: int) -> memoryview:
        """Exactly the bytes from `start` to `end`, from the cache or the server, and read-ahead as planned.

        Raises `Stale` and every other `CoursefsError`.  Cancellation leaves the range requests running, until
        `cancel_requests` is called.
        """
        open_file = self._open_file
        file, size = await open_file.opened(), open_file.version.size
        span = Range(start, end)
        file.in_use.append(span)  # keeps the pieces from being evicted between their arrival and this read
        try:
            known = open_file.playback
            if open_file.is_contended and known.film_rate is None and trio.current_time() >= known.look_at:
                known.look_at = trio.current_time() + _LOOK_AGAIN
                known.film_rate = await film_rate(open_file.cached, size)
            present, in_flight = open_file.available(file), open_file.in_flight()
            limit = open_file.read_ahead_limit(self._most_ahead())
            plan = planner.plan(
                self._state, start, end, present, in_flight, size=size, most_ahead=limit, pace=open_file.pace
            )
            self._state, self._plan_valid_for = plan.state, plan.valid_for
            if self._playing is None or self._playing.start != plan.run_start:
                self._playing = Playing(plan.run_start, start, trio.current_time())
            self._apply(plan, is_early=self._is_early(start))
            data = await self._wait(file, start, end)
            open_file.by_pages = open_file.by_pages.remove(start, end)
            if start == 0 and not known.is_index_requested:
                known.is_index_requested = True
                self._read_ahead_media_index(file, data)
            return data
        finally:
            file.in_use.remove(span)

    def _needs_no_plan(self, file: CachedFile, start: int, end: int) -> bool:
        """Whether a read has no requests to make or to drop, if its bytes are cached."""
        valid = self._plan_valid_for
        if valid.start <= start and end <= valid.end:
            return True
        # Without requests in flight there is nothing to drop, and with this much cached nothing to read ahead.
        size = self._open_file.version.size
        return not self._open_file.requests and file.present.covers(start, min(end + planner.MOST_AHEAD, size))

    async def _is_slow(self, start: int, end: int) -> bool:
        """Whether a caller that reads page by page should do so here; True once for the same bytes.

        The kernel reads ahead in large steps, and a program that waits for the first page of such a read waits for all
        of it.  After an error the kernel reads each page that a program needs once more, on its own.  That read must
        not fail, so bytes for which this was True are remembered until they have been read.
        """
        open_file, pace = self._open_file, self._open_file.pace
        if end - start <= planner.PAGE or not pace.is_thin:
            return False
        missing = await open_file.missing(start, end)
        if missing <= pace.brings(_LONG, 0) or open_file.by_pages.missing(start, end) != (Range(start, end),):
            return False
        open_file.by_pages = open_file.by_pages.add(start, end)
        return True

    async def _wait(self, file: CachedFile, start: int, end: int) -> memoryview:
        open_file = self._open_file
        while True:  # each wait ends with another look: meanwhile pieces may come, be evicted, or become stale
            if file.stale:
                raise Stale("the platform has changed this file; open it again")
            gap = open_file.gap(file, start, end)
            if gap is None:
                data = await open_file.collect(file, start, end)
                if data is not None:
                    return data
                continue  # evicted or damaged in the meantime
            request = open_file.request_for(gap)
            if request is None:
                present, in_flight = open_file.available(file), open_file.in_flight()
                size, pace = open_file.version.size, open_file.pace
                for span in planner.needed(gap, end, present, in_flight, size=size, pace=pace):
                    self._start(span, Priority.READ)
                continue
            early_until = self._early_until(gap)
            if early_until <= trio.current_time():
                # A read-ahead that a read waits for now must not stay queued behind other reads.
                open_file.promote(request)
                early_until = math.inf
            with trio.move_on_at(early_until):  # by then a player needs it before what is fetched in the background
                await request.wait(min(end, request.end), self)
            if request.error is not None and open_file.gap(file, start, end) is not None:
                # A new object: several reads may wait for one request, and each adds its own traceback.
                raise type(request.error)(*request.error.args) from request.error

    def _is_early(self, offset: int) -> bool:
        """Whether a player has read so much more than it has played that the background may have its share."""
        return trio.current_time() < self._early_until(offset)

    def _early_until(self, offset: int) -> float:
        """Until when a read at this offset is early, in seconds of trio's clock; it may be over."""
        rate = self._open_file.playback.film_rate
        if rate is None or self._playing is None or not self._open_file.is_contended:
            return -math.inf
        return self._playing.early_until(offset, rate)

    def _most_ahead(self) -> int:
        """The limit of the read-ahead, in bytes."""
        rate = self._open_file.playback.film_rate
        if rate is not None and self._open_file.is_contended:
            return int(RESERVE * rate)
        return planner.most_ahead(self._open_file.throughput.rate)

    def _apply(self, plan: Plan, *, is_early: bool) -> None:
        """Drop and start range requests as planned."""
        open_file = self._open_file
        for request in [each for each in open_file.requests if each.in_flight in plan.drop]:
            request.remove_owner(self)
        for span in plan.needed:
            self._start(span, Priority.BACKGROUND if is_early else Priority.READ)
        # With single-use URLs each request costs a URL: neighbouring ranges become one request.
        for span in Ranges.of(plan.ahead) if open_file.is_single_use else plan.ahead:
            self._start(span, Priority.BACKGROUND if is_early else Priority.AHEAD)

    def _read_ahead_media_index(self, file: CachedFile, head: memoryview) -> None:
        """Request the index of a film, wherever it lies: a player that reads the head needs it next."""
        index = media.index_of(head, self._open_file.version.size)
        if index is not None:
            expected = self._open_file.available(file)
            for in_flight in self._open_file.in_flight():
                expected = expected.add(in_flight.position, in_flight.end)
            for gap in expected.missing(*index):
                self._start(gap, Priority.AHEAD, keep=True)

    def _start(self, span: Range, priority: Priority, *, keep: bool = False) -> None:
        self._open_file.start(span, self, priority, run=self._playing, keep=keep)
