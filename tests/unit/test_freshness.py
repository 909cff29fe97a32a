"""Freshness: when a directory, an item or a listing is due to be fetched again."""

from __future__ import annotations

import pytest

from coursefs.catalog.freshness import CLOCK_TOLERANCE, SECOND, Ages, FetchTimes, is_old
from coursefs.catalog.node import Place, StoredItem
from coursefs.model import Item

NOW = 1_000_000 * SECOND
AGES = Ages(files=100.0, broken_item=10.0)


def times(
    *, never: int = 0, oldest: int | None = NOW, broken: int | None = None, newest: int | None = NOW
) -> FetchTimes:
    """The fetch times of a directory with three items."""
    return FetchTimes(3, never, oldest, broken, newest)


@pytest.mark.parametrize(
    ("of", "due"),
    [
        (times(), NOW + 100 * SECOND),
        (times(never=1), 0),
        (times(oldest=NOW - 30 * SECOND), NOW + 70 * SECOND),
        (times(broken=NOW - 5 * SECOND), NOW + 5 * SECOND),
        (times(oldest=NOW - 99 * SECOND, broken=NOW), NOW + SECOND),
        (times(oldest=None, broken=NOW), NOW + 10 * SECOND),
        (times(oldest=None, newest=None), NOW + 100 * SECOND),  # no item at all
        (times(newest=NOW + CLOCK_TOLERANCE), NOW + 100 * SECOND),
        (times(newest=NOW + CLOCK_TOLERANCE + 1), 0),  # fetched while the clock was wrong
    ],
)
def test_a_directory_is_due_with_its_first_item(of: FetchTimes, due: int) -> None:
    assert AGES.directory_due_ns(of, NOW) == due


@pytest.mark.parametrize(
    ("fetched_ns", "error", "due"),
    [
        (None, None, 0),
        (NOW, None, NOW + 100 * SECOND),
        (NOW, "broken", NOW + 10 * SECOND),
        (NOW + CLOCK_TOLERANCE, None, NOW + CLOCK_TOLERANCE + 100 * SECOND),
        (NOW + CLOCK_TOLERANCE + 1, None, 0),
    ],
)
def test_an_item_is_due_after_its_age(fetched_ns: int | None, error: str | None, due: int) -> None:
    item = Item("i", "Item", "item", 1, "lecture")
    stored = StoredItem(Place("account", "course"), 300, "01 Item", "01 Item", item, fetched_ns, error)
    assert AGES.item_due_ns(stored, NOW) == due


@pytest.mark.parametrize(
    ("fetched_ns", "expected"),
    [
        (NOW, False),
        (NOW - 100 * SECOND, False),
        (NOW - 100 * SECOND - 1, True),
        (NOW + CLOCK_TOLERANCE, False),
        (NOW + CLOCK_TOLERANCE + 1, True),
    ],
)
def test_a_listing_is_old_after_its_age_or_with_a_time_in_the_future(fetched_ns: int, expected: bool) -> None:
    assert is_old(fetched_ns, 100.0, NOW) is expected
