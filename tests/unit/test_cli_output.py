"""What commands print."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.cli import output


class Terminal(io.StringIO):
    """A terminal, as far as programs ask."""

    def isatty(self) -> bool:
        return True


def test_a_table_is_aligned_whatever_the_width_of_its_letters(capsys: pytest.CaptureFixture[str]) -> None:
    output.table([("Größen & Maße", "1"), ("数字图像", "2"), ("plain", "")], ("title", "n"))
    assert capsys.readouterr().out == "TITLE          N\nGrößen & Maße  1\n数字图像       2\nplain\n"


def test_a_terminal_gets_every_letter_and_no_markup_of_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    output.table([("[bold]x[/bold]", "w" * 60), ("\x1b[31mred", "")], ("title", "url"))
    assert "[bold]x[/bold]" in terminal.getvalue()
    assert terminal.getvalue().count("w") == 60
    assert "\x1b" not in terminal.getvalue()


def test_no_row_is_no_output(capsys: pytest.CaptureFixture[str]) -> None:
    output.table([], ("title",))
    assert capsys.readouterr() == ("", "")


def test_json_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_json({"title": "\x1b[31mGrößen"})
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert json.loads(out) == {"title": "\x1b[31mGrößen"}


def test_messages_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    output.message("hello\r\nthere")
    assert capsys.readouterr() == ("", "hello\ufffd\ufffdthere\n")


@given(st.text())
def test_clean_text_keeps_its_length_and_moves_nothing(text: str) -> None:
    cleaned = output.clean(text)
    assert len(cleaned) == len(text)
    assert cleaned.isprintable()
    assert output.clean(cleaned) == cleaned
