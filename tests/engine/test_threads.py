"""Threads under a limit of memory: a task that waits for a lost thread is told soon."""

from __future__ import annotations

import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import coursefs
from coursefs.base import threads

#: seconds that anything here may take; what is lost is noticed much earlier
_LIMIT = 20.0


def ended(work: Callable[[], Awaitable[Any]]) -> Any:
    """What `work` gives in a loop of its own; a failure where it does not end, which nothing could cancel."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(trio.run(work))
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_LIMIT)
    assert results, "it waits for ever"
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """There is no memory to deliver a result with, as often as the one number in the list says."""
    left = [1]
    deliver = trio.lowlevel.TrioToken.run_sync_soon

    def fails(token: trio.lowlevel.TrioToken, *args: Any, **kwargs: Any) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise MemoryError
        deliver(token, *args, **kwargs)

    monkeypatch.setattr(trio.lowlevel.TrioToken, "run_sync_soon", fails)
    yield left
    assert left[0] <= 0, "nothing was lost"


def test_a_result_that_is_not_delivered_is_had_all_the_same(lost: list[int]) -> None:
    limiter = trio.CapacityLimiter(1)
    assert ended(lambda: threads.run_sync(lambda: 7, limiter=limiter)) == 7
    assert limiter.borrowed_tokens == 0


def test_so_is_an_error(lost: list[int]) -> None:
    def fails() -> None:
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        ended(lambda: threads.run_sync(fails))


def test_an_abandoned_job_gives_its_place_back_though_its_delivery_is_lost(lost: list[int]) -> None:
    limiter = trio.CapacityLimiter(1)

    async def work() -> int:
        goes_on, has_ended = threading.Event(), threading.Event()

        def waits() -> None:
            goes_on.wait()
            has_ended.set()

        with trio.move_on_after(0.01):
            await threads.run_sync(waits, limiter=limiter, abandon_on_cancel=True)
        assert limiter.borrowed_tokens == 1  # the thread is at it still
        goes_on.set()
        assert await threads.run_sync(has_ended.wait)  # the one that is lost: the place is free at the next call
        while lost[0] > 0:
            await trio.lowlevel.checkpoint()
        return await threads.run_sync(lambda: 7, limiter=limiter)

    assert ended(work) == 7
    assert limiter.borrowed_tokens == 0


def test_an_abandoned_job_gives_its_place_back_when_its_thread_has_done_it() -> None:
    limiter = trio.CapacityLimiter(1)

    async def work() -> None:
        goes_on = threading.Event()
        with trio.move_on_after(0.01):
            await threads.run_sync(goes_on.wait, limiter=limiter, abandon_on_cancel=True)
        assert limiter.borrowed_tokens == 1
        goes_on.set()
        async with limiter:
            pass

    ended(work)


def test_what_may_not_be_abandoned_is_waited_for() -> None:
    async def work() -> int:
        with trio.CancelScope() as scope:
            scope.cancel()
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as nursery:
                    goes_on, done = threading.Event(), list[int]()

                    async def begun() -> None:
                        with trio.CancelScope() as inner:
                            nursery.start_soon(_after_a_turn, inner.cancel, goes_on.set)
                            done.append(await threads.run_sync(lambda: goes_on.wait(_LIMIT) and 7))

                    nursery.start_soon(begun)
            return done[0]
        return 0

    assert ended(work) == 7


async def _after_a_turn(*calls: Callable[[], object]) -> None:
    for call in calls:
        await trio.testing.wait_all_tasks_blocked()
        call()


def test_a_thread_that_ends_before_it_begins_is_as_one_that_could_not_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[int] = []

    def fails(worker: object) -> None:
        raise MemoryError

    monkeypatch.setattr(threads, "_idle", {})
    with monkeypatch.context() as patch:
        patch.setattr(threads._Worker, "_do", fails)
        with pytest.raises(threads.NoThread):
            ended(lambda: threads.run_sync(lambda: called.append(1)))
    assert called == []
    assert ended(lambda: threads.run_sync(lambda: 7)) == 7


def test_so_is_one_that_says_nothing_and_it_does_nothing_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no memory for its first call: then it ends, and nothing of ours is run in it."""
    called: list[int] = []
    started: list[Callable[[], None]] = []

    monkeypatch.setattr(threads, "_idle", {})
    monkeypatch.setattr(threads, "_BEGINS_WITHIN", 0.1)
    monkeypatch.setattr(threads, "_LOOK", 0.05)
    monkeypatch.setattr(threads, "_IDLE", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr("_thread.start_new_thread", lambda function, _: started.append(function))
        with pytest.raises(threads.NoThread):
            ended(lambda: threads.run_sync(lambda: called.append(1)))
    started[0]()  # it was only slow
    assert called == []
    assert threads._idle == {}


def test_a_thread_that_ends_in_the_middle_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(job: object) -> None:
        raise MemoryError

    limiter = trio.CapacityLimiter(1)
    monkeypatch.setattr(threads, "_idle", {})
    with monkeypatch.context() as patch:
        patch.setattr(threads._Job, "do", fails)
        with pytest.raises(threads.ThreadLost, match="no memory"):
            ended(lambda: threads.run_sync(int, limiter=limiter))
    assert limiter.borrowed_tokens == 0


def test_a_thread_that_has_ended_while_it_waited_gets_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = threads._Worker()
    gone.is_gone = True
    monkeypatch.setattr(threads, "_idle", {gone: None})
    assert ended(lambda: threads.run_sync(lambda: 7)) == 7
    assert gone not in threads._idle


def test_without_memory_to_wait_a_job_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its buffer is reused when it returns."""
    done: list[int] = []

    async def work() -> None:
        async def fails(event: trio.Event) -> None:
            raise MemoryError

        goes_on = threading.Event()
        monkeypatch.setattr(trio.Event, "wait", fails)
        monkeypatch.setattr("coursefs.base.threads.time.sleep", lambda _: goes_on.set())
        await threads.run_sync(lambda: done.append(goes_on.wait(_LIMIT)))
        monkeypatch.undo()

    ended(work)
    assert done == [True]


def test_nothing_of_coursefs_uses_other_threads() -> None:
    root = Path(coursefs.__file__).parent
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if re.search(r"trio\.to_thread\.run_sync|from_thread|threading\.Thread\(", path.read_text())
    }
    assert found - {"base/threads.py"} <= {"demo/__main__.py"}  # which is no part of the client
