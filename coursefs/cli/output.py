"""Output of commands: data on standard output, messages on standard error, control characters replaced.

Also the options before the command's name (`Globals`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from coursefs.base.characters import printable
from coursefs.settings.paths import AppPaths, app_paths, require_own
from coursefs.settings.units import format_size

#: columns below which a text is cut at its end, and the least columns that a name gets
_LEAST_ENDS = 5
_LEAST_NAME = 8


def clean(text: str) -> str:
    """The text with control characters and characters that reorder text replaced by U+FFFD."""
    return printable(text)


def message(text: str) -> None:
    """Print one line for a person to standard error; ignored if that cannot be written."""
    with suppress(OSError):
        print(clean(text), file=sys.stderr)  # noqa: T201  # this module is where commands print


def error(text: str) -> None:
    """Print the failure of a command: one line `coursefs: …` on standard error."""
    message(f"coursefs: {' '.join(text.split())}")


def show_json(value: Any) -> None:
    """Print a value for programs to standard output."""
    print(json.dumps(value, indent=2))  # noqa: T201  # as above


def table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> None:
    """Print aligned rows under headers to standard output; nothing if there is no row."""
    if not rows:
        return
    lines = [[clean(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(lines, headers)
        return
    from rich.cells import cell_len  # late: few commands need it

    every = [[header.upper() for header in headers], *lines]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*every, strict=True)]
    for line in every:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())  # noqa: T201  # as above


def size(count: float) -> str:
    """A size for a person."""
    return format_size(count)


def shortened(text: str, width: int) -> str:
    """The text in at most so many columns of a terminal; the middle is left out, as both ends tell files apart."""
    from rich.cells import cell_len, set_cell_size  # late: few commands need it

    if cell_len(text) <= width:
        return text
    if width < _LEAST_ENDS:
        return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""
    last = (width - 1) // 2
    tail = set_cell_size(text[::-1], last).strip()[::-1]
    return set_cell_size(text, width - 1 - cell_len(tail)).rstrip() + "…" + tail


def fitted(before: str, name: str, after: str, width: int | None) -> str:
    """`before name after` in one line of so many columns: the name is shortened, the numbers around it are kept.

    None: as long as it is.
    """
    if width is None:
        return before + name + after
    from rich.cells import cell_len  # as above

    room = width - cell_len(before) - cell_len(after)
    return before + shortened(name, max(room, _LEAST_NAME)) + after


def count(number: int, noun: str) -> str:
    """A number of things: `1 file`, `2 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def day(seconds: float) -> str:
    """The local date of a moment given in seconds since 1970."""
    return datetime.fromtimestamp(seconds).astimezone().date().isoformat()


def _draw(lines: Sequence[Sequence[str]], headers: Sequence[str]) -> None:
    from rich.console import Console  # slow to import: only for a terminal
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for header in headers:
        drawn.add_column(header.upper(), overflow="fold")
    for line in lines:
        drawn.add_row(*(Text(cell) for cell in line))  # `Text`, because brackets in a title are not markup
    Console(file=sys.stdout, highlight=False).print(drawn)


@dataclass(frozen=True, slots=True)
class Globals:
    """`coursefs [-v] [--demo] [--config FILE] COMMAND`."""

    config: Path | None = None
    verbose: bool = False
    demo: bool = False  # the command is for the sample courses

    def app_paths(self, below: str | None = None) -> AppPaths:
        """The paths of this invocation; `below` as in `coursefs.settings.paths.app_paths`.

        Raises `CoursefsError` if they are unknown, or if root would write into another user's folders.
        """
        if self.demo and below is None:
            from coursefs.cli.demo import demo_paths  # rarely needed

            return demo_paths()
        return own_paths(self.config, below)

    def catalogue(self) -> tuple[Path, list[str]]:
        """The catalogue of this invocation, and the accounts of the settings file.

        Raises `UsageError` for a wrong settings file, and `NotSignedIn` if there is no account.
        """
        from coursefs.errors import NotSignedIn
        from coursefs.settings.config import load

        found = self.app_paths()
        accounts = list(load(found.config_file).accounts)
        if not accounts:
            raise NotSignedIn("no account yet; sign in with: coursefs login")
        return found.catalogue, accounts


def own_paths(config: Path | None, below: str | None) -> AppPaths:
    """The paths of this user; see `Globals.app_paths`."""
    found = app_paths(config, below)
    require_own(found)
    return found


pass_globals = click.make_pass_decorator(Globals)
