"""The link to the servers, as far as its traffic shows: its rate, its round-trip time, how many connections fill it.

Over a quick link several connections together are quicker than one, and the order in which their bytes come hardly
matters.  A thin link is mostly filled by one connection; a second one only takes from the first, whose bytes a program
waits for.  The link is not known beforehand, so it is measured while bytes arrive.  Times are seconds of any one clock.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: bytes a second below which a link is thin: 100 Mbit/s, of which a lecture in high resolution needs a good part
THIN = 12_000_000
#: the shortest interval, in seconds: the bytes that a socket buffer holds come at once, and say little of the link
_INTERVAL = 0.2
#: a rate that is so many times the one before still grows: a server sends little until it has seen acknowledgements
#: (slow start, RFC 5681), whatever the link
_GROWS = 1.3
#: bytes that a server sends before the first of them is acknowledged: ten segments (RFC 6928)
_FIRST_WINDOW = 14_600
#: the part of a new figure in the rate
_WEIGHT = 0.5
#: round-trip times that are remembered, and what is assumed of one until then, in seconds
_ROUND_TRIPS = 16
_ROUND_TRIP = 0.1
#: one connection more is worth it when all together bring so many times as much, one less when they bring this part
_BETTER, _AS_GOOD = 1.25, 0.8
#: seconds until another number of connections is tried again, at first and at most
_FIRST_PAUSE, _MOST_PAUSE = 5.0, 120.0
#: a trial ends after so many intervals with the number that is tried, or so many seconds
_ENOUGH, _TRIAL = 5, 6.0
#: seconds for which a link that was quick once is taken for quick
_QUICK_SECONDS = 60.0
#: seconds without traffic after which the number of connections is learned again: it may be another network, or server
_FORGOTTEN = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of a link: bytes a second (None: not known yet), and seconds of a round trip."""

    rate: float | None = None
    round_trip: float = _ROUND_TRIP

    @property
    def is_thin(self) -> bool:
        """Whether one connection fills the link; False as long as that is not known."""
        return self.rate is not None and self.rate < THIN

    @property
    def round_trips_to_fill(self) -> float:
        """How many round trips after its request a response fills the link.

        One until its first bytes come, and one each time the server sends twice as much as before (slow start,
        RFC 5681).
        """
        in_flight = (self.rate or 0.0) * self.round_trip
        return 1 + math.log2(max(in_flight / _FIRST_WINDOW, 1.0))

    def brings(self, seconds: float, otherwise: int) -> int:
        """How many bytes a thin link brings in so many seconds; `otherwise` for every other link."""
        return otherwise if self.thin_rate is None else int(seconds * self.thin_rate)

    @property
    def thin_rate(self) -> float | None:
        """The rate of a thin link; None for every other."""
        return self.rate if self.is_thin else None


#: nothing is known yet
UNKNOWN = Pace()


class Link:
    """The measured link of one engine.  For the event loop only."""

    def __init__(self) -> None:
        self.rate: float | None = None  # bytes a second; None: not known yet
        self.round_trip = _ROUND_TRIP  # the shortest of the last round-trip times, in seconds
        self._round_trips: deque[float] = deque(maxlen=_ROUND_TRIPS)
        self._receiving = 0  # requests whose bodies are arriving
        self._since: float | None = None  # when the interval began; None: with the next bytes
        self._bytes = 0  # of the interval
        self._last: float | None = None  # rate of the interval before, in the same burst
        self._connections = ConnectionCount()
        self._idle_since = 0.0
        self._quick_until = 0.0
        self._is_quick = False

    @property
    def pace(self) -> Pace:
        """Rate and round-trip time; of a link that was quick a moment ago at least the rate of a quick one."""
        is_quick = self.rate is not None and self._is_quick
        return Pace(max(self.rate or 0.0, THIN) if is_quick else self.rate, self.round_trip)

    def answered(self, seconds: float) -> None:
        """Report how long the head of a response took after its request."""
        self._round_trips.append(seconds)
        self.round_trip = min(self._round_trips)

    @contextmanager
    def receiving(self, clock: Callable[[], float]) -> Iterator[None]:
        """The body of a response arrives inside the context."""
        if not self._receiving:  # a pause says nothing of the link, and after it servers begin slowly again
            self._since, self._last = None, None
            if clock() - self._idle_since > _FORGOTTEN:
                self._connections = ConnectionCount()
        self._receiving += 1
        try:
            yield
        finally:
            self._receiving -= 1
            self._idle_since = clock()

    def arrived(self, size: int, now: float) -> None:
        """Report bytes that have arrived."""
        if self._since is None:
            self._since, self._bytes = now, 0  # when these bytes began to arrive is not known: only later ones count
            return
        self._bytes += size
        elapsed = now - self._since
        if elapsed < max(_INTERVAL, self.round_trip):
            return
        found = self._bytes / elapsed
        self._since, self._bytes = now, 0
        last, self._last = self._last, found
        if found >= THIN:
            self._quick_until = now + _QUICK_SECONDS
        self._is_quick = now < self._quick_until
        if self.rate is not None and found >= self.rate:
            self.rate = found
        elif last is not None and found <= _GROWS * last:
            self.rate = found if self.rate is None else self.rate + _WEIGHT * (found - self.rate)
        if self.pace.is_thin:
            self._connections.measured(found, self._receiving, now)

    @property
    def most_connections(self) -> int | None:
        """How many requests are to be in flight at once; None: as many as the settings allow."""
        return self._connections.now if self.pace.is_thin else None


class ConnectionCount:
    """How many connections a thin link is worth: another number is tried now and then, and kept where it is better.

    A server may give each connection a part of a link that is not thin at all.  The first trial is with one connection.
    """

    def __init__(self) -> None:
        self.count = 1
        self._usual = 0.0  # bytes a second with `count` connections; 0: not measured yet
        self._trial: int | None = None  # the number that is tried
        self._found: list[float] = []  # bytes a second in the trial
        self._pause = _FIRST_PAUSE
        self._next: float | None = None  # when a trial begins, or has begun
        self._tries_more = True  # whether the next trial is with one connection more

    @property
    def now(self) -> int:
        """The number of connections to use now."""
        return self.count if self._trial is None else self._trial

    def measured(self, rate: float, connections: int, now: float) -> None:
        """Report the rate of the last interval, and how many connections were receiving at its end."""
        if self._next is None:
            self.count, self._usual = max(connections, 1), rate
            self._trial, self._next = (1, now) if connections > 1 else (None, now + self._pause)
        elif self._trial is None:
            self._usual += _WEIGHT * (rate - self._usual)
            if now >= self._next:
                less = self.count > 1 and not self._tries_more
                self._trial, self._next, self._found = self.count + (-1 if less else 1), now, []
        else:
            if self._trial < self.count or connections >= self._trial:
                self._found.append(rate)
            if len(self._found) >= _ENOUGH or now - self._next >= _TRIAL:
                self._decide(self._trial, now)

    def _decide(self, trial: int, now: float) -> None:
        found = self._found[1:]  # the first figure is still of the number before
        least = self._usual * (_BETTER if trial > self.count else _AS_GOOD)
        if found and statistics.median(found) >= least:
            more = trial > self.count
            self.count, self._usual = trial, statistics.median(found)
            self._pause = 0.0 if more else _FIRST_PAUSE
            self._tries_more = more or trial == 1
        else:
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _MOST_PAUSE)
            self._tries_more = not self._tries_more or self.count == 1
        self._trial, self._next = None, now + self._pause
