"""Which of the renditions and languages of a lecture are wanted (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from coursefs.model import Wanted
from coursefs.providers.coursera.replies import LectureVideo, Rendition


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


def languages(available: Collection[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Those of the wanted languages that exist, in the wanted order; all of them, sorted, for "all".

    A language that does not exist itself is served by a regional form of it or the form it regionalises (`pt` by
    `pt-BR`, `en-GB` by `en`).  Where nothing fits: English, which most lectures are spoken in, else the first one.
    """
    existing = sorted(available)
    if "all" in wanted:
        return tuple(existing)
    found: list[str] = []
    for language in wanted:
        same = [one for one in existing if one.casefold() == language.casefold()]
        related = [one for one in existing if _primary(one) == _primary(language)]
        found += (same or related)[:1]
    if not found:
        found = [*(one for one in existing if _primary(one) == "en"), *existing][:1]
    return tuple(dict.fromkeys(found))


def lecture_languages(video: LectureVideo, wanted: Wanted) -> tuple[str, ...]:
    """The languages in which subtitles and transcripts of a lecture are shown."""
    return languages(video.subtitles.keys() | video.transcripts.keys(), wanted.subtitles)


def _primary(language: str) -> str:
    return language.partition("-")[0].casefold()
