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


#: a good home connection to a far server: no single connection fills it
FAR = Limits(round_trip=0.050, connection_rate=6e6, total_rate=25e6)
#: loopback as it is
NEAR = Limits()


class Pipe:
    """Bytes pass one after another at a rate, in the order in which they were handed over."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._free_at = float("-inf")

    def passed_at(self, size: int, now: float) -> float:
        """When the last of `size` bytes that are handed over now has passed."""
        if self._rate is None:
            return now
        self._free_at = max(self._free_at, now - _SLACK) + size / self._rate
        return self._free_at


class Connection:
    """What one connection sees of a link."""

    def __init__(self, limits: Limits, shared: Pipe, opened_at: float) -> None:
        self._limits = limits
        self._shared = shared
        self._own = Pipe(limits.connection_rate)
        self._usable_at = opened_at + limits.round_trip  # the handshake

    def answered_at(self, asked_at: float) -> float:
        """When the first byte of an answer arrives: the question goes there, the answer comes back."""
        return max(asked_at, self._usable_at) + self._limits.round_trip

    def arrived_at(self, size: int, now: float) -> float:
        """When `size` bytes that are handed over now have arrived."""
        return max(self._own.passed_at(size, now), self._shared.passed_at(size, now))
