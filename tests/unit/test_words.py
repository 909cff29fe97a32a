"""The words of messages, pages and the documentation for users: plain, and of this time."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SOURCES = [
    path for path in sorted((_ROOT / "coursefs").rglob("*.py")) if "demo" not in path.parts and path.name != "schema.py"
]
#: for users; other pages are for developers
_PAGES = [
    "README.md",
    *(f"docs/{name}.md" for name in ("backup", "courses", "download", "lab", "openedx", "panopto", "status")),
]
#: stiff words, and what to say
_STIFF = {
    r"\bis meant\b|\bare meant\b": "expected …",
    r"\banew\b": "again",
    r"\bat hand\b": "cached",
    r"\bto be had\b|\b(?:can|cannot) be had\b": "available",
    r"\bwhoever\b|\bsomebody\b|\bnobody\b|\banybody\b": "a user, a program",
    r"\bwholly\b": "completely",
    r"\btheir turn\b": "queued",
    r"\bbehind (?:your|its|their) back\b": "in the background",
    r"\bpassed over\b": "ignored",
    r"\btak(?:es?|en|ing) (?:\S+ ){0,4}away\b": "unmount, remove",
    r"\bstands? (?:in the way|against)\b": "fails with",
    r"\bhung up\b": "closed the connection",
    r"\blives? on\b|\blies on\b": "is on",
    r"\bthereof\b|\bof it that\b": "name it",
    r"\bfor you to ask\b|\bno sense in it\b|\bwhat there is of\b": "say it plainly",
}
#: classes of one name that are the same thing for another platform; sample platforms have the platforms' own words
_OF_EACH_PLATFORM = {"Asset", "Route", "RouteBook", "Session"}


def _is_docstring(node: ast.AST) -> bool:
    body = getattr(node, "body", None)
    return (
        isinstance(body, list)
        and bool(body)
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
    )


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module but its docstrings; of commands the docstrings too, as they are its help."""
    tree = ast.parse(path.read_text())
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _is_docstring(node):
            is_command = bool(getattr(node, "decorator_list", ())) and path.parent.name == "cli"
            if not is_command:
                skipped.add(id(node.body[0].value))  # type: ignore[attr-defined]  # of an Expr, as was just seen
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def stiff(text: str) -> list[str]:
    """The stiff words of a text, each with what to say."""
    return [f"{found[0]!r}: say {plain!r}" for words, plain in _STIFF.items() for found in re.finditer(words, text)]


@pytest.mark.parametrize("path", _SOURCES, ids=lambda path: str(path.relative_to(_ROOT)))
def test_messages_are_in_plain_words(path: Path) -> None:
    assert [f"{path}:{line}: {why}" for line, text in _texts(path) for why in stiff(text)] == []


@pytest.mark.parametrize("name", _PAGES)
def test_pages_for_users_are_in_plain_words(name: str) -> None:
    text = re.sub(r"`[^`\n]*`", "", (_ROOT / name).read_text())  # names of tests, and what is typed
    assert stiff(text) == []


def test_what_is_stiff_is_found() -> None:
    assert stiff("a number is meant") == ["'is meant': say 'expected …'"]
    assert stiff("it takes the dead mount away") and stiff("it was taken away") and not stiff("an hour away")


def test_the_name_of_a_class_stands_for_one_thing() -> None:
    names = Counter(
        node.name
        for path in _SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert {name for name, count in names.items() if count > 1} == _OF_EACH_PLATFORM
