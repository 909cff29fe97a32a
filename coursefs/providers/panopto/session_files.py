"""The files of a recording (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coursefs.model import Course, File, Item, Kind, Page, Placement, Remote, Wanted
from coursefs.pages import link_page
from coursefs.providers.languages import languages
from coursefs.providers.panopto import languages as numbered
from coursefs.providers.panopto.chapters import chapters
from coursefs.providers.panopto.folders import SCHEDULED
from coursefs.providers.panopto.replies import Delivery, Session
from coursefs.providers.panopto.settings import Settings

#: captions of the recording's own language, whichever that is
OWN = "own"


@dataclass(frozen=True, slots=True)
class Known:
    """What was asked about one recording by its id; None: was not asked for, or not answered."""

    session: Session
    delivery: Delivery | None = None
    captions: frozenset[str] = frozenset()  # languages of which there are some, and `OWN`

    @property
    def has_file(self) -> bool:
        """Whether there is, or may be, one file of the recording."""
        if self.delivery is None or self.delivery.has_podcast is None:
            return True  # reading says more
        return self.delivery.has_podcast


def wanted_captions(known: Known, wanted: Wanted) -> Mapping[str, int | None]:
    """The captions to look for: language -> the platform's number of it; {} where there are none."""
    numbers = None if known.delivery is None else known.delivery.languages
    if numbers is None:
        return {OWN: None} if known.session.captions_url else {}
    by_tag = {numbered.tag(number): number for number in numbers}
    return {tag: by_tag[tag] for tag in languages(by_tag, wanted.subtitles)}


def listed_files(course: Course, item: Item, settings: Settings) -> list[File]:
    """The files as the listing alone lets them be expected: whether they can be had shows when they are used."""
    if item.type_name == SCHEDULED:
        return [_link(course, item, "scheduled", "This is not recorded yet.")]
    files = [_media(item, "video")]
    if settings.audio:
        files.append(_media(item, "audio"))
    return files


def session_files(course: Course, item: Item, known: Known, settings: Settings) -> list[File]:
    """The files of a recording that was asked for by its id."""
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
            reason = "This recording is archived: it can be brought back on its web page."
        files.append(_link(course, item, "no file", reason))
    files += [_captions(item, language) for language in sorted(known.captions)]
    if settings.slides:
        files += _chapters(item, delivery) + _slides(item, delivery)
    return files


def modified_ns(item: Item) -> int | None:
    """When it was recorded, ns since 1970: the platform knows no other time of it."""
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
