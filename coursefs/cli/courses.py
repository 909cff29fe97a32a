"""`coursefs courses`."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from coursefs.cli import completion, output
from coursefs.cli.lazy import Group
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import UsageError
from coursefs.settings.paths import socket_dirs

if TYPE_CHECKING:
    from coursefs.library import LibrarySettings, Listed

_COLUMNS = ("course", "done", "due", "name to type")
#: seconds for the standings of an account: in the table, which a person waits for, and in JSON
_STANDINGS_WITHIN, _FOR_PROGRAMS_WITHIN = 20.0, 180.0
#: columns between two cells, and the least that is left for a title
_GAP, _LEAST = 2, 12


@click.group(cls=Group, no_args_is_help=False)
def courses() -> None:
    """List your courses, and select which of them the mount shows.

    \b
    Example: coursefs courses list
    """


@courses.command("list")
@click.option("--all", "everything", is_flag=True, help="Also courses that are not shown in the mount.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_globals
def list_courses(options: Globals, everything: bool, as_json: bool) -> None:
    """List your courses, how much of each is done, what is due next, and what to type for it.

    Without a network they are listed as they were last listed.  --json has more: your grade, all deadlines, the ids.

    \b
    Example: coursefs courses list --json
    """
    import trio  # slow to import

    from coursefs.library import list_all

    within = _FOR_PROGRAMS_WITHIN if as_json else _STANDINGS_WITHIN
    rows, notes = trio.run(partial(list_all, _settings(options), lambda row: everything or row.is_shown, within=within))
    for note in notes:
        output.message(f"coursefs: {note}")
    shown = [row for row in rows if everything or row.is_shown]
    if as_json:
        output.show_json([row.record() for row in shown])
        return
    marks = [("yes" if row.is_shown else "no",) for row in shown] if everything else [()] * len(shown)
    lines = [(*line_of(row, time.time_ns()), *mark) for row, mark in zip(shown, marks, strict=True)]
    columns = (*_COLUMNS, "shown") if everything else _COLUMNS
    if sys.stdout.isatty():
        lines = fitted(lines, columns, shutil.get_terminal_size().columns)
    output.table(lines, columns)


def line_of(row: Listed, now_ns: int) -> tuple[str, ...]:
    """A course in the table (pure): the local date of the next deadline; "-" for what is not known."""
    standing = row.standing
    done = "-" if standing is None or standing.done is None else f"{math.floor(standing.done * 100)} %"
    due = min((one.due_ns for one in standing.deadlines if one.due_ns >= now_ns), default=None) if standing else None
    return row.directory or row.course.title, done, "-" if due is None else output.day(due / 1e9), row.name


def fitted(lines: Sequence[tuple[str, ...]], columns: Sequence[str], width: int) -> list[tuple[str, ...]]:
    """The lines with titles shortened so that a table of them is no wider than a terminal (pure)."""
    from rich.cells import cell_len  # slow to import

    rest = [
        max(map(cell_len, column)) + _GAP for column in zip(columns[1:], *(line[1:] for line in lines), strict=True)
    ]
    room = max(width - sum(rest) - _GAP, _LEAST)
    return [(output.shortened(title, room), *others) for title, *others in lines]


@courses.command()
@click.argument("names", nargs=-1, metavar="(COURSE… | all)", shell_complete=completion.courses)
@pass_globals
def add(options: Globals, names: tuple[str, ...]) -> None:
    """Show these courses in the mount; with `all` every course, which is the default.

    A COURSE is named by its folder, slug, id, URL, or the beginning of its title; the URL of a specialization names all
    its courses.
    A running mount shows them at once.

    \b
    Example: coursefs courses add https://www.coursera.org/learn/interactive-computer-graphics
    """
    _choose(options, names, shown=True)


@courses.command()
@click.argument("names", nargs=-1, metavar="(COURSE… | all)", shell_complete=completion.courses)
@pass_globals
def remove(options: Globals, names: tuple[str, ...]) -> None:
    """Hide these courses in the mount; with `all` every course, and later enrolments until you add them.

    Nothing is changed on the platform, and the cache stays: a course that is added again is as it was.

    \b
    Example: coursefs courses remove interactive-computer-graphics
    """
    _choose(options, names, shown=False)


@courses.command()
@click.argument("words", nargs=-1, metavar="TEXT")
@click.option(
    "--account", metavar="NAME", shell_complete=completion.accounts, help="Search only the platform of this account."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="At most N courses of a platform.")
@pass_globals
def search(options: Globals, words: tuple[str, ...], account: str | None, limit: int) -> None:
    """Search the platforms' public catalogues for courses whose names contain these words.

    \b
    Example: coursefs courses search computer graphics
    """
    import trio  # slow to import

    from coursefs.library import SearchHit
    from coursefs.library import search as search_all

    text = " ".join(words)
    if not text.strip():
        raise UsageError("no search words; type for example: coursefs courses search computer graphics")
    if sys.stderr.isatty():
        output.message("searching …")
    found = trio.run(search_all, _settings(options), text, account, limit)
    if not found:
        output.message(f"no course matches {text}")
    output.table([one.row() for one in found], SearchHit.COLUMNS)


def _choose(options: Globals, names: Sequence[str], *, shown: bool) -> None:
    if not names:
        raise UsageError("no course named; give its folder, slug, id, URL, or the beginning of its title, or all")
    for chosen in _chosen(options, names, shown=shown):
        if chosen["note"]:
            output.message(f"coursefs: {chosen['note']}")
        else:
            name = chosen["directory"] or chosen["title"]  # two courses of one title have different directories
            click.echo(output.clean(f"{'shown' if chosen['shown'] else 'not shown'}: {name}"))


def _chosen(options: Globals, names: Sequence[str], *, shown: bool) -> Iterator[Mapping[str, Any]]:
    """Change the course selection: through the mount that has the catalogue, or in this process."""
    from coursefs.daemon import socket  # slow to import

    if (mount := socket.mount_of_user(socket_dirs(), demo=options.demo)) is not None:
        yield from socket.ask(mount, "choose", courses=list(names), shown=shown)
        return
    from dataclasses import asdict

    import trio

    from coursefs.library import choose

    yield from map(asdict, trio.run(partial(choose, _settings(options), names, shown=shown)))


def _settings(options: Globals) -> LibrarySettings:
    """The settings of the library. Raises `NotSignedIn` if there is no account."""
    from coursefs.daemon.setup import library_settings
    from coursefs.library import require_accounts
    from coursefs.settings.config import load  # slow to import

    app_paths = options.app_paths()
    settings = library_settings(load(app_paths.config_file), app_paths)
    require_accounts(settings.accounts)
    return settings
