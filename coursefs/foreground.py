"""Whether somebody is waiting: background work asks before every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import trio

_behind: ContextVar[bool] = ContextVar("behind", default=False)


@contextmanager
def behind() -> Iterator[None]:
    """What is asked in this context, and in tasks that are started in it, nobody waits for."""
    token = _behind.set(True)
    try:
        yield
    finally:
        _behind.reset(token)


def is_behind() -> bool:
    """Whether this is work that nobody waits for: it lets everything else go first."""
    return _behind.get()


class Foreground:
    """Counts the requests of people and programs that are under way, and remembers the last one."""

    def __init__(self) -> None:
        self._running = 0
        self._last = float("-inf")  # trio's clock
        self._changed = trio.Event()

    @contextmanager
    def request(self) -> Iterator[None]:
        """While the context lasts somebody waits for an answer."""
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
        """Return when nobody has waited for so many seconds."""
        while True:
            if self._running:
                await self._changed.wait()
            rest = self._last + seconds - trio.current_time()
            if rest <= 0 and not self._running:
                return
            await trio.sleep(max(rest, 0.0))
