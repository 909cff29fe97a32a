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


@pytest.mark.parametrize(
    ("until", "rate", "expected"),
    [
        (None, 1e6, 0.032768),  # nobody waits: for as many bytes as were asked for
        (None, 100e3, 0.05),  # but not longer
        (512 * KIB, 1e6, 0.032768),  # a fetch that waits for the last byte
        (16 * KIB, 1e6, 0.008192),  # a read: for half of it
        (16 * KIB, 100e3, 0.05),
        (4 * KIB, 1e6, 0.0),  # a page
    ],
)
async def test_bytes_gather_while_nobody_needs_them(
    until: int | None, rate: float, expected: float, autojump_clock: trio.testing.MockClock
) -> None:
    request = a_request()
    async with trio.open_nursery() as nursery:
        if until is not None:
            nursery.start_soon(request.wait, 512 * KIB, "fetch")
            nursery.start_soon(request.wait, until, "reader")
            await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        await request.gather(32 * KIB, rate, 0.05)
        assert trio.current_time() - began == pytest.approx(expected)
        nursery.cancel_scope.cancel()


async def test_a_read_that_begins_to_wait_ends_it(autojump_clock: trio.testing.MockClock) -> None:
    request = a_request()
    async with trio.open_nursery() as nursery:

        async def reads() -> None:
            await trio.sleep(0.01)
            await request.wait(4 * KIB, "reader")

        nursery.start_soon(reads)
        began = trio.current_time()
        await request.gather(32 * KIB, 100e3, 0.05)
        assert trio.current_time() - began == pytest.approx(0.01)
        nursery.cancel_scope.cancel()


def test_only_a_thin_link_has_a_rate_to_wait_by() -> None:
    assert Pace(THIN).thin_rate is None and Pace().thin_rate is None and Pace(1e6).thin_rate == 1e6
