"""Parsers of the replies of Panopto's web site, which a browser asks with its cookie (pure).

The web site spells things in its own way: `ID` beside `Id`, times as `/Date(ms)/`, results below `d`, and errors as XML
faults with status 500.  Facts: replies recorded in 2026, types that several clients generated from replies, and
yt-dlp for playlists.  The parsers never fail on a field: a value of another type costs that field alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urljoin, urlsplit

from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, NotAllowed, RouteGone
from coursefs.providers.kit.fields import Json, record, rows
from coursefs.providers.panopto.replies import Folder, as_guid, guid, number, said, text, time_of
from coursefs.transport import Origin, Reply, parse_json

_DATE = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/")
_NOT_IN_ROLE = "is not in role"
_NOT_LOGGED_IN = 2
_SIGN_IN_PATHS = ("/pages/auth/", "/pages/login", "/login.aspx")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: status of a recording that is not made yet (seen on one server)
_SCHEDULED = 1


@dataclass(frozen=True, slots=True)
class ListingRow:
    """A recording or a playlist in a listing."""

    id: str  # of the recording, or of the playlist
    name: str
    folder_id: str = ""
    folder_name: str = ""
    wall: float | None = None  # seconds since 1970, if the clock in the room were UTC's
    start: float | None = None  # the instant, in seconds since 1970, where the platform gives one
    duration: float | None = None  # seconds
    has_captions: bool = False
    is_archived: bool = False
    is_scheduled: bool = False
    is_playlist: bool = False
    may_list: bool = True  # whether the user may list its folder


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A page of recordings."""

    rows: tuple[ListingRow, ...]
    total: int | None  # of all pages; None: not said
    subfolders: tuple[Folder, ...] = ()


@dataclass(frozen=True, slots=True)
class WebFolder:
    """A folder in a listing."""

    folder: Folder
    has_children: bool = False  # false says nothing: it was seen on folders with children


@dataclass(frozen=True, slots=True)
class Viewer:
    """The signed-in user, in the viewer's data."""

    id: str
    name: str


def sessions_page(content: object) -> ListingPage:
    """A page of recordings.  Raises `BadReply` for any other reply."""
    body = _below_d(content)
    if not isinstance(body, dict) or not isinstance(body.get("Results"), list):
        raise BadReply("recordings: the platform's answer holds no list")
    found = tuple(row for one in rows(body, "Results") if (row := _row(one)) is not None)
    total = body.get("TotalNumber")
    inner = tuple(one.folder for row in rows(body, "Subfolders") if (one := _folder(row)) is not None)
    return ListingPage(found, total if isinstance(total, int) and not isinstance(total, bool) else None, inner)


def folders_page(content: object) -> tuple[WebFolder, ...]:
    """A page of folders: a bare list, or one below `d`.  Raises `BadReply` for any other reply."""
    body = _below_d(content)
    listed = body.get("Results") if isinstance(body, dict) else body
    if not isinstance(listed, list):
        raise BadReply("folders: the platform's answer holds no list")
    return tuple(one for row in listed if isinstance(row, dict) and (one := _folder(row)) is not None)


def total_of(content: object) -> int | None:
    """How many rows all pages of a listing have; None when the platform does not say."""
    body = _below_d(content)
    total = body.get("TotalNumber") if isinstance(body, dict) else None
    return total if isinstance(total, int) and not isinstance(total, bool) else None


def session_list_id(content: object) -> str:
    """The id of the list of a playlist; "" when there is none."""
    return guid(content, "SessionListId") if isinstance(content, dict) else ""


def list_items(content: object) -> tuple[ListingRow, ...]:
    """The recordings of a playlist's list, in order."""
    if not isinstance(content, dict) or not isinstance(content.get("Items"), list):
        raise BadReply("playlist: the platform's answer holds no list")
    return tuple(row for one in rows(content, "Items") if (row := item(one)) is not None)


def item(content: object) -> ListingRow | None:
    """A recording of `Api/Sessions` or of a playlist's list; None for anything else."""
    if not isinstance(content, dict) or text(content, "TypeName") not in {"", "Session"}:
        return None
    session_id, parent = guid(content, "Id"), record(content, "Parent")
    if not session_id:
        return None
    started = text(content, "StartTime")
    return ListingRow(
        id=session_id,
        name=text(content, "Name"),
        folder_id=guid(parent, "Id"),
        folder_name=text(parent, "Name"),
        wall=wall_clock(started),
        start=time_of(started),
        duration=number(content, "Duration"),
    )


def viewer_of(content: object) -> Viewer | None:
    """Who the viewer's data say is signed in; None when no user is.  The id is "" where they do not have the field."""
    if not isinstance(content, dict) or content.get("ErrorCode"):
        return None
    user_id = guid(content, "UserId")
    name = text(content, "UserName") or text(content, "UserKey").rpartition("\\")[2]
    return (
        Viewer(user_id, "".join(c for c in name if c.isprintable())[:100])
        if user_id or "UserId" not in content
        else None
    )


def wall_clock(value: str) -> float | None:
    """`/Date(ms)/` in seconds since 1970; None for anything else, and for the year 1, which means no time."""
    match = _DATE.fullmatch(value)
    seconds = None if match is None else int(match[1]) / 1000
    return seconds if seconds is not None and seconds > 0 else None


def is_sign_in(reply: Reply, server: str) -> bool:
    """Whether a reply says that the cookie is not accepted (any more): by status, page or error code."""
    if reply.status == 401 or reply.status in _REDIRECTS or leads_to_sign_in(reply.url, server):
        return True
    if reply.status == 200 and _is_page(reply):
        return True
    return reply.body.lstrip()[:1] == b"{" and _error_code(reply.body) == _NOT_LOGGED_IN


def leads_to_sign_in(url: str, server: str) -> bool:
    """Whether redirects have led to a sign-in page, of this server or of a single sign-on."""
    try:
        own = Origin.of(url) == Origin.of(server)
    except ValueError:
        return True
    path = urlsplit(url).path.lower()
    return not own or any(part in path for part in _SIGN_IN_PATHS)


def web_content(reply: Reply, what: str) -> object:
    """The JSON of a reply.  Raises the error that it means; `what` is a part of the message."""
    content = _json(reply.body)
    if reply.status == 200 and content is not None:
        return content
    raise _error(reply, content, what)


def is_refusal(reply: Reply) -> bool:
    """Whether a fault says that the user may not do this: it is no failure of the server."""
    return reply.status == 500 and _NOT_IN_ROLE in reply.body[:4096].decode("utf-8", "replace")


def _error(reply: Reply, content: object, what: str) -> CoursefsError:
    words = said(content)
    because = f": {words}" if words else ""
    if is_refusal(reply):
        return NotAllowed(f"{what}: the platform does not let you list this")
    match reply.status:
        case 401 | 403 | 301 | 302 | 303 | 307 | 308:
            return NotAllowed(f"{what}: the platform refuses it{because}")
        case 404 if content is not None:
            return Gone(f"{what}: the platform does not have it{because}")
        case 200 | 404 | 405:
            return RouteGone(f"{what}: the platform no longer has this route (HTTP {reply.status})")
        case 429:
            return NoAnswer(f"{what}: the platform was asked too often; coursefs asks again later")
        case _:
            return BadReply(f"{what}: the platform answered HTTP {reply.status}{because}")


def _row(row: Json) -> ListingRow | None:
    playlist_id = _playlist_id(text(row, "ViewerUrl"))
    row_id = playlist_id or guid(row, "DeliveryID")
    if not row_id:
        return None
    duration = number(row, "Duration")
    is_empty = duration is not None and duration <= 0
    is_planned = row.get("Status") == _SCHEDULED and row.get("HasStreams") is not True
    return ListingRow(
        id=row_id,
        name=text(row, "SessionName"),
        folder_id=guid(row, "FolderID"),
        folder_name=text(row, "FolderName"),
        wall=wall_clock(text(row, "StartTime")),
        duration=duration,
        has_captions=row.get("HasCaptions") is True,
        is_archived=row.get("IsArchived") is True,
        is_scheduled=not playlist_id and (is_empty or is_planned),
        is_playlist=bool(playlist_id),
        may_list=row.get("UserCanEnumerateFolder") is not False,
    )


def _playlist_id(viewer_url: str) -> str:
    """The id of the playlist whose page this is; "" for the page of a recording."""
    try:
        query = parse_qs(urlsplit(urljoin("https://x/", viewer_url)).query)
    except ValueError:
        return ""
    return as_guid(query["pid"][0]) if "pid" in query and "id" not in query else ""


def _folder(row: Json) -> WebFolder | None:
    folder_id = guid(row, "Id") or guid(row, "ID")
    if not folder_id:
        return None
    parent = record(row, "Parent")
    return WebFolder(
        Folder(
            id=folder_id,
            name=text(row, "Name"),
            parent_id=guid(parent, "Id") or guid(row, "ParentFolderId"),
            parent_name=text(parent, "Name") or text(row, "ParentFolderName"),
        ),
        has_children=row.get("HasAccessibleChildren") is True,
    )


def merged(found: Sequence[WebFolder], known: Mapping[str, Folder]) -> dict[str, Folder]:
    """The known folders and the found ones; of two replies the one that knows the parent counts."""
    folders = dict(known)
    for one in found:
        before = folders.get(one.folder.id)
        if before is None or (one.folder.parent_id and not before.parent_id):
            folders[one.folder.id] = one.folder
    return folders


def _below_d(content: object) -> object:
    return content.get("d", content) if isinstance(content, dict) else content


def _json(body: bytes) -> object:
    try:
        return parse_json(body)
    except BadReply:
        return None


def _error_code(body: bytes) -> object:
    content = _json(body[:65536]) if len(body) <= 65536 else None
    return content.get("ErrorCode") if isinstance(content, dict) else None


def _is_page(reply: Reply) -> bool:
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in {"text/html", "application/xhtml+xml"} or reply.body.lstrip()[:1] == b"<"
