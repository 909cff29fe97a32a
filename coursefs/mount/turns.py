"""How pyfuse3 waits for the kernel: several requests in one turn of the event loop, where several are there.

As it comes it lets two workers take turns for each request, with two turns of trio's loop, which cost more than most
answers do.  It takes its locks and its waiting from its global name `trio` (that is how its asyncio mode works), so
that is where they are replaced.
"""

from __future__ import annotations

import select
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import pyfuse3
import trio

#: seconds after which everything else gets its turn, however many requests there are
_LONGEST_TURN = 0.002
#: seconds that a program gets after an answer for its next request.  Most ask on at once: a turn of the loop in between
#: would take as long as the request.
_SOON = 30e-6


@contextmanager
def long_turns() -> Iterator[None]:
    """Let a session that begins within the context serve what is there before it waits."""
    before = pyfuse3.trio  # type: ignore[attr-defined]  # not in its stubs
    pyfuse3.trio = _Trio()  # type: ignore[attr-defined]  # as above
    try:
        yield
    finally:
        pyfuse3.trio = before  # type: ignore[attr-defined]  # as above


class _Done:
    """What can be awaited and takes no time; a coroutine for each would take more than what is waited for."""

    _nothing: Iterator[None] = iter(())

    def __await__(self) -> Iterator[None]:
        return self._nothing


_DONE: Awaitable[None] = _Done()  # type: ignore[assignment]  # an iterator is all that is awaited; this one has ended


class Lock:
    """A lock that its last holder may have again at once, without a turn of the loop.

    A release wakes one of those who wait; it has the lock as soon as the last holder waits for something itself.
    """

    def __init__(self) -> None:
        self._held = False
        self._waiting = trio.lowlevel.ParkingLot()

    def __aenter__(self) -> Awaitable[None]:
        if self._held:
            return self._acquire()
        self._held = True
        return _DONE

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Awaitable[None]:
        self._held = False
        if self._waiting:
            self._waiting.unpark()
        return _DONE

    async def _acquire(self) -> None:
        while self._held:
            await self._waiting.park()
        self._held = True


class Waiting:
    """`trio.lowlevel`, but that waiting for a file that is readable already, or soon, takes no turn, for a while."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._pollers: dict[int, select.poll] = {}
        self._until = float("-inf")  # when the turn has been long enough

    def __getattr__(self, name: str) -> Any:
        return getattr(trio.lowlevel, name)

    def wait_readable(self, fd: int) -> Awaitable[None]:
        """To be awaited until the file is readable.  Raises what `trio.lowlevel.wait_readable` raises."""
        now = self._clock()
        if now < self._until and self._is_readable_soon(fd, now + _SOON):
            return _DONE
        return self._wait_readable(fd)

    async def _wait_readable(self, fd: int) -> None:
        await trio.lowlevel.wait_readable(fd)
        self._until = self._clock() + _LONGEST_TURN

    def _is_readable_soon(self, fd: int, soon: float) -> bool:
        poller = self._pollers.get(fd)
        if poller is None:
            poller = self._pollers[fd] = select.poll()
            poller.register(fd, select.POLLIN)
        while not (found := poller.poll(0)):
            if self._clock() > soon:
                return False
        return found == [(fd, select.POLLIN)]  # an end or an error is for trio to report


class _Trio:
    Lock = Lock

    def __init__(self) -> None:
        self.lowlevel = Waiting()

    def __getattr__(self, name: str) -> Any:
        return getattr(trio, name)
