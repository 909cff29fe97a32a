"""Parsers of Panopto's replies into typed frozen objects (pure).

The parsers never fail on a field: a value of another type costs that field alone.  Ids are GUIDs, in lower case here;
an object without one is dropped.  Listings are partial: a `download_url` of "" means that there is no download only in
a session requested by its id.

Refusals: 400 and 404 have `{"Error": {…}}`, 401 and 403 may be empty, 5xx may be a web page.  Pages that need the
cookie answer a refusal with their sign-in page and status 200.  For missing captions the platform sends an empty body
or a web page, also with status 200.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, NotAllowed, NotSignedIn, RouteGone
from coursefs.transport import Reply, parse_json

Json = Mapping[str, Any]

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WORD = re.compile(r"[0-9A-Za-z_-]{1,64}")
_NO_OBJECT = re.compile(r"[0-]+")  # the zero GUID: no object, or the root folder
_NOT_LOGGED_IN = 2
#: seconds from 1601, with which the viewer counts, to 1970
_EPOCH = 11_644_473_600
_MOST_TITLE = 200  # characters of a chapter's title


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder; a text is "" when the platform does not give it."""

    id: str
    name: str
    parent_id: str = ""  # "": a top folder
    parent_name: str = ""
    url: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording."""

    id: str
    name: str
    start: float | None = None  # seconds since 1970
    duration: float | None = None  # seconds
    folder_id: str = ""
    viewer_url: str = ""
    download_url: str = field(default="", repr=False)
    captions_url: str = field(default="", repr=False)
    description: str = ""
    is_webcast: bool = False
    is_archived: bool = False  # known from some listings
    percent: float | None = None  # the part that was watched, 0 to 100


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist: an ordered list of recordings, which may be in any folder."""

    id: str
    name: str
    url: str = ""


class By(enum.IntEnum):
    """Who gave a mark its title; the first of them that gave any counts."""

    PEOPLE = 0
    AI = 1
    SCREEN = 2  # read from the film


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark in a recording: an entry of its table of contents, or a slide."""

    time: float  # seconds from the beginning
    caption: str = ""
    slide_id: str = ""  # of the image, where it is a slide of a presentation
    slide_number: str = ""
    by: By = By.PEOPLE  # whose title it is


@dataclass(frozen=True, slots=True)
class Delivery:
    """The viewer's delivery information of a recording; None or () for facts that it lacks."""

    languages: tuple[int, ...] | None = None  # of captions, by the platform's numbers
    has_podcast: bool | None = None  # whether there is one file to download
    has_audio: bool | None = None  # whether there is an audio-only file to download
    is_archived: bool = False
    marks: tuple[Mark, ...] = ()  # by time
    start: float | None = None  # of the recording, seconds since 1970
    download_url: str = field(default="", repr=False)  # "": the viewer offers no download
    stream_url: str = field(default="", repr=False)  # of the one film, as a file; "": there is none


def results(content: object) -> tuple[Json, ...]:
    """The rows of one page of a listing.  Raises `BadReply` for any other reply."""
    rows = content.get("Results") if isinstance(content, dict) else None
    if rows is None and isinstance(content, dict) and "Results" in content:
        return ()
    if not isinstance(rows, list):
        raise BadReply("the platform's answer holds no list")
    return tuple(row for row in rows if isinstance(row, dict))


def folder(row: Json) -> Folder | None:
    """A folder of a reply; None when it has no id."""
    folder_id, parent = guid(row, "Id"), _record(row, "ParentFolder")
    if not folder_id:
        return None
    return Folder(
        id=folder_id,
        name=text(row, "Name"),
        parent_id=guid(parent, "Id"),
        parent_name=text(parent, "Name"),
        url=text(_record(row, "Urls"), "FolderUrl"),
        description=text(row, "Description"),
    )


def session(row: Json) -> Recording | None:
    """A recording of a reply; None when it has no id."""
    session_id, urls = guid(row, "Id"), _record(row, "Urls")
    if not session_id:
        return None
    return Recording(
        id=session_id,
        name=text(row, "Name"),
        start=time_of(text(row, "StartTime")),
        duration=number(row, "Duration"),
        folder_id=guid(row, "Folder") or guid(_record(row, "FolderDetails"), "Id"),
        viewer_url=text(urls, "ViewerUrl"),
        download_url=text(urls, "DownloadUrl"),
        captions_url=text(urls, "CaptionDownloadUrl"),
        description=text(row, "Description"),
        is_webcast=row.get("IsWebcast") is True,
        percent=number(row, "PercentCompleted"),
    )


def playlist(row: Json) -> Playlist | None:
    """A playlist of a reply; None when it has no id."""
    playlist_id = guid(row, "Id")
    return Playlist(playlist_id, text(row, "Name"), text(_record(row, "Urls"), "ViewerUrl")) if playlist_id else None


def require_viewer(content: object) -> None:
    """Raise the error of the viewer's data, which come with status 200.

    That is `NotSignedIn` when the cookie is refused, `NotAllowed` or `BadReply`.
    """
    if not isinstance(content, dict):
        raise BadReply("viewer: the platform's answer has an unexpected form")
    code = content.get("ErrorCode")
    if code == _NOT_LOGGED_IN:
        raise NotSignedIn("viewer: the platform does not accept the sign-in")
    if code:
        raise NotAllowed(f"viewer: {said(content, 'ErrorMessage') or 'the platform refuses it'}")


def delivery(content: object) -> Delivery:
    """The viewer's delivery information.  Raises the errors of `require_viewer`.

    The reply has many personal data of the user; none are kept.
    """
    require_viewer(content)
    assert isinstance(content, dict)  # else the former has raised
    said_of_it = _record(content, "Delivery")
    if not said_of_it:
        raise BadReply("viewer: the platform's answer has an unexpected form")
    podcasts = said_of_it.get("PodcastStreams")
    has_podcast = _switch(said_of_it, "IsPodcastEncodeComplete")
    if has_podcast is not True and isinstance(podcasts, list):
        has_podcast = bool(podcasts)
    marks = [mark for row in _rows(said_of_it, "Timestamps") if (mark := _mark(row)) is not None]
    marks += [mark for row in _rows(said_of_it, "AIChapters") if (mark := _ai_mark(row)) is not None]
    return Delivery(
        languages=_languages(said_of_it),
        has_podcast=has_podcast,
        has_audio=_switch(said_of_it, "IsAudioPodcastEncodeComplete"),
        is_archived=said_of_it.get("RehydrationAvailable") is True,
        marks=tuple(sorted(marks, key=lambda mark: mark.time)),
        start=_since_1601(said_of_it),
        download_url=text(content, "DownloadUrl"),
        stream_url=next((url for row in _rows(said_of_it, "PodcastStreams") if (url := _film(row))), ""),
    )


def said(content: object, *names: str) -> str:
    """The platform's error message, without markup and made safe for one line; "" when there is none.

    `{"Error": {"Message": …}}`, `{"Message": …}` and `{"Error": {"Code": …}}` all occur.
    """
    if not isinstance(content, dict):
        return ""
    for place in (_record(content, "Error"), content):
        for name in (*names, "Message", "ErrorMessage", "ErrorCode", "Code"):
            if words := text(place, name):
                plain = re.sub(r"<[^>]*>", " ", words)
                return " ".join("".join(c if c.isprintable() else " " for c in plain).split())[:120]
    return ""


def text(row: Json, name: str) -> str:
    """A text, stripped; lone surrogates, which no file or URL can hold, become `?`."""
    value = row.get(name)
    return value.strip().encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def guid(row: Json, name: str) -> str:
    """An id; "" when there is none, or for the zero GUID."""
    return as_guid(text(row, name))


def as_guid(value: str) -> str:
    """The value as an id; "" when it is not a GUID."""
    value = value.strip().strip("{}").lower()
    return value if _GUID.fullmatch(value) and not _NO_OBJECT.fullmatch(value) else ""


def _record(row: Json, name: str) -> Json:
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def _rows(row: Json, name: str) -> list[Json]:
    value = row.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _switch(row: Json, name: str) -> bool | None:
    value = row.get(name)
    return value if isinstance(value, bool) else None


def number(row: Json, name: str) -> float | None:
    """A finite number; None when the field holds none."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def time_of(value: str) -> float | None:
    """An ISO 8601 time in seconds since 1970; UTC if it has no zone."""
    try:
        time = datetime.fromisoformat(value)
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None  # the platform writes the year 1 for no time


def _languages(said_of_it: Json) -> tuple[int, ...] | None:
    """The languages of captions: newer servers list objects, older ones numbers."""
    numbers = [one.get("Language") for one in _rows(said_of_it, "AvailableCaptions")]
    listed = said_of_it.get("AvailableLanguages")
    if isinstance(listed, list):
        numbers += listed
    found = tuple(dict.fromkeys(one for one in numbers if isinstance(one, int) and not isinstance(one, bool)))
    if not found and said_of_it.get("HasCaptions") is not False and "AvailableLanguages" not in said_of_it:
        return None
    return found


def _film(row: Json) -> str:
    """The URL of a stream that is one file; "" for one in segments."""
    url = text(row, "StreamUrl")
    kind = text(row, "ViewerMediaFileTypeName").lower()
    is_file = kind == "mp4" or (not kind and url.partition("?")[0].lower().endswith(".mp4"))
    return url if is_file and ".m3u8" not in url.lower() else ""


def _since_1601(said_of_it: Json) -> float | None:
    """The start of a recording, which the viewer counts from 1601, in seconds since 1970."""
    start = number(said_of_it, "SessionStartTime")
    return start - _EPOCH if start is not None and start > _EPOCH else None


def _ai_mark(row: Json) -> Mark | None:
    """A chapter that the platform's AI has found."""
    time = number(row, "Start")
    caption = " ".join(text(row, "Summary").split())[:_MOST_TITLE]
    return Mark(time=time, caption=caption, by=By.AI) if time is not None and time >= 0 and caption else None


def _mark(row: Json) -> Mark | None:
    time = number(row, "Time")
    if time is None or time < 0:
        return None
    kind = text(row, "EventTargetType")
    is_slide = kind == "PowerPoint"
    identifier = text(row, "ObjectIdentifier")
    place = row.get("ObjectSequenceNumber")
    return Mark(
        time=time,
        caption=" ".join(text(row, "Caption").split()),
        slide_id=identifier if is_slide and _WORD.fullmatch(identifier) else "",
        slide_number=str(place) if is_slide and isinstance(place, (int, str)) and str(place).isdecimal() else "",
        by=By.SCREEN if kind == "SmartOcrToc" else By.PEOPLE,
    )


TAGS = (
    "en", "en-GB", "es-MX", "es", "de", "fr", "nl", "th", "zh-Hans", "zh-Hant", "ko", "ja", "ru", "pt", "pl", "en-AU",
    "da", "fi", "hu", "no", "sv", "it", "cy", "ca", "gl", "eu", "ar", "hi", "fr-CA", "he", "vi",
)  # fmt: skip


def tag(number: int) -> str:
    """The tag of a language in file names; `x-31` for an unknown number."""
    return TAGS[number] if 0 <= number < len(TAGS) else f"x-{number}"


#: bytes of a body that `is_srt` needs
ENOUGH = 512

#: a line in brackets may come first: [Auto-generated transcript …]
_FIRST_CUE = re.compile(rb"\s*(?:\[[^\]\r\n]{0,300}\]\s*)?\d+\s*\r?\n\s*\d\d:\d\d:\d\d")


def is_srt(beginning: bytes) -> bool:
    """Whether the beginning of a body is that of an SRT file with at least one cue."""
    return _FIRST_CUE.match(beginning.removeprefix(b"\xef\xbb\xbf")) is not None


def content_of(reply: Reply, *, what: str, sign_in_again: str) -> object:
    """The JSON of a reply.  Raises the error that it means; `what` and `sign_in_again` are parts of the messages."""
    content = parse_json(reply.body)
    if reply.status == 200 and content is not None:
        return content
    raise _error(reply.status, content, what, sign_in_again)


def _error(status: int, content: object, what: str, sign_in_again: str) -> CoursefsError:
    words = said(content)
    because = f": {words}" if words else ""
    match status:
        case 401:
            return NotSignedIn(sign_in_again)
        case 403:
            return NotAllowed(f"{what}: the platform refuses it{because}")
        case 404 if content is not None:
            return Gone(f"{what}: the platform does not have it{because}")
        case 200 | 404 | 405:
            return RouteGone(f"{what}: the platform no longer has this route (HTTP {status})")
        case 429:
            return NoAnswer(f"{what}: the platform was asked too often; coursefs asks again later")
        case _:
            return BadReply(f"{what}: the platform answered HTTP {status}{because}")
