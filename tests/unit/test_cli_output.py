"""What commands print."""

from __future__ import annotations

import ast
import io
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.base.logs import TerminalSafeFormatter
from coursefs.cli import output, update
from coursefs.cli.main import cli, run
from coursefs.errors import BadReply


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


#: text of a platform that would do something to a terminal, or forge a line
EVIL = "a\x1b[2J\x1b]0;pwned\x07b\x9bc\u202ed\re\x08f"


def _is_obeyed(text: str) -> bool:
    return any(not character.isprintable() for line in text.split("\n") for character in line)


def test_a_log_line_is_one_line_that_no_terminal_obeys() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TerminalSafeFormatter("coursefs: %(message)s"))
    logger = logging.Logger("x")  # a logger of its own, which propagates nothing
    logger.addHandler(handler)
    logger.warning("%s: not shown", f"{EVIL}\nforged")
    try:
        raise BadReply(EVIL)
    except BadReply:
        logger.exception("failed")
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("forged: not shown") and lines[1] == "coursefs: failed"
    assert lines[2].startswith("Traceback") and len(lines) > 3
    assert not _is_obeyed(stream.getvalue())


@pytest.mark.parametrize(
    "show",
    [
        lambda: output.message(EVIL),
        lambda: output.error(EVIL),
        lambda: output.show_json({EVIL: EVIL}),
        lambda: output.table([(EVIL, EVIL)], ("title", "slug")),
        lambda: print("\n".join(update._lines({"about": EVIL, "new": [EVIL], "changed": [EVIL], "gone": [EVIL]}))),
        lambda: print("\n".join(update._lines({"about": EVIL, "new": [EVIL], "is_first": True}))),
        lambda: run(cli, [EVIL]),
        lambda: run(cli, ["mount", "-o", EVIL, "x"]),
        lambda: run(cli, ["--config", f"/nowhere/{EVIL}", "accounts"]),
    ],
)
def test_nothing_that_is_shown_is_obeyed_by_a_terminal(
    show: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    show()
    told = capsys.readouterr()
    assert not _is_obeyed(told.out) and not _is_obeyed(told.err)


#: what commands print without cleaning it: texts of their own, paths and numbers of this machine
_OWN = {
    ("main.py", "ctx.get_help()"),
    ("demo.py", "f'sample courses at {mountpoint}; Ctrl-C ends it'"),
    ("completion.py", "kind(cli, {}, 'coursefs', _VARIABLE).source()"),
    ("status.py", "line"),  # of status_text.lines_of, which cleans
    ("main.py", "command.get_help(context)"),
    ("update.py", "line"),  # of _lines, which cleans
    ("update.py", "'nothing new'"),
}


def test_every_line_that_commands_print_is_cleaned() -> None:
    folder = Path(output.__file__).parent
    found: set[tuple[str, str]] = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"click.echo", "click.secho", "print"}:
                said = ast.unparse(node.args[0]) if node.args else "''"
                if not said.startswith("output.clean(") and (path.name, said) not in _OWN and path.name != "output.py":
                    found.add((path.name, said))
    assert found == {one for one in found if one[0] == "cache.py"}  # sizes, and the folder of the settings
