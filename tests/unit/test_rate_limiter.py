"""Rate limiters: no span has too many requests, and foreground requests go first."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from coursefs.base.foreground import background_work, is_background
from coursefs.transport import Bucket, Limit, RateLimiter, Span

MINUTE, SECOND = Span(80, 60.0), Span(5, 1.0)


async def times_of(limit: Limit, count: int) -> list[float]:
    times = []
    for _ in range(count):
        await limit.take()
        times.append(trio.current_time())
    return times


def most_in(times: list[float], seconds: float) -> int:
    return max(sum(start <= one < start + seconds for one in times) for start in times)


async def test_no_span_ever_holds_more_requests_than_allowed(autojump_clock: trio.testing.MockClock) -> None:
    times = await times_of(RateLimiter([SECOND, MINUTE]), 300)
    assert most_in(times, 1.0) == 5
    assert most_in(times, 60.0) == 80
    assert times[79] - times[0] < 16  # the first eighty are as quick as five a second allow
    assert times[-1] - times[0] < 200


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 7), max_size=60), st.integers(1, 9), st.floats(0.5, 20))
def test_whenever_requests_come(rests: list[float], most: int, seconds: float) -> None:
    times: list[float] = []

    async def run() -> None:
        limiter = RateLimiter([Span(most, seconds)])
        for rest in rests:
            await trio.sleep(rest)
            await limiter.take()
            times.append(trio.current_time())

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
    assert not times or most_in(times, seconds * (1 - 1e-9)) <= most


async def test_foreground_requests_go_before_earlier_background_ones(autojump_clock: trio.testing.MockClock) -> None:
    limiter = RateLimiter([Span(1, 1.0)])
    order: list[str] = []

    async def take(name: str) -> None:
        await limiter.take()
        order.append(name)

    async with trio.open_nursery() as nursery:
        with background_work():
            for number in range(5):
                nursery.start_soon(take, f"behind {number}")
        await trio.sleep(1.5)
        for number in range(3):
            nursery.start_soon(take, f"ls {number}")
    assert all(name.startswith("behind") for name in order[:2])
    assert sorted(order[2:5]) == ["ls 0", "ls 1", "ls 2"]
    assert len(order) == 8


async def test_the_background_leaves_a_part_of_each_span_free(autojump_clock: trio.testing.MockClock) -> None:
    limiter = RateLimiter([Span(10, 60.0)])
    begun = trio.current_time()
    with background_work():
        await times_of(limiter, 6)
    assert trio.current_time() == begun
    assert (await times_of(limiter, 4))[-1] == begun
    assert (await times_of(limiter, 1))[-1] == begun + 60
    assert not is_background()


async def test_the_background_leaves_four_tenths_of_every_span(autojump_clock: trio.testing.MockClock) -> None:
    """Indexing uses 60 of 100 requests a minute, so that 40 are left at once for a person who opens a folder.

    Were less left, that person would wait up to a minute behind work that no program waits for.
    """
    limiter = RateLimiter([Span(100, 60.0)])
    begun = trio.current_time()
    with background_work():
        indexing = await times_of(limiter, 60)
        with trio.move_on_after(1.0) as scope:
            await limiter.take()
    assert indexing[-1] == begun
    assert scope.cancelled_caught, "the 61st waits"
    assert (await times_of(limiter, 40))[-1] == begun + 1.0


async def test_a_cancelled_waiter_consumes_nothing_and_blocks_no_other(autojump_clock: trio.testing.MockClock) -> None:
    limiter = RateLimiter([Span(1, 10.0)])
    await limiter.take()
    with trio.move_on_after(5) as scope:
        await limiter.take()
    assert scope.cancelled_caught
    with background_work():
        await limiter.take()
    begun = trio.current_time()
    await limiter.take()
    assert trio.current_time() == begun + 10


@pytest.mark.parametrize("limit", [RateLimiter([Span(100, 1.0)]), Bucket(100, 100)])
async def test_hold_lets_no_request_pass(limit: Limit, autojump_clock: trio.testing.MockClock) -> None:
    begun = trio.current_time()
    limit.hold(30)
    limit.hold(5)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(limit.take)
    assert trio.current_time() == begun + 30
