"""What docs/lab.md has people type and write into files, for the tests that do the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "lab.md"
#: where the page has the courses
PLACE = "/srv/courses"


def file_of(path: str) -> str:
    """The text that the page has for a file; the first line of its block names it."""
    texts = [text for name, text in files() if name == path]
    assert len(texts) == 1, path
    return texts[0]


def files() -> Iterator[tuple[str, str]]:
    """Every file of the page, with its text."""
    page = PAGE.read_text(encoding="utf-8")
    for block in re.findall(r"^```(?:ini|text)\n# (/.*?)^```", page, re.MULTILINE | re.DOTALL):
        name, _, text = block.partition("\n")
        yield name.partition(",")[0].strip(), text


def commands(section: str) -> list[str]:
    """The lines of a section that are typed into a shell."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, section
    return [line[4:] for line in found[1].splitlines() if line.startswith("    ")]
