"""The choice of renditions, subtitle languages and attachments of a lecture (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from coursefs.errors import UsageError
from coursefs.model import Wanted
from coursefs.providers.coursera.replies import LectureVideo
from coursefs.providers.coursera.sources import Rendition
from coursefs.providers.kit.files import languages

#: the formats of each text of a lecture
FORMATS = ("srt", "vtt", "txt")


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings for the files of lectures, of all accounts and of this one."""

    wanted: Wanted = field(default_factory=Wanted)
    formats: tuple[str, ...] = ("srt", "txt")
    duplicates: bool = False  # files that repeat a lecture: audio description, merged transcripts


class LectureText(NamedTuple):
    """A subtitle or transcript."""

    language: str
    format: str  # srt, vtt or txt


def choice_of(settings: Mapping[str, str], wanted: Wanted) -> Choice:
    """The choice of an account's settings `subtitle_formats` (a list) and `duplicates`.  Raises `UsageError`."""
    formats = tuple(settings["subtitle_formats"].splitlines()) if "subtitle_formats" in settings else ("srt", "txt")
    duplicates = settings.get("duplicates", "false")
    if not set(formats) <= set(FORMATS):
        raise UsageError(f"subtitle_formats: expected a list of {', '.join(FORMATS)}")
    if duplicates not in {"true", "false"}:
        raise UsageError("duplicates: expected true or false")
    return Choice(wanted, formats, duplicates == "true")


def rendition(renditions: Mapping[str, Rendition], lines: int | None) -> tuple[str, str] | None:
    """The resolution to show and its container, such as ("720p", "mp4"); None when the lecture has no video file.

    The resolution is the one with `lines`, else the next lower one, else the lowest; None wants the highest.  mp4 is
    preferred to webm.
    """
    by_size = sorted(renditions.items(), key=lambda entry: (entry[1].lines, entry[0]))
    fitting = [entry for entry in by_size if lines is None or entry[1].lines <= lines]
    if not by_size:
        return None
    name, chosen = fitting[-1] if fitting else by_size[0]
    return name, "mp4" if chosen.mp4 else "webm"


def texts(video: LectureVideo, wanted: Choice) -> list[LectureText]:
    """The subtitles and transcripts of a lecture that are shown, by format and then by language.

    Subtitles that the platform has in one of the two formats alone are shown in that one.
    """
    asked = [one for one in FORMATS if one in wanted.formats]
    offered = {one: urls for one in FORMATS if (urls := video.texts(one))}
    all_languages = {language for urls in offered.values() for language in urls}
    found: list[LectureText] = []
    for one in asked:
        other = {"srt": "vtt", "vtt": "srt"}.get(one, one)
        for language in languages(all_languages, wanted.wanted.subtitles):
            if language in offered.get(one, {}):
                found.append(LectureText(language, one))
            elif other not in asked and language in offered.get(other, {}):
                found.append(LectureText(language, other))
    return found
