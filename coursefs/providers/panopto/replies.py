"""What Panopto's replies say, as typed frozen objects (pure).

The readers are total: whatever the platform sends in place of a text, a number or an object costs that field alone.
Ids are GUIDs, in lower case here; an object without one is left out.  Listings are partial: that `download_url` is ""
in one of them says nothing, only in a session that was asked for by its id.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from coursefs.errors import BadReply, NotAllowed, NotSignedIn

Json = Mapping[str, Any]

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WORD = re.compile(r"[0-9A-Za-z_-]{1,64}")
_NOBODY = re.compile(r"[0-]+")  # the zero GUID: no such thing, or the folder above all folders
_NOT_LOGGED_IN = 2


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder; "" for what the platform does not say."""

    id: str
    name: str
    parent_id: str = ""  # "": lies at the top
    parent_name: str = ""
    url: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Session:
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
    percent: float | None = None  # how much of it was watched, 0 to 100


@dataclass(frozen=True, slots=True)
class Playlist:
    """A list of recordings that somebody has put in order; they may lie in any folder."""

    id: str
    name: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of a recording that its table of contents or its slides name."""

    time: float  # seconds from the beginning
    caption: str = ""
    slide_id: str = ""  # of the image, where it is a slide of a presentation
    slide_number: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the viewer is told of a recording.  None and () are what it does not say."""

    languages: tuple[int, ...] | None = None  # of captions: numbers of the platform's list
    has_podcast: bool | None = None  # whether there is one file to download
    has_audio: bool | None = None  # whether there is one of the sound alone
    is_archived: bool = False
    marks: tuple[Mark, ...] = ()  # by time


def results(content: object) -> tuple[Json, ...]:
    """The rows of one page of a listing.  Raises `BadReply` for what is none."""
    rows = content.get("Results") if isinstance(content, dict) else None
    if rows is None and isinstance(content, dict) and "Results" in content:
        return ()
    if not isinstance(rows, list):
        raise BadReply("the platform's answer holds no list")
    return tuple(row for row in rows if isinstance(row, dict))


def folder(row: Json) -> Folder | None:
    """A folder of a reply; None where it has no id."""
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


def session(row: Json) -> Session | None:
    """A recording of a reply; None where it has no id."""
    session_id, urls = guid(row, "Id"), _record(row, "Urls")
    if not session_id:
        return None
    return Session(
        id=session_id,
        name=text(row, "Name"),
        start=_time(text(row, "StartTime")),
        duration=_number(row, "Duration"),
        folder_id=guid(row, "Folder") or guid(_record(row, "FolderDetails"), "Id"),
        viewer_url=text(urls, "ViewerUrl"),
        download_url=text(urls, "DownloadUrl"),
        captions_url=text(urls, "CaptionDownloadUrl"),
        description=text(row, "Description"),
        is_webcast=row.get("IsWebcast") is True,
        percent=_number(row, "PercentCompleted"),
    )


def playlist(row: Json) -> Playlist | None:
    """A playlist of a reply; None where it has no id."""
    playlist_id = guid(row, "Id")
    return Playlist(playlist_id, text(row, "Name"), text(_record(row, "Urls"), "ViewerUrl")) if playlist_id else None


def delivery(content: object) -> Delivery:
    """What the viewer is told; errors come with the status of success.

    Raises `NotSignedIn` where the cookie is not accepted, `NotAllowed` and `BadReply`.  Nothing of the viewer's own
    person, of which the reply says much, is kept.
    """
    if not isinstance(content, dict):
        raise BadReply("viewer: the platform's answer is not what was asked for")
    code = content.get("ErrorCode")
    if code == _NOT_LOGGED_IN:
        raise NotSignedIn("viewer: the platform does not accept the sign-in")
    if code:
        raise NotAllowed(f"viewer: {said(content, 'ErrorMessage') or 'the platform refuses it'}")
    said_of_it = _record(content, "Delivery")
    if not said_of_it:
        raise BadReply("viewer: the platform's answer is not what was asked for")
    podcasts = said_of_it.get("PodcastStreams")
    has_podcast = _switch(said_of_it, "IsPodcastEncodeComplete")
    if has_podcast is not True and isinstance(podcasts, list):
        has_podcast = bool(podcasts)
    marks = [mark for row in _rows(said_of_it, "Timestamps") if (mark := _mark(row)) is not None]
    return Delivery(
        languages=_languages(said_of_it),
        has_podcast=has_podcast,
        has_audio=_switch(said_of_it, "IsAudioPodcastEncodeComplete"),
        is_archived=said_of_it.get("RehydrationAvailable") is True,
        marks=tuple(sorted(marks, key=lambda mark: mark.time)),
    )


def said(content: object, *names: str) -> str:
    """The platform's own words on an error, without markup and made safe for one line; "" where there are none.

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
    """An id; "" where there is none, or the one of nothing."""
    return as_guid(text(row, name))


def as_guid(value: str) -> str:
    """The value as an id; "" where it is none."""
    value = value.strip().strip("{}").lower()
    return value if _GUID.fullmatch(value) and not _NOBODY.fullmatch(value) else ""


def _record(row: Json, name: str) -> Json:
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def _rows(row: Json, name: str) -> list[Json]:
    value = row.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _switch(row: Json, name: str) -> bool | None:
    value = row.get(name)
    return value if isinstance(value, bool) else None


def _number(row: Json, name: str) -> float | None:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _time(value: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 time; without a zone it is UTC."""
    try:
        time = datetime.fromisoformat(value)
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None  # the year 1 stands for no time


def _languages(said_of_it: Json) -> tuple[int, ...] | None:
    """Newer servers list objects, older ones numbers."""
    numbers = [one.get("Language") for one in _rows(said_of_it, "AvailableCaptions")]
    listed = said_of_it.get("AvailableLanguages")
    if isinstance(listed, list):
        numbers += listed
    found = tuple(dict.fromkeys(one for one in numbers if isinstance(one, int) and not isinstance(one, bool)))
    if not found and said_of_it.get("HasCaptions") is not False and "AvailableLanguages" not in said_of_it:
        return None
    return found


def _mark(row: Json) -> Mark | None:
    time = _number(row, "Time")
    if time is None or time < 0:
        return None
    is_slide = text(row, "EventTargetType") == "PowerPoint"
    identifier = text(row, "ObjectIdentifier")
    number = row.get("ObjectSequenceNumber")
    return Mark(
        time=time,
        caption=" ".join(text(row, "Caption").split()),
        slide_id=identifier if is_slide and _WORD.fullmatch(identifier) else "",
        slide_number=str(number) if is_slide and isinstance(number, (int, str)) and str(number).isdecimal() else "",
    )
