"""Parsers of an Open edX server's replies into typed frozen objects (pure).

Sites add fields of their own and omit others; a list may be bare, or in pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from coursefs.providers.kit.fields import Json, as_identifier, record, rows, text
from coursefs.providers.openedx.keys import key_of

_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}([-_][A-Za-z0-9]{1,8}){0,4}")
#: bytes; a larger size is not valid
_MOST_BYTES = 1 << 45
#: seconds; a longer video is not valid
_MOST_SECONDS = 30 * 86400
#: mode of an enrolment, error codes and the like
_TAB = re.compile(r"/courses/[^/]+/(?:(?P<book>pdfbook/\d{1,4})|(?P<slug>[^/]{1,200}))/?")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True)
class User:
    """The user of a sign-in."""

    username: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An enrolment of the learner in a course.  Times are ns since 1970."""

    course_id: str
    name: str
    is_active: bool
    created_ns: int | None = None
    starts_ns: int | None = None
    ends_ns: int | None = None
    image: str = ""  # address of the picture of the course, which may be relative; only the API for apps gives it


@dataclass(frozen=True, slots=True)
class Access:
    """Whether the learner may see a course; if not, the reason as the platform's message and error code."""

    has_access: bool
    error_code: str = ""
    said: str = ""
    starts_ns: int | None = None
    ends_ns: int | None = None  # when the learner's access ends, or has ended
    tabs: tuple[Tab, ...] = ()  # textbooks, and pages by the course's team


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of a course: a textbook, or a page of the course's team."""

    key: str  # "pdfbook/0", or the page's slug: stable within the course
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Home:
    """The texts of a course's home page."""

    handouts: str = field(default="", repr=False)  # HTML
    welcome: str = field(default="", repr=False)  # the newest update, HTML


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoding of a video; an unknown size, which the platform gives as 0, is None."""

    url: str = field(repr=False)
    size: int | None = None  # bytes


@dataclass(frozen=True, slots=True)
class VideoData:
    """The encodings and transcripts of a video."""

    encodings: Mapping[str, Encoding]  # by profile: desktop_mp4, mobile_low, fallback, youtube …
    sources: tuple[str, ...] = field(default=(), repr=False)
    transcripts: Mapping[str, str] = field(default_factory=dict, repr=False)  # language -> URL
    only_on_web: bool = False
    seconds: float | None = None  # its length; None: the platform does not know it, and says 0


@dataclass(frozen=True, slots=True)
class Block:
    """A block: a part of a course of any size, such as a chapter, a unit or a video."""

    key: str
    type: str
    name: str
    url: str  # web page; ""
    children: tuple[str, ...] = ()
    due_ns: int | None = None
    graded: bool = False
    video: VideoData | None = None
    html: str = field(default="", repr=False)  # of a text, if the site gives it to apps
    file_url: str = field(default="", repr=False)  # of a PDF or a sound
    denied: str = ""  # the platform's message why the learner may not see it
    is_drawn: bool = False  # one of several, of which each learner sees a random choice that only the page has


@dataclass(frozen=True, slots=True)
class Blocks:
    """All blocks of a course that the learner may see, and the key of the course's own block."""

    root: str
    blocks: Mapping[str, Block]


@dataclass(frozen=True, slots=True)
class Update:
    """An update: a message of the course's team."""

    date: str  # as the team wrote it: "October 4, 2014"
    html: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CourseDate:
    """A date of a course: an event or a deadline."""

    title: str
    when_ns: int
    type: str  # course-start-date, assignment-due-date …
    link: str = ""


def user(body: Any) -> User:
    """The user in a reply on the present sign-in; the name is "" when the reply has none."""
    content = body if isinstance(body, dict) else {}
    return User(text(content, "username"), text(content, "name"))


def enrolments(body: Any) -> tuple[Enrolment, ...]:
    """The enrolments in any form of the platform's lists, each course once."""
    found = (_enrolment(row) for row in _listed(body))
    return tuple({one.course_id: one for one in found if one.course_id}.values())


def _enrolment(row: Json) -> Enrolment:
    course = record(row, "course_details") or record(row, "course")
    return Enrolment(
        course_id=key_of(course, "course_id") or key_of(course, "id") or key_of(row, "course_id"),
        name=text(course, "course_name") or text(course, "name"),
        is_active=row.get("is_active") is not False,
        created_ns=time_ns(row.get("created")),
        starts_ns=time_ns(course.get("course_start") or course.get("start")),
        ends_ns=time_ns(course.get("course_end") or course.get("end")),
        image=text(course, "course_image"),
    )


def _listed(body: Any) -> tuple[Json, ...]:
    if isinstance(body, dict):
        inner = body.get("enrollments", body.get("results"))
        more = (record(body, "primary"),) if record(body, "primary") else ()
        return more + _listed(inner)
    return rows({"list": body}, "list")


def access(body: Any) -> Access:
    """The learner's access, from a reply of `course_metadata`."""
    content = body if isinstance(body, dict) else {}
    found = record(content, "course_access") or record(content, "courseware_access")
    code = text(found, "error_code")
    return Access(
        has_access=found.get("has_access") is not False,
        error_code=code if _WORD.fullmatch(code) else "",
        said=text(found, "user_message") or text(found, "developer_message"),
        starts_ns=time_ns(content.get("start")),
        ends_ns=time_ns(record(content, "verified_mode").get("access_expiration_date")),
        tabs=_tabs(content),
    )


def _tabs(content: Json) -> tuple[Tab, ...]:
    """The textbooks and the team's pages; other tabs belong to the site."""
    found: dict[str, Tab] = {}
    for row in rows(content, "tabs"):
        url, name = text(row, "url"), text(row, "tab_id")
        try:
            match = _TAB.fullmatch(unquote(urlsplit(url).path))
        except ValueError:
            continue
        if match is not None and (match["book"] or name.startswith("static_tab")):
            key = match["book"] or match["slug"]
            found.setdefault(key, Tab(key, text(row, "title") or key, url))
    return tuple(found.values())


def home(body: Any) -> Home:
    """The handouts and the newest update in a reply of `course_home/outline`."""
    content = body if isinstance(body, dict) else {}
    return Home(text(content, "handouts_html"), text(content, "welcome_message_html"))


def spoken(body: Any) -> frozenset[str] | None:
    """The languages in a reply of `available_translations`, as the blocks name them; None for any other reply."""
    if not isinstance(body, list):
        return None
    return frozenset(one.replace("_", "-") for one in body if isinstance(one, str) and _LANGUAGE.fullmatch(one))


def count_of_blocks(body: Any) -> int:
    """How many blocks and children of blocks a reply has."""
    return sum(1 + (len(row["children"]) if isinstance(row.get("children"), list) else 0) for row in _rows(body))


def _rows(body: Any) -> list[Json]:
    given = body.get("blocks", body) if isinstance(body, dict) else body
    listed = given.values() if isinstance(given, dict) else given if isinstance(given, list) else ()
    return [row for row in listed if isinstance(row, dict)]


def blocks(body: Any) -> Blocks:
    """The tree of a course: `{root, blocks: {…}}`, or a list, whose root is its block of type `course`."""
    content = body if isinstance(body, dict) else {}
    by_key = {block.key: block for block in map(_block, _rows(body)) if block.key}
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
        denied=text(row, "authorization_denial_message") or text(row, "authorization_denial_reason"),
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
        seconds=_length(data.get("duration")),
    )


def _length(said: object) -> float | None:
    """The length of a video in seconds; None for 0, by which the platform means that it does not know."""
    if isinstance(said, bool) or not isinstance(said, (int, float)) or not 0 < said <= _MOST_SECONDS:
        return None
    return float(said)


def fits(course: Json, words: str) -> bool:
    """Whether a course of the catalogue has all of these words in its names and descriptions."""
    said = " ".join(text(course, name) for name in ("name", "org", "number", "id", "short_description")).casefold()
    return all(word in said for word in words.casefold().split())


def handouts(body: Any) -> str:
    """The HTML of a course's handouts; "" when there are none."""
    return text(body, "handouts_html") if isinstance(body, dict) else ""


def updates(body: Any) -> tuple[Update, ...]:
    """The updates of a course, in the platform's order (newest first), without withdrawn ones."""
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
    """A time of the platform (`2024-01-11T09:39:37.467099Z`) in ns since 1970; None for null, `"None"` and others."""
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
