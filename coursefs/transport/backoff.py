"""Backing off: how long to wait before a retry, and a circuit breaker for hosts that do not answer (pure).

After one long wait for a connection to a host, further requests to it fail at once for some seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from coursefs.transport.hosts import Origin
from coursefs.transport.parsing import seconds_of_date

#: the longest `Retry-After` that is obeyed, in seconds
_MOST_AFTER = 86400.0
#: statuses of servers that never do better: not implemented, the version of HTTP, a loop in the server's settings, an
#: extension that is missing; and of a captive portal, which a person has to end
_FINAL = frozenset({501, 505, 506, 508, 510, 511})
#: statuses after which a retry may succeed: also those that only CDNs have (520 to 530, 598, 599)
RETRIED_STATUSES = frozenset({408, 421, 425, 429, *range(500, 600)}) - _FINAL


def pause(attempt: int, retry_after: float | None, jitter: float) -> float:
    """Seconds to wait before attempt number `attempt` + 1 (the first attempt is 1).

    0.25, 0.5, 1, 2 … at most 8 s, of which `jitter` (0 to 1) takes off up to a half, so that many clients do not retry
    at the same moment; never less than `retry_after`.
    """
    grown: float = min(0.25 * 2.0 ** (attempt - 1), 8.0)
    return max(grown * (0.5 + 0.5 * jitter), retry_after or 0.0)


def servers_time(headers: Mapping[str, str], now: float) -> float:
    """The time by the clock of the server that has sent these headers; `now`, where it does not say.

    In seconds since 1970.  Its other dates are by the same clock, which may be wrong, as ours may be.
    """
    sent = seconds_of_date(headers.get("date"))
    return now if sent is None else sent


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Seconds from `now` (seconds since 1970: `servers_time`) by a `Retry-After` header; None when it makes no sense.

    RFC 9110, section 10.2.3: seconds, or a date.  A day at most, whatever it says.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), _MOST_AFTER)
    date = seconds_of_date(value)
    return None if date is None else min(max(0.0, date - now), _MOST_AFTER)


#: seconds that a failed connection must have taken to count: a refused one has cost no time
_LONG = 1.0
#: seconds without another try, after the first failure and at most; they double with each failure
_FIRST, _MOST = 5.0, 60.0


@dataclass(slots=True)
class _Outage:
    until: float
    span: float


@dataclass(slots=True)
class Outages:
    """A circuit breaker for each host that does not answer.  Times are seconds of any one clock."""

    _known: dict[Origin, _Outage] = field(default_factory=dict)

    def is_out(self, origin: Origin, now: float) -> bool:
        """Whether no connection to this host should be tried now.

        When the time is over the first caller gets False and may try; others get True until it has reported.
        """
        outage = self._known.get(origin)
        if outage is None:
            return False
        if now < outage.until:
            return True
        outage.until = now + outage.span
        return False

    def is_suspect(self, origin: Origin) -> bool:
        """Whether the last connection to this host failed.  Unlike `is_out` it changes nothing."""
        return origin in self._known

    def failed(self, origin: Origin, took: float, now: float) -> None:
        """Report a connection that failed after `took` seconds."""
        if took < _LONG:
            return
        outage = self._known.get(origin)
        span = _FIRST if outage is None else min(2 * outage.span, _MOST)
        self._known[origin] = _Outage(now + span, span)

    def worked(self, origin: Origin) -> None:
        """Report that this host answers."""
        self._known.pop(origin, None)
