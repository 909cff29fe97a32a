"""One request's worth of bytes on its way, and who waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from coursefs.content.lanes import Ticket
from coursefs.content.planner import SKIP, Flight
from coursefs.content.ranges import Range
from coursefs.errors import CoursefsError

#: bytes are recorded in pieces that end on multiples of this
PIECE = 2**20
#: bytes of a request for one use that are worth waiting through, rather than asking for another address
OPEN_SKIP = 32 * 2**20


class Fetch:
    """The bytes from `start` to `end` as they arrive.

    What has arrived can be read at once from memory (`copy`); every full piece is first saved, and then announced, so
    that who is answered last about a piece is answered after it was recorded.  A fetch lives as long as somebody
    waits for it or owns it, and is cancelled after that.
    """

    def __init__(
        self,
        start: int,
        end: int,
        ticket: Ticket,
        save: Callable[[int, memoryview], Awaitable[None]],
        *,
        kept: bool = False,
    ) -> None:
        self.start = start
        self.end = end
        self.ticket = ticket
        self.kept = kept  # not begun for a run of a reader: see `Flight`
        self.whole = False
        self.open_ended = False  # by a request for one use, which brings everything from here on
        self.error: CoursefsError | None = None
        self.done = False
        self.received = start  # the next byte from the server
        self.scope = trio.CancelScope()
        self.owners: set[object] = set()
        self._save = save
        self._announced = start
        self._buffer = bytearray()
        self._buffer_start = start
        self._waiting: list[tuple[int, trio.Event]] = []

    @property
    def flight(self) -> Flight:
        """What the planner is told of it."""
        return Flight(self._announced, self.end, self.whole, self.kept, OPEN_SKIP if self.open_ended else SKIP)

    def holds(self, offset: int) -> bool:
        """Whether this byte will come of it."""
        return self._announced <= offset < self.end

    @property
    def in_memory(self) -> Range:
        """The bytes that `copy` has."""
        return Range(self._buffer_start, self._announced)

    def copy(self, start: int, end: int) -> bytes:
        """These bytes, which are in memory."""
        return bytes(memoryview(self._buffer)[start - self._buffer_start : end - self._buffer_start])

    async def take(self, offset: int, chunk: bytes) -> None:
        """The server sent these bytes, which belong at `offset`; what was there before or is beyond the end is left."""
        data = memoryview(chunk)[max(0, self.received - offset) :]
        while data and self.received < self.end:
            limit = min((self.received // PIECE + 1) * PIECE, self.end)
            part = data[: limit - self.received]
            data = data[len(part) :]
            self._buffer += part  # no view of it is out: it is replaced, not emptied, once it was saved
            self.received += len(part)
            if self.received == limit:
                await self.flush()
            self._announce()

    async def flush(self) -> None:
        """Save what has arrived, be it a full piece or not."""
        if self._buffer:
            await self._save(self._buffer_start, memoryview(self._buffer).toreadonly())
        self._announce()
        self._buffer = bytearray()
        self._buffer_start = self.received

    async def wait(self, until: int, owner: object) -> None:
        """Wait until the bytes before `until` are there or the fetch has ended."""
        self.owners.add(owner)
        if self.done or self._announced >= until:
            return
        waiter = (until, trio.Event())
        self._waiting.append(waiter)
        try:
            await waiter[1].wait()
        finally:
            self._waiting.remove(waiter)

    def cut(self, end: int) -> None:
        """Leave the bytes from `end` on to another fetch."""
        self.end = max(self.received, min(self.end, end))
        for until, event in self._waiting:
            if until > self.end:
                event.set()

    def begin_whole(self, size: int) -> None:
        """The server sends everything from the first byte: take it all."""
        self.whole = True
        self.start = self.received = self._announced = self._buffer_start = 0
        self.end = size
        self._buffer = bytearray()

    def begin_rest(self, end: int) -> None:
        """The server sends everything from the next byte up to `end`, by a request for one use: take it all.

        Whoever wants bytes far ahead may ask for them by another one, which takes over from there (`cut`).
        """
        self.open_ended = self.kept = True
        self.end = end

    def let_go(self, owner: object) -> None:
        """This owner has no use for it any more."""
        self.owners.discard(owner)
        if not self.owners and not self._waiting:
            self.scope.cancel()

    def finish(self, error: CoursefsError | None) -> None:
        """No more will come."""
        self.error = error
        self.done = True
        for _, event in self._waiting:
            event.set()

    def _announce(self) -> None:
        self._announced = self.received
        for until, event in self._waiting:
            if until <= self._announced:
                event.set()
