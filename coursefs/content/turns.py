"""Turns at a disk that may stop answering."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import trio

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: seconds that somebody who could do without the disk waits for a turn: longer than a slow disk takes for all lanes
_PATIENCE = 5.0


class NoTurn(Exception):
    """Everybody who was let to the disk is still waiting for it."""


class Turns:
    """Threads that may wait for the disk at once."""

    def __init__(self, threads: int) -> None:
        self._limiter = trio.CapacityLimiter(threads)
        self._stuck = False

    async def take(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something in a thread.  Once begun it is not interrupted by cancellation."""
        return await trio.to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self._limiter)

    async def take_soon(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same.  Raises `NoTurn` where no thread comes free within seconds, and at once as long as that is so."""
        if not self._stuck or self._limiter.available_tokens:
            with trio.move_on_after(_PATIENCE):
                answer = await self.take(function, *args, **kwargs)
                self._stuck = False
                return answer
            log.warning("the disk of the cache does not answer; what comes now is not kept")
            self._stuck = True
        raise NoTurn
