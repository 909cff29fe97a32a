"""Every line of SECURITY.md that says what an attacker cannot do names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]
_TEXT = (_TESTS.parent / "SECURITY.md").read_text(encoding="utf-8")
_LINES = [line for line in _TEXT.splitlines() if line[:1] == "-"]
_LINE = re.compile(r"- [^`]*(?:`-[\w-]+`[^`]*)?[.] `(?P<file>[\w/]+\.py)::(?P<test>test_\w+)`")


def test_every_attacker_has_lines() -> None:
    attackers = re.split(r"^### ", _TEXT, flags=re.MULTILINE)[1:]
    assert len(attackers) == 7
    assert all(re.search(r"^- ", one, re.MULTILINE) for one in attackers)


@pytest.mark.parametrize("line", _LINES)
def test_each_line_is_tested(line: str) -> None:
    match = _LINE.fullmatch(line)
    assert match, "- What an attacker cannot do. `file::test`"
    tree = ast.parse((_TESTS / match["file"]).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    assert match["test"] in names


def test_it_stays_on_one_page() -> None:
    assert len(_TEXT.splitlines()) <= 120
