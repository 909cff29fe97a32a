"""Which of the renditions and languages of a lecture are wanted (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from coursefs.model import Wanted
from coursefs.providers.coursera.replies import LectureVideo, Rendition
from coursefs.providers.languages import languages


def rendition(renditions: Mapping[str, Rendition], lines: int | None) -> tuple[str, str] | None:
    """The wanted resolution and its container, such as ("720p", "mp4"); None where the lecture has no video file.

    The resolution is the wanted one or the next lower one, else the lowest there is; None wants the highest.  mp4 is
    taken where it exists, else webm.
    """
    by_size = sorted(renditions.items(), key=lambda entry: (entry[1].lines, entry[0]))
    fitting = [entry for entry in by_size if lines is None or entry[1].lines <= lines]
    if not by_size:
        return None
    name, chosen = fitting[-1] if fitting else by_size[0]
    return name, "mp4" if chosen.mp4 else "webm"


def lecture_languages(video: LectureVideo, wanted: Wanted) -> tuple[str, ...]:
    """The languages in which subtitles and transcripts of a lecture are shown."""
    return languages(video.subtitles.keys() | video.transcripts.keys(), wanted.subtitles)
