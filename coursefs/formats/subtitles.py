"""Subtitles in the other format: WebVTT of SubRip and back (pure).

Broken files are read as far as they can be (`coursefs.pages.captions`); what is written is sound: UTF-8, cues in order,
none without text, none that ends before it begins. Tags and positions are left out. pysubs2 writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise

from coursefs.pages.captions import Cue, cues, decoded
from coursefs.pages.cleaning import plain

#: seconds: neither format writes a later time with two digits of hours, and no recording is as long
_MOST = 99 * 3600.0
#: seconds that a cue is shown that ends before it begins
_SHOWN = 2.0
#: pysubs2 reads `\N`, `\n` and `\h` in a text as blanks; in formulas they are none
_BACKSLASH, _STAND_IN = "\\", "\ue000"


def sound_cues(data: bytes) -> list[Cue]:
    """The cues of a file of subtitles, cleaned and in order; [] where it is none."""
    found = [one for one in _cleaned(cues(decoded(data))) if one.text and one.start < _MOST]
    found.sort(key=lambda one: one.start)
    ends = [after.start for _, after in pairwise(found)] + [_MOST]
    return [
        one
        if one.start < one.end < _MOST
        else Cue(one.start, max(min(one.start + _SHOWN, end), one.start + 0.001), one.text)
        for one, end in zip(found, ends, strict=False)  # no end where there is no cue
    ]


def webvtt(data: bytes) -> bytes | None:
    """A file of subtitles as WebVTT; None where it has no cue."""
    return _written(data, "vtt")


def subrip(data: bytes) -> bytes | None:
    """A file of subtitles as SubRip; None where it has no cue."""
    return _written(data, "srt")


def _cleaned(some: Iterator[Cue]) -> Iterator[Cue]:
    for one in some:
        lines = (" ".join(line.split()) for line in plain(one.text).replace(_STAND_IN, "").split("\n"))
        # a blank line ends a cue, and an arrow may be taken for one between times
        yield Cue(one.start, one.end, "\n".join(filter(None, lines)).replace("-->", "→"))


def _written(data: bytes, extension: str) -> bytes | None:
    from pysubs2 import SSAEvent, SSAFile  # late: slow to import, and few commands need it

    found = sound_cues(data)
    if not found:
        return None
    file = SSAFile()
    for one in found:
        text = escape(one.text, quote=False) if extension == "vtt" else one.text
        start, end = (round(1000 * seconds) for seconds in (one.start, one.end))
        file.append(SSAEvent(start=start, end=max(end, start + 1), text=text.replace(_BACKSLASH, _STAND_IN)))
    written = str(file.to_string(extension, keep_ssa_tags=True)).replace(_STAND_IN, _BACKSLASH)
    return (written.rstrip("\n") + "\n").encode()
