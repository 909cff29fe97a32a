"""An open file."""

from __future__ import annotations

import trio

from coursefs.content.entry import Entry, Handle
from coursefs.errors import NoAnswer

#: longer reads are made of steps of this many bytes, each with a deadline of its own
_STEP = 2**20
#: bytes that are answered without letting other tasks run: a few milliseconds; a mount lets them run more often
_TURN = 8 * 2**20


class Reader:
    """Reads one version of one content.  Any number of reads may run at once."""

    def __init__(self, entry: Entry, read_timeout: float) -> None:
        self._entry = entry
        self._timeout = read_timeout
        self._handle = Handle()
        self._closed = False
        self._at_once = 0  # bytes that were answered without letting other tasks run
        entry.join()

    async def read(self, offset: int, length: int) -> bytes | memoryview:
        """Exactly the bytes asked for, clipped at the end of the file.

        Raises `NoAnswer` when a MiB of them does not come within the read timeout, `Stale` when the platform has
        another version, or whatever else stands against it; never returns too few bytes.  A read that is cancelled
        leaves nothing behind.
        """
        if offset < 0 or length < 0 or self._closed:
            raise ValueError("read of a closed file, or of a negative range")
        end = min(offset + length, self._entry.version.size)
        await trio.lowlevel.checkpoint_if_cancelled()
        data = self.read_now(offset, length)
        if data is not None:
            return data
        self._at_once = 0
        self._entry.join()
        try:
            parts = [await self._step(start, min(start + _STEP, end)) for start in range(offset, end, _STEP)]
        except trio.Cancelled:
            self._entry.let_go(self._handle)
            raise
        finally:
            self._entry.leave()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_now(self, offset: int, length: int) -> memoryview | None:
        """The bytes asked for as `read` gives them, where they can be had without waiting; None: ask with `read`.

        Says None once in a while although they could, so that other tasks have their turn.
        """
        end = min(offset + length, self._entry.version.size)
        if self._closed or not 0 <= offset < end <= offset + _STEP or self._at_once >= _TURN:
            return None
        data = self._entry.read_now(self._handle, offset, end)
        if data is not None:
            self._at_once += len(data)
        return data

    async def missing(self, offset: int, length: int) -> int:
        """How many of these bytes are not at hand: what a read of them waits for the network for."""
        return await self._entry.missing(offset, min(offset + length, self._entry.version.size))

    def close(self) -> None:
        """No more reads; fetches that only this reader wanted are given up.  May be called twice."""
        if not self._closed:
            self._closed = True
            self._entry.let_go(self._handle)
            self._entry.leave()

    async def _step(self, start: int, end: int) -> memoryview:
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(self._timeout):
            return await self._entry.read(self._handle, start, end)
        raise NoAnswer(f"no answer within {self._timeout:g} s")
