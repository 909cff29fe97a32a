"""How the loop that serves the kernel waits: no turn for what is there, and never for too long without one."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator

import pyfuse3
import pytest
import trio
import trio.lowlevel
import trio.testing

from coursefs.mount.pyfuse3_loop import Lock, Waiting, long_turns


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


async def test_what_is_there_takes_no_turn_until_the_others_must_have_theirs(
    pipe: tuple[int, int], mock_clock: trio.testing.MockClock
) -> None:
    reading, writing = pipe
    os.write(writing, b"requests")
    waiting = Waiting(trio.current_time)
    turns: list[None] = []

    async def other() -> None:
        while True:
            turns.append(None)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await waiting.wait_readable(reading)  # the first one begins the turn
        before = len(turns)
        for _ in range(1000):
            await waiting.wait_readable(reading)
        assert len(turns) == before
        for _ in range(3):  # in one turn of the loop the other one may have come before
            mock_clock.jump(0.1)
            await waiting.wait_readable(reading)
        assert len(turns) > before
        nursery.cancel_scope.cancel()


async def test_what_is_not_there_is_waited_for_while_others_go_on(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, b"1")
    waiting = Waiting()
    await waiting.wait_readable(reading)
    os.read(reading, 1)
    woken = trio.Event()

    async def wait() -> None:
        await waiting.wait_readable(reading)
        woken.set()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            assert not woken.is_set()
            os.write(writing, b"2")
            await woken.wait()


class Clock:
    """Goes on by ten microseconds at each reading; something happens when it has come so far."""

    def __init__(self, happens: Callable[[], object], at: float) -> None:
        self.now = 0.0
        self.happens, self.at = happens, at

    def __call__(self) -> float:
        self.now += 10e-6
        if self.now >= self.at:
            self.at = math.inf
            self.happens()
        return self.now


@pytest.mark.parametrize(("after", "takes_a_turn"), [(25e-6, False), (200e-6, True)])
async def test_what_comes_soon_takes_no_turn(pipe: tuple[int, int], after: float, takes_a_turn: bool) -> None:
    reading, writing = pipe
    os.write(writing, b"1")
    clock = Clock(lambda: None, math.inf)
    waiting = Waiting(clock)
    await waiting.wait_readable(reading)
    os.read(reading, 1)
    clock.happens, clock.at = lambda: os.write(writing, b"2"), clock.now + after
    turns: list[None] = []

    async def other() -> None:
        turns.append(None)
        if after > 100e-6:
            while clock.at < math.inf:  # the loop has its turn, and the time goes on
                clock()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        with trio.fail_after(5):
            await waiting.wait_readable(reading)
        assert bool(turns) is takes_a_turn


async def test_the_end_of_the_file_is_for_trio_to_report(pipe: tuple[int, int]) -> None:
    waiting = Waiting()
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await waiting.wait_readable(pipe[0])

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        waiting.notify_closing(pipe[0])


async def test_the_last_holder_may_have_the_lock_again_at_once_and_who_waits_gets_it_afterwards() -> None:
    lock = Lock()
    order: list[str] = []

    async def other() -> None:
        async with lock:
            order.append("other")

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            async with lock:
                nursery.start_soon(other)
                await trio.testing.wait_all_tasks_blocked()
            async with lock:
                order.append("again")
                await trio.testing.wait_all_tasks_blocked()  # the other one was woken in vain
                assert order == ["again"]
    assert order == ["again", "other"]


async def test_a_cancelled_waiter_leaves_the_lock_to_the_others() -> None:
    lock = Lock()
    had: list[str] = []

    async def worker(name: str, scope: trio.CancelScope) -> None:
        with scope:
            async with lock:
                had.append(name)

    first, second = trio.CancelScope(), trio.CancelScope()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery, lock:
            nursery.start_soon(worker, "first", first)
            nursery.start_soon(worker, "second", second)
            await trio.testing.wait_all_tasks_blocked()
            first.cancel()
    assert had == ["second"]


def test_pyfuse3_has_its_own_loop_again_afterwards() -> None:
    with long_turns():
        assert pyfuse3.trio is not trio  # type: ignore[attr-defined]  # not in its stubs
        assert pyfuse3.trio.open_nursery is trio.open_nursery  # type: ignore[attr-defined]  # as above
        assert pyfuse3.trio.Lock is Lock  # type: ignore[attr-defined]  # as above
    assert pyfuse3.trio is trio  # type: ignore[attr-defined]  # as above
