"""A command of `coursefs.daemon.commands` that is carried out by this very process, as there is no mount for it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from coursefs.cli.options import Globals

if TYPE_CHECKING:
    from coursefs.library import LibrarySettings

Reply = Mapping[str, Any]
Show = Callable[[Reply], None]


class Interrupted(Exception):
    """By a signal, whose number it holds, after which the library was closed in order."""


def alone(options: Globals, command: str, wanted: Mapping[str, object], show: Show, *, contents: bool = True) -> None:
    """Carry out a command while no mount has the catalogue, and the cache if `contents`; `show` is told each reply.

    Raises `Interrupted` after SIGINT or SIGTERM, `CoursefsError` for everything else that keeps it from its end.
    """
    import trio  # noqa: PLC0415  # slow to import

    from coursefs.config import load  # noqa: PLC0415
    from coursefs.daemon.setup import library_settings  # noqa: PLC0415
    from coursefs.library import require_accounts  # noqa: PLC0415

    places = options.places()
    settings = library_settings(load(places.config_file), places)
    require_accounts(settings.accounts)
    if number := trio.run(_carry_out, settings, command, wanted, show, contents):
        raise Interrupted(number)


async def _carry_out(
    settings: LibrarySettings, command: str, wanted: Mapping[str, object], show: Show, contents: bool
) -> int:
    """The number of the signal that ended it early, or 0."""
    import trio  # noqa: PLC0415

    from coursefs.daemon.commands import commands  # noqa: PLC0415
    from coursefs.listing import opened_by  # noqa: PLC0415

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
