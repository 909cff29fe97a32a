"""Notes: Markdown files with front matter, for Obsidian, NotebookLM and other programs that read texts (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coursefs.base.characters import legible, one_line
from coursefs.formats.markdown import escaped, markdown
from coursefs.pages.cleaning import link_target


@dataclass(frozen=True, slots=True)
class NoteFacts:
    """What the front matter of a note says; "" and None are left out."""

    lecture: str  # the title of the item
    course: str = ""
    module: str = ""
    url: str | None = None  # web page of the item
    duration: float | None = None  # seconds


def reading_note(html: str, facts: NoteFacts) -> str:
    """A reading as a note. `html` is a page of ours (`coursefs.pages.document`)."""
    return _note(facts, markdown(html))


def reading_notes(texts: Sequence[tuple[str, NoteFacts]]) -> list[str]:
    """Several readings as notes."""
    return [reading_note(html, facts) for html, facts in texts]


def _note(facts: NoteFacts, body: str) -> str:
    title = _line(facts.lecture) or "Untitled"
    return f"{front_matter(facts)}\n# {escaped(title, at_start=False)}\n\n{body}\n"


def front_matter(facts: NoteFacts) -> str:
    """The front matter: YAML between two lines of `---`. Texts are in quotation marks, so that none is another type."""
    return "\n".join(("---", *_properties(facts), "---", ""))


def _properties(facts: NoteFacts) -> Iterator[str]:
    texts = {"course": facts.course, "module": facts.module, "lecture": facts.lecture}
    for name, text in texts.items():
        if line := _line(text):
            yield f"{name}: {_quoted(line)}"
    if (url := link_target(facts.url)) is not None and url.isprintable():
        yield f"url: {_quoted(url)}"
    if facts.duration is not None:
        yield f"duration: {round(facts.duration)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # every text of JSON is one of YAML


def _line(text: str) -> str:
    return one_line(legible(text))
