"""Which signals end a thread that waits, and how long a request waits for one."""

from __future__ import annotations

import errno
import itertools
import math
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pyfuse3
import pytest
import trio
import trio.testing

from coursefs.errors import CoursefsError
from coursefs.mount.callers import Callers
from coursefs.mount.pending_signals import is_ended_by, is_ending

_WAITING = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_DFL); print(flush=True); sys.stdin.read()"


def status(pending: int = 0, shared: int = 0, *, blocked: int = 0, ignored: int = 0, caught: int = 0) -> bytes:
    """As /proc has it, with one signal in each field, or none."""
    numbers = {"SigPnd": pending, "ShdPnd": shared, "SigBlk": blocked, "SigIgn": ignored, "SigCgt": caught}
    lines = [f"{name}:\t{1 << number - 1 if number else 0:016x}" for name, number in numbers.items()]
    return "\n".join(["Name:\tls: a\tb", "State:\tD (disk sleep)", "Pid:\t7", *lines, ""]).encode()


@pytest.mark.parametrize(
    ("text", "is_ended"),
    [
        (status(), False),
        (status(signal.SIGKILL), True),
        (status(0, signal.SIGKILL, caught=signal.SIGINT), True),
        (status(signal.SIGHUP), True),
        (status(0, signal.SIGQUIT), True),
        (status(64), True),  # the last real-time signal
        (status(0, signal.SIGINT, caught=signal.SIGINT), True),  # of a shell, or of Python: it asks to end
        (status(0, signal.SIGTERM, caught=signal.SIGTERM), True),
        (status(0, signal.SIGINT, blocked=signal.SIGINT), False),
        (status(0, signal.SIGINT, ignored=signal.SIGINT), False),
        (status(signal.SIGURG, caught=signal.SIGURG), False),  # Go sends it to its threads all the time
        (status(0, signal.SIGALRM, caught=signal.SIGALRM), False),
        (status(0, signal.SIGHUP, caught=signal.SIGHUP), False),  # asks a daemon to read its settings again
        (status(0, signal.SIGCHLD), False),
        (status(0, signal.SIGWINCH), False),
        (status(0, signal.SIGTSTP), False),
        (b"Name:\tls\nState:\tZ (zombie)\n", True),
        (b"Name:\tls\nState:\tX (dead)\n", True),
        (b"", False),
    ],
)
def test_which_signals_end_a_thread(text: bytes, is_ended: bool) -> None:
    assert is_ended_by(text) is is_ended


def test_a_thread_that_has_ended_is_told_from_one_that_is_not_seen(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert not is_ending(child.pid)
        assert not is_ending(child.pid, tmp_path), "hidden by hidepid"
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_ending(child.pid), "a zombie"
    assert is_ending(child.pid), "gone"
    assert not is_ending(0), "of another PID namespace"


@asynccontextmanager
async def watched(is_ending: Callable[[int], bool]) -> AsyncIterator[Callers]:
    """Callers whose background task runs as long as the context lasts."""
    async with trio.open_nursery() as nursery:

        def start(watch: Callable[[], Awaitable[None]]) -> None:
            nursery.start_soon(watch)

        yield Callers(start, is_ending)
        nursery.cancel_scope.cancel()


async def test_only_the_request_of_the_thread_that_ends_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    ended: dict[int, str] = {}
    async with watched(lambda thread: thread == 7 and trio.current_time() >= began + 3) as callers:

        async def wait(thread: int) -> None:
            try:
                with callers.patience(10.0, thread):
                    await trio.sleep_forever()
            except pyfuse3.FUSEError as error:
                assert error.errno == errno.EINTR
                ended[thread] = f"interrupted {trio.current_time() - began:.1f}"
            except trio.TooSlowError:
                ended[thread] = f"too slow {trio.current_time() - began:.1f}"

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for thread in (0, 7, 8):
                nursery.start_soon(wait, thread)
    assert ended[7] in {"interrupted 3.0", "interrupted 3.1"}
    assert ended[0] == ended[8] == "too slow 10.0"


async def test_an_error_and_a_cancellation_pass(autojump_clock: trio.testing.MockClock) -> None:
    async with watched(lambda _: False) as callers:
        with pytest.raises(KeyError), callers.patience(10.0, 7):
            raise KeyError
        with trio.move_on_after(1) as outer, callers.patience(10.0, 7):
            await trio.sleep_forever()
        assert outer.cancelled_caught


async def test_nothing_is_timed_while_no_request_waits(autojump_clock: trio.testing.MockClock) -> None:
    asked: list[int] = []

    def is_alive(thread: int) -> bool:
        asked.append(thread)
        return False

    async with watched(is_alive) as callers:
        for _ in range(2):
            with callers.patience(10.0, 7):
                await trio.sleep(0.95)
            assert len(asked) == 9
            await trio.sleep(1)  # the task has seen that no request waits any more
            assert len(asked) == 9
            autojump_clock.autojump_threshold = math.inf
            await trio.testing.wait_all_tasks_blocked()
            # what is left is the clock's own
            assert trio.lowlevel.current_statistics().seconds_to_next_deadline == math.inf
            autojump_clock.autojump_threshold = 0
            asked.clear()


async def test_a_request_that_waits_on_is_told_again_after_pauses_that_grow(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told: list[float] = []
    async with watched(lambda _: True) as callers:
        began = trio.current_time()
        with callers.told(7, lambda: told.append(round(trio.current_time() - began, 1))):
            await trio.sleep(60)
    pauses = [after - before for before, after in itertools.pairwise(told)]
    assert told[0] == 0.1 and max(pauses) < 16.5
    assert all(after > 1.5 * before for before, after in itertools.pairwise(pauses[:6]))


async def test_at_the_end_requests_wait_unwatched(autojump_clock: trio.testing.MockClock) -> None:
    def ended(watch: object) -> None:
        raise CoursefsError("coursefs is ending")

    callers = Callers(ended, lambda _: True)
    with pytest.raises(trio.TooSlowError), callers.patience(1.0, 7):
        await trio.sleep_forever()
