"""The supervisor: whatever a background task raises, what it runs in goes on."""

from __future__ import annotations

import ast
import copy
import logging
import math
from pathlib import Path

import pytest
import trio
import trio.testing

import coursefs
from coursefs.base import threads
from coursefs.base.single_flight import SingleFlight
from coursefs.base.supervisor import BackOff, Supervisor
from coursefs.errors import CoursefsError, Unreachable

SECRET = "https://cdn.example/?Signature=s3cret"


@pytest.mark.logs
@pytest.mark.parametrize(
    "error",
    [OSError(28, SECRET), ValueError(SECRET), MemoryError(), RecursionError(), ExceptionGroup("", [KeyError(1)])],
)
async def test_a_task_that_fails_ends_nothing_and_its_text_is_not_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    failed: list[tuple[str, str]] = []

    async def fail() -> None:
        raise error

    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, lambda name, found: failed.append((name, str(found))))
        supervisor.start_soon(fail, name="release a file")
        supervisor.start_soon(fail, name="release a file")
        await trio.testing.wait_all_tasks_blocked()
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1 and lines[0].startswith("background task release a file failed: unexpected ")
    assert [name for name, _ in failed] == ["release a file"] * 2
    assert "s3cret" not in lines[0] + failed[0][1]


@pytest.mark.logs
async def test_a_long_lived_task_is_started_again_after_pauses_that_grow(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    started: list[float] = []

    async def work() -> None:
        started.append(trio.current_time())
        if len(started) == 6:
            await trio.sleep(100)
        if len(started) < 8:
            raise Unreachable("no network")

    async with trio.open_nursery() as nursery:
        begin = trio.current_time()
        Supervisor(nursery, back_off=BackOff(1, 8, 50)).keep_running(work, name="fill")
    assert [time - begin for time in started] == [0, 1, 3, 7, 15, 23, 124, 126]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "background task fill failed: no network"
    ]


@pytest.mark.logs
async def test_cancelling_ends_all_of_it_also_a_task_that_fails_while_it_is_cancelled() -> None:
    async def fail() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ZeroDivisionError

    async def work() -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(fail)
            inner.start_soon(trio.sleep_forever)

    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery)
        supervisor.keep_running(work, name="one")
        supervisor.start_soon(work)
        await trio.testing.wait_all_tasks_blocked()
        supervisor.cancel_scope.cancel()
    with pytest.raises(CoursefsError, match="ending"):
        supervisor.start_soon(work)


async def test_a_making_that_cannot_be_started_is_not_waited_for() -> None:
    async def make() -> int:
        return 1

    async with trio.open_nursery() as nursery:
        flights: SingleFlight[str, int] = SingleFlight(Supervisor(nursery))
    for _ in range(2):
        with trio.fail_after(1), pytest.raises(CoursefsError, match="ending"):
            await flights.join("a", make)


async def test_where_no_thread_can_be_started_it_is_an_error_of_that_one_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("_thread.start_new_thread", _no_thread)
    monkeypatch.setattr(threads, "_idle", {})
    limiter = trio.CapacityLimiter(1)
    for _ in range(3):
        with pytest.raises(threads.NoThread) as caught:
            await threads.run_sync(int, limiter=limiter)
        assert str(copy.copy(caught.value)) == str(caught.value)  # as single flight hands it on
    monkeypatch.undo()
    assert await threads.run_sync(lambda: 7, limiter=limiter) == 7
    with pytest.raises(RuntimeError, match="its own"):
        await threads.run_sync(_raise)


def _no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def _raise() -> None:
    raise RuntimeError("its own")


#: who may start tasks in a nursery that another function has opened: the supervisor, and what ends with its context
_MAY = {"base/supervisor.py", "providers/kit/gathering.py"}


def test_every_task_that_outlives_its_function_is_started_through_the_supervisor() -> None:
    root = Path(coursefs.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        name = str(path.relative_to(root))
        if name in _MAY or name.startswith("demo/"):
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            # a nursery that is opened in a function ends with it; its errors are the caller's
            own = {
                item.optional_vars.id
                for node in ast.walk(function)
                if isinstance(node, ast.AsyncWith)
                for item in node.items
                if isinstance(item.optional_vars, ast.Name)
            }
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and node.attr == "start_soon":
                    owner = ast.unparse(node.value)
                    if owner not in own and not owner.endswith(("supervisor", "_tasks")):
                        found.append(f"{name}:{node.lineno}: {owner}")
    assert not found


async def test_the_back_off_has_an_end() -> None:
    pause = 1.0
    for _ in range(100):
        pause = BackOff().next(pause)
    assert pause == BackOff().most < math.inf
