"""Rate limiters for requests to platforms: by spans of time (`RateLimiter`) or on average (`Bucket`)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import trio

from coursefs.base.foreground import is_background

#: the part of each span that background work leaves free for foreground requests
_RESERVED = 0.4


class Span(NamedTuple):
    """At most `most` requests in any span of `seconds` seconds."""

    most: int
    seconds: float


class RateLimiter:
    """A sliding-window rate limiter: at no moment do the last seconds of a span hold more requests than it allows.

    Foreground requests go before background work (`coursefs.base.foreground.behind`), which also leaves `_RESERVED` of
    every span free for them; within each of the two they are served in order of arrival.  A cancelled waiter consumes
    nothing.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = tuple(spans)
        self._longest = max(span.seconds for span in spans)
        self._taken: list[float] = []  # times of requests on trio's clock, ascending
        self._held_until = -math.inf
        self._waiting = 0  # foreground requests that wait
        self._none_waiting = trio.Event()  # set when `_waiting` becomes 0, and replaced by a new one
        # trio's locks are fair: their queues are the order of arrival
        self._foreground = trio.Lock()
        self._background = trio.Lock()

    async def take(self) -> None:
        """Wait until one more request may be made."""
        if is_background():
            async with self._background:
                await self._take_in_background()
            return
        self._waiting += 1
        try:
            async with self._foreground:
                while (wait := self._wait(0.0)) > 0:  # noqa: ASYNC110  # `hold` may be called meanwhile
                    await trio.sleep(wait)
                self._taken.append(trio.current_time())
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._none_waiting.set()
                self._none_waiting = trio.Event()

    def hold(self, seconds: float) -> None:
        """Let no request pass for so many seconds: the platform has answered 429."""
        self._held_until = max(self._held_until, trio.current_time() + seconds)

    async def _take_in_background(self) -> None:
        while self._waiting or (wait := self._wait(_RESERVED)) > 0:
            if self._waiting:
                await self._none_waiting.wait()
            else:
                await trio.sleep(wait)
        self._taken.append(trio.current_time())

    def _wait(self, reserved: float) -> float:
        """Seconds until one more request fits into every span, of which the part `reserved` stays free."""
        now = trio.current_time()
        del self._taken[: bisect_right(self._taken, now - self._longest)]  # older requests count in no span
        waits = [self._held_until - now]
        for most, seconds in self._spans:
            allowed = max(1, math.floor(most * (1 - reserved)))
            if len(self._taken) >= allowed:
                # the oldest of the last `allowed` requests has to leave the span first
                waits.append(self._taken[-allowed] + seconds - now)
        return max(waits)


class Limit(Protocol):
    """Any rate limiter."""

    async def take(self) -> None:
        """Wait until one more request may be made."""

    def hold(self, seconds: float) -> None:
        """Let no request pass for so many seconds: the platform has answered 429."""


class Bucket:
    """A token bucket: `rate` requests a second, `burst` of them at once after a rest.

    Waiters are served in order of arrival.  A cancelled waiter consumes nothing.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_at: float | None = None  # trio's clock
        self._held_until = float("-inf")  # trio's clock
        self._lock = trio.Lock()  # held while waiting: its queue is the order of arrival

    async def take(self) -> None:
        """Wait until one more request may be made."""
        async with self._lock:
            while (held := self._held_until - trio.current_time()) > 0:  # noqa: ASYNC110  # `hold` may be called again
                await trio.sleep(held)
            self._fill()
            if self._tokens < 1.0:
                await trio.sleep((1.0 - self._tokens) / self._rate)
                self._fill()
            self._tokens -= 1.0

    def hold(self, seconds: float) -> None:
        """Let no request pass for so many seconds: the platform has answered 429."""
        self._held_until = max(self._held_until, trio.current_time() + seconds)

    def _fill(self) -> None:
        now = trio.current_time()
        if self._filled_at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
