"""Requests that wait for the network, and the threads that made them: a thread that a signal ends is not kept waiting.

The kernel keeps a thread in its system call until the request is answered, also after `kill -9`. It tells libfuse that
a signal has come (FUSE_INTERRUPT), but once for each request, for any signal, and pyfuse3 does not pass it on. So
/proc is asked about the threads, a few times a second, and only while a request waits.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pyfuse3
import trio

from coursefs.errors import CoursefsError
from coursefs.mount.pending_signals import is_ending

#: seconds between two looks at the threads that wait
_LOOK_EVERY = 0.1
#: the longest pause between two calls of `ended` for one request, in seconds
_LONGEST_PAUSE = 16.0


@dataclass(eq=False, slots=True)
class _Wait:
    """A request that waits: `ended` is called when its thread ends, and again after pauses while it goes on waiting."""

    thread: int
    ended: Callable[[], None]
    look_at: float  # trio's clock
    pause: float = _LOOK_EVERY


class Callers:
    """The requests that wait now. Its background task, which `start` starts, sleeps without a timer while none does."""

    def __init__(
        self,
        start: Callable[[Callable[[], Awaitable[None]]], None],
        is_ending: Callable[[int], bool] = is_ending,
    ) -> None:
        """`start` raises `CoursefsError` at the end of the process: requests then wait unwatched."""
        self._start = start
        self._is_ending = is_ending
        self._waits: set[_Wait] = set()
        self._one_waits = trio.Event()
        self._is_watching = False

    @contextmanager
    def patience(self, seconds: float, thread: int) -> Iterator[None]:
        """Wait in here for at most `seconds`, and only as long as a thread of this number is not being ended.

        Raises `trio.TooSlowError`, or the `FUSEError` with EINTR. What others wait for as well goes on without it.
        """
        scope = trio.CancelScope(deadline=trio.current_time() + seconds)
        is_interrupted = False

        def ended() -> None:
            nonlocal is_interrupted
            is_interrupted = True
            scope.cancel()

        with self.told(thread, ended), scope:
            yield
        if scope.cancelled_caught:
            raise pyfuse3.FUSEError(errno.EINTR) if is_interrupted else trio.TooSlowError

    @contextmanager
    def told(self, thread: int, ended: Callable[[], None]) -> Iterator[None]:
        """Have `ended` called in here when the thread is being ended, and again after pauses that grow."""
        wait = _Wait(thread, ended, trio.current_time() + _LOOK_EVERY)
        if thread > 0:
            self._waits.add(wait)
            self._watch_soon()
        try:
            yield
        finally:
            self._waits.discard(wait)

    def _watch_soon(self) -> None:
        self._one_waits.set()
        if not self._is_watching:
            with suppress(CoursefsError):
                self._start(self._watch)
                self._is_watching = True

    async def _watch(self) -> None:
        try:
            while True:
                if not self._waits:
                    self._one_waits = trio.Event()
                    await self._one_waits.wait()
                await trio.sleep(_LOOK_EVERY)
                self._look(trio.current_time())
        finally:
            self._is_watching = False

    def _look(self, now: float) -> None:
        for wait in [one for one in self._waits if one.look_at <= now]:
            if self._is_ending(wait.thread):
                wait.pause = min(2 * wait.pause, _LONGEST_PAUSE)
                wait.look_at = now + wait.pause
                wait.ended()
