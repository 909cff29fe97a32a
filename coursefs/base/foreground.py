"""Foreground and background work: a context flag, and a count of the requests that users wait for.

Background work (indexing, refreshes of old listings) waits for `Foreground.idle` before each step, and rate limiters
let foreground requests go first. It is a module of its own because the transport and the layers above share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import trio

_is_background: ContextVar[bool] = ContextVar("background", default=False)


@contextmanager
def background_work() -> Iterator[None]:
    """Mark the work in this context, and in tasks started in it, as background work."""
    token = _is_background.set(True)
    try:
        yield
    finally:
        _is_background.reset(token)


def is_background() -> bool:
    """Whether the current context is background work, which lets all other requests go first."""
    return _is_background.get()


class Foreground:
    """Counts the foreground requests in progress, and remembers when the last one ended."""

    def __init__(self) -> None:
        self._running = 0
        self._last = float("-inf")  # trio's clock
        self._changed = trio.Event()

    @contextmanager
    def request(self) -> Iterator[None]:
        """A context that counts as one foreground request."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._last = trio.current_time()
            if not self._running:
                self._changed.set()
                self._changed = trio.Event()

    async def idle(self, seconds: float) -> None:
        """Return when there has been no foreground request for this many seconds."""
        while True:
            if self._running:
                await self._changed.wait()
            rest = self._last + seconds - trio.current_time()
            if rest <= 0 and not self._running:
                return
            await trio.sleep(max(rest, 0.0))
