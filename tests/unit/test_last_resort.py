"""The last resort: signals that come in the middle of one another."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from coursefs.mount.last_resort import LastResort


def _nothing() -> None:
    pass


class InterruptedLock:
    """A lock at each call of which another signal arrives, whose handler calls `interrupt`."""

    def __init__(self) -> None:
        self.is_locked = True
        self.interrupt: Callable[[], None] = _nothing

    def _interrupted(self) -> None:
        interrupt, self.interrupt = self.interrupt, _nothing
        interrupt()

    def locked(self) -> bool:
        was_locked = self.is_locked
        self._interrupted()
        return was_locked

    def release(self) -> None:
        self._interrupted()
        if not self.is_locked:
            raise RuntimeError("release unlocked lock")
        self.is_locked = False


def test_a_signal_in_the_middle_of_another_one_is_no_error() -> None:
    """An error of the handler would be raised in whatever the process does to clean up, and end it there."""
    resort, lock = LastResort([]), InterruptedLock()
    lock.interrupt = resort.begin
    resort._is_to_end = lock  # type: ignore[assignment]
    resort.begin()
    assert not lock.is_locked


@pytest.fixture
def handled() -> Iterator[LastResort]:
    """A last resort that SIGUSR1 begins."""
    resort = LastResort([])

    def handler(_: int, __: FrameType | None) -> None:
        resort.begin()

    before = signal.signal(signal.SIGUSR1, handler)
    yield resort
    signal.signal(signal.SIGUSR1, before)


def test_any_number_of_signals_begin_it_once(handled: LastResort) -> None:
    for _ in range(10):
        os.kill(os.getpid(), signal.SIGUSR1)
    with handled:
        for _ in range(10):
            os.kill(os.getpid(), signal.SIGUSR1)
