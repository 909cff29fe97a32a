"""Texts of files as sentences with times: captions, transcripts and readings (pure).

Whatever the bytes are, the result is text: a caption file that is none has no cues, and is read as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from coursefs.pages.captions import Cue, cues, decoded
from coursefs.pages.cleaning import with_few_attributes

#: without a meaning here: soft hyphens, zero-width blanks, marks of direction, invisible operators of formulas
_INVISIBLE = re.compile("[\0\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_END = re.compile(r"[.!?…][\"'”’)\]]*$|[。！？]$")
_BOUNDARY = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])\s*|\n+")
#: characters after which a sentence is cut, and seconds of silence that end one
_LONGEST, _SILENCE = 240, 6.0
#: characters of all sentences of a file
_MOST = 1_000_000
#: elements of a page that are no text (a formula is, without its TeX source), and those that end a line
_DROPPED = frozenset("script style head svg template annotation".split())
_BLOCKS = frozenset(
    "p div br li ul ol h1 h2 h3 h4 h5 h6 tr td th table pre blockquote section article main dd dt hr figcaption".split()
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a text, or a part of it, and when it is said."""

    text: str
    at: float | None = None  # seconds from the beginning; None: the text has no times


def sentences(data: bytes, extension: str) -> list[Sentence]:
    """The sentences of a file with this extension: `.srt` and `.vtt` have times, `.html` is cleaned of its markup."""
    text = decoded(data)
    if extension in {".srt", ".vtt"}:
        spoken = list(cues(text))
        found = _of_cues(spoken) if spoken else _of_text(text)
    elif extension in {".html", ".htm"}:
        found = _of_text(page_text(text))
    else:
        found = _of_text(text)
    return list(_limited(found))


def _limited(found: Iterable[Sentence]) -> Iterator[Sentence]:
    left = _MOST
    for one in found:
        text = " ".join(_INVISIBLE.sub("", one.text).split())
        if text:
            yield Sentence(text, one.at)
        left -= len(text)
        if left < 0:
            return


def _of_cues(spoken: Iterable[Cue]) -> Iterator[Sentence]:
    """Cues joined to sentences: a sentence has the time of the cue that it begins in."""
    begun, parts, last = 0.0, "", 0.0
    for cue in spoken:
        if parts and (len(parts) >= _LONGEST or cue.start - last > _SILENCE or cue.start < last):
            yield Sentence(parts, begun)
            parts = ""
        begun, last = (cue.start if not parts else begun), cue.start
        line = cue.text.replace("\n", " ")
        *whole, rest = _BOUNDARY.split(f"{parts} {line}".strip())
        for sentence in whole:
            yield Sentence(sentence, begun)
            begun = cue.start
        parts = rest
        if _END.search(parts):
            yield Sentence(parts, begun)
            parts = ""
    if parts:
        yield Sentence(parts, begun)


def _of_text(text: str) -> Iterator[Sentence]:
    """The sentences of a text; a long one is cut between words."""
    for sentence in _BOUNDARY.split(text):
        rest = sentence
        while len(rest) > 2 * _LONGEST:
            cut = rest.rfind(" ", _LONGEST, 2 * _LONGEST)
            cut = cut if cut > 0 else 2 * _LONGEST
            yield Sentence(rest[:cut])
            rest = rest[cut:]
        yield Sentence(rest)


def page_text(markup: str) -> str:
    """The text of an HTML page, a line for each block; formulas without their TeX source."""
    from lxml import etree  # late: a mount, which has the sentences from a child process, does without its 5 MB

    parser = etree.HTMLParser(no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(with_few_attributes(markup).encode("utf-8", "replace"), parser)
    except etree.LxmlError:
        return ""
    parts: list[str] = []
    dropped = 0
    for event, element in etree.iterwalk(root, ("start", "end")) if root is not None else ():
        is_dropped, is_block = element.tag in _DROPPED, element.tag in _BLOCKS
        if event == "start":
            dropped += is_dropped
            if is_block:
                parts.append("\n")
            if not dropped and element.text:
                parts.append(element.text if element.tag == "pre" else " ".join(element.text.split("\n")))
        else:
            dropped -= is_dropped
            if is_block:
                parts.append("\n")
            if not dropped and element.tail:
                parts.append(" ".join(element.tail.split("\n")))
    return "".join(parts)
