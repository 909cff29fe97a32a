"""Parsers of Coursera's replies into typed frozen objects (pure).

The platform's times are in milliseconds; these are in seconds since 1970.  URLs are signed, and therefore left out of
every repr.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.sources import Rendition, by_language, has_stream, renditions
from coursefs.providers.kit.fields import (
    Json,
    identifier,
    identifiers,
    integer,
    record,
    text,
)

_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8}){0,4}")
_NAMED = re.compile(r"/_[0-9a-f]{32}_([^/]+)\Z")
#: an epoch time above this is in milliseconds (as seconds it would be the year 5138)
_MILLISECONDS = 1e11


@dataclass(frozen=True, slots=True)
class Membership:
    """An enrolment with the fields of its course, which are "" when the platform does not give them."""

    course_id: str
    user_id: str
    role: str  # LEARNER, INSTRUCTOR, NOT_ENROLLED …
    enrolled: float | None  # seconds since 1970
    name: str
    slug: str
    course_type: str  # v2.ondemand; v1.session: the platform that was shut down in 2016
    image_url: str = ""  # of its picture, which needs no sign-in


@dataclass(frozen=True, slots=True)
class LectureVideo:
    """The renditions and texts of a lecture; the key of a rendition is the platform's word, `720p`.

    `voices` and `voice_captions` are of the dubbed lecture, by language; `described` is the video with audio
    description.
    """

    renditions: Mapping[str, Rendition]
    subtitles: Mapping[str, str] = field(repr=False)  # language -> URL of the .srt, often relative
    captions: Mapping[str, str] = field(repr=False)  # language -> URL of the .vtt
    transcripts: Mapping[str, str] = field(repr=False)  # language -> URL of the .txt
    expires: float | None  # the earliest expiry of the URLs, seconds since 1970
    voices: Mapping[str, Mapping[str, Rendition]] = field(default_factory=dict)
    voice_captions: Mapping[str, str] = field(default_factory=dict, repr=False)  # language -> URL of the .vtt
    described: Mapping[str, Rendition] = field(default_factory=dict)
    is_streamed: bool = False  # HLS or DASH, whatever files there are
    id: str = ""  # of the video, which is not that of its item

    def texts(self, text_format: str) -> Mapping[str, str]:
        """Language -> URL of the texts in a format (`srt`, `vtt` or `txt`)."""
        return {"srt": self.subtitles, "vtt": self.captions, "txt": self.transcripts}.get(text_format, {})


@dataclass(frozen=True, slots=True)
class CourseAsset:
    """A wrapper of `openCourseAssets.v1`: a part of a reading, or an attachment of a lecture.

    By `type_name`: `cml` has `cml` or `html`, `asset` has `asset_id`, `url` has `url`; other types have none of them.
    """

    id: str
    type_name: str
    name: str = ""
    asset_id: str = ""
    url: str = field(default="", repr=False)
    cml: str = field(default="", repr=False)
    html: str = field(default="", repr=False)  # the platform's own rendering; its images have signed URLs


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of a course, from `assets.v1`.  The platform does not give its size."""

    id: str
    name: str  # usually with its extension
    type_name: str  # generic, pdf, image, audio, video …
    extension: str  # as the platform gives it, without a dot; often ""
    url: str = field(repr=False)
    expires: float | None  # seconds since 1970


def memberships(envelope: Envelope) -> tuple[tuple[Json, ...], Mapping[str, Json]]:
    """The enrolments of one page, and its linked courses by id; they are joined when all pages have been read."""
    courses = {identifier(row, "id"): row for row in envelope.related("courses.v1")}
    return envelope.elements, courses


def membership(element: Json, courses: Mapping[str, Json]) -> Membership:
    """An enrolment joined with its course by id, because the platform's two lists may differ in order.

    In `openCourseMemberships.v1`, of 2015, the fields were named `courseRole` and `timestamp`.
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
        image_url=text(course, "photoUrl"),
    )


def lecture_video(envelope: Envelope) -> LectureVideo:
    """The reply of `onDemandLectureVideos.v1`, or of `opencourse.v1/video`.

    A reply without a video gives a lecture without renditions and texts.
    """
    video = envelope.whole or next(iter(envelope.related("onDemandVideos.v1")), {})
    found = renditions(video.get("sources"))
    voices = {
        language: voice
        for language, sources in by_language(video.get("dubbedSources")).items()
        if _LANGUAGE.fullmatch(language) and (voice := renditions(sources))
    }
    described = renditions(video.get("audioDescriptionVideoSources"))
    subtitles = _by_language(record(video, "subtitles"))
    captions = _by_language(record(video, "subtitlesVtt"))
    transcripts = _by_language(record(video, "subtitlesTxt"))
    voice_captions = _by_language(record(video, "dubbedSubtitlesVtt"))
    urls = [*subtitles.values(), *captions.values(), *transcripts.values(), *voice_captions.values()]
    urls += [
        url
        for some in (found, described, *voices.values())
        for rendition in some.values()
        for url in (rendition.mp4, rendition.webm)
        if url
    ]
    ends = [end for end in map(url_expiry, urls) if end is not None]
    return LectureVideo(
        found,
        subtitles,
        captions,
        transcripts,
        min(ends, default=None),
        voices=voices,
        voice_captions=voice_captions,
        described=described,
        is_streamed=has_stream(video),
        id=identifier(video, "id"),
    )


def course_assets(envelope: Envelope) -> tuple[CourseAsset, ...]:
    """The wrappers of a reading or of a lecture's attachments, in the platform's order."""
    return tuple(course_asset(row) for row in envelope.related("openCourseAssets.v1"))


def wrappers(envelope: Envelope) -> tuple[CourseAsset, ...]:
    """The wrappers in a reply of `openCourseAssets.v1`."""
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
    """The files of an `assets.v1` reply by id; its order has no meaning, and unknown ids are absent."""
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
    """The first of a course's `primaryLanguages`; "" when there is none."""
    course = next(iter(envelope.elements), {})
    return next((one for one in identifiers(course, "primaryLanguages") if _LANGUAGE.fullmatch(one)), "")


def _name_in(url: str) -> str:
    """The name in an asset's URL, `/_<md5>_<name>`, the only name in `assetUrls.v1`; "" when there is none."""
    try:
        found = _NAMED.search(unquote(urlsplit(url).path, errors="replace"))
    except ValueError:
        return ""
    return found[1] if found else ""


def user_id(envelope: Envelope) -> str:
    """The id of the learner in a reply of `adminUserPermissions.v1?q=my`; "" when there is none."""
    return identifier(next(iter(envelope.elements), {}), "id")


def url_expiry(url: str) -> float | None:
    """The expiry of a signed URL, seconds since 1970: `Expires` (s) of videos and files, `expiry` (ms) of subtitles."""
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
    """The URLs by language, without those of invalid tags: the tag becomes part of a file name."""
    found = {language: text(urls, language) for language in urls if _LANGUAGE.fullmatch(language)}
    return {language: url for language, url in found.items() if url}


#: the only recorded type of content
_ASSET = "org.coursera.ondemand.reference.AssetReferenceContent"


@dataclass(frozen=True, slots=True)
class Reference:
    """An entry of the Resources tab."""

    id: str
    short_id: str  # of its web address; "" when not given
    name: str
    slug: str
    parts: tuple[CourseAsset, ...]  # its text; () when the platform did not send it


def references(envelope: Envelope) -> tuple[Reference, ...]:
    """The entries in a reply of `onDemandReferences.v1`, joined with their texts, which are a list of their own."""
    texts: dict[str, list[CourseAsset]] = {}
    for part in course_assets(envelope):
        texts.setdefault(part.id, []).append(part)
    found = (_reference(row, texts) for row in envelope.elements)
    return tuple({one.id: one for one in found if one.id}.values())


def _reference(row: Json, texts: dict[str, list[CourseAsset]]) -> Reference:
    asset_id = identifier(record(record(row, "content"), _ASSET), "assetId")
    return Reference(
        id=identifier(row, "id") or identifier(row, "shortId"),
        short_id=identifier(row, "shortId"),
        name=text(row, "name"),
        slug=text(row, "slug"),
        parts=tuple(texts.get(asset_id, ())),
    )
