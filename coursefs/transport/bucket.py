"""A token bucket: how often one account may ask its platform."""

from __future__ import annotations

from typing import Protocol

import trio


class Limit(Protocol):
    """Whoever wants to make a request waits for its turn here."""

    async def take(self) -> None:
        """Wait until one more request may be made."""

    def hold(self, seconds: float) -> None:
        """Nobody has a turn for so long: the platform said that it is asked too often."""


class Bucket:
    """Lets `rate` requests a second pass, `burst` of them at once after a rest.

    Waiters are served in the order in which they came.  A waiter that is cancelled takes nothing.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_at: float | None = None  # trio's clock
        self._held_until = float("-inf")  # trio's clock
        self._turn = trio.Lock()

    async def take(self) -> None:
        """Wait until one more request may be made."""
        async with self._turn:
            while (held := self._held_until - trio.current_time()) > 0:  # noqa: ASYNC110  # it may be put off meanwhile
                await trio.sleep(held)
            self._fill()
            if self._tokens < 1.0:
                await trio.sleep((1.0 - self._tokens) / self._rate)
                self._fill()
            self._tokens -= 1.0

    def hold(self, seconds: float) -> None:
        """Nobody has a turn for so long: the platform said that it is asked too often."""
        self._held_until = max(self._held_until, trio.current_time() + seconds)

    def _fill(self) -> None:
        now = trio.current_time()
        if self._filled_at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
