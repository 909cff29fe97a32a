"""`coursefs update`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from coursefs.cli import completing
from coursefs.cli.options import Globals, pass_globals


@click.command()
@click.argument("courses", nargs=-1, metavar="[COURSE… | all]", shell_complete=completing.courses)
@pass_globals
def update(options: Globals, courses: tuple[str, ...]) -> None:
    """Ask the platforms now for what is new, course by course in the order given, and say what it is.

    A COURSE is named by its folder, its slug, its id or its URL; without any, every course is asked for.  A mount
    that runs shows what is new at once.

    \b
    Example: coursefs update interactive-computer-graphics
    """
    nothing_new = True
    for news in _news(options, courses):
        nothing_new = _show(news) and nothing_new
    if nothing_new:
        click.echo("nothing new")


def _news(options: Globals, courses: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """What is new: by way of the mount that has the catalogue, or without one."""
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import

    if (mount := socket.mount_of_user(options.places().runtime_dir)) is not None:
        yield from socket.ask(mount, "update", courses=list(courses))
        return
    from dataclasses import asdict  # noqa: PLC0415

    import trio  # noqa: PLC0415

    from coursefs.config import load  # noqa: PLC0415
    from coursefs.daemon.setup import library_settings  # noqa: PLC0415
    from coursefs.library import require_accounts  # noqa: PLC0415
    from coursefs.listing import update_all  # noqa: PLC0415

    places = options.places()
    settings = library_settings(load(places.config_file), places)
    require_accounts(settings.accounts)
    yield from map(asdict, trio.run(update_all, settings, courses))


def _show(news: Mapping[str, Any]) -> bool:
    """Print what is new; whether nothing is."""
    lines = [(what, path) for what in ("new", "changed", "gone") for path in news[what]]
    if lines:
        click.echo(news["about"])
    for what, path in lines:
        click.echo(f"  {what:<8} {path}")
    return not lines
