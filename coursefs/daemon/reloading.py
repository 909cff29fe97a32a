"""Reloading of settings and secrets while a mount runs."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import trio

from coursefs.base import threads
from coursefs.base.crash_messages import log_unforeseen
from coursefs.daemon.readiness import Manager
from coursefs.errors import CoursefsError, Gone, NotSignedIn, named
from coursefs.library import Applied, Library, LibrarySettings

log = logging.getLogger(__name__)


class Reloading:
    """Applies what can change at once, and logs what needs a new mount."""

    def __init__(
        self, library: Library, again: Callable[[], LibrarySettings] | None, manager: Manager, status: str
    ) -> None:
        """`again` reads the settings, and blocks; None: there are no settings to read.

        The service manager is notified at the begin and, with this `status`, at the end.
        """
        self._library = library
        self._courses = library.courses
        self._again = again
        self._manager = manager
        self._status = status
        self._turn = trio.Lock()

    async def now(self) -> Applied:
        """Reload now. Raises `CoursefsError` if the settings cannot be read; everything stays as it was then."""
        async with self._turn:
            self._manager.reloading()
            try:
                return await self._read()
            finally:
                self._manager.ready(self._status)

    async def on_hangup(self) -> None:
        """Reload now, on SIGHUP; errors are only logged."""
        try:
            await self.now()
        except CoursefsError as error:
            log.error("settings not reloaded: %s", error)  # noqa: TRY400  # one line says it
        except Exception as error:
            log_unforeseen(log, "reading the settings again", error)

    async def command(self, _: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The command of the control socket: reload now, and return the result."""
        yield asdict(await self.now())

    async def _read(self) -> Applied:
        if self._again is None:
            return Applied()
        applied = self._library.apply(await threads.run_sync(self._again))
        for names, what in (
            (applied.signed_in, "has a new sign-in"),
            (applied.added, "is shown from now on"),
            (applied.removed, "is no longer shown"),
            (applied.replaced, "has other settings, or is another user's now"),
        ):
            for name in names:
                log.info("%s: %s", name, what)
        if not self._library.offline:
            for name in (*applied.signed_in, *applied.added, *applied.replaced):
                self._library.start(partial(self._ask_again, name), name="ask again")
        if applied.changed:
            log.info("read again: %s", ", ".join(applied.changed))
        if applied.waiting:
            log.warning("takes effect at the next mount: %s", ", ".join(applied.waiting))
        return applied

    async def _ask_again(self, account: str) -> None:
        try:
            await self._courses.refresh(account)
        except NotSignedIn as error:
            log.info("%s", error)  # the warning was logged when it ended
        except Gone:
            log.debug("%s: is no longer shown", account)
        except CoursefsError as error:
            log.warning("%s", named(account, error))
        except Exception as error:
            log_unforeseen(log, f"asking {account} again", error)
