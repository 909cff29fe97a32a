"""A link with a round-trip time and a rate, as arithmetic: what passes when (pure, times are the caller's)."""

from __future__ import annotations

from dataclasses import dataclass

#: seconds of a pipe's rate that a late sender may catch up on: threads wake up a little late
_SLACK = 0.01


@dataclass(frozen=True, slots=True)
class Limits:
    """What a link allows; a rate of None is no limit."""

    round_trip: float = 0.0  # seconds
    connection_rate: float | None = None  # bytes a second, for each connection
    total_rate: float | None = None  # bytes a second, for all connections together
    slow_start: bool = False  # each connection begins slowly, and again after a pause (RFC 6928, RFC 2861)
    stall_every: float | None = None  # seconds from one stall of the whole link to the next; None: it never stalls
    stall: float = 0.0  # seconds of a stall


#: a good home connection to a far server: no single connection fills it
FAR = Limits(round_trip=0.050, connection_rate=6e6, total_rate=25e6)
#: loopback as it is
NEAR = Limits()
#: links that students have: a thin one, one of a village, one of a town, each to a server near by, far and very far
THIN = {
    f"{name}-{milliseconds}": Limits(milliseconds / 1e3, None, rate, slow_start=True)
    for name, rate in (("300k", 300e3), ("1m", 1e6), ("6m", 6e6))
    for milliseconds in (50, 150, 300)
}
#: a train: it stops for two seconds now and then
STALLS = Limits(0.150, None, 1e6, slow_start=True, stall_every=20.0, stall=2.0)
LINKS = {"near": NEAR, "far": FAR, **THIN, "stalls": STALLS}

#: bytes that a server sends before the first acknowledgement (RFC 6928): ten segments
_FIRST_WINDOW = 14_600


class Pipe:
    """Bytes pass one after another at a rate, in the order in which they were handed over."""

    def __init__(self, rate: float | None, *, stall_every: float | None = None, stall: float = 0.0) -> None:
        self.rate = rate
        self._stall_every = stall_every
        self._stall = stall
        self._begun: float | None = None
        self._free_at = float("-inf")

    def passed_at(self, size: int, now: float) -> float:
        """When the last of `size` bytes that are handed over now has passed."""
        if self.rate is None:
            return now
        if self._begun is None:
            self._begun = now
        self._free_at = max(self._free_at, now - _SLACK) + size / self.rate
        if self._stall_every is not None:
            into = (self._free_at - self._begun) % self._stall_every
            if into > self._stall_every - self._stall:
                self._free_at += self._stall_every - into
        return self._free_at


class Connection:
    """What one connection sees of a link."""

    def __init__(self, limits: Limits, shared: Pipe, opened_at: float) -> None:
        self._limits = limits
        self._shared = shared
        self._own = Pipe(limits.connection_rate)
        self._usable_at = opened_at + limits.round_trip  # the handshake
        self._window = _FIRST_WINDOW  # bytes in flight at most, while it still grows
        self._last_at = opened_at

    def answered_at(self, asked_at: float) -> float:
        """When the first byte of an answer arrives: the question goes there, the answer comes back."""
        if asked_at - self._last_at > max(0.2, 2 * self._limits.round_trip):
            self._window = _FIRST_WINDOW  # after a pause a server begins slowly again
        return max(asked_at, self._usable_at) + self._limits.round_trip

    def arrived_at(self, size: int, now: float) -> float:
        """When `size` bytes that are handed over now have arrived."""
        if self._limits.slow_start and self._limits.round_trip:
            # the window grows by what was acknowledged, and is sent once in a round trip
            self._own.rate = self._window / self._limits.round_trip
            self._window += size
        self._last_at = max(self._own.passed_at(size, now), self._shared.passed_at(size, now))
        return self._last_at

    def broken_off(self, now: float) -> None:
        """The client has closed: what was sent meanwhile, for half a round trip, still comes over the link."""
        rates = [rate for rate in (self._own.rate, self._shared.rate) if rate is not None]
        if rates:
            self._shared.passed_at(int(min(rates) * self._limits.round_trip / 2), now)
