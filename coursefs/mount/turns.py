"""How pyfuse3 waits for the kernel: several requests in one turn of the event loop, where several are there.

As it comes it lets two workers take turns for each request, with two turns of trio's loop, which cost more than most
answers do.  It takes its locks and its waiting from its global name `trio` (that is how its asyncio mode works), so
that is where they are replaced.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import pyfuse3
import trio

#: seconds after which everything else gets its turn, however many requests there are
_LONGEST_TURN = 0.001


@contextmanager
def long_turns() -> Iterator[None]:
    """Let a session that begins within the context serve what is there before it waits."""
    before = pyfuse3.trio  # type: ignore[attr-defined]  # not in its stubs
    pyfuse3.trio = _Trio()  # type: ignore[attr-defined]  # as above
    try:
        yield
    finally:
        pyfuse3.trio = before  # type: ignore[attr-defined]  # as above


class Lock:
    """A lock that its last holder may have again at once, without a turn of the loop.

    A release wakes one of those who wait; it has the lock as soon as the last holder waits for something itself.
    """

    def __init__(self) -> None:
        self._held = False
        self._waiting = trio.lowlevel.ParkingLot()

    async def __aenter__(self) -> None:
        while self._held:
            await self._waiting.park()
        self._held = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held = False
        self._waiting.unpark()


class Waiting:
    """`trio.lowlevel`, but that waiting for a file that is readable already takes no turn, for a while."""

    def __init__(self) -> None:
        self._pollers: dict[int, select.poll] = {}
        self._until = 0.0  # trio's clock: when the turn has been long enough

    def __getattr__(self, name: str) -> Any:
        return getattr(trio.lowlevel, name)

    async def wait_readable(self, fd: int) -> None:
        """Return when the file is readable.  Raises what `trio.lowlevel.wait_readable` raises."""
        if trio.current_time() < self._until and self._is_readable(fd):
            return
        await trio.lowlevel.wait_readable(fd)
        self._until = trio.current_time() + _LONGEST_TURN

    def _is_readable(self, fd: int) -> bool:
        poller = self._pollers.get(fd)
        if poller is None:
            poller = self._pollers[fd] = select.poll()
            poller.register(fd, select.POLLIN)
        return poller.poll(0) == [(fd, select.POLLIN)]  # an end or an error is for trio to report


class _Trio:
    Lock = Lock

    def __init__(self) -> None:
        self.lowlevel = Waiting()

    def __getattr__(self, name: str) -> Any:
        return getattr(trio, name)
