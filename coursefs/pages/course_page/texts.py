"""Texts of the course page: titles in one line, keys, durations, links (pure)."""

from __future__ import annotations

import math
from urllib.parse import quote

from coursefs.model import Kind
from coursefs.pages.cleaning import plain
from coursefs.pages.course_page.model import PageFile

#: characters of a title that are shown
_LONGEST = 300
#: what a file without a title of its own is called
_KINDS = {
    Kind.VIDEO: "Video",
    Kind.AUDIO: "Audio",
    Kind.SUBTITLE: "Subtitles",
    Kind.TRANSCRIPT: "Transcript",
    Kind.READING: "Reading",
    Kind.IMAGE: "Picture",
    Kind.LINK: "Link",
}


def line(text: str) -> str:
    """A text of the platform in one line of at most 300 characters."""
    text = " ".join(plain(text).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


def key_of(key: str) -> str:
    """A key as markup can hold it; the page and its scripts use the same."""
    return plain(key)


def link(path: str) -> str:
    """A relative URL for a path on disk."""
    return quote(path, safe="/", errors="replace")


def anchor(key: str) -> str:
    """A key as a part of an `id`, and of a link to it."""
    return quote(key_of(key), safe="")


def seconds_of(duration: float | None) -> int | None:
    """Whole seconds of a duration; None if it is none."""
    if duration is None or not math.isfinite(duration) or not 0.5 <= duration < 360_000:
        return None
    return round(duration)


def clock(seconds: int) -> str:
    """A duration as players show it: `12:34`, `1:02:03`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def length(seconds: int) -> str:
    """A long duration in words: `8 h 14 min`."""
    minutes = max(1, round(seconds / 60))
    hours, minutes = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)


def counted(count: int, noun: str) -> str:
    """`1 item`, `2 items`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def file_title(file: PageFile) -> str:
    """What a link to a file says: its title, or its kind, and its language."""
    title = line(file.title) or _KINDS.get(file.kind) or line(file.path.rpartition("/")[2]) or "File"
    language = line(file.language or "")
    return f"{title} ({language})" if language else title
