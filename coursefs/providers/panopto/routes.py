"""The routes of Panopto that coursefs uses, as a table, and their rate limits.

Facts: the routes below `API` are from Panopto's own documentation of `/Panopto/api/v1`.  The others are from working
clients: the OAuth 2.0 endpoints, the viewer's delivery information, captions, the download of the web page, and the
services that the web site itself asks with the browser's cookie.  All routes but the OAuth 2.0 endpoints only read:
they are for GET and HEAD, and `GET_SESSIONS` and `GET_FOLDERS` take their question in the body of a POST.

The platform allows each API client 5 requests a second, 100 a minute and 5000 an hour for each endpoint, by its name
here.  Sources: Panopto's community pages, and a downloader whose authors met these limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

import trio

from coursefs.base.foreground import is_background
from coursefs.transport import RateLimiter, Span

#: the id of the root folder
TOP = "00000000-0000-0000-0000-000000000000"

AUTHORIZE = "/Panopto/oauth2/connect/authorize"
TOKEN = "/Panopto/oauth2/connect/token"  # noqa: S105  # a path


@dataclass(frozen=True, slots=True)
class Route:
    """A path below the server's address and its query; `{name}` is a parameter."""

    name: str
    path: str
    query: tuple[tuple[str, str], ...] = ()

    def url(self, server: str, **values: str) -> str:
        """The absolute URL, all values encoded."""
        path = self.path.format_map({name: quote(value, safe="") for name, value in values.items()})
        query = urlencode([(key, value.format_map(values)) for key, value in self.query], quote_via=quote)
        return f"{server}{path}?{query}" if query else f"{server}{path}"


_API = "/Panopto/api/v1"
_PAGE = ("pageNumber", "{page}")
_BY_NAME = (("sortField", "Name"), ("sortOrder", "Asc"))
#: oldest first: a listing that grows while its pages are read loses no row
_BY_DATE = (("sortField", "CreatedDate"), ("sortOrder", "Asc"))

FOLDER = Route("folder", f"{_API}/folders/{{id}}")
CHILDREN = Route("sub-folders", f"{_API}/folders/{{id}}/children", (*_BY_NAME, _PAGE))
SEARCH_FOLDERS = Route("folder search", f"{_API}/folders/search", (("searchQuery", "{text}"), *_BY_NAME, _PAGE))
CREATOR_FOLDERS = Route("own folders", f"{_API}/folders/creator", (*_BY_NAME, _PAGE))
SESSIONS = Route("recordings", f"{_API}/folders/{{id}}/sessions", (*_BY_DATE, _PAGE))
FOLDER_PLAYLISTS = Route("playlists", f"{_API}/folders/{{id}}/playlists", (*_BY_NAME, _PAGE))
SESSION = Route("recording", f"{_API}/sessions/{{id}}")
SEARCH_SESSIONS = Route(
    "recording search",
    f"{_API}/sessions/search",
    (("searchQuery", "{text}"), ("sortField", "CreatedDate"), ("sortOrder", "Asc"), _PAGE),
)
VIEWED = Route("viewed recordings", f"{_API}/users/me/sessions/viewed", (("includeCompleted", "true"), _PAGE))
PLAYLIST = Route("playlist", f"{_API}/playlists/{{id}}")
PLAYLIST_SESSIONS = Route(
    "playlist recordings",
    f"{_API}/playlists/{{id}}/sessions",
    (("sortField", "Order"), ("sortOrder", "Asc"), _PAGE),
)
LEGACY_LOGIN = Route("media sign-in", f"{_API}/auth/legacyLogin")

# these need the cookie
DELIVERY = Route(
    "viewer",
    "/Panopto/Pages/Viewer/DeliveryInfo.aspx",
    (
        ("deliveryId", "{id}"),
        ("invocationId", ""),
        ("isLiveNotes", "false"),
        ("refreshAuthCookie", "{refresh}"),
        ("isActiveBroadcast", "false"),
        ("isEditing", "false"),
        ("isKollectiveAgentInstalled", "false"),
        ("isEmbed", "false"),
        ("responseType", "json"),
    ),
)
CAPTIONS = Route("captions", "/Panopto/Pages/Transcription/GenerateSRT.ashx", (("id", "{id}"),))
CAPTIONS_IN = Route("captions", CAPTIONS.path, (("id", "{id}"), ("language", "{language}")))
SLIDE = Route("slide", "/Panopto/Pages/Viewer/Image.aspx", (("id", "{id}"), ("number", "{number}")))
VIDEO = Route("download", "/Panopto/Podcast/Download/{id}.mp4", (("mediaTargetType", "videoPodcast"),))
AUDIO = Route("download", "/Panopto/Podcast/Download/{id}.mp4", (("mediaTargetType", "audioPodcast"),))

# the services of the web site, with the cookie of a browser
GET_SESSIONS = Route("web recordings", "/Panopto/Services/Data.svc/GetSessions")
GET_FOLDERS = Route("web folders", "/Panopto/Services/Data.svc/GetFolders")
_WEB_FOLDERS = (
    ("parentId", "{parent}"),
    ("folderSet", "1"),
    ("includeMyFolder", "false"),
    ("includePersonalFolders", "true"),
    ("page", "{page}"),
    ("sort", "Depth"),
    ("names[0]", "SessionCount"),
)
WEB_FOLDERS = Route("web folder tree", "/Panopto/Api/Folders", _WEB_FOLDERS)
WEB_FOLDER_SEARCH = Route(WEB_FOLDERS.name, WEB_FOLDERS.path, (*_WEB_FOLDERS, ("searchTerm", "{text}")))
WEB_SESSION = Route("web recording", "/Panopto/Api/Sessions/{id}")
WEB_PLAYLIST = Route("web playlist", "/Panopto/Api/Playlists/{id}")
WEB_SESSION_LIST = Route(
    "web playlist recordings",
    "/Panopto/Api/SessionLists/{id}",
    (("collections[0].maxCount", "500"), ("collections[0].name", "items")),
)
#: where a browser that is signed in still gets a new cookie, and where it comes out then
HOME = Route("home page", "/Panopto/Pages/Home.aspx")
LOGIN = Route("sign-in page", "/Panopto/Pages/Auth/Login.aspx", (("ReturnUrl", HOME.path),))

# web pages for people
VIEWER = Route("web page", "/Panopto/Pages/Viewer.aspx", (("id", "{id}"),))
PLAYLIST_PAGE = Route("web page", VIEWER.path, (("pid", "{id}"),))


def folder_page(server: str, folder_id: str) -> str:
    """The web page of a folder."""
    return f"{server}/Panopto/Pages/Sessions/List.aspx#folderID=%22{folder_id}%22"


#: default of requests to one endpoint in any minute: four fifths of the platform's limit
PER_MINUTE = 80
#: five in a little more than a second, because requests sent over more than a second may arrive within one
_SECOND = Span(5, 1.2)
_MEDIA = Span(10, 1.0)


class RequestLimit:
    """A limit of concurrent requests, with separate slots for foreground and background tasks."""

    def __init__(self, most: int) -> None:
        self._waited_for = trio.CapacityLimiter(most)
        self._behind = trio.CapacityLimiter(most)

    @property
    def limiter(self) -> trio.CapacityLimiter:
        """The limiter for the current task, in the foreground or the background."""
        return self._behind if is_background() else self._waited_for


class EndpointLimiters:
    """The rate limiters of the endpoints, each made at its first use."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        self._spans = (_SECOND, Span(per_minute, 60.0), Span(per_minute * 50, 3600.0))
        self._paces: dict[str, RateLimiter] = {}
        #: for files, which are outside of the API; no limit of the platform is known there
        self.media = RateLimiter((_MEDIA,))

    def of(self, endpoint: str) -> RateLimiter:
        """The rate limiter of an endpoint, by the name of its route."""
        if endpoint not in self._paces:
            self._paces[endpoint] = RateLimiter(self._spans)
        return self._paces[endpoint]
