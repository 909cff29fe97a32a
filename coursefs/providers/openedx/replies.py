"""What the replies of an Open edX server say, as typed frozen objects (pure).

Sites add fields of their own and leave out others; a list may come bare, or within pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from coursefs.providers.fields import Json, as_identifier, record, rows, text
from coursefs.providers.openedx.keys import key_of

_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}([-_][A-Za-z0-9]{1,8}){0,4}")
#: what no file has, in bytes
_MOST_BYTES = 1 << 45
#: mode of an enrolment, error codes and the like
_WORD = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True)
class User:
    """Whose sign-in it is."""

    username: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One course of the learner.  Times are ns since 1970."""

    course_id: str
    name: str
    is_active: bool
    created_ns: int | None = None
    starts_ns: int | None = None
    ends_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Whether the learner may see a course, and if not, why: in the platform's words and by its code."""

    has_access: bool
    error_code: str = ""
    said: str = ""
    starts_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """One file of a video; the platform's 0 for its size, which means that it does not know, is None here."""

    url: str = field(repr=False)
    size: int | None = None  # bytes


@dataclass(frozen=True, slots=True)
class VideoData:
    """What a video can be watched as."""

    encodings: Mapping[str, Encoding]  # by profile: desktop_mp4, mobile_low, fallback, youtube …
    sources: tuple[str, ...] = field(default=(), repr=False)
    transcripts: Mapping[str, str] = field(default_factory=dict, repr=False)  # language -> URL
    only_on_web: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a course, of any size: a chapter, a unit, a video."""

    key: str
    type: str
    name: str
    url: str  # web page; ""
    children: tuple[str, ...] = ()
    due_ns: int | None = None
    graded: bool = False
    video: VideoData | None = None
    html: str = field(default="", repr=False)  # of a text, where the site gives it to apps
    file_url: str = field(default="", repr=False)  # of a PDF or a sound


@dataclass(frozen=True, slots=True)
class Blocks:
    """All blocks of a course that the learner may see, and which of them is the course."""

    root: str
    blocks: Mapping[str, Block]


@dataclass(frozen=True, slots=True)
class Update:
    """A message of the course's team."""

    date: str  # as the team wrote it: "October 4, 2014"
    html: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CourseDate:
    """Something that happens on a day, or is due."""

    title: str
    when_ns: int
    type: str  # course-start-date, assignment-due-date …
    link: str = ""


def user(body: Any) -> User:
    """The learner in a reply that says who is asking; the name "" where it says none."""
    content = body if isinstance(body, dict) else {}
    return User(text(content, "username"), text(content, "name"))


def enrolments(body: Any) -> tuple[Enrolment, ...]:
    """The enrolments of any of the platform's lists of them, each course once."""
    found = (_enrolment(row) for row in _listed(body))
    return tuple({one.course_id: one for one in found if one.course_id}.values())


def _enrolment(row: Json) -> Enrolment:
    course = record(row, "course_details") or record(row, "course")
    return Enrolment(
        course_id=key_of(course, "course_id") or key_of(course, "id"),
        name=text(course, "course_name") or text(course, "name"),
        is_active=row.get("is_active") is not False,
        created_ns=time_ns(row.get("created")),
        starts_ns=time_ns(course.get("course_start") or course.get("start")),
        ends_ns=time_ns(course.get("course_end") or course.get("end")),
    )


def _listed(body: Any) -> tuple[Json, ...]:
    if isinstance(body, dict):
        inner = body.get("enrollments", body.get("results"))
        more = (record(body, "primary"),) if record(body, "primary") else ()
        return more + _listed(inner)
    return rows({"list": body}, "list")


def access(body: Any) -> Access:
    """What a reply of `course_metadata` says of the learner's access."""
    content = body if isinstance(body, dict) else {}
    found = record(content, "course_access") or record(content, "courseware_access")
    code = text(found, "error_code")
    return Access(
        has_access=found.get("has_access") is not False,
        error_code=code if _WORD.fullmatch(code) else "",
        said=text(found, "user_message") or text(found, "developer_message"),
        starts_ns=time_ns(content.get("start")),
    )


def blocks(body: Any) -> Blocks:
    """The tree of a course: `{root, blocks: {…}}`, or a list, whose root is the course in it."""
    content = body if isinstance(body, dict) else {}
    given = content.get("blocks", body)
    listed = list(given.values()) if isinstance(given, dict) else given if isinstance(given, list) else []
    found = [_block(row) for row in listed if isinstance(row, dict)]
    by_key = {block.key: block for block in found if block.key}
    root = key_of(content, "root")
    if root not in by_key:
        root = next((block.key for block in by_key.values() if block.type == "course"), "")
    return Blocks(root, by_key)


def _block(row: Json) -> Block:
    data = record(row, "student_view_data")
    kind = as_identifier(text(row, "type")) or "unknown"
    children = row.get("children", row.get("descendants"))
    named = (key_of({"key": child}, "key") for child in children) if isinstance(children, list) else ()
    sounds = record(data, "playable_audio")
    return Block(
        key=key_of(row, "id"),
        type=kind,
        name=text(row, "display_name"),
        url=text(row, "lms_web_url"),
        children=tuple(dict.fromkeys(one for one in named if one)),
        due_ns=time_ns(row.get("due")),
        graded=row.get("graded") is True,
        video=_video(data) if kind in {"video", "videoalpha"} else None,
        html=text(data, "html") if data.get("enabled") is not False else "",
        file_url=text(data, "url") if kind == "pdf" else text(sounds, "mp3") or text(sounds, "ogg"),
    )


def _video(data: Json) -> VideoData:
    encoded, transcripts = record(data, "encoded_videos"), record(data, "transcripts")
    encodings: dict[str, Encoding] = {}
    for profile in encoded:
        url = text(record(encoded, profile), "url")
        size = record(encoded, profile).get("file_size")
        if url and _WORD.fullmatch(profile):
            known = isinstance(size, int) and not isinstance(size, bool) and 0 < size < _MOST_BYTES
            encodings[profile] = Encoding(url, size if known else None)
    listed = data.get("all_sources")
    sources = [text({"url": url}, "url") for url in listed] if isinstance(listed, list) else []
    spoken = {language: text(transcripts, language) for language in transcripts if _LANGUAGE.fullmatch(language)}
    return VideoData(
        encodings=encodings,
        sources=tuple(url for url in sources if url),
        transcripts={language.replace("_", "-"): url for language, url in spoken.items() if url},
        only_on_web=data.get("only_on_web") is True,
    )


def handouts(body: Any) -> str:
    """The HTML of a course's handouts; "" where there is none."""
    return text(body, "handouts_html") if isinstance(body, dict) else ""


def updates(body: Any) -> tuple[Update, ...]:
    """The messages of a course, in the platform's order (the youngest first); those that were taken back are not."""
    listed = rows({"list": body}, "list")
    shown = (row for row in listed if text(row, "status") != "deleted")
    return tuple(Update(text(row, "date"), text(row, "content")) for row in shown)


def course_dates(body: Any) -> tuple[CourseDate, ...]:
    """The dates of a course, in the platform's order."""
    found: list[CourseDate] = []
    for row in rows(body if isinstance(body, dict) else {}, "course_date_blocks"):
        when = time_ns(row.get("date"))
        title = text(row, "title")
        if when is not None and title:
            found.append(CourseDate(title, when, text(row, "date_type"), text(row, "link")))
    return tuple(found)


def time_ns(value: object) -> int | None:
    """A time of the platform (`2024-01-11T09:39:37.467099Z`) in ns since 1970; None for null, `"None"` and the like."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    nanoseconds = (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
    return nanoseconds if 0 <= nanoseconds < 2**63 else None
