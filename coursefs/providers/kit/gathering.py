"""Concurrent requests for many items: an error of one item is its result, an error of the account ends them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, RouteGone, without_variables

K = TypeVar("K")
V = TypeVar("V")


def concerns_one_item(error: CoursefsError) -> bool:
    """Whether an error is of one item (refused, gone, broken), and not of the sign-in or the network."""
    return isinstance(error, (NotAllowed, Gone, BadReply)) and not isinstance(error, NotSignedIn)


def is_final(error: CoursefsError) -> bool:
    """Whether a retry soon would fail in the same way: refused, gone, or the route was removed."""
    return isinstance(error, (NotAllowed, Gone, RouteGone))


class Gathering:
    """A group of concurrent requests; all are finished when the context of `gathering` ends."""

    def __init__(self, nursery: trio.Nursery, limiter: trio.CapacityLimiter) -> None:
        self._nursery = nursery
        self._limiter = limiter
        self.failure: CoursefsError | None = None

    def ask(self, answers: dict[K, V | CoursefsError], key: K, ask: Callable[[], Awaitable[V]]) -> None:
        """Start a request.  Its result, or an error of this item alone, becomes `answers[key]`."""
        self._nursery.start_soon(self._ask, answers, key, ask)

    async def _ask(self, answers: dict[K, V | CoursefsError], key: K, ask: Callable[[], Awaitable[V]]) -> None:
        try:
            async with self._limiter:
                answers[key] = await ask()
        except CoursefsError as error:
            if concerns_one_item(error):
                answers[key] = without_variables(error)
            elif self.failure is None:
                self.failure = without_variables(error)
                self._nursery.cancel_scope.cancel()


@asynccontextmanager
async def gathering(limiter: trio.CapacityLimiter) -> AsyncIterator[Gathering]:
    """A context for concurrent requests, as many at a time as `limiter` allows.

    The first error of the whole account or of the network cancels the other requests and is raised, not in a group.
    """
    async with trio.open_nursery() as nursery:
        requests = Gathering(nursery, limiter)
        yield requests
    if requests.failure is not None:
        raise requests.failure
