"""Traffic: requests and bytes by host, and the throughput of all of them (pure)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from cachetools import LRUCache

from coursefs.transport.http_library import httpx

#: seconds over which throughput is averaged: long enough to be steady, short enough to be current
_WINDOW = 5
#: hosts that are counted; a platform with its media servers has a handful
_HOSTS = 64


@dataclass(slots=True)
class HostTraffic:
    """The counters of one host since the start, and why requests to it wait now."""

    requests: int = 0  # answered with any status
    failures: int = 0  # without an answer, or with status 500 and more
    limited: int = 0  # answered with 429 (too many requests)
    waiting: int = 0  # waiting now: for a rate limiter, or backing off
    paused_until: float | None = None  # the end of its last `Retry-After`, seconds since 1970; None: it sent none
    received: int = 0  # bytes of bodies

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Count a request as waiting inside the context."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1


@dataclass(slots=True)
class Meter:
    """Counts bytes by the second.  Times are seconds of any one clock."""

    total: int = 0
    _seconds: dict[int, int] = field(default_factory=dict)

    def add(self, count: int, now: float) -> None:
        """Count bytes that arrived at `now`."""
        second = int(now)
        if second not in self._seconds:
            self._seconds = {one: came for one, came in self._seconds.items() if second - one <= _WINDOW}
        self._seconds[second] = self._seconds.get(second, 0) + count
        self.total += count

    def rate(self, now: float) -> float:
        """Bytes a second over the last `_WINDOW` seconds."""
        first = int(now) - _WINDOW
        came = sum(count for second, count in self._seconds.items() if second >= first)
        return came / (now - first)


class Traffic:
    """All counters of a transport."""

    def __init__(self) -> None:
        self.meter = Meter()
        self._hosts: LRUCache[str, HostTraffic] = LRUCache(_HOSTS)

    @property
    def hosts(self) -> Mapping[str, HostTraffic]:
        """The counters by host name."""
        return dict(self._hosts.items())

    def of(self, host: str) -> HostTraffic:
        """The counters of a host."""
        found = self._hosts.get(host)
        if found is None:
            found = self._hosts[host] = HostTraffic()
        return found

    def answered(self, host: str, status: int) -> None:
        """Count a response."""
        counts = self.of(host)
        counts.requests += 1
        counts.failures += status >= 500
        counts.limited += status == 429


class Counted(httpx.AsyncByteStream):
    """A body whose bytes are counted as they arrive.

    An iterator, not a generator: trio warns of async generators that are not exhausted.
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
