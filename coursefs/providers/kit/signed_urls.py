"""A cache of replies with signed URLs: kept until shortly before the URLs expire, with single flight."""

from __future__ import annotations

import copy
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import trio
from cachetools import TLRUCache

from coursefs.errors import CoursefsError, without_variables

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: seconds before its expiry from which a URL is no longer used
MARGIN = 600.0
#: seconds for which a reply without an expiry time is kept
UNKNOWN_LIFE = 600.0


def kept_until(expires: float | None, now: float) -> float:
    """Until when a reply may be used: ten minutes before its URLs expire, or half of a life under twenty minutes."""
    if expires is None:
        return now + UNKNOWN_LIFE
    return expires - min(MARGIN, max(0.0, expires - now) / 2)


class SignedReplies(Generic[K, V]):
    """`ask` with a cache and single flight.

    Concurrent calls for one key share one request.  If the task that makes it is cancelled, another waiting task makes
    it again.  An error is raised in all tasks that waited for that request, and is not cached.
    """

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        expires: Callable[[V], float | None],
        *,
        size: int = 256,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ask = ask
        self._kept: TLRUCache[K, V] = TLRUCache(
            size, ttu=lambda _key, value, now: kept_until(expires(value), now), timer=clock
        )
        self._flights: dict[K, _Flight[V]] = {}

    def keep(self, key: K, value: V) -> None:
        """Cache a reply that another request brought."""
        self._kept[key] = value

    async def get(self, key: K, *, fresh: bool = False) -> V:
        """The reply for this key; `fresh`: not from the cache."""
        value = None if fresh else self._kept.get(key)
        while value is None:
            flight = self._flights.get(key)
            if flight is None:
                return await self._lead(key)
            await flight.landed.wait()
            if flight.error is not None:
                raise copy.copy(flight.error) from flight.error
            value = flight.value
        return value

    async def _lead(self, key: K) -> V:
        flight = self._flights[key] = _Flight()
        try:
            value = flight.value = await self._ask(key)
        except CoursefsError as error:
            flight.error = without_variables(error)
            raise
        finally:
            del self._flights[key]
            flight.landed.set()
        self._kept[key] = value
        return value


class _Flight(Generic[V]):
    """A request in flight.  If it has neither a value nor an error after its end, it was cancelled."""

    def __init__(self) -> None:
        self.landed = trio.Event()
        self.value: V | None = None
        self.error: CoursefsError | None = None
