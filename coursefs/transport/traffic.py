"""What goes through the transport: requests and bytes by host, and how fast they come (pure)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from cachetools import LRUCache

#: seconds over which a rate is taken: long enough to be calm, short enough to be true
_WINDOW = 5
#: hosts that are remembered; a platform with its media servers has a handful
_HOSTS = 64


@dataclass(slots=True)
class HostTraffic:
    """What one host was asked since the start, and what stands against asking it now."""

    requests: int = 0  # that were answered, with whatever status
    failures: int = 0  # without an answer, or with one of 500 and more
    limited: int = 0  # answered with 429: too many
    waiting: int = 0  # requests that wait now: for their turn, or because the host wants a pause
    paused_until: float | None = None  # until when the host wants a pause, seconds since 1970; None: it never did
    received: int = 0  # bytes of bodies

    @contextmanager
    def wait(self) -> Iterator[None]:
        """While the context lasts a request waits."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1


@dataclass(slots=True)
class Meter:
    """Bytes by the second.  Times are seconds of any one clock."""

    total: int = 0
    _seconds: dict[int, int] = field(default_factory=dict)

    def add(self, count: int, now: float) -> None:
        """So many bytes came."""
        second = int(now)
        if second not in self._seconds:
            self._seconds = {one: came for one, came in self._seconds.items() if second - one <= _WINDOW}
        self._seconds[second] = self._seconds.get(second, 0) + count
        self.total += count

    def rate(self, now: float) -> float:
        """Bytes a second, lately."""
        first = int(now) - _WINDOW
        came = sum(count for second, count in self._seconds.items() if second >= first)
        return came / (now - first)


class Traffic:
    """All that a transport counts."""

    def __init__(self) -> None:
        self.meter = Meter()
        self._hosts: LRUCache[str, HostTraffic] = LRUCache(_HOSTS)

    @property
    def hosts(self) -> Mapping[str, HostTraffic]:
        """By the host's name."""
        return dict(self._hosts.items())

    def of(self, host: str) -> HostTraffic:
        """The counters of a host."""
        found = self._hosts.get(host)
        if found is None:
            found = self._hosts[host] = HostTraffic()
        return found

    def answered(self, host: str, status: int) -> None:
        """A host answered."""
        counts = self.of(host)
        counts.requests += 1
        counts.failures += status >= 500
        counts.limited += status == 429


class Counted(httpx.AsyncByteStream):
    """A body whose parts are counted as they come.

    An iterator, not a generator: trio warns of generators that are left before their end.
    """

    def __init__(self, body: httpx.AsyncByteStream, count: Callable[[int], None]) -> None:
        self._body = body
        self._parts = aiter(body)
        self._count = count

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next part."""
        part = await anext(self._parts)
        self._count(len(part))
        return part

    async def aclose(self) -> None:
        """Close the body."""
        await self._body.aclose()
