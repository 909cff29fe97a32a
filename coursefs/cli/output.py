"""What commands say: data on standard output, messages on standard error, nothing that moves a terminal's cursor."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any


def clean(text: str) -> str:
    """The text with whatever a terminal might obey, or that reorders other text, made visible as U+FFFD."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def message(text: str) -> None:
    """One line for a person, on standard error."""
    print(clean(text), file=sys.stderr)  # noqa: T201  # this module is where commands print


def error(text: str) -> None:
    """Why a command failed: one line `coursefs: …` on standard error, whatever blanks and lines the reason has."""
    message(f"coursefs: {' '.join(text.split())}")


def show_json(value: Any) -> None:
    """A value for programs, on standard output."""
    print(json.dumps(value, indent=2))  # noqa: T201  # as above


def table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> None:
    """Rows of text under headers, on standard output, aligned; nothing when there is no row."""
    if not rows:
        return
    lines = [[clean(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(lines, headers)
        return
    from rich.cells import cell_len  # noqa: PLC0415  # for the few commands that need it

    every = [[header.upper() for header in headers], *lines]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*every, strict=True)]
    for line in every:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())  # noqa: T201  # as above


def size(count: float) -> str:
    """Bytes for a person."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def day(seconds: float) -> str:
    """The local date of a moment given in seconds since 1970."""
    return datetime.fromtimestamp(seconds).astimezone().date().isoformat()


def _draw(lines: Sequence[Sequence[str]], headers: Sequence[str]) -> None:
    from rich.console import Console  # noqa: PLC0415  # slow to import: only for a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for header in headers:
        drawn.add_column(header.upper(), overflow="fold")
    for line in lines:
        drawn.add_row(*(Text(cell) for cell in line))  # Text: brackets in a title are not markup
    Console(file=sys.stdout, highlight=False).print(drawn)
