"""Every promise of docs/semantics.md names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]
_PROMISES = [
    line for line in (_TESTS.parent / "docs/semantics.md").read_text(encoding="utf-8").splitlines() if line[:1] == "-"
]
_PROMISE = re.compile(r"- [^`]+[.;] `(?P<file>[\w/]+\.py)::(?P<test>test_\w+)`")


def test_there_are_promises() -> None:
    assert len(_PROMISES) > 40


@pytest.mark.parametrize("promise", _PROMISES)
def test_each_promise_is_tested(promise: str) -> None:
    match = _PROMISE.fullmatch(promise)
    assert match, "- What is promised. `file::test`"
    tree = ast.parse((_TESTS / match["file"]).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    assert match["test"] in names
