"""The bandwidth limit: never more on average, whatever comes at once, and no wait for what is urgent."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from coursefs.settings.rates import parse_rate
from coursefs.transport.bandwidth import Bandwidth, limit_of, of_command, rate_now

RATE = 1000.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5000)), min_size=1, max_size=40), st.integers(1, 5))
def test_on_average_no_more_comes_than_the_limit_allows(parts: list[tuple[float, int]], tasks: int) -> None:
    received: list[tuple[float, int]] = []

    async def receive(bandwidth: Bandwidth, own: list[tuple[float, int]]) -> None:
        for rest, count in own:
            await trio.sleep(rest)
            await bandwidth.wait()
            bandwidth.spend(count)
            received.append((trio.current_time(), count))

    async def run() -> None:
        bandwidth = Bandwidth(lambda: RATE)
        async with trio.open_nursery() as nursery:
            for number in range(tasks):
                nursery.start_soon(receive, bandwidth, parts[number::tasks])
        began = received[0][0]
        await bandwidth.wait()
        seconds = trio.current_time() - began
        total = sum(count for _, count in received)
        assert total <= (seconds + 0.25) * RATE * (1 + 1e-9) + 1

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_it_is_as_quick_as_the_limit_allows(autojump_clock: trio.testing.MockClock) -> None:
    bandwidth = Bandwidth(lambda: RATE)
    began = trio.current_time()
    for _ in range(100):
        await bandwidth.wait()
        bandwidth.spend(100)
    await bandwidth.wait()
    assert trio.current_time() - began == pytest.approx(10.0, rel=0.01)


async def test_without_a_limit_nothing_waits_and_nothing_is_owed(autojump_clock: trio.testing.MockClock) -> None:
    rate: float | None = None
    bandwidth = Bandwidth(lambda: rate)
    bandwidth.spend(10**9)
    began = trio.current_time()
    await bandwidth.wait()
    rate = RATE
    await bandwidth.wait()
    assert trio.current_time() == began
    assert bandwidth.is_limited


async def test_what_becomes_urgent_waits_no_longer(autojump_clock: trio.testing.MockClock) -> None:
    bandwidth = Bandwidth(lambda: 1.0)
    bandwidth.spend(10**6)
    urgent = trio.Event()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bandwidth.wait, urgent)
        await trio.sleep(7)
        urgent.set()
    assert trio.current_time() - began == 7


async def test_a_limit_that_ends_in_the_night_frees_what_waits(autojump_clock: trio.testing.MockClock) -> None:
    rate: float | None = 1.0
    bandwidth = Bandwidth(lambda: rate)
    bandwidth.spend(10**6)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bandwidth.wait)
        await trio.sleep(100)
        rate = None
    assert trio.current_time() - began <= 130


@pytest.mark.parametrize(("rate", "step"), [(None, 65536), (10**9, 65536), (100_000, 10_000), (10, 1024)])
def test_few_bytes_come_at_once_where_the_limit_is_low(rate: float | None, step: int) -> None:
    assert Bandwidth(lambda: rate).step == step


async def test_a_command_has_a_limit_of_its_own_for_all_its_tasks() -> None:
    process, own = Bandwidth(lambda: None), Bandwidth(lambda: RATE)
    seen: list[Bandwidth] = []

    async def task() -> None:
        await trio.lowlevel.checkpoint()
        seen.append(limit_of(process))

    async with trio.open_nursery() as nursery:
        with of_command(own):
            nursery.start_soon(task)
        with of_command(None):
            nursery.start_soon(task)
    assert set(map(id, seen)) == {id(own), id(process)}


def test_the_rate_of_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    timetable = parse_rate("08:00,500kB/s 23:00,off")
    monkeypatch.setattr("time.localtime", lambda: __import__("time").struct_time((2026, 1, 1, 9, 0, 0, 3, 1, 0)))
    assert rate_now(timetable) == 500_000
    assert rate_now(None) is None
    monkeypatch.setattr("time.localtime", lambda: __import__("time").struct_time((2026, 1, 1, 7, 59, 0, 3, 1, 0)))
    assert rate_now(timetable) is None
