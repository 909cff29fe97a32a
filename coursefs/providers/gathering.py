"""Many requests at once: what fails for one item alone is its answer, what stands against all ends the whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn

K = TypeVar("K")
V = TypeVar("V")


def concerns_one_item(error: CoursefsError) -> bool:
    """Whether an error says something of one item only: refused, gone, broken; not the sign-in or the network."""
    return isinstance(error, (NotAllowed, Gone, BadReply)) and not isinstance(error, NotSignedIn)


class Gathering:
    """Requests under way; all of them have answered when the context of `gathering` ends."""

    def __init__(self, nursery: trio.Nursery, limiter: trio.CapacityLimiter) -> None:
        self._nursery = nursery
        self._limiter = limiter
        self.failure: CoursefsError | None = None

    def ask(self, answers: dict[K, V | CoursefsError], key: K, ask: Callable[[], Awaitable[V]]) -> None:
        """Make a request; its answer, or the error that concerns it alone, becomes `answers[key]`."""
        self._nursery.start_soon(self._ask, answers, key, ask)

    async def _ask(self, answers: dict[K, V | CoursefsError], key: K, ask: Callable[[], Awaitable[V]]) -> None:
        try:
            async with self._limiter:
                answers[key] = await ask()
        except CoursefsError as error:
            if concerns_one_item(error):
                answers[key] = error
            elif self.failure is None:
                self.failure = error
                self._nursery.cancel_scope.cancel()


@asynccontextmanager
async def gathering(limiter: trio.CapacityLimiter) -> AsyncIterator[Gathering]:
    """A context for requests, as many at a time as `limiter` lets through.

    Raises the first error that stands against the whole account or network, bare; the other requests are cancelled.
    """
    async with trio.open_nursery() as nursery:
        requests = Gathering(nursery, limiter)
        yield requests
    if requests.failure is not None:
        raise requests.failure
