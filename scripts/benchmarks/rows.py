"""The rows of the table and what their figures say (pure)."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COURSEFS = "coursefs"
RCLONE = "rclone"
RCLONE_STREAMS = "rclone, 4 × 4 MiB"
TOOLS = (RCLONE, RCLONE_STREAMS, COURSEFS)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.  Figures are in `unit`; `reach` is what coursefs has to reach, None: what rclone does."""

    name: str
    title: str
    unit: str
    more_is_better: bool
    reach: float | None


ROWS = (
    Row("lecture", "118 MB lecture, start to end, far link", "MB/s", more_is_better=True, reach=22),
    Row("random", "4 KiB at a random place, cold, far link", "ms", more_is_better=False, reach=130),
    Row("fetched", "… bytes fetched for each", "KiB", more_is_better=False, reach=512),
    Row("ffprobe", "ffprobe, MP4 index at the end, cold, far link", "s", more_is_better=False, reach=0.45),
    Row("frame", "first frame of that lecture, cold, far link", "s", more_is_better=False, reach=1),
    Row("next", "… after the lecture before it was played", "s", more_is_better=False, reach=0.3),
    Row("ls", "ls -l of 200 files of unknown size, far link", "s", more_is_better=False, reach=0.8),
    Row("cold", "1 GiB, start to end, cold, loopback", "MB/s", more_is_better=True, reach=None),
    Row("again", "… the same again (page cache)", "MB/s", more_is_better=True, reach=5000),
    Row("remount", "… after a remount (cache file in memory)", "MB/s", more_is_better=True, reach=1500),
    Row("cached", "… 4 KiB at a random place of it", "µs", more_is_better=False, reach=None),
    Row("memory", "memory of the daemon after all that", "MB", more_is_better=False, reach=90),
    Row("first", "200 courses, 50,000 files: mount to first ls", "s", more_is_better=False, reach=1),
    Row("find", "… find -type f over all of it, cold", "s", more_is_better=False, reach=2),
    Row("found", "… the same again", "s", more_is_better=False, reach=0.3),
    Row("lslr", "… ls -lR over all of it, warm", "s", more_is_better=False, reach=1),
    Row("rss", "… memory of the daemon after all that", "MB", more_is_better=False, reach=120),
)


def chosen(names: str | None) -> tuple[Row, ...]:
    """The rows of these names, separated by commas; all of them for None.  Raises `ValueError` for an unknown one."""
    if names is None:
        return ROWS
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = [row.name for row in ROWS]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"no row is called {unknown[0]!r}; there are: {', '.join(known)}")
    return tuple(row for row in ROWS if row.name in wanted)


class Figures:
    """What was measured: for each row and tool, one figure a run."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[float]] = {}
        self.notes: dict[tuple[str, str], list[float]] = {}

    def add(self, row: str, tool: str, figure: float) -> None:
        """One more run."""
        self._found.setdefault((row, tool), []).append(figure)

    def note(self, what: str, tool: str, figure: float) -> None:
        """Something worth knowing beside the table."""
        self.notes.setdefault((what, tool), []).append(figure)

    def runs(self, row: Row, tool: str) -> Sequence[float]:
        """The figures of one row and tool, in the order of the runs; () when it was not measured."""
        return self._found.get((row.name, tool), ())

    def median(self, row: Row, tool: str) -> float | None:
        """The median of the runs."""
        runs = self.runs(row, tool)
        return statistics.median(runs) if runs else None


def ratio(row: Row, figures: Figures) -> float | None:
    """How many times better coursefs is than rclone as it comes; None where one of the two is missing."""
    ours, theirs = figures.median(row, COURSEFS), figures.median(row, RCLONE)
    if not ours or not theirs:
        return None
    return ours / theirs if row.more_is_better else theirs / ours


def reached(row: Row, figures: Figures) -> bool | None:
    """Whether coursefs is where it has to be; None where that is not known."""
    ours = figures.median(row, COURSEFS)
    goal = figures.median(row, RCLONE) if row.reach is None else row.reach
    if ours is None or goal is None:
        return None
    return ours >= goal if row.more_is_better else ours <= goal


def is_steady(runs: Sequence[float], *, within: float = 0.25) -> bool:
    """Whether all runs lie within this fraction of their median: else something disturbed them."""
    middle = statistics.median(runs)
    return all(abs(run - middle) <= within * middle for run in runs)


def as_json(rows: Collection[Row], figures: Figures) -> list[dict[str, Any]]:
    """The table as plain data."""
    return [
        {
            "name": row.name,
            "title": row.title,
            "unit": row.unit,
            "better": "more" if row.more_is_better else "less",
            "reach": row.reach,
            "figures": {
                tool: {"median": figures.median(row, tool), "runs": list(runs), "steady": is_steady(runs)}
                for tool in TOOLS
                if (runs := figures.runs(row, tool))
            },
            "ratio": ratio(row, figures),
            "reached": reached(row, figures),
        }
        for row in rows
    ]


def notes_as_json(figures: Figures) -> list[dict[str, Any]]:
    """What else was seen, as plain data."""
    return [
        {"what": what, "tool": tool, "median": statistics.median(runs), "runs": runs}
        for (what, tool), runs in figures.notes.items()
    ]


def as_table(rows: Collection[Row], figures: Figures) -> str:
    """The table in Markdown, which a terminal shows as well.  `~` stands before a figure whose runs differ much."""
    lines = [["work", *TOOLS, "reach", "ratio", ""]]
    for row in rows:
        goal = "not worse" if row.reach is None else f"{'≥' if row.more_is_better else '≤'} {_number(row.reach)}"
        better = ratio(row, figures)
        is_reached = reached(row, figures)
        lines.append(
            [
                f"{row.title} ({row.unit})",
                *(_figure(figures.runs(row, tool)) for tool in TOOLS),
                goal,
                "" if better is None else f"{better:.1f} ×",
                {True: "reached", False: "NOT REACHED", None: ""}[is_reached],
            ]
        )
    return aligned(lines)


def notes_as_text(figures: Figures) -> str:
    """What else was seen, a line each."""
    by_what: dict[str, Mapping[str, float]] = {}
    for (what, tool), runs in figures.notes.items():
        by_what[what] = {**by_what.get(what, {}), tool: statistics.median(runs)}
    return "\n".join(
        f"* {what}: " + ", ".join(f"{tool} {_number(figure)}" for tool, figure in found.items())
        for what, found in by_what.items()
    )


def _figure(runs: Sequence[float]) -> str:
    if not runs:
        return ""
    return ("" if is_steady(runs) else "~") + _number(statistics.median(runs))


def _number(figure: float) -> str:
    """Three digits that count, and never an exponent."""
    if figure >= 100:
        return f"{figure:.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Cells as a table in Markdown, the first line as its head."""
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    rows = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    ruler = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([rows[0], ruler, *rows[1:]])
