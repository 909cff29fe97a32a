"""The benchmark's link: what arrives when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.link import FAR, NEAR, Connection, Limits, Pipe

MEGABYTE = 1_000_000


def test_a_pipe_lets_bytes_pass_at_its_rate() -> None:
    pipe = Pipe(10 * MEGABYTE)
    assert pipe.passed_at(MEGABYTE, now=100.0) == pytest.approx(100.09)  # 10 ms of it could have come before
    assert pipe.passed_at(MEGABYTE, now=100.0) == pytest.approx(100.19)  # behind the first
    assert pipe.passed_at(MEGABYTE, now=200.0) == pytest.approx(200.09)  # what was not used is lost


def test_a_pipe_without_a_rate_is_no_hindrance() -> None:
    assert Pipe(None).passed_at(10**12, now=5.0) == 5.0


@given(st.lists(st.tuples(st.floats(0.0, 0.5), st.integers(1, MEGABYTE)), min_size=1, max_size=50))
def test_no_span_of_time_carries_more_than_the_rate(handed: list[tuple[float, int]]) -> None:
    pipe, now, passed = Pipe(MEGABYTE), 0.0, []
    for pause, size in handed:
        now += pause
        passed.append((now, size, pipe.passed_at(size, now)))
    for index, (begun, _, _) in enumerate(passed):
        through = 0
        for _, size, done in passed[index:]:
            through += size
            assert through <= (done - begun + 0.01) * MEGABYTE * (1 + 1e-9) + 1


def test_a_new_connection_costs_a_round_trip_more() -> None:
    connection = Connection(Limits(round_trip=0.05), Pipe(None), opened_at=10.0)
    assert connection.answered_at(10.0) == pytest.approx(10.1)
    assert connection.answered_at(20.0) == pytest.approx(20.05)


def test_several_connections_share_the_link_and_none_is_faster_than_it_may_be() -> None:
    shared = Pipe(FAR.total_rate)
    connections = [Connection(FAR, shared, 0.0) for _ in range(6)]
    size = 60_000
    one = Connection(FAR, Pipe(FAR.total_rate), 0.0)
    alone = [one.arrived_at(size, now=0.0) for _ in range(100)][-1]
    together = [each.arrived_at(size, now=0.0) for _ in range(100) for each in connections][-1]
    assert FAR.connection_rate is not None and FAR.total_rate is not None
    assert alone == pytest.approx(100 * size / FAR.connection_rate, abs=0.02)
    assert together == pytest.approx(600 * size / FAR.total_rate, abs=0.02)


def test_loopback_has_no_limits() -> None:
    connection = Connection(NEAR, Pipe(NEAR.total_rate), opened_at=3.0)
    assert connection.answered_at(3.0) == connection.arrived_at(10**9, 3.0) == 3.0
