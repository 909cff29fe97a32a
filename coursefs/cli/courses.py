"""`coursefs courses`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from coursefs.cli import output
from coursefs.cli.options import Globals, pass_globals
from coursefs.errors import UsageError

if TYPE_CHECKING:
    from coursefs.library import LibrarySettings

_COLUMNS = ("course", "slug", "id", "account")


@click.group(no_args_is_help=False)
def courses() -> None:
    """List your courses, and choose which of them the mount shows.

    \b
    Example: coursefs courses list
    """


@courses.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what is enrolled but not shown in the mount.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_globals
def list_courses(options: Globals, everything: bool, as_json: bool) -> None:
    """List your courses, asked for now; without a network, as last seen.

    --json also says how you stand in each of them, as far as the platform does: progress, grade, deadlines.

    \b
    Example: coursefs courses list --json
    """
    import trio  # noqa: PLC0415  # slow to import

    from coursefs.listing import list_all  # noqa: PLC0415

    rows, notes = trio.run(list_all, _settings(options), lambda row: as_json and (everything or row.is_shown))
    for note in notes:
        output.message(f"coursefs: {note}")
    shown = [row for row in rows if everything or row.is_shown]
    if as_json:
        output.show_json([row.record() for row in shown])
        return
    lines = [(row.directory or row.course.title, row.course.slug, row.course.key, row.account) for row in shown]
    if everything:
        marks = ["yes" if row.is_shown else "no" for row in shown]
        output.table([(*line, mark) for line, mark in zip(lines, marks, strict=True)], (*_COLUMNS, "shown"))
    else:
        output.table(lines, _COLUMNS)


@courses.command()
@click.argument("names", nargs=-1, metavar="(COURSE… | all)")
@pass_globals
def add(options: Globals, names: tuple[str, ...]) -> None:
    """Show these courses in the mount; with `all` every course, as it is in the beginning.

    A COURSE is named by its folder, its slug, its id or its URL; the URL of a specialization names all its courses.
    A mount that runs shows them at once.

    \b
    Example: coursefs courses add https://www.coursera.org/learn/interactive-computer-graphics
    """
    _choose(options, names, shown=True)


@courses.command()
@click.argument("names", nargs=-1, metavar="(COURSE… | all)")
@pass_globals
def remove(options: Globals, names: tuple[str, ...]) -> None:
    """Show these courses no longer; with `all` none, and none that you enrol in later, until you add it.

    Nothing is changed on the platform, and what is in the cache stays there: a course that is added again is what it
    was.

    \b
    Example: coursefs courses remove interactive-computer-graphics
    """
    _choose(options, names, shown=False)


@courses.command()
@click.argument("words", nargs=-1, metavar="TEXT")
@click.option("--account", metavar="NAME", help="Search the platform of this account alone.")
@pass_globals
def search(options: Globals, words: tuple[str, ...], account: str | None) -> None:
    """Search the platforms' public catalogues for courses whose names hold these words.

    \b
    Example: coursefs courses search computer graphics
    """
    import trio  # noqa: PLC0415  # slow to import

    from coursefs import listing  # noqa: PLC0415

    text = " ".join(words)
    if not text.strip():
        raise UsageError("search for what?")
    if sys.stderr.isatty():
        output.message("reading the catalogue, which takes some seconds …")
    found = trio.run(listing.search, _settings(options), text, account)
    if not found:
        output.message(f"no course fits {text}")
    rows = [(one.course.title, one.course.slug, one.course.url or "", one.account) for one in found]
    output.table(rows, ("course", "slug", "address", "account"))


def _choose(options: Globals, names: Sequence[str], *, shown: bool) -> None:
    if not names:
        raise UsageError("which course? its folder, slug, id or URL, or all")
    for chosen in _chosen(options, names, shown=shown):
        if chosen["note"]:
            output.message(f"coursefs: {chosen['note']}")
        else:
            click.echo(output.clean(f"{'shown' if chosen['shown'] else 'not shown'}: {chosen['title']}"))


def _chosen(options: Globals, names: Sequence[str], *, shown: bool) -> Iterator[Mapping[str, Any]]:
    """What became of the courses: by way of the mount that has the catalogue, or without one."""
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import

    if (mount := socket.mount_of_user(options.places().runtime_dir)) is not None:
        yield from socket.ask(mount, "choose", courses=list(names), shown=shown)
        return
    from dataclasses import asdict  # noqa: PLC0415
    from functools import partial  # noqa: PLC0415

    import trio  # noqa: PLC0415

    from coursefs.listing import choose  # noqa: PLC0415

    yield from map(asdict, trio.run(partial(choose, _settings(options), names, shown=shown)))


def _settings(options: Globals) -> LibrarySettings:
    """What the library is opened with.  Raises `NotSignedIn` when there is no account."""
    from coursefs.config import load  # noqa: PLC0415  # slow to import
    from coursefs.daemon.setup import library_settings  # noqa: PLC0415
    from coursefs.library import require_accounts  # noqa: PLC0415

    places = options.places()
    settings = library_settings(load(places.config_file), places)
    require_accounts(settings.accounts)
    return settings
