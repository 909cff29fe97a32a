"""What is said of many files: in few words, on a terminal or not, and nothing that a terminal obeys."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from coursefs.cli.progress import Bars, Lines, display, overall, planned, row, summary


def state(**changes: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(("files", "bytes", "came", "new", "there", "failed"), 0)
    return nothing | {"is_looking": False, "moving": []} | changes


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "0 new, 0 skipped, 0 failed"),
        ({"new": 3, "came": 3 * 2**20, "there": 2}, "3 new (3.0 MiB), 2 skipped, 0 failed"),
        ({"new": 1, "failed": 7}, "1 new (0 bytes), 0 skipped, 7 failed"),
    ],
)
def test_the_summary_says_new_skipped_and_failed(changes: dict[str, int], line: str) -> None:
    assert summary(state(**changes), "skipped") == line


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"is_looking": True}, "0 of 0 files so far"),
        ({"files": 9, "new": 1, "there": 2}, "3 of 9 files"),
        ({"files": 9, "new": 1, "failed": 2}, "3 of 9 files, 2 failed"),
    ],
)
def test_how_many_files_are_done(changes: dict[str, int], line: str) -> None:
    assert overall(state(**changes)) == line


def test_without_a_terminal_failures_are_lines_and_nothing_else_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with display() as shown:
        assert isinstance(shown, Lines)
        shown.show({"state": state(), "failures": []})
        shown.show({"state": state(failed=1), "failures": [["a\x1b[2J/b", "no\nanswer"], ["x", "x: ended"]]})
    assert capsys.readouterr() == ("", "coursefs: a\N{REPLACEMENT CHARACTER}[2J/b: no answer\ncoursefs: x: ended\n")


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> tuple[Bars, io.StringIO]:
    """Bars on a terminal of 120 columns, and what is written to it."""
    written = io.StringIO()
    terminal = Console(file=written, force_terminal=True, width=120, color_system=None)
    monkeypatch.setattr("rich.console.Console", lambda **_: terminal)
    return Bars(), written


def test_bars_for_all_and_for_each_that_is_on_its_way(bars: tuple[Bars, io.StringIO]) -> None:
    shown, written = bars
    one = {"path": "c/[bold]a\x1b.mp4", "done": 2**20, "total": 4 * 2**20}
    other = {"path": "c/b.mp4", "done": 0, "total": 10}
    with shown.progress:
        shown.show({"state": state(is_looking=True), "failures": []})
        shown.show({"state": state(files=3, bytes=2**23, came=2**20, moving=[one, other]), "failures": []})
        assert len(shown.progress.tasks) == 3
        shown.progress.refresh()
        shown.show(
            {"state": state(files=3, bytes=2**23, came=2**21, new=1, moving=[one]), "failures": [["[b]d", "no"]]}
        )
        assert len(shown.progress.tasks) == 2
        shown.progress.refresh()
    said = written.getvalue()
    assert "[bold]a\N{REPLACEMENT CHARACTER}.mp4" in said and "1.0 MiB of 4.0 MiB" in said
    assert "1 of 3 files" in said and "2.0 MiB of 8.0 MiB" in said
    assert "coursefs: [b]d: no\n" in said


def test_how_much_it_is_scrolls_past_above_the_bars(bars: tuple[Bars, io.StringIO]) -> None:
    drawn, written = bars
    drawn.show({"state": state(), "failures": [], "amount": {"files": 2, "bytes": 2048, "unknown": 1}})
    assert "coursefs: to fetch: 2 files, 2.0 KiB; 1 more of unknown size" in written.getvalue()


def test_a_terminal_gets_bars(bars: tuple[Bars, io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with display() as shown:
        assert isinstance(shown, Bars)


LECTURE = "01 A very long name of a lecture that goes on and on for more than any terminal shows 07.mp4"


@pytest.mark.parametrize("width", [50, 80, 200])
@pytest.mark.parametrize("name", [LECTURE, "short.mp4", "情報科学概論の長い長い長い長い長い長い講義の名前.mp4"])
def test_a_row_keeps_its_numbers_and_both_ends_of_the_name(width: int, name: str) -> None:
    line = row(name, 3 * 2**20, 1023.9 * 2**20, 1.5 * 2**20, 754, width)
    assert cell_len(line) <= width
    assert "3.0 MiB of 1023.9 MiB" in line and "1.5 MiB/s" in line
    assert ("12:34" in line) == (width >= 60)
    assert line.startswith(name[:2]) and ".mp4 " in line
    assert (name in line) == (cell_len(name) <= {50: 10, 80: 32, 200: 130}[width])


def test_every_size_of_a_row_is_of_one_family_of_units() -> None:
    line = row("a.mp4", 1500, None, 2_000_000, None, 200)
    assert "1.5 KiB" in line and "1.9 MiB/s" in line and "kB" not in line


@pytest.mark.parametrize("width", [1, 3, 10, 30, 49])
def test_a_row_on_a_narrow_terminal_raises_nothing(width: int) -> None:
    assert "1.0 MiB of 2.0 MiB" in row(LECTURE, 2**20, 2**21, 0.0, 1.0, width)


def test_without_a_terminal_a_line_a_minute_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = Lines(lambda: now)
    for now, came in ((59.0, 1), (60.0, 2), (119.0, 3), (121.0, 2**20)):  # noqa: B007  # `now` is what the lines read
        lines.show({"state": state(files=9, bytes=2**21, came=came, new=1), "failures": []})
    assert capsys.readouterr().err == (
        "coursefs: 1 of 9 files, 2 bytes of 2.0 MiB\ncoursefs: 1 of 9 files, 1.0 MiB of 2.0 MiB\n"
    )


def test_a_plan_is_one_line_at_the_end() -> None:
    assert planned(state(new=2, came=2**20, there=3), "copy", "skipped") == (
        "would copy 2 files (1.0 MiB), 3 skipped, 0 failed"
    )
    assert planned(state(there=3), "fetch", "already there") == "would fetch nothing, 3 already there, 0 failed"


def test_a_plan_has_no_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with display(bars=False) as shown:
        assert isinstance(shown, Lines)
