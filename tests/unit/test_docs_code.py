"""The pages for people who work on the code: every file and every name of the code in them exists."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("architecture", "concurrency", "glossary")),
]
#: modules of others whose names the pages use
_OTHERS = {"trio", "threading", "sqlite3", "fcntl", "os", "httpx", "pytest", "pyfuse3"}
#: what docs/concurrency.md names wherever it is made
_LOCKS = (
    "threading.Lock",
    "threading.Thread",
    "trio.Lock",
    "trio.CapacityLimiter",
    "SingleFlight",
    "Supervisor",
    "FileLock",
)
_PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*(/|\.(py|md|toml|sqlite))")
_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*(\(\))?")


def spans(page: Path) -> Iterator[str]:
    """What stands between backquotes in a page, outside of blocks."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", text)


def found(path: str) -> Path | None:
    """The file or folder of this name in the package, or in the repository."""
    places = [ROOT / "coursefs" / path, ROOT / path]
    return next((place for place in places if place.exists()), None)


@cache
def names_in(file: Path) -> frozenset[str]:
    """Every name that a module defines; what a class has as `Class.name`, and by itself as well."""
    return frozenset(_names(ast.parse(file.read_text()), ""))


def _names(tree: ast.AST, owner: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        name, inner = None, owner
        if isinstance(node, ast.ClassDef):
            name = inner = node.name
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            name = node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            name = node.attr
        elif isinstance(node, ast.arg):
            name = node.arg
        if name is not None:
            yield name
            if owner:
                yield f"{owner}.{name}"
        yield from _names(node, inner)


@cache
def every_name() -> frozenset[str]:
    files = [file for folder in ("coursefs", "tests", "scripts") for file in (ROOT / folder).rglob("*.py")]
    return frozenset().union(*(names_in(file) for file in files))


def is_name_of_others(name: str) -> bool:
    """Whether it is something of Python or of a package that we use."""
    module, _, rest = name.partition(".")
    if not rest:
        return hasattr(builtins, name)
    if module not in _OTHERS:
        return False
    thing: object = importlib.import_module(module)
    for part in rest.split("."):
        thing = getattr(thing, part)
    return True


def wrong(span: str) -> str | None:
    """Why what stands between backquotes is not in the code; None: it is, or it is no path and no name."""
    path, _, name = span.partition("::")
    if name:
        file = found(path)
        if file is None:
            return f"there is no {path}"
        return None if name in names_in(file) else f"{path} has no {name}"
    if _PATH.fullmatch(span):
        return None if found(span) or "*" in span else f"there is no {span}"
    looks_like_one = "_" in span or "." in span or span.endswith("()") or re.search("[a-z][A-Z]|^[A-Z][a-z]", span)
    if _NAME.fullmatch(span) and looks_like_one:
        name = span.removesuffix("()")
        is_one = bool(found(name.replace(".", "/"))) or name in every_name() or is_name_of_others(name)
        return None if is_one else f"nothing is called {name}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_name_is_in_the_code(page: Path) -> None:
    said = list(spans(page))
    assert len(said) > 20
    assert not (missing := [why for why in map(wrong, said) if why]), "; ".join(missing)


def test_every_lock_and_limiter_is_on_the_page() -> None:
    page = set(spans(ROOT / "docs" / "concurrency.md"))
    files = {span.partition("::")[0] for span in page}
    missing = []
    for file in sorted((ROOT / "coursefs").rglob("*.py")):
        path = str(file.relative_to(ROOT / "coursefs"))
        if not path.startswith("demo/") and path not in files:
            text = file.read_text()
            missing += [f"{path}: {kind}" for kind in _LOCKS if re.search(rf"\b{re.escape(kind)}\(", text)]
    assert missing == []


def test_what_is_not_in_the_code_is_found() -> None:
    assert wrong("content/nothing.py") == "there is no content/nothing.py"
    assert wrong("content/store.py::CacheStore.nothing") == "content/store.py has no CacheStore.nothing"
    assert wrong("NothingOfTheKind") == "nothing is called NothingOfTheKind"
    assert wrong("no_such_function()") == "nothing is called no_such_function"
    assert wrong("content/store.py::CacheStore") is None
    assert wrong("trio.Lock") is None
    assert wrong("kill -9") is None
