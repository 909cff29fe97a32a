"""The files of a recording (pure).

Chapters are in OGM's format, `CHAPTER01=00:01:02.500`, which mpv (`--chapters-file`), mkvmerge and ffmpeg read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coursefs.model import Course, File, Item, Kind, Page, Placement, Remote, Wanted
from coursefs.pages import link_page
from coursefs.providers.kit.files import languages
from coursefs.providers.panopto import replies as numbered
from coursefs.providers.panopto.folders import SCHEDULED
from coursefs.providers.panopto.replies import Delivery, Mark, Recording
from coursefs.providers.panopto.settings import PanoptoSettings


def chapters(marks: Sequence[Mark]) -> str:
    """The text of the chapters file; "" when no mark has a title.  `marks` are in order of time.

    Titles that people gave go before those of the platform's AI, and these before what it has read from the screen.
    """
    lines = []
    named: dict[float, str] = {}
    by = min((mark.by for mark in marks if mark.caption), default=None)
    for mark in marks:
        if mark.caption and mark.by == by:
            named.setdefault(round(mark.time, 3), mark.caption)
    for number, (time, caption) in enumerate(named.items(), 1):
        lines += [f"CHAPTER{number:02d}={_clock(time)}\n", f"CHAPTER{number:02d}NAME={caption}\n"]
    return "".join(lines)


def _clock(time: float) -> str:
    minutes, milliseconds = divmod(round(time * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds / 1000:06.3f}"


_ARCHIVED = "This recording is archived: it can be brought back on its web page."
#: captions in the recording's own language, whichever it is
OWN = "own"


@dataclass(frozen=True, slots=True)
class RecordingReplies:
    """The replies about one recording; None for a request that was not made or failed."""

    session: Recording
    delivery: Delivery | None = None
    captions: frozenset[str] = frozenset()  # languages with captions, and `OWN`

    @property
    def has_file(self) -> bool:
        """Whether the recording has, or may have, a file to download."""
        if self.delivery is None or self.delivery.has_podcast is None:
            return True  # a read will find out
        return self.delivery.has_podcast


def wanted_captions(known: RecordingReplies, wanted: Wanted) -> Mapping[str, int | None]:
    """The captions to request: language -> the platform's number of it; {} when there are none."""
    numbers = None if known.delivery is None else known.delivery.languages
    if numbers is None:
        return {OWN: None} if known.session.captions_url else {}
    by_tag = {numbered.tag(number): number for number in numbers}
    return {tag: by_tag[tag] for tag in languages(by_tag, wanted.subtitles)}


def listed_files(course: Course, item: Item, settings: PanoptoSettings) -> list[File]:
    """The provisional files of a recording, from its listing alone."""
    if item.type_name == SCHEDULED:
        return [_link(course, item, "scheduled", "This is not recorded yet.")]
    if is_archived(item):
        return [_link(course, item, "no file", _ARCHIVED)]
    files = [_media(item, "video")]
    if settings.audio:
        files.append(_media(item, "audio"))
    return files


def session_files(course: Course, item: Item, known: RecordingReplies, settings: PanoptoSettings) -> list[File]:
    """The files of a recording, from the replies about it."""
    if item.type_name == SCHEDULED:
        return listed_files(course, item, settings)
    delivery = known.delivery or Delivery()
    files: list[File] = []
    if known.has_file:
        files.append(_media(item, "video"))
        if settings.audio and delivery.has_audio is not False:
            files.append(_media(item, "audio"))
    elif delivery.has_audio:
        files.append(_media(item, "audio"))
    else:
        reason = "The platform has no file of this recording: it can be watched on its web page only."
        if delivery.is_archived:
            reason = _ARCHIVED
        files.append(_link(course, item, "no file", reason))
    files += [_captions(item, language) for language in sorted(known.captions)]
    files += _chapters(item, delivery)
    if settings.slides:
        files += _slides(item, delivery)
    return files


def is_archived(item: Item) -> bool:
    """Whether the listing says that a recording is archived: there is nothing to ask about it."""
    return item.details.get("archived") == "true"


def modified_ns(item: Item) -> int | None:
    """The time of the recording, ns since 1970; the platform gives no other time."""
    value = item.details.get("start_ns", "")
    return int(value) if value.isdecimal() else None


def _media(item: Item, what: str) -> File:
    session_id = item.details["session_id"]
    is_video = what == "video"
    return File(
        key=f"{item.key}/{what}",
        kind=Kind.VIDEO if is_video else Kind.AUDIO,
        placement=Placement.MAIN,
        title="",
        extension=".mp4" if is_video else ".m4a",
        mime_type="video/mp4" if is_video else "audio/mp4",
        body=Remote(f"{what}/{session_id}", {"what": what, "session_id": session_id}),
        url=item.url,
        modified_ns=modified_ns(item),
    )


def _captions(item: Item, language: str) -> File:
    session_id = item.details["session_id"]
    return File(
        key=f"{item.key}/captions/{language}",
        kind=Kind.SUBTITLE,
        placement=Placement.MAIN,
        title="",
        extension=".srt" if language == OWN else f".{language}.srt",
        mime_type="application/x-subrip",
        body=Remote(
            f"captions/{session_id}/{language}", {"what": "captions", "session_id": session_id, "language": language}
        ),
        url=item.url,
        modified_ns=modified_ns(item),
    )


def _chapters(item: Item, delivery: Delivery) -> list[File]:
    text = chapters(delivery.marks)
    if not text:
        return []
    return [
        File(
            key=f"{item.key}/chapters",
            kind=Kind.ATTACHMENT,
            placement=Placement.MAIN,
            title="",
            extension=".chapters.txt",
            mime_type="text/plain",
            body=Page(text),
            url=item.url,
            modified_ns=modified_ns(item),
        )
    ]


def _slides(item: Item, delivery: Delivery) -> list[File]:
    slides: dict[tuple[str, str], None] = {}
    for mark in delivery.marks:
        if mark.slide_id and mark.slide_number:
            slides.setdefault((mark.slide_id, mark.slide_number))
    digits = max(2, len(str(len(slides))))
    return [_slide(item, f"Slide {place:0{digits}d}", *slide) for place, slide in enumerate(slides, 1)]


def _slide(item: Item, title: str, slide_id: str, number: str) -> File:
    session_id = item.details["session_id"]
    locator = {"what": "slide", "session_id": session_id, "slide_id": slide_id, "number": number}
    return File(
        key=f"{item.key}/slide/{slide_id}~{number}",
        kind=Kind.IMAGE,
        placement=Placement.BESIDE,
        title=title,
        extension=".jpg",
        mime_type="image/jpeg",
        body=Remote(f"slide/{session_id}/{slide_id}~{number}", locator),
        url=item.url,
        modified_ns=modified_ns(item),
    )


def _link(course: Course, item: Item, marker: str, reason: str) -> File:
    page = link_page(title=item.title, what="Recording", reason=reason, url=item.url, course=course.title)
    return File(
        key=f"{item.key}/link",
        kind=Kind.LINK,
        placement=Placement.MARKED,
        title=marker,
        extension=".html",
        mime_type="text/html",
        body=Page(page),
        url=item.url,
    )
