"""Texts of files as sentences with times: captions, transcripts and readings (pure).

Whatever the bytes are, the result is text: a caption file that is none has no cues, and is read as plain text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml import etree

from coursefs.pages.cleaning import with_few_attributes

#: a line of times in SubRip and WebVTT, with hours or without
_TIMES = re.compile(
    r"^[ \t]*(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})[ \t]*-->[ \t]*(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}", re.M
)
_TAG = re.compile(r"<[^<>]{0,1000}>|\{\\[^{}]{0,200}\}")
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
    text = _decoded(data)
    if extension in {".srt", ".vtt"}:
        found = _of_cues(_cues(text))
    elif extension in {".html", ".htm"}:
        found = _of_text(page_text(text))
    else:
        found = _of_text(text)
    return list(_limited(found))


def _decoded(data: bytes) -> str:
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _limited(found: Iterable[Sentence]) -> Iterator[Sentence]:
    left = _MOST
    for one in found:
        text = " ".join(_INVISIBLE.sub("", one.text).split())
        if text:
            yield Sentence(text, one.at)
        left -= len(text)
        if left < 0:
            return


def _cues(text: str) -> Iterator[tuple[float | None, str]]:
    """The cues of a caption file: when each begins, and its text."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    times = list(_TIMES.finditer(text))
    if not times:
        yield None, text
    for number, match in enumerate(times):
        hours, minutes, seconds, part = match.groups()
        at = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(part.ljust(3, "0")) / 1000
        after = text.find("\n", match.end())
        end = times[number + 1].start() if number + 1 < len(times) else len(text)
        body = text[after + 1 : end] if 0 <= after < end else ""
        block = body.split("\n\n", 1)[0].strip("\n").split("\n")
        yield at, html.unescape(_TAG.sub("", " ".join(block)))


def _of_cues(cues: Iterable[tuple[float | None, str]]) -> Iterator[Sentence]:
    """Cues joined to sentences: a sentence has the time of the cue that it begins in."""
    begun, parts, last = None, "", 0.0
    for at, text in cues:
        if at is None:
            yield from _of_text(text)
            continue
        if parts and (len(parts) >= _LONGEST or at - last > _SILENCE or at < last):
            yield Sentence(parts, begun)
            parts = ""
        begun, last = (at if not parts else begun), at
        *whole, rest = _BOUNDARY.split(f"{parts} {text}".strip())
        for sentence in whole:
            yield Sentence(sentence, begun)
            begun = at
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
