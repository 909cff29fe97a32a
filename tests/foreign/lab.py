"""What docs/lab.md has people type and write into files, for the tests that do the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "lab.md"
#: where the page has the courses
PLACE = "/srv/courses"
#: a file with its name in the first line, or lines of a shell
_STEP = re.compile(r"^```(?:ini|text)\n# (?P<file>/.*?)^```|^    (?P<line>.+?)$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is typed into a shell."""

    text: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that is written."""

    path: str
    text: str
    is_appended: bool

    def write(self) -> None:
        """Write it on this machine."""
        path = Path(self.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if self.is_appended else "w", encoding="utf-8") as file:
            file.write(self.text)


def steps(text: str | None = None) -> Iterator[Line | File]:
    """What is typed and written in a part of the page, in its order; None: in all of it."""
    page = PAGE.read_text(encoding="utf-8") if text is None else text
    place = 0
    while found := _STEP.search(page, place):
        block = _BLOCK.search(page, place)
        if block is not None and block.start() < found.start() < block.end():
            place = block.end()  # an indented line of what is no step
            continue
        place = found.end()
        if found["file"] is None:
            yield Line(found["line"])
        else:
            head, _, body = found["file"].partition("\n")
            path, _, where = head.partition(",")
            yield File(path, body, is_appended="at its end" in where)


def section(title: str) -> str:
    """The part of the page with this title."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def file_of(path: str) -> str:
    """The text that the page has for a file."""
    (text,) = (one.text for one in steps() if isinstance(one, File) and one.path == path)
    return text
