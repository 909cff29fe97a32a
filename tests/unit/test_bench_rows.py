"""The benchmark's table: medians, ratios, what is reached, how it is written."""

from __future__ import annotations

import json

import pytest

from benchmarks.rows import (
    COURSEFS,
    RCLONE,
    RCLONE_STREAMS,
    ROWS,
    Figures,
    Row,
    as_json,
    as_table,
    chosen,
    is_steady,
    notes_as_json,
    notes_as_text,
    ratio,
    reached,
)

SPEED = Row("speed", "a film", "MB/s", more_is_better=True, reach=22)
DELAY = Row("delay", "a look", "ms", more_is_better=False, reach=130)
NOT_SLOWER = Row("cold", "much", "MB/s", more_is_better=True, reach=None)


def measured(row: Row, ours: list[float], theirs: list[float]) -> Figures:
    figures = Figures()
    for tool, runs in ((COURSEFS, ours), (RCLONE, theirs)):
        for run in runs:
            figures.add(row.name, tool, run)
    return figures


def test_all_rows_are_chosen_unless_some_are_named() -> None:
    assert chosen(None) == ROWS
    assert [row.name for row in chosen("memory, cold")] == ["cold", "memory"]
    with pytest.raises(ValueError, match=r"no row is called 'colt'; there are: lecture, .*memory"):
        chosen("cold,colt")


def test_a_figure_is_the_median_of_its_runs() -> None:
    figures = measured(SPEED, [20.0, 30.0, 1.0], [5.0])
    assert figures.median(SPEED, COURSEFS) == 20.0
    assert figures.median(SPEED, RCLONE_STREAMS) is None
    assert list(figures.runs(SPEED, COURSEFS)) == [20.0, 30.0, 1.0]


@pytest.mark.parametrize(
    ("row", "ours", "theirs", "times", "is_reached"),
    [
        (SPEED, 22.0, 11.0, 2.0, True),
        (SPEED, 21.9, 43.8, 0.5, False),
        (DELAY, 130.0, 520.0, 4.0, True),
        (DELAY, 131.0, 65.5, 0.5, False),
        (NOT_SLOWER, 100.0, 100.0, 1.0, True),
        (NOT_SLOWER, 99.0, 100.0, 0.99, False),
    ],
)
def test_a_ratio_says_how_many_times_better_coursefs_is(
    row: Row, ours: float, theirs: float, times: float, is_reached: bool
) -> None:
    figures = measured(row, [ours], [theirs])
    assert ratio(row, figures) == pytest.approx(times)
    assert reached(row, figures) is is_reached


def test_what_was_not_measured_is_neither_better_nor_reached() -> None:
    assert ratio(SPEED, measured(SPEED, [1.0], [])) is None
    assert reached(SPEED, measured(SPEED, [], [1.0])) is None
    assert reached(NOT_SLOWER, measured(NOT_SLOWER, [1.0], [])) is None


def test_runs_that_differ_much_are_marked() -> None:
    assert is_steady([100.0, 124.0, 80.0])
    assert not is_steady([100.0, 126.0, 80.0])
    assert "~100 " in as_table([SPEED], measured(SPEED, [100.0, 200.0, 50.0], [10.0]))


def test_the_table_is_markdown_with_a_line_for_each_row() -> None:
    figures = measured(SPEED, [23.456], [4.5])
    figures.add("speed", RCLONE_STREAMS, 1234.5)
    lines = as_table([SPEED, DELAY], figures).splitlines()
    assert len({len(line) for line in lines}) == 1
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["work", RCLONE, RCLONE_STREAMS, COURSEFS, "reach", "ratio", ""]
    assert cells[2] == ["a film (MB/s)", "4.50", "1234", "23.5", "≥ 22.0", "5.2 ×", "reached"]
    assert cells[3] == ["a look (ms)", "", "", "", "≤ 130", "", ""]


def test_the_json_holds_every_run() -> None:
    (row,) = json.loads(json.dumps(as_json([DELAY], measured(DELAY, [60.0, 61.0], [120.0, 122.0]))))
    assert row["figures"][COURSEFS] == {"median": 60.5, "runs": [60.0, 61.0], "steady": True}
    assert (row["better"], row["reach"], row["ratio"], row["reached"]) == ("less", 130, 2.0, True)


def test_notes_stand_beside_the_table() -> None:
    figures = Figures()
    for tool, figure in ((RCLONE, 900.0), (RCLONE, 1000.0), (COURSEFS, 7.0)):
        figures.note("KiB fetched", tool, figure)
    assert notes_as_text(figures) == f"* KiB fetched: {RCLONE} 950, {COURSEFS} 7.00"
    assert notes_as_json(figures)[0] == {
        "what": "KiB fetched",
        "tool": RCLONE,
        "median": 950.0,
        "runs": [900.0, 1000.0],
    }
