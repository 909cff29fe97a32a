"""Notes: Markdown files with front matter, for Obsidian, NotebookLM and other programs that read texts (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from coursefs.base.characters import legible, one_line
from coursefs.formats.markdown import escaped, markdown
from coursefs.formats.subtitles import sound_cues
from coursefs.pages.captions import Cue
from coursefs.pages.cleaning import link_target

#: a paragraph of a transcript: characters after which it ends with a sentence, or in any case; seconds of silence
_LONG, _LONGEST, _SILENCE = 400, 1200, 4.0
_ENDS = (".", "!", "?", "…", "。", "！", "？", '."', ".”", "?”", "!”")


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


def transcript_note(data: bytes, facts: NoteFacts) -> str | None:
    """A file of subtitles as a note, a paragraph for what is said without a pause; None where it has no cue."""
    said = [f"**{clock(at)}** {escaped(text, at_start=False)}" for at, text in _paragraphs(sound_cues(data))]
    return _note(facts, "\n\n".join(said)) if said else None


def _paragraphs(some: Iterable[Cue]) -> Iterator[tuple[float, str]]:
    """Cues joined to paragraphs, each with the time at which it begins."""
    begun, parts, length, before = 0.0, list[str](), 0, 0.0
    for one in some:
        is_over = length >= _LONG and parts[-1].endswith(_ENDS)
        if parts and (is_over or length >= _LONGEST or one.start - before > _SILENCE):
            yield begun, " ".join(parts)
            parts, length = [], 0
        begun = begun if parts else one.start
        parts.append(" ".join(one.text.split()))
        length, before = length + len(parts[-1]), one.end
    if parts:
        yield begun, " ".join(parts)


def clock(seconds: float) -> str:
    """A time in a recording: `4:08`, `1:04:08`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


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
