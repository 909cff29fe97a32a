"""Which times may be due dates (pure)."""

from __future__ import annotations

from datetime import UTC, datetime

#: times outside of these years are no dates: platforms write 1970 for "none" and 9999 for "never"
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_EARLIEST_NS, _LATEST_NS = (int(one.timestamp()) * 10**9 for one in (EARLIEST, LATEST))


def is_plausible(due_ns: int) -> bool:
    """Whether a time, in ns since 1970, may be a due date."""
    return _EARLIEST_NS <= due_ns < _LATEST_NS
