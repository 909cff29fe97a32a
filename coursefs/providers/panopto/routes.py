"""Every address of Panopto that coursefs asks, as a table; each name is also what the platform counts requests by.

Facts: Panopto's own description of `/Panopto/api/v1` (the routes below `API`), and for the rest what clients use that
work: the OAuth 2.0 endpoints, the viewer's delivery information, captions, and the download behind its button.
Only GET: nothing here changes anything on the platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

#: what stands for the folder above all folders
TOP = "00000000-0000-0000-0000-000000000000"

AUTHORIZE = "/Panopto/oauth2/connect/authorize"
TOKEN = "/Panopto/oauth2/connect/token"  # noqa: S105  # a path


@dataclass(frozen=True, slots=True)
class Route:
    """A path below the server's address and its query; `{name}` stands for a value that the caller gives."""

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
#: new ones come last: a listing that grows while it is read then loses nothing
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

# with the cookie
DELIVERY = Route(
    "viewer",
    "/Panopto/Pages/Viewer/DeliveryInfo.aspx",
    (
        ("deliveryId", "{id}"),
        ("invocationId", ""),
        ("isLiveNotes", "false"),
        ("refreshAuthCookie", "false"),
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

# for people
VIEWER = Route("web page", "/Panopto/Pages/Viewer.aspx", (("id", "{id}"),))


def folder_page(server: str, folder_id: str) -> str:
    """The web page of a folder."""
    return f"{server}/Panopto/Pages/Sessions/List.aspx#folderID=%22{folder_id}%22"
