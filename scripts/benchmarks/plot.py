"""The table as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.rows import COURSEFS, RCLONE, RCLONE_STREAMS, TOOLS, Figures, Row

_COLOURS = {RCLONE: "#9aa5b1", RCLONE_STREAMS: "#c7cdd4", COURSEFS: "#1f6f8b"}
_COLUMNS = 3
_LINES = ("#1f6f8b", "#c0392b", "#9aa5b1")


def draw(rows: Sequence[Row], figures: Figures, title: str, path: Path) -> None:
    """One panel a row: a bar for the median of each tool, a dot for each run, a line for what is to be reached."""
    mpl.use("Agg")
    lines = -(-len(rows) // _COLUMNS)
    figure = Figure(figsize=(4.2 * _COLUMNS, 1.75 * lines + 0.6), layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(lines, _COLUMNS, squeeze=False).flat
    for row, axes in zip(rows, panels, strict=False):
        _panel(axes, row, figures)
    for axes in panels:
        axes.set_axis_off()
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _panel(axes: Axes, row: Row, figures: Figures) -> None:
    shown = [(tool, median) for tool in reversed(TOOLS) if (median := figures.median(row, tool)) is not None]
    for place, (tool, median) in enumerate(shown):
        axes.barh(place, median, color=_COLOURS[tool], height=0.7)
        runs = figures.runs(row, tool)
        axes.plot(runs, [place] * len(runs), "o", color="black", markersize=2.5, alpha=0.5)
    labels = [f"{tool}\n{median:.3g}" if median < 1000 else f"{tool}\n{median:.0f}" for tool, median in shown]
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    if row.reach is not None:
        axes.axvline(row.reach, color="#c0392b", linewidth=1, linestyle="--")
    axes.margins(x=0.05)
    axes.tick_params(axis="x", labelsize=7)
    better = "more" if row.more_is_better else "less"
    axes.set_title(f"{row.title}\n{row.unit}, {better} is better", fontsize=8, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def draw_lines(across: str, panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], path: Path) -> None:
    """One panel for each title: a line through the points (x, y) of each tool, from 0 on."""
    mpl.use("Agg")
    figure = Figure(figsize=(4.2 * len(panels), 3.4), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels.items(), strict=True):
        for (tool, points), colour in zip(lines.items(), _LINES, strict=False):
            axes.plot(*zip(*points, strict=True), "o-", color=colour, label=tool, markersize=3)
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlabel(across, fontsize=8)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
