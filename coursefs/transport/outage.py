"""Hosts that do not answer at all: after one long wait for a connection, the next ones are spared it (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from coursefs.transport.hosts import Origin

#: seconds that a failing connection must have taken to count: one that is refused at once costs nobody anything
_LONG = 1.0
#: seconds for which nobody else tries, after the first failure and at most; in between it doubles
_FIRST, _MOST = 5.0, 60.0


@dataclass(slots=True)
class _Outage:
    until: float
    span: float


@dataclass(slots=True)
class Outages:
    """Which hosts are known not to answer.  Times are seconds of any one clock."""

    _known: dict[Origin, _Outage] = field(default_factory=dict)

    def is_out(self, origin: Origin, now: float) -> bool:
        """Whether a connection to it is not worth trying now.

        When the time is over the one that asks may try; for the others it goes on until that one has reported.
        """
        outage = self._known.get(origin)
        if outage is None:
            return False
        if now < outage.until:
            return True
        outage.until = now + outage.span
        return False

    def is_suspect(self, origin: Origin) -> bool:
        """Whether its last connection did not come about.  Takes nobody's turn to try."""
        return origin in self._known

    def failed(self, origin: Origin, took: float, now: float) -> None:
        """No connection came within `took` seconds."""
        if took < _LONG:
            return
        outage = self._known.get(origin)
        span = _FIRST if outage is None else min(2 * outage.span, _MOST)
        self._known[origin] = _Outage(now + span, span)

    def worked(self, origin: Origin) -> None:
        """It answers."""
        self._known.pop(origin, None)
