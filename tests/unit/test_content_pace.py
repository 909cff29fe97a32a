"""How quickly bytes come, told by when they came."""

from __future__ import annotations

import pytest

from coursefs.content.pace import Pace


def test_it_is_not_known_at_first() -> None:
    pace = Pace()
    pace.came(1000, 5.0)
    pace.came(1000, 5.1)
    assert pace.rate is None


def test_it_is_that_of_the_last_interval() -> None:
    pace = Pace()
    pace.came(10**9, 5.0)  # began nobody knows when
    for number in range(1, 11):
        pace.came(1000, 5.0 + number / 10)
    assert pace.rate == pytest.approx(10_000)
    pace.came(100, 16.0)
    assert pace.rate is not None and pace.rate < 200, "a reader that pauses is a slow one"
