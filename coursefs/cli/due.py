"""`coursefs due`: what is due, from the catalogue, without any request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from coursefs.cli import output
from coursefs.cli.output import Globals, pass_globals

if TYPE_CHECKING:
    from coursefs.library import Due, DueList

_COLUMNS = ("due", "course", "what")
_DAY_NS = 24 * 3600 * 10**9
_NEVER_NS = 2**63 - 1


@click.command()
@click.option("--days", type=click.IntRange(0, 36500), metavar="N", help="Only what is due within so many days.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_globals
def due(options: Globals, days: int | None, as_json: bool) -> None:
    """List what is due in your courses from now on, over all accounts; nothing is requested.

    The dates are those that the platforms last said: a mount asks for them once a day, coursefs update at once.  Times
    are those of this machine's time zone.

    \b
    Example: coursefs due --days 7
    """
    from coursefs.library import stored_due  # slow to import

    now = time.time_ns()
    found = stored_due(*options.catalogue(), now, _NEVER_NS if days is None else now + days * _DAY_NS)
    for line in notes_of(found):
        output.message(f"coursefs: {line}")
    if as_json:
        output.show_json([one.record() for one in found.due])
        return
    if not found.due:
        output.message("coursefs: nothing is due" + ("" if days is None else f" within {output.count(days, 'day')}"))
    output.table([row_of(one) for one in found.due], _COLUMNS)


def row_of(one: Due) -> tuple[str, ...]:
    """The line of something that is due, with its local time (pure but for the time zone)."""
    return f"{datetime.fromtimestamp(one.due_ns // 10**9).astimezone():%Y-%m-%d %H:%M}", one.directory, one.title


def notes_of(found: DueList) -> Sequence[str]:
    """What a list lacks, a line for each thing (pure)."""
    lines = [
        f"{course}: {output.count(number, 'date')} left out, before 2000 or after 2199"
        for course, number in found.implausible
    ]
    if found.unknown:
        courses = found.unknown[0] if len(found.unknown) == 1 else f"{len(found.unknown)} courses"
        lines.append(f"not known yet: the dates of {courses}; to ask for them: coursefs update")
    return lines
