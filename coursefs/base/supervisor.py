"""The supervisor: runs background tasks so that an error in one of them cannot end their nursery.

A trio nursery ends with the first error that leaves one of its tasks, and a mount ends with its nursery. So every task
that outlives the function that starts it is started here. An error that leaves a task is logged once, in one line, and
passed to `failed`; a task that must run for ever is restarted after a growing pause. Cancellation passes through: a
task ends when the nursery ends.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import trio

from coursefs.base.crash_messages import log_unforeseen, told
from coursefs.errors import CoursefsError

log = logging.getLogger(__name__)

#: failures whose full message is logged once; the set is cleared when it is full
_MOST_LOGGED = 256


class Tasks(Protocol):
    """Where background tasks are started: a `Supervisor`, or a bare nursery in tests."""

    def start_soon(self, work: Callable[..., Awaitable[Any]], /, *args: Any, name: object = None) -> None:
        """Start a task that runs until it returns or the nursery ends."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """The pauses before a failed task is restarted, in seconds: doubled each time, up to `most`."""

    first: float = 1.0
    most: float = 300.0
    steady: float = 600.0  # after a run of this length the next pause is `first` again

    def next(self, pause: float) -> float:
        """The pause that follows this one."""
        return min(2 * pause, self.most)


class Supervisor:
    """Starts tasks in one nursery; `failed(name, error)` is called for every error that leaves one."""

    def __init__(
        self,
        nursery: trio.Nursery,
        failed: Callable[[str, CoursefsError], None] | None = None,
        *,
        back_off: BackOff | None = None,
    ) -> None:
        self._nursery = nursery
        self._failed = failed
        self._back_off = back_off or BackOff()
        self._logged: set[str] = set()

    @property
    def cancel_scope(self) -> trio.CancelScope:
        """The cancel scope of all tasks."""
        return self._nursery.cancel_scope

    def start_soon(self, work: Callable[..., Awaitable[Any]], /, *args: Any, name: object = None) -> None:
        """Run `work(*args)` once and log an error that leaves it. Raises `CoursefsError` after the end."""
        self._start(self._run_once, name or _name_of(work), work, args)

    def keep_running(self, work: Callable[..., Awaitable[Any]], /, *args: Any, name: str) -> None:
        """Run `work(*args)`, and restart it after a pause whenever an error leaves it, until it returns.

        Raises `CoursefsError` after the end.
        """
        self._start(self._run_again, name, work, args)

    def _start(self, run: Callable[..., Awaitable[Any]], name: object, *args: Any) -> None:
        try:
            self._nursery.start_soon(run, str(name), *args, name=name)
        except RuntimeError:  # the nursery is closed
            raise CoursefsError("coursefs is ending") from None

    async def _run_once(self, name: str, work: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> bool:
        """Run it; return whether it ended without an error."""
        try:
            await work(*args)
        except Exception as error:
            self._note(name, error)
            return False
        except BaseExceptionGroup as group:
            # a nursery inside the task was cancelled while one of its tasks failed: only the cancellation may pass
            failure, others = group.split(Exception)
            if failure is not None:
                self._note(name, failure)
            if others is not None:
                raise others from None
            return False
        return True

    async def _run_again(self, name: str, work: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        pause = self._back_off.first
        while True:
            started = trio.current_time()
            if await self._run_once(name, work, args):
                return
            if trio.current_time() - started >= self._back_off.steady:
                pause = self._back_off.first
            log.debug("%s starts again in %.0f s", name, pause)
            await trio.sleep(pause)
            pause = self._back_off.next(pause)

    def _note(self, name: str, error: BaseException) -> None:
        """Log an error by kind and place: its text may be secret unless it is a `CoursefsError`."""
        found = told(error)
        text = str(found)
        if text in self._logged:
            log.debug("background task %s failed again: %s", name, text)
        else:
            if len(self._logged) >= _MOST_LOGGED:
                self._logged.clear()
            self._logged.add(text)
            log_unforeseen(log, f"background task {name} failed", error, level=logging.WARNING)
        if self._failed is not None:
            self._failed(name, found)


def _name_of(work: Callable[..., Awaitable[Any]]) -> str:
    function = getattr(work, "func", work)  # of a functools.partial
    return str(getattr(function, "__qualname__", "without a name"))
