"""The bandwidth limit of what no program waits for: a token bucket of bytes that may go into debt.

The process has one limit, from the settings; a command may have one of its own in its place (`of_command`). Bytes are
counted after they were received, and the next ones wait until the debt is paid, so that on average no more come than
the limit allows. Foreground reads neither wait nor count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import trio

#: bytes a second at this moment; None: no limit
Rate = Callable[[], float | None]

#: seconds of the limit that may come at once after a pause
_BURST = 0.25
#: seconds after which the limit is looked at again while waiting: the hour may have come at which it changes
_LOOK_AGAIN = 30.0
#: bytes that are received between two waits: at most, and at least
_MOST, _LEAST = 64 * 2**10, 2**10


class Bandwidth:
    """A limit for received bytes; `rate` is called whenever it matters, and may change."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._allowed = 0.0  # bytes; below zero: debt
        self._at: float | None = None  # when that was true, on trio's clock

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit now."""
        return self.rate() is not None

    @property
    def step(self) -> int:
        """The most bytes to receive between two waits: few where the limit is low, so that no wait is long."""
        rate = self.rate()
        return _MOST if rate is None else round(min(max(rate / 10, _LEAST), _MOST))

    def spend(self, count: int) -> None:
        """Count received bytes."""
        self._refill()
        self._allowed -= count

    async def wait(self, ended: trio.Event | None = None) -> None:
        """Wait until bytes may be received, or until `ended`."""
        ended = trio.Event() if ended is None else ended
        while (seconds := self._wait()) > 0 and not ended.is_set():
            with trio.move_on_after(min(seconds, _LOOK_AGAIN)):
                await ended.wait()

    def _wait(self) -> float:
        rate = self._refill()
        # less than a byte is none: the time that it takes may be too short to be told from now
        return 0.0 if rate is None or self._allowed > -1 else -self._allowed / rate

    def _refill(self) -> float | None:
        rate, now = self.rate(), trio.current_time()
        if rate is None:
            self._allowed = 0.0
        elif self._at is not None:
            self._allowed = min(self._allowed + (now - self._at) * rate, _BURST * rate)
        self._at = now
        return rate


_of_command: ContextVar[Bandwidth | None] = ContextVar("bandwidth", default=None)


@contextmanager
def of_command(bandwidth: Bandwidth | None) -> Iterator[None]:
    """A context whose work, and that of tasks started in it, has this limit in place of the process's; None: that."""
    token = _of_command.set(bandwidth)
    try:
        yield
    finally:
        _of_command.reset(token)


def limit_of(process: Bandwidth) -> Bandwidth:
    """The limit of the current work: that of its command, else that of the process."""
    return _of_command.get() or process


class HasHours(Protocol):
    """A rate for each minute of the day, as `coursefs.settings.rates.Timetable` has them."""

    def rate(self, minute: int) -> float | None:
        """Bytes a second at a minute of the day; None: no limit."""


def rate_now(timetable: HasHours | None) -> float | None:
    """The rate of a timetable by the clock on the wall; None: no limit."""
    if timetable is None:
        return None
    now = time.localtime()
    return timetable.rate(now.tm_hour * 60 + now.tm_min)
