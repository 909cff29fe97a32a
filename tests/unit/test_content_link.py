"""The measured link, told what arrives over simulated ones."""

from __future__ import annotations

import pytest

from coursefs.content.link import THIN, ConnectionCount, Link, Pace

STEP = 0.05  # seconds between two arrivals


class Simulation:
    """A link of `total` bytes a second, of which one connection gets `each` at most; bytes come in small steps."""

    def __init__(self, total: float, each: float = float("inf"), *, round_trip: float = 0.05) -> None:
        self.total, self.each = total, each
        self.link = Link()
        self.link.answered(round_trip)
        self.now = 1000.0

    def rate(self, connections: int) -> float:
        return min(self.total, self.each * connections)

    def run(self, seconds: float, connections: int = 1, *, part: float = 1.0) -> None:
        """So many connections receive for this time; `part`: of the rate that the link has."""
        contexts = [self.link.receiving(lambda: self.now) for _ in range(connections)]
        for context in contexts:
            context.__enter__()
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            self.link.arrived(int(self.rate(connections) * part * STEP), self.now)
        for context in contexts:
            context.__exit__(None, None, None)

    def follow(self, seconds: float, otherwise: int = 6) -> None:
        """The scheduler does what the link says."""
        end = self.now + seconds
        while self.now < end:
            self.run(2.0, self.link.most_connections or otherwise)


def test_nothing_is_known_at_first() -> None:
    link = Link()
    assert link.pace == Pace() and not link.pace.is_thin and link.most_connections is None
    assert link.pace.brings(1.0, 123) == 123


def test_a_thin_link_is_found_after_two_intervals() -> None:
    there = Simulation(300e3)
    there.run(0.3)
    assert there.link.rate is None, "one interval may still be slow start"
    there.run(0.5)
    assert there.link.rate == pytest.approx(300e3, rel=0.1)
    assert there.link.pace.is_thin and there.link.most_connections == 1
    assert there.link.pace.brings(2.0, 0) == pytest.approx(600e3, rel=0.1)


def test_a_server_that_begins_slowly_does_not_make_a_link_thin() -> None:
    there = Simulation(50e6, round_trip=0.3)
    for part in (0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0):
        there.run(STEP, part=part)  # within one interval
    for part in (0.05, 0.1, 0.2, 0.4, 0.8):
        context = there.link.receiving(lambda: there.now)
        with context:
            there.run(0.32, part=part)
            assert not there.link.pace.is_thin, part


def test_short_bodies_say_nothing() -> None:
    there = Simulation(30e3)
    for _ in range(50):  # 600 bytes each, and a round trip in between
        there.run(STEP)
        there.now += 0.3
    assert there.link.rate is None


def test_a_pause_is_not_counted() -> None:
    there = Simulation(1e6)
    there.run(2.0)
    there.now += 3600
    there.run(1.0)
    assert there.link.rate == pytest.approx(1e6, rel=0.1)


def test_a_link_that_gets_slower_is_found() -> None:
    there = Simulation(5e6)
    there.run(2.0)
    there.total = 300e3
    there.run(3.0)
    assert there.link.rate == pytest.approx(300e3, rel=0.2)


def test_a_quick_link_stays_one_for_a_while() -> None:
    there = Simulation(4 * THIN)
    there.run(2.0, 4)
    assert not there.link.pace.is_thin and there.link.most_connections is None
    there.total = THIN / 4  # many small files, for example
    there.run(3.0)
    assert not there.link.pace.is_thin
    there.run(60.0)
    assert there.link.pace.is_thin


@pytest.mark.parametrize("total", [100e3, 1e6, 6e6])
def test_one_connection_for_a_link_that_one_fills(total: float) -> None:
    there = Simulation(total)
    there.follow(20.0)
    used = []
    for _ in range(100):
        there.follow(1.0)
        used.append(there.link.most_connections)
    assert used.count(1) > 85, "others are only tried now and then"


@pytest.mark.parametrize("each", [100e3, 500e3, 1.5e6])
def test_more_connections_where_each_gets_only_a_part(each: float) -> None:
    there = Simulation(50e6, each)
    there.follow(60.0)
    assert there.link.most_connections is None or there.link.most_connections >= 5


def test_the_first_trial_goes_back_where_one_connection_is_slower() -> None:
    count = ConnectionCount()
    now = 0.0
    count.measured(6e6, 6, now)
    assert count.now == 1
    while count.now == 1 and now < 10:
        now += 0.25
        count.measured(1e6, 1, now)
    assert count.now == 6 and now < 2.0


def test_the_first_trial_keeps_one_connection_where_it_brings_as_much() -> None:
    count = ConnectionCount()
    for number in range(12):
        count.measured(6e6 if number == 0 else 5.8e6, 6 if number == 0 else 1, number * 0.25)
    assert count.now == count.count == 1


def test_the_number_is_learned_again_after_a_minute_without_traffic() -> None:
    there = Simulation(50e6, 500e3)
    there.follow(60.0)
    there.total, there.each = 400e3, 400e3
    there.now += 61.0
    there.run(2.0)
    assert there.link.most_connections == 1
