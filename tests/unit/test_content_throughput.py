"""The throughput meter, told when bytes arrive."""

from __future__ import annotations

import pytest

from coursefs.content.planner import ThroughputMeter


def test_the_rate_is_not_known_at_first() -> None:
    meter = ThroughputMeter()
    meter.add(1000, 5.0)
    meter.add(1000, 5.1)
    assert meter.rate is None


def test_the_rate_is_that_of_the_last_interval() -> None:
    meter = ThroughputMeter()
    meter.add(10**9, 5.0)  # when these began is not known
    for number in range(1, 11):
        meter.add(1000, 5.0 + number / 10)
    assert meter.rate == pytest.approx(10_000)
    meter.add(100, 16.0)
    assert meter.rate is not None and meter.rate < 200, "a reader that pauses is a slow one"
