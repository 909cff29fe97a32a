"""One request's worth of bytes on its way, and who waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from coursefs.content.lanes import Priority, Ticket
from coursefs.content.planner import SKIP, Flight
from coursefs.content.ranges import Range
from coursefs.errors import CoursefsError

#: bytes are recorded in pieces that end on multiples of this
PIECE = 2**20
#: bytes of a request for one use that are worth waiting through, rather than asking for another address
OPEN_SKIP = 32 * 2**20


class Save(Protocol):
    """Keeps bytes."""

    async def __call__(
        self, start: int, data: memoryview, complete: Callable[[], bool] | None = None, *, patient: bool = False
    ) -> None:
        """Keep these bytes, which belong at `start`; `patient`: nobody waits for them.

        With `complete`, which may block, that is called first, in the same thread; if it says False, nothing is kept.
        """


class SpareBuffers:
    """Buffers of one piece that can be used again: memory that is new costs more than what is done with it."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._buffers: list[bytearray] = []

    def take(self, size: int) -> bytearray:
        """A buffer of at least so many bytes, at most `PIECE`."""
        if size == PIECE and self._buffers:
            return self._buffers.pop()
        return bytearray(size)

    def give(self, buffer: bytearray) -> None:
        """Nobody looks at this one any more."""
        if len(buffer) == PIECE and len(self._buffers) < self._most:
            self._buffers.append(buffer)


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
        save: Save,
        spare: SpareBuffers,
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
        self._spare = spare
        self._announced = start
        self._buffer: bytearray | None = None
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
        return bytes(memoryview(self._buffer or b"")[start - self._buffer_start : end - self._buffer_start])

    async def take(self, offset: int, chunk: bytes) -> None:
        """The server sent these bytes, which belong at `offset`; what was there before or is beyond the end is left."""
        data = memoryview(chunk)[max(0, self.received - offset) :]
        while data and (room := self.room()):
            part = data[: len(room)]
            data = data[len(part) :]
            room[: len(part)] = part
            await self.took(len(part))

    def room(self) -> memoryview:
        """Where the next bytes from the server belong: they are put there, and then `took`.  Empty when all came."""
        if self.received >= self.end:
            return memoryview(b"")
        limit = min((self.received // PIECE + 1) * PIECE, self.end)
        size = limit - self._buffer_start
        if self._buffer is None or len(self._buffer) < size:  # the end may be further away now
            had, self._buffer = self._buffer or b"", self._spare.take(size)
            self._buffer[: len(had)] = had
        return memoryview(self._buffer)[self.received - self._buffer_start : limit - self._buffer_start]

    async def took(self, count: int) -> None:
        """So many bytes were put into `room`; those beyond the end, which may have changed since, are left."""
        self.received = min(self.received + count, self.end)
        if self.received == self.end or self.received % PIECE == 0:
            await self.flush()
        self._announce()

    async def fill(self, receive: Callable[[memoryview], int]) -> int:
        """Have the rest of `room` filled by `receive`, in a thread, which saves the piece as well if it became full.

        Where much is coming: the bytes are then still at hand for the processor that writes them.  Returns how many
        came, as `receive` does.
        """
        room = self.room()
        came = 0

        def complete() -> bool:
            nonlocal came
            came = receive(room)
            return came == len(room)

        size = self.received - self._buffer_start + len(room)
        await self._save(
            self._buffer_start, memoryview(self._buffer or b"")[:size].toreadonly(), complete, patient=self._is_patient
        )
        self.received = min(self.received + came, self.end)
        self._announce()
        if came == len(room):
            self._start_anew()
        return came

    async def flush(self) -> None:
        """Save what has arrived, be it a full piece or not."""
        size = self.received - self._buffer_start
        if self._buffer is not None and size:
            await self._save(self._buffer_start, memoryview(self._buffer)[:size].toreadonly(), patient=self._is_patient)
        self._announce()
        self._start_anew()

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
        self._buffer = None

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

    @property
    def _is_patient(self) -> bool:
        return self.ticket.priority is Priority.BACKGROUND

    def _start_anew(self) -> None:
        """The bytes so far were saved, and are found there from now on."""
        buffer, self._buffer = self._buffer, None
        self._buffer_start = self.received
        if buffer is not None:
            self._spare.give(buffer)

    def _announce(self) -> None:
        self._announced = self.received
        for until, event in self._waiting:
            if until <= self._announced:
                event.set()
