"""Captions as cues: SubRip and WebVTT, broken ones too (pure).

Whatever the bytes are, the result is text, in time in proportion to their size. What is between two lines of times
belongs to the first of them; a file without such a line has no cues.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from coursefs.pages.cleaning import unescaped

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
#: a line of times in SubRip and WebVTT, with hours or without
_TIMES = re.compile(rf"^[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}", re.M)
#: `<i>`, `</v>`, `<00:01.000>` and `{\an8}`; "x < 3 and y > 2" is none
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,1000}>|</?>|<\d[\d:.]{3,12}>|\{\\[^{}]{0,200}\}")


@dataclass(frozen=True, slots=True)
class Cue:
    """A text, and when it is shown: seconds from the beginning of the recording."""

    start: float
    end: float
    text: str  # without tags; lines end with "\n"


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8 or UTF-16, or else in what Windows writes in Western Europe."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def cues(text: str) -> Iterator[Cue]:
    """The cues of a caption file, in its order."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    times = list(_TIMES.finditer(text))
    for number, match in enumerate(times):
        after = text.find("\n", match.end())
        end = times[number + 1].start() if number + 1 < len(times) else len(text)
        body = text[after + 1 : end] if 0 <= after < end else ""
        block = body.split("\n\n", 1)[0].strip("\n")
        groups = match.groups()
        yield Cue(_seconds(*groups[:4]), _seconds(*groups[4:]), unescaped(_TAG.sub("", block)))


def _seconds(hours: str | None, minutes: str, seconds: str, part: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(part.ljust(3, "0")) / 1000
