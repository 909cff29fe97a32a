"""What Coursera's replies say, as typed frozen objects (pure).

Times of the platform are milliseconds; here they are seconds since 1970, as elsewhere in coursefs.  URLs are signed
and therefore kept out of every repr.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.fields import Json, as_identifier, identifier, identifiers, integer, record, rows, text

_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8}){0,4}")
_NAMED = re.compile(r"/_[0-9a-f]{32}_([^/]+)\Z")
_LINES = re.compile(r"(\d{2,5})p")
#: an epoch time beyond this is in milliseconds (as seconds it would be the year 5138)
_MILLISECONDS = 1e11


@dataclass(frozen=True, slots=True)
class Membership:
    """One enrolment, with what the platform says of its course; the course's fields are "" where it says nothing."""

    course_id: str
    user_id: str
    role: str  # LEARNER, INSTRUCTOR, NOT_ENROLLED …
    enrolled: float | None  # seconds since 1970
    name: str
    slug: str
    course_type: str  # v2.ondemand; v1.session: the platform that was shut off in 2016


@dataclass(frozen=True, slots=True)
class LectureVideo:
    """What a lecture can be watched and read as; the key of a rendition is the platform's word, `720p`."""

    renditions: Mapping[str, Rendition]
    subtitles: Mapping[str, str] = field(repr=False)  # language -> URL of the .srt, often relative
    captions: Mapping[str, str] = field(repr=False)  # language -> URL of the .vtt
    transcripts: Mapping[str, str] = field(repr=False)  # language -> URL of the .txt
    expires: float | None  # when the first of the URLs ends, seconds since 1970

    def texts(self, text_format: str) -> Mapping[str, str]:
        """Language -> URL of the texts in a format, `srt`, `vtt` or `txt`; their signatures differ."""
        return {"srt": self.subtitles, "vtt": self.captions, "txt": self.transcripts}.get(text_format, {})


@dataclass(frozen=True, slots=True)
class Rendition:
    """One resolution of a lecture; a URL is "" where the platform has no such format."""

    lines: int  # 720; 0 where the platform's word holds no number
    mp4: str = field(repr=False)
    webm: str = field(repr=False)

    def url(self, container: str) -> str:
        """The URL of a container, `mp4` or `webm`; "" where there is none."""
        return {"mp4": self.mp4, "webm": self.webm}.get(container, "")


@dataclass(frozen=True, slots=True)
class CourseAsset:
    """A wrapper `openCourseAssets.v1`: a part of a reading, or what is attached to a lecture.

    By `type_name`: `cml` has `cml` or `html`, `asset` has `asset_id`, `url` has `url`; the others have nothing.
    """

    id: str
    type_name: str
    name: str = ""
    asset_id: str = ""
    url: str = field(default="", repr=False)
    cml: str = field(default="", repr=False)
    html: str = field(default="", repr=False)  # the platform's own rendering, its images signed


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of a course: `assets.v1`.  The platform does not say its size."""

    id: str
    name: str  # usually with its extension
    type_name: str  # generic, pdf, image, audio, video …
    extension: str  # as the platform says it, without a dot; often ""
    url: str = field(repr=False)
    expires: float | None  # seconds since 1970


def memberships(envelope: Envelope) -> tuple[tuple[Json, ...], Mapping[str, Json]]:
    """The enrolments of one page, and the courses it knows by id: they are joined when all pages are there."""
    courses = {identifier(row, "id"): row for row in envelope.related("courses.v1")}
    return envelope.elements, courses


def membership(element: Json, courses: Mapping[str, Json]) -> Membership:
    """One enrolment joined with its course by id: the platform's two lists need not have one order.

    `openCourseMemberships.v1`, of 2015, called the same fields `courseRole` and `timestamp`.
    """
    course_id = identifier(element, "courseId")
    course = courses.get(course_id, {})
    return Membership(
        course_id=course_id,
        user_id=identifier(element, "userId"),
        role=text(element, "role") or text(element, "courseRole"),
        enrolled=_seconds(integer(element, "enrolledTimestamp") or integer(element, "timestamp")),
        name=text(course, "name"),
        slug=text(course, "slug"),
        course_type=text(course, "courseType"),
    )


def lecture_video(envelope: Envelope) -> LectureVideo:
    """The reply of `onDemandLectureVideos.v1`, or of `opencourse.v1/video`.

    Without any video in it: a lecture that offers nothing.
    """
    video = envelope.whole or next(iter(envelope.related("onDemandVideos.v1")), {})
    renditions = _renditions(video) or _old_renditions(video)
    subtitles = _by_language(record(video, "subtitles"))
    captions = _by_language(record(video, "subtitlesVtt"))
    transcripts = _by_language(record(video, "subtitlesTxt"))
    urls = [*subtitles.values(), *captions.values(), *transcripts.values()]
    urls += [url for rendition in renditions.values() for url in (rendition.mp4, rendition.webm) if url]
    ends = [end for end in map(url_expiry, urls) if end is not None]
    return LectureVideo(renditions, subtitles, captions, transcripts, min(ends, default=None))


def _renditions(video: Json) -> dict[str, Rendition]:
    by_resolution = record(record(video, "sources"), "byResolution")
    found: dict[str, Rendition] = {}
    for word in by_resolution:
        source = record(by_resolution, word)
        rendition = Rendition(_lines(word), text(source, "mp4VideoUrl"), text(source, "webMVideoUrl"))
        if as_identifier(word) and (rendition.mp4 or rendition.webm):
            found[word] = rendition
    return found


def _old_renditions(video: Json) -> dict[str, Rendition]:
    """Of the old reply, where a source may lack its resolution."""
    found: dict[str, Rendition] = {}
    for source in rows(video, "sources"):
        word = identifier(source, "resolution") or "original"
        formats = record(source, "formatSources")
        rendition = Rendition(_lines(word), text(formats, "video/mp4"), text(formats, "video/webm"))
        if rendition.mp4 or rendition.webm:
            found.setdefault(word, rendition)
    return found


def _lines(word: str) -> int:
    lines = _LINES.fullmatch(word)
    return int(lines.group(1)) if lines else 0


def course_assets(envelope: Envelope) -> tuple[CourseAsset, ...]:
    """The wrappers of a reading or of a lecture's attachments, in the platform's order."""
    return tuple(course_asset(row) for row in envelope.related("openCourseAssets.v1"))


def wrappers(envelope: Envelope) -> tuple[CourseAsset, ...]:
    """The reply of `openCourseAssets.v1` itself."""
    return tuple(course_asset(row) for row in envelope.elements)


def course_asset(row: Json) -> CourseAsset:
    """One wrapper."""
    definition = record(row, "definition")
    rendered = record(definition, "renderableHtmlWithMetadata")
    return CourseAsset(
        id=identifier(row, "id"),
        type_name=text(row, "typeName"),
        name=text(definition, "name"),
        asset_id=identifier(definition, "assetId"),
        url=text(definition, "url"),
        cml=text(definition, "value"),
        html=text(rendered, "renderableHtml"),
    )


def assets(envelope: Envelope) -> Mapping[str, Asset]:
    """The files of an `assets.v1` reply by id: it is a set, its order means nothing and missing ids are absent."""
    found = (_asset(row) for row in envelope.elements)
    return {asset.id: asset for asset in found if asset.id}


def _asset(row: Json) -> Asset:
    link = record(row, "url")
    url = text(link, "url") or text(row, "url")  # an object with its expiry, or flat
    expires = _seconds(integer(link, "expires")) or _seconds(integer(row, "expires")) or url_expiry(url)
    return Asset(
        id=identifier(row, "id"),
        name=text(row, "name") or _name_in(url),
        type_name=text(row, "typeName"),
        extension=text(row, "fileExtension"),
        url=url,
        expires=expires,
    )


def language(envelope: Envelope) -> str:
    """The first of a course's `primaryLanguages`; "" where there is none."""
    course = next(iter(envelope.elements), {})
    return next((one for one in identifiers(course, "primaryLanguages") if _LANGUAGE.fullmatch(one)), "")


def _name_in(url: str) -> str:
    """The name in the path of an asset's URL, `/_<md5>_<name>`; "" where it has none: `assetUrls.v1` says no other."""
    try:
        found = _NAMED.search(unquote(urlsplit(url).path, errors="replace"))
    except ValueError:
        return ""
    return found[1] if found else ""


def user_id(envelope: Envelope) -> str:
    """The id of the learner in a reply of `adminUserPermissions.v1?q=my`; "" where it says none."""
    return identifier(next(iter(envelope.elements), {}), "id")


def url_expiry(url: str) -> float | None:
    """When a signed URL ends, seconds since 1970: `Expires` (s) of videos and files, `expiry` (ms) of subtitles."""
    try:
        query = parse_qs(urlsplit(url).query)
    except ValueError:
        return None
    for name in ("Expires", "expiry"):
        for value in query.get(name, ()):
            if value.isascii() and value.isdecimal() and len(value) < 16:
                return _seconds(int(value))
    return None


def _seconds(value: int | None) -> float | None:
    if value is None or value <= 0:
        return None
    return value / 1000 if value > _MILLISECONDS else float(value)


def _by_language(urls: Json) -> Mapping[str, str]:
    """The URLs by language; what is no language tag could not become part of a file name."""
    found = {language: text(urls, language) for language in urls if _LANGUAGE.fullmatch(language)}
    return {language: url for language, url in found.items() if url}
