"""How often one endpoint may be asked, where a platform counts requests in spans of time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import trio

from coursefs.foreground import is_behind

#: part of each span that work nobody waits for leaves to the rest
_KEPT = 0.4


class Span(NamedTuple):
    """At most so many requests in any span of so many seconds."""

    most: int
    seconds: float


class Pace:
    """Keeps all of its spans: there is no moment at which looking back finds more requests than one of them allows.

    Who is waited for goes before work that nobody waits for (`coursefs.foreground.behind`), which also leaves a part
    of every span to those who may come; within each of both, first come is first served.  A waiter that is cancelled
    takes nothing.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = tuple(spans)
        self._longest = max(span.seconds for span in spans)
        self._taken: list[float] = []  # when, on trio's clock; ascending
        self._held_until = -math.inf
        self._waiting = 0  # who is waited for, and waits for a turn
        self._nobody = trio.Event()  # set when that comes to nothing; then there is another one
        self._turn = trio.Lock()
        self._turn_behind = trio.Lock()

    async def take(self) -> None:
        """Wait until one more request may be made."""
        if is_behind():
            async with self._turn_behind:
                await self._take_behind()
            return
        self._waiting += 1
        try:
            async with self._turn:
                while (wait := self._wait(0.0)) > 0:  # noqa: ASYNC110  # a hold may come meanwhile
                    await trio.sleep(wait)
                self._taken.append(trio.current_time())
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._nobody.set()
                self._nobody = trio.Event()

    def hold(self, seconds: float) -> None:
        """Nobody has a turn for so long: the platform said that it is asked too often."""
        self._held_until = max(self._held_until, trio.current_time() + seconds)

    async def _take_behind(self) -> None:
        while self._waiting or (wait := self._wait(_KEPT)) > 0:
            if self._waiting:
                await self._nobody.wait()
            else:
                await trio.sleep(wait)
        self._taken.append(trio.current_time())

    def _wait(self, kept: float) -> float:
        """Seconds until one more request would keep every span, with a part of it kept free."""
        now = trio.current_time()
        del self._taken[: bisect_right(self._taken, now - self._longest)]
        waits = [self._held_until - now]
        for most, seconds in self._spans:
            allowed = max(1, math.floor(most * (1 - kept)))
            if len(self._taken) >= allowed:
                waits.append(self._taken[-allowed] + seconds - now)
        return max(waits)
