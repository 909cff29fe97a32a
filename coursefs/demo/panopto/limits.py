"""The request limits of each endpoint: 5 a second, 100 a minute and 5000 an hour.

A module of its own because the API and the tests of its limits use it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WINDOWS = ((5, 1.0), (100, 60.0), (5000, 3600.0))


@dataclass(frozen=True, slots=True)
class Excess:
    """A request that exceeded a limit."""

    most: int
    seconds: float
    wait: float  # seconds until the next request is accepted


class Counter:
    """Counts the requests of each endpoint in time windows; `now` returns seconds of any clock."""

    def __init__(self, now: Callable[[], float], windows: Sequence[tuple[int, float]] = WINDOWS) -> None:
        self._now = now
        self._windows = tuple(windows)
        self._times: defaultdict[str, list[float]] = defaultdict(list)
        self.refused = 0

    def count(self, endpoint: str) -> Excess | None:
        """Count a request; return the limit that it exceeds, if any. A refused request does not count."""
        now, times = self._now(), self._times[endpoint]
        for most, seconds in self._windows:
            recent = [one for one in times[-most:] if now - one < seconds]
            if len(recent) >= most:
                self.refused += 1
                return Excess(most, seconds, recent[0] + seconds - now)
        times.append(now)
        return None
