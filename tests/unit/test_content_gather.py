"""Bytes that no read waits for gather over a thin link, and are not received one packet after another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from coursefs.content.link import THIN, Pace
from coursefs.content.range_request import BufferPool, RangeRequest
from coursefs.content.scheduler import Priority, QueuedRequest

KIB = 2**10


async def _save(
    start: int, data: memoryview, complete: Callable[[], bool] | None = None, *, patient: bool = False
) -> None:
    """Nothing."""


def a_request() -> RangeRequest:
    return RangeRequest(0, 512 * KIB, QueuedRequest(None, Priority.AHEAD), _save, BufferPool())


async def test_what_nobody_waits_for_gathers(autojump_clock: trio.testing.MockClock) -> None:
    began = trio.current_time()
    await a_request().gather(32 * KIB, 0.05)
    assert trio.current_time() - began == pytest.approx(0.05)


async def test_what_somebody_waits_for_does_not(autojump_clock: trio.testing.MockClock) -> None:
    request = a_request()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(request.wait, 32 * KIB, "reader")
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        await request.gather(32 * KIB, 0.05)
        assert trio.current_time() == began
        nursery.cancel_scope.cancel()


async def test_what_is_waited_for_later_gathers(autojump_clock: trio.testing.MockClock) -> None:
    request = a_request()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(request.wait, request.end, "fetch")
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        await request.gather(32 * KIB, 0.05)
        assert trio.current_time() - began == pytest.approx(0.05)
        nursery.cancel_scope.cancel()


async def test_a_read_that_begins_to_wait_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    request = a_request()
    async with trio.open_nursery() as nursery:

        async def reads() -> None:
            await trio.sleep(0.01)
            await request.wait(4 * KIB, "reader")

        nursery.start_soon(reads)
        began = trio.current_time()
        await request.gather(32 * KIB, 0.05)
        assert trio.current_time() - began == pytest.approx(0.01)
        nursery.cancel_scope.cancel()


def test_over_a_quick_link_nothing_is_waited_for() -> None:
    assert Pace(THIN).takes(1000, 0.0) == 0.0 == Pace().takes(1000, 0.0)
    assert Pace(1e6).takes(32_000, 0.0) == pytest.approx(0.032)
