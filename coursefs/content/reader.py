"""A reader: one opened file as the library reads it, with a deadline for each read."""

from __future__ import annotations

import time

import trio

from coursefs.content import planner
from coursefs.content.failed_reads import FailedRead
from coursefs.content.open_file import OpenFile, ReaderState
from coursefs.errors import CoursefsError, NoAnswer, ReadByPages

#: longer reads are split into steps of this many bytes, each with a deadline of its own
_STEP = 2**20

#: the least that is worth an answer of its own, in bytes
_SOON = 16 * 2**10
#: seconds of a thin link that are worth waiting for more
_SOON_SECONDS = 0.02
#: seconds left until the deadline below which a repeated read fails at once
_LEAST = 0.1


class Reader:
    """Reads one version of one content.  Any number of its reads may run at once."""

    def __init__(self, open_file: OpenFile, read_timeout: float, *, by_pages: bool = False) -> None:
        """`by_pages`: a read may raise `ReadByPages`."""
        self._open_file = open_file
        self._timeout = read_timeout
        self._by_pages = by_pages
        self._state = ReaderState()
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
            if self._by_pages and await self._open_file.is_slow(offset, end):
                raise ReadByPages
            parts = [await self._step(start, min(start + _STEP, end)) for start in range(offset, end, _STEP)]
        except trio.Cancelled:
            self._open_file.cancel_requests(self._state)
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
        if file is None or not self._open_file.needs_no_plan(file, self._state, offset, end):
            return None
        data = file.read_now(offset, end, time.time_ns())
        if data is not None:
            self._state.state = planner.follow(self._state.state, offset, end)
        return data

    async def soon(self, offset: int, length: int) -> int:
        """How many of these bytes to wait for where fewer are enough: what is there, or a thin link brings in a moment.

        Over a quick link all of them: each answer costs the kernel and the program a request.
        """
        pace, end = self._open_file.pace, min(offset + length, self._open_file.version.size)
        if offset >= end or (pace.rate is not None and not pace.is_thin):
            return length
        ready = await self._open_file.ready(offset, end)
        return min(length, max(ready, _SOON, pace.brings(_SOON_SECONDS, 0)))

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
            self._open_file.cancel_requests(self._state)
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
                return await self._open_file.read(self._state, start, end)
            except CoursefsError as failure:
                error = failure
        self._open_file.cancel_requests(self._state)  # the next read must not wait for a request that is stuck
        if before is None:
            self._open_file.failed_reads.add(FailedRead(start, end, began, trio.current_time(), error))
        raise error
