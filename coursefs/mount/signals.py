"""Signals that end the process behind a mount: handled from its first step to its last.

An unhandled signal would end the process at once, and leave its control socket or a dead mount behind. So they are
handled around everything that must be cleaned up.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import TypeVar

import trio

from coursefs.base.supervisor import Supervisor
from coursefs.errors import CoursefsError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Ending:
    """Whether the process must end: `asked` is set by the first signal, `hurried` by the next one."""

    def __init__(self) -> None:
        self.asked = trio.Event()
        self.hurried = trio.Event()
        self.number = 0  # of the first signal

    def tell(self, number: int) -> None:
        """Record a signal."""
        if self.asked.is_set():
            self.hurried.set()
        else:
            self.number = number
            self.asked.set()

    async def before(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, which is cancelled if a signal comes first.

        Raises `KeyboardInterrupt` after SIGINT then, and `CoursefsError` after any other signal.
        """
        results: list[T] = []
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                await self.asked.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            results.append(await work())
            nursery.cancel_scope.cancel()
        if self.asked.is_set() or not results:
            if self.number == signal.SIGINT:
                raise KeyboardInterrupt
            raise CoursefsError(f"ended by {signal.Signals(self.number).name} before it was mounted")
        return results[0]


@asynccontextmanager
async def heard(
    hung_up: Callable[[], Awaitable[None]] | None = None, *, at_once: Callable[[], None] = lambda: None
) -> AsyncIterator[Ending]:
    """Handle SIGTERM, SIGINT and SIGHUP while the context lasts; they set the `Ending` instead of killing.

    With `hung_up`, SIGHUP calls that instead. `at_once` is called by the signal handler of the others, also while the
    event loop is stuck. After one of them, all are ignored for the rest of the process: the next one would kill it in
    its last steps, and give it a wrong exit status.
    """
    ending = Ending()
    token = trio.lowlevel.current_trio_token()
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery)

        def hear(number: int) -> None:
            log.info("%s: unmounting", signal.Signals(number).name)
            ending.tell(number)

        def reload() -> None:
            if hung_up is not None and not nursery.cancel_scope.cancel_called:
                supervisor.start_soon(hung_up, name="reload")

        def handler(number: int, _: FrameType | None) -> None:
            if number == signal.SIGHUP and hung_up is not None:
                token.run_sync_soon(reload)
            else:
                at_once()
                token.run_sync_soon(hear, number)

        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        if hung_up is None and before[signal.SIGHUP] is signal.SIG_IGN:  # nohup
            del before[signal.SIGHUP]
        for number in before:
            signal.signal(number, handler)
        try:
            yield ending
        finally:
            for number, earlier in before.items():
                signal.signal(number, signal.SIG_IGN if ending.asked.is_set() else earlier)
        nursery.cancel_scope.cancel()
