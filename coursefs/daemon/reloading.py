"""Reading settings and secrets again while a mount runs."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import trio

from coursefs.daemon.notify import Manager
from coursefs.errors import CoursefsError
from coursefs.library import Library, LibrarySettings
from coursefs.reload import Applied, apply

log = logging.getLogger(__name__)


class Reloading:
    """Changes what can change at once, and says in the log what has to wait for the next mount."""

    def __init__(
        self, library: Library, again: Callable[[], LibrarySettings] | None, manager: Manager, status: str
    ) -> None:
        """`again` reads the settings, and blocks; None: there is nothing to be read.

        The service manager is told when it begins and, with this `status`, when it is done.
        """
        self._library = library
        self._again = again
        self._manager = manager
        self._status = status
        self._turn = trio.Lock()

    async def now(self) -> Applied:
        """Read them now.  Raises `CoursefsError` when they cannot be read; everything stays as it was then."""
        async with self._turn:
            self._manager.reloading()
            try:
                return await self._read()
            finally:
                self._manager.ready(self._status)

    async def on_hangup(self) -> None:
        """Read them now; what is wrong with them is said in the log, and ends nothing."""
        try:
            await self.now()
        except CoursefsError as error:
            log.error("the settings stay as they are: %s", error)  # noqa: TRY400  # one line says it
        except Exception:
            log.exception("the settings could not be read again")

    async def command(self, _: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The command of the control socket: reads them now, and says what became of it."""
        yield asdict(await self.now())

    async def _read(self) -> Applied:
        if self._again is None:
            return Applied()
        applied = apply(self._library, await trio.to_thread.run_sync(self._again))
        for name in applied.signed_in:
            log.info("%s: has a new sign-in", name)
            self._library.start(partial(self._ask_again, name))
        if applied.changed:
            log.info("read again: %s", ", ".join(applied.changed))
        if applied.waiting:
            log.warning("changed, but not before the next mount: %s", ", ".join(applied.waiting))
        return applied

    async def _ask_again(self, account: str) -> None:
        try:
            await self._library.refresh_courses(account)
        except CoursefsError as error:
            log.warning("%s: %s", account, error)
        except Exception:
            log.exception("%s could not be asked again", account)
