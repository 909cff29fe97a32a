"""What is said of many files: in few words, on a terminal or not, and nothing that a terminal obeys."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from rich.console import Console

from coursefs.cli.progress import Bars, Lines, display, overall, summary


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
        shown.show({"state": state(failed=1), "failures": [["a\x1b[2J/b", "no\nanswer"]]})
    assert capsys.readouterr() == ("", "coursefs: a\N{REPLACEMENT CHARACTER}[2J/b: no answer\n")


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
    assert "[bold]a\N{REPLACEMENT CHARACTER}.mp4" in said and "1.0/4.0 MiB" in said
    assert "1 of 3 files" in said and "2.0/8.0 MiB" in said
    assert "coursefs: [b]d: no\n" in said


def test_a_terminal_gets_bars(bars: tuple[Bars, io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with display() as shown:
        assert isinstance(shown, Bars)
