"""Freshness: when listings and items are old enough to be fetched again (pure).

It is a module of its own so that these decisions can be tested without a store.
"""

from __future__ import annotations

from dataclasses import dataclass

from coursefs.catalog.node import StoredItem

SECOND = 1_000_000_000
#: ns by which a stored time may be ahead of the clock; a later one was written while the clock was wrong
CLOCK_TOLERANCE = 60 * SECOND


@dataclass(frozen=True, slots=True)
class FetchTimes:
    """When the items of a directory were fetched, in ns since 1970; None if there is no such item."""

    items: int
    never: int  # how many were never fetched
    oldest_ns: int | None  # of those that were fetched without an error
    oldest_broken_ns: int | None  # of those whose last fetch failed
    newest_ns: int | None


@dataclass(frozen=True, slots=True)
class Ages:
    """Maximum ages in seconds: older data are served at once and refreshed in the background."""

    courses: float = 3600.0
    outline: float = 6 * 3600.0
    files: float = 24 * 3600.0
    failed: float = 60.0  # after a failed refresh, the pause before the next one
    broken_item: float = 600.0  # an item whose own fetch failed

    def directory_due_ns(self, times: FetchTimes, now_ns: int) -> int:
        """When the first item of a directory must be fetched again, ns since 1970; 0: now, it was never fetched."""
        if times.never or (times.newest_ns or 0) > now_ns + CLOCK_TOLERANCE:
            return 0
        files = (now_ns if times.oldest_ns is None else times.oldest_ns) + int(self.files * SECOND)
        if times.oldest_broken_ns is None:
            return files
        return min(files, times.oldest_broken_ns + int(self.broken_item * SECOND))

    def item_due_ns(self, stored: StoredItem, now_ns: int) -> int:
        """When an item must be fetched again, ns since 1970; 0: now."""
        age = self.broken_item if stored.error else self.files
        if stored.fetched_ns is None or stored.fetched_ns > now_ns + CLOCK_TOLERANCE:
            return 0
        return stored.fetched_ns + int(age * SECOND)


def is_old(fetched_ns: int, age: float, now_ns: int) -> bool:
    """Whether something is older than `age` seconds, or its time lies in the future."""
    return not -CLOCK_TOLERANCE <= now_ns - fetched_ns <= age * SECOND
