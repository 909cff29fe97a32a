"""How long to wait before asking again (pure)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

#: statuses that are worth asking again
RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


def pause(attempt: int, retry_after: float | None, jitter: float) -> float:
    """Seconds to wait before attempt number `attempt` + 1 (the first attempt is 1).

    0.25, 0.5, 1, 2 … at most 8 s, spread by `jitter` (0 to 1) over half to the whole of it, so that many readers do
    not come back in one moment; never less than what the server asked for (`Retry-After`).
    """
    grown: float = min(0.25 * 2.0 ** (attempt - 1), 8.0)
    return max(grown * (0.5 + 0.5 * jitter), retry_after or 0.0)


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Seconds from now that a `Retry-After` header asks for, in either of its forms; None when it makes no sense."""
    if value is None:
        return None
    value = value.strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return None
