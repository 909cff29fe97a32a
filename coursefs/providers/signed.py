"""Replies that hold signed URLs: kept until shortly before the URLs end, and asked for once by all who want them."""

from __future__ import annotations

import copy
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import trio
from cachetools import TLRUCache

from coursefs.errors import CoursefsError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: a URL is no longer handed out when it has less than this to live, seconds
MARGIN = 600.0
#: how long a reply is kept that does not say when its URLs end, seconds
UNKNOWN_LIFE = 600.0


def kept_until(expires: float | None, now: float) -> float:
    """Until when a reply may be used: ten minutes before its URLs end, or half of a life shorter than twenty."""
    if expires is None:
        return now + UNKNOWN_LIFE
    return expires - min(MARGIN, max(0.0, expires - now) / 2)


class SignedReplies(Generic[K, V]):
    """`ask` with a memory.

    Concurrent calls for one key share one request; when the task that makes it is cancelled, another one of those who
    wait makes it anew.  Errors are shared by those who waited for that request, and not remembered.
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
        """Remember a reply that came by another way."""
        self._kept[key] = value

    async def get(self, key: K, *, fresh: bool = False) -> V:
        """The reply for this key; `fresh`: not from memory."""
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
            flight.error = error
            raise
        finally:
            del self._flights[key]
            flight.landed.set()
        self._kept[key] = value
        return value


class _Flight(Generic[V]):
    """A request under way; neither value nor error after it landed: it was cancelled."""

    def __init__(self) -> None:
        self.landed = trio.Event()
        self.value: V | None = None
        self.error: CoursefsError | None = None
