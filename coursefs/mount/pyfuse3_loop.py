"""A faster event loop for pyfuse3: several pending requests are answered without a switch of tasks.

By itself pyfuse3 lets two workers alternate, with two turns of trio's scheduler for each request, which cost more than
most replies. It takes its locks and its waiting from its global name `trio` (as its asyncio mode does), so they are
replaced there.
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

#: seconds after which other tasks run, however many requests are pending
_LONGEST_TURN = 0.002
#: seconds to wait for a program's next request after a reply. Most programs send it at once, and a turn of the
#: scheduler would take as long as the request
_SOON = 30e-6


@contextmanager
def long_turns() -> Iterator[None]:
    """While the context lasts, a new session answers all pending requests before it waits."""
    before = pyfuse3.trio  # type: ignore[attr-defined]  # not in its stubs
    pyfuse3.trio = _Trio()  # type: ignore[attr-defined]  # as above
    try:
        yield
    finally:
        pyfuse3.trio = before  # type: ignore[attr-defined]  # as above


class _Done:
    """An awaitable that is already done; a coroutine for each call would cost more than the work."""

    _nothing: Iterator[None] = iter(())

    def __await__(self) -> Iterator[None]:
        return self._nothing


_DONE: Awaitable[None] = _Done()  # type: ignore[assignment]  # an iterator is all that is awaited; this one has ended


class Lock:
    """A lock that its last holder can take again at once, without a turn of the scheduler.

    A release wakes one waiter, which gets the lock when the last holder waits for something itself.
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
    """`trio.lowlevel`, but waiting for a file that is readable, or soon will be, takes no turn for a while."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._pollers: dict[int, select.poll] = {}
        self._until = float("-inf")  # end of the current long turn

    def __getattr__(self, name: str) -> Any:
        return getattr(trio.lowlevel, name)

    def wait_readable(self, fd: int) -> Awaitable[None]:
        """Await the result until the file is readable. Raises what `trio.lowlevel.wait_readable` raises."""
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
        return found == [(fd, select.POLLIN)]  # trio reports end of file and errors


class _Trio:
    Lock = Lock

    def __init__(self) -> None:
        self.lowlevel = Waiting()

    def __getattr__(self, name: str) -> Any:
        return getattr(trio, name)
