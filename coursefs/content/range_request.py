"""A range request: the bytes of one HTTP request as they arrive, and the readers that wait for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from coursefs.content.planner import PAGE, Extent, InFlight
from coursefs.content.ranges import Range
from coursefs.content.scheduler import Priority, QueuedRequest
from coursefs.errors import CoursefsError

#: bytes are saved to the cache in pieces that end on multiples of this
PIECE = 2**20


class Save(Protocol):
    """Saves bytes to the cache, or to the overflow buffer where the cache cannot keep them."""

    async def __call__(
        self, start: int, data: memoryview, complete: Callable[[], bool] | None = None, *, patient: bool = False
    ) -> None:
        """Save these bytes of the file, which begin at offset `start`; `patient`: wait for the disk however long.

        `complete`, which may block, is called first, in the thread that writes; if it returns False nothing is saved.
        Once the thread runs, cancellation waits for its end: `data` may be used again afterwards.
        """


class BufferPool:
    """Buffers of one piece that are used again: the kernel has to clear new memory, which costs more than a copy."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._buffers: list[bytearray] = []

    def acquire(self, size: int) -> bytearray:
        """A buffer of at least `size` bytes (`PIECE` at most), with any content."""
        if size == PIECE and self._buffers:
            return self._buffers.pop()
        return bytearray(size)

    def release(self, buffer: bytearray) -> None:
        """Give a buffer back.  No thread may write to it and no view of it may be read any more."""
        if len(buffer) == PIECE and len(self._buffers) < self._most:
            self._buffers.append(buffer)


class RangeRequest:
    """A request for the bytes from `start` to `end` of a file, in flight or queued.

    Bytes of an unfinished piece are published as they arrive, and read from the buffer (`copy`).  The last bytes of a
    piece are published only after the piece was saved: readers are woken for a piece only after it is on disk.  So a
    program that has read a file to its end finds all of it in the cache.

    Cancelled (`scope`) when no reader owns it or waits for it any more; what has arrived is then saved by `flush`.
    """

    def __init__(
        self,
        start: int,
        end: int,
        queued: QueuedRequest,
        save: Save,
        buffers: BufferPool,
        *,
        keep: bool = False,
        arrived: Callable[[RangeRequest, int], None] = lambda *_: None,
    ) -> None:
        """`arrived` is called with this request and the number of bytes that have come from the server."""
        self.start = start
        self.end = end
        self.queued = queued
        self.keep = keep  # not begun for a run of a reader: see `InFlight`
        self.extent = Extent.RANGE
        self.error: CoursefsError | None = None
        self.done = False
        self.received = start  # offset of the next byte from the server
        self.limit: int | None = None  # the platform is asked only for the bytes before it; None: for all
        self.scope = trio.CancelScope()
        self.owners: set[object] = set()
        self._save = save
        self._buffers = buffers
        self._published = start  # readers may have the bytes before this offset
        self._buffer: bytearray | None = None
        self._buffer_start = start  # offset in the file of its first byte
        self._waiting: list[tuple[int, trio.Event]] = []
        self._one_more = trio.Event()  # set when one more waits
        self._arrived = arrived

    @property
    def in_flight(self) -> InFlight:
        """What the planner knows of it."""
        return InFlight(self._published, self.end, self.extent, self.keep)

    @property
    def stop(self) -> int:
        """The end of the bytes that the platform is asked for now."""
        if self.limit is None or self.extent is not Extent.RANGE:
            return self.end
        return min(self.limit, self.end)

    def brings(self, offset: int) -> bool:
        """Whether this byte is still to come from this request."""
        return self._published <= offset < self.end

    @property
    def in_memory(self) -> Range:
        """The bytes that `copy` can give: arrived, and not yet saved with a full piece."""
        return Range(self._buffer_start, self._published)

    def copy(self, start: int, end: int) -> bytes:
        """A copy of these bytes, which must be `in_memory`.  A copy, because the buffer is used again."""
        return bytes(memoryview(self._buffer or b"")[start - self._buffer_start : end - self._buffer_start])

    async def add(self, offset: int, chunk: bytes) -> None:
        """Take a chunk of the body that begins at `offset`.  Bytes before `received` or beyond the end are ignored."""
        data = memoryview(chunk)[max(0, self.received - offset) :]
        while data and (space := self.free_space()):
            part = data[: len(space)]
            data = data[len(part) :]
            space[: len(part)] = part
            await self.advance(len(part))

    def free_space(self) -> memoryview:
        """Where the next bytes from the server are to be written, before `advance`; empty when all have arrived.

        It ends with the piece.  It is valid until the next call of a method that changes this request.
        """
        if self.received >= self.end:
            return memoryview(b"")
        limit = min((self.received // PIECE + 1) * PIECE, self.end)
        size = limit - self._buffer_start
        if self._buffer is None or len(self._buffer) < size:  # `begin_rest` may have moved the end further away
            old, self._buffer = self._buffer or b"", self._buffers.acquire(size)
            self._buffer[: len(old)] = old
        return memoryview(self._buffer)[self.received - self._buffer_start : limit - self._buffer_start]

    async def advance(self, count: int) -> None:
        """Count bytes that were written into `free_space`, save a full piece, and wake readers.

        `cut` may have moved the end meanwhile: bytes beyond it are ignored.
        """
        self.received = min(self.received + count, self.end)
        self._arrived(self, count)
        if self.received == self.end or self.received % PIECE == 0:
            await self.flush()  # before `_publish`: see above
        self._publish()

    def skip(self, offset: int) -> None:
        """Go on at this offset: the bytes before it have been saved without this request, which publishes them."""
        self.received = min(offset, self.end)
        self._reset_buffer()
        self._publish()

    async def receive_in_thread(self, receive: Callable[[memoryview], int]) -> int:
        """Let `receive` fill the rest of `free_space` in a disk thread, which saves the piece as well if it is full.

        For a quick server: the processor that receives the bytes has them in its cache when it writes them.
        Returns how many bytes came, as `receive` does.
        """
        space = self.free_space()
        count = 0

        def complete() -> bool:
            nonlocal count
            count = receive(space)
            return count == len(space)

        size = self.received - self._buffer_start + len(space)
        # The view is made before the thread fills the buffer: `_save` writes the bytes that `complete` has received.
        await self._save(
            self._buffer_start, memoryview(self._buffer or b"")[:size].toreadonly(), complete, patient=self._is_patient
        )
        self.received = min(self.received + count, self.end)
        self._arrived(self, count)
        self._publish()
        if count == len(space):  # else nothing was saved: the bytes stay in the buffer for the rest of the piece
            self._reset_buffer()
        return count

    async def flush(self) -> None:
        """Save what has arrived, whether it is a full piece or not, and publish it."""
        size = self.received - self._buffer_start
        if self._buffer is not None and size:
            await self._save(self._buffer_start, memoryview(self._buffer)[:size].toreadonly(), patient=self._is_patient)
        self._publish()
        self._reset_buffer()

    async def wait(self, until: int, owner: object) -> None:
        """Wait until the bytes before `until` are published or the request has ended.

        `owner` owns the request from now on, also when the wait is cancelled.
        """
        self.owners.add(owner)
        if self.done or self._published >= until:
            return
        waiter = (until, trio.Event())
        self._waiting.append(waiter)
        self._one_more.set()
        try:
            await waiter[1].wait()
        finally:
            self._waiting.remove(waiter)
            self._cancel_if_unneeded()  # it may have lost its owners meanwhile

    async def gather(self, size: int, rate: float, most: float) -> None:
        """Sleep while `size` more bytes arrive at `rate` (bytes a second), `most` seconds at most.

        If a read waits for bytes of this request, sleep half as long as those take: the link may be quicker now.
        Do not sleep if they are no more than a page.  A read that begins to wait ends the sleep.
        """
        left = min((until - self._published for until, _ in self._waiting), default=2 * size)
        if left > PAGE:
            self._one_more = trio.Event()
            with trio.move_on_after(min(min(size, left / 2) / rate, most)):
                await self._one_more.wait()

    def cut(self, end: int) -> None:
        """End this request earlier, because another one brings the bytes from `end` on.

        Waiters for bytes beyond the new end are woken, and look for the other request.
        """
        self.end = max(self.received, min(self.end, end))  # bytes that have arrived are not given up
        for until, event in self._waiting:
            if until > self.end:
                event.set()

    def cut_here(self) -> None:
        """End this request where it is, if the server sends no more than was asked for."""
        if self.extent is Extent.RANGE:
            self.cut(self.received)

    def begin_whole(self, size: int) -> None:
        """The server ignores the range and sends all `size` bytes from the first one: take them all."""
        self.extent = Extent.WHOLE
        self.start = self.received = self._published = self._buffer_start = 0
        self.end = size
        self._buffer = None  # the buffered bytes come once more, with all others

    def begin_rest(self, end: int) -> None:
        """The URL is for a single use, and the server sends everything from the next byte up to `end`: take it all.

        A reader that needs bytes far ahead starts another request, which takes over from there (`cut`).
        """
        if self.extent is not Extent.WHOLE:  # which must not be cut: the server may not send a range next time
            self.extent = Extent.REST
        self.keep = True
        self.end = end

    def remove_owner(self, owner: object) -> None:
        """This reader no longer needs it.  Cancels the request when no other owns it or waits for it."""
        self.owners.discard(owner)
        self._cancel_if_unneeded()

    def finish(self, error: CoursefsError | None) -> None:
        """The request has ended, with this error where it failed; wakes every waiter."""
        self.error = error
        self.done = True
        for _, event in self._waiting:
            event.set()

    @property
    def _is_patient(self) -> bool:
        return self.queued.priority is Priority.BACKGROUND

    def _cancel_if_unneeded(self) -> None:
        if not self.owners and not self._waiting:
            self.scope.cancel()

    def _reset_buffer(self) -> None:
        """The buffered bytes were saved: readers find them in the cache or the overflow buffer from now on."""
        buffer, self._buffer = self._buffer, None
        self._buffer_start = self.received
        if buffer is not None:
            self._buffers.release(buffer)

    def _publish(self) -> None:
        self._published = self.received
        for until, event in self._waiting:
            if until <= self._published:
                event.set()
