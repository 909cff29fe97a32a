"""Running a command of `coursefs.daemon.commands` in this process, if no mount has the catalogue."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from coursefs.cli.output import Globals

if TYPE_CHECKING:
    from coursefs.library import LibrarySettings

Reply = Mapping[str, Any]
Show = Callable[[Reply], None]


class Interrupted(Exception):
    """A signal (the argument is its number) interrupted the command; the library was closed in order."""


def alone(options: Globals, command: str, wanted: Mapping[str, object], show: Show, *, contents: bool = True) -> None:
    """Run a command with the locks of the catalogue, and of the cache if `contents`; `show` gets each reply.

    Raises `Interrupted` after SIGINT or SIGTERM, and `CoursefsError` for all other failures.
    """
    import trio  # slow to import

    from coursefs.daemon.setup import library_settings
    from coursefs.library import require_accounts
    from coursefs.settings.config import load

    app_paths = options.app_paths()
    settings = library_settings(load(app_paths.config_file), app_paths)
    require_accounts(settings.accounts)
    if number := trio.run(_carry_out, settings, command, wanted, show, contents):
        raise Interrupted(number)


async def _carry_out(
    settings: LibrarySettings, command: str, wanted: Mapping[str, object], show: Show, contents: bool
) -> int:
    """Run it; return the number of the signal that interrupted it, or 0."""
    import trio

    from coursefs.daemon.commands import commands
    from coursefs.library import opened_by

    ended_by = 0
    scope = trio.CancelScope()

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:

        async def listen() -> None:
            nonlocal ended_by
            async for number in signals:
                ended_by = number
                scope.cancel()

        with scope:
            async with opened_by(settings, command, contents=contents) as library:
                library.start(listen)
                async with aclosing(commands(library)[command](wanted)) as replies:
                    async for reply in replies:
                        show(reply)
    return ended_by
