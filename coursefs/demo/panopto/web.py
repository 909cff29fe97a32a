"""The web site's own services of a sample server, which a browser asks with its cookie: folders and recordings.

Written from public clients and recorded replies.  Where servers differ, or may differ, `Manners` has a
switch, and the default is the awkward one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from coursefs.demo.panopto.limits import Counter
from coursefs.demo.panopto.signing_in import COOKIE, CSRF, SignIns
from coursefs.demo.panopto.tree import Folder, Holdings, Playlist, Recording, made_guid

LOGIN = "/Panopto/Pages/Auth/Login.aspx"
HOME = "/Panopto/Pages/Home.aspx"
SIGN_IN_PAGE = "<!doctype html><html><title>Sign in</title><form method=post></form></html>"
_DATA = "/Panopto/Services/Data.svc"
#: paths whose POST changes nothing
READS = frozenset(
    {
        *(f"{_DATA}/{name}" for name in ("GetSessions", "GetFolders", "GetFolderInfo")),
        "/Panopto/Pages/Viewer/DeliveryInfo.aspx",
    }
)
_MOST_ROWS, _MOST_FOLDERS = 250, 2000
_FAULT = (
    '<Fault xmlns="http://schemas.microsoft.com/ws/2005/05/envelope/none"><Code><Value>{code}</Value></Code><Reason>'
    '<Text xml:lang="en-US">{text}</Text></Reason></Fault>'
)


@dataclass(slots=True)
class Manners:
    """What servers differ in."""

    lists_folders: bool = False  # Data.svc/GetFolders is allowed; else it is a fault, "not in role"
    lists_all_depths: bool = False  # Api/Folders lists all depths under no parent; else the top folders alone
    admits_children: bool = False  # HasAccessibleChildren is true of every folder with children
    folders_page: int = 50
    wants_csrf: bool = True  # a POST must bring the token against forged requests
    in_utc: bool = False  # StartTime of a listing is the instant; else the room's clock
    zone: str = "America/New_York"  # of the rooms
    refusal: str = "redirect"  # to a request without a sign-in: "redirect", "page", "status" or "nothing" (no rows)


class WebSite:
    """Replies of the web site's services, to requests with the cookie; the listings also accept an access token."""

    def __init__(self, holdings: Holdings, sign_ins: SignIns, counter: Counter, manners: Manners) -> None:
        self._holdings = holdings
        self._sign_ins = sign_ins
        self._counter = counter
        self._manners = manners

    def routes(self) -> list[Route]:
        """All routes, those of the services with a counter each."""
        gets: dict[str, Callable[[Request], Response]] = {
            "/Panopto/Api/Folders": self._folders,
            "/Panopto/Api/Sessions/{id}": self._session,
            "/Panopto/Api/Playlists/{id}": self._playlist,
            "/Panopto/Api/SessionLists/{id}": self._session_list,
        }
        posts: dict[str, Callable[[Mapping[str, Any]], Response]] = {
            f"{_DATA}/GetSessions": self._get_sessions,
            f"{_DATA}/GetFolders": self._get_folders,
            f"{_DATA}/GetFolderInfo": self._get_folder_info,
        }
        return [
            Route(LOGIN, self._login, methods=["GET", "HEAD"]),
            Route(HOME, self._home, methods=["GET"]),
            *(Route(path, self._got(path, answer), methods=["GET"]) for path, answer in gets.items()),
            *(Route(path, self._posted(path, answer), methods=["POST"]) for path, answer in posts.items()),
        ]

    # -- pages

    async def _login(self, request: Request) -> Response:
        """The sign-in page; a browser that is signed in already goes on to where it wanted to."""
        target = request.query_params.get("ReturnUrl", "")
        if not target.startswith("/Panopto/"):
            return HTMLResponse(SIGN_IN_PAGE)
        cookie = self._sign_ins.renewed(request)
        if cookie or self._sign_ins.has_cookie(request):
            response: Response = RedirectResponse(target, 302)
            if cookie:
                response.set_cookie(COOKIE, cookie, path="/", httponly=True)
            return response
        return HTMLResponse(SIGN_IN_PAGE)

    async def _home(self, request: Request) -> Response:
        if not self._sign_ins.has_cookie(request):
            return RedirectResponse(f"{LOGIN}?ReturnUrl={HOME}", 302)
        response = HTMLResponse("<!doctype html><html><title>Home</title></html>")
        response.set_cookie(CSRF, self._sign_ins.csrf_of(request.cookies[COOKIE]), path="/")
        return response

    # -- who may ask, and how often

    def _got(self, endpoint: str, answer: Callable[[Request], Response]) -> Any:
        async def respond(request: Request) -> Response:
            return self._refused(request, endpoint) or answer(request)

        return respond

    def _posted(self, endpoint: str, answer: Callable[[Mapping[str, Any]], Response]) -> Any:
        async def respond(request: Request) -> Response:
            if (refused := self._refused(request, endpoint)) is not None:
                return refused
            try:
                body = json.loads(await request.body())
            except ValueError:
                return _fault("Sender", "The request could not be read.")
            return answer(body if isinstance(body, dict) else {})

        return respond

    def _refused(self, request: Request, endpoint: str) -> Response | None:
        bears = self._sign_ins.bears(request)
        if not bears and not self._sign_ins.has_cookie(request):
            return self._signed_out(request)
        excess = self._counter.count(endpoint)
        if excess is not None:
            return Response(status_code=429, headers={"Retry-After": str(math.ceil(excess.wait))})
        if request.method == "POST" and not bears and self._manners.wants_csrf:
            token = self._sign_ins.csrf_of(request.cookies[COOKIE])
            if {request.headers.get("x-csrf-token"), request.cookies.get(CSRF)} != {token}:
                return HTMLResponse("<html><h1>Forbidden</h1></html>", 403)
        return None

    def _signed_out(self, request: Request) -> Response:
        match self._manners.refusal:
            case "page":
                return HTMLResponse(SIGN_IN_PAGE)
            case "status":
                return Response(status_code=401)
            case "nothing" if request.method == "POST":
                return JSONResponse({"d": _listing([], 0)})
        return RedirectResponse(f"{LOGIN}?ReturnUrl={request.url.path}", 302)

    # -- folders

    def _folders(self, request: Request) -> Response:
        """A page of folders, as a bare list."""
        query = request.query_params
        words, parent, number = query.get("searchTerm", ""), query.get("parentId", "null"), query.get("page", "0")
        visible = self._visible()
        if words:
            found = [one for one in visible if _fits(one.name, words)]
        elif parent != "null":
            found = [one for one in visible if one.parent == parent]
        elif self._manners.lists_all_depths:
            found = visible
        else:
            found = [one for one in visible if not self._holdings.is_visible(one.parent or "")]
        start = (int(number) if number.isdecimal() else 0) * self._manners.folders_page
        return JSONResponse([self._folder_row(one) for one in found[start : start + self._manners.folders_page]])

    def _folder_row(self, folder: Folder) -> dict[str, Any]:
        parent = self._holdings.folders.get(folder.parent or "")
        has_children = any(one.parent == folder.id for one in self._visible())
        row = {
            "Id": folder.id,
            "Name": folder.name,
            "TypeName": "Folder",
            "SessionCount": None,
            "HasAccessibleChildren": has_children and self._manners.admits_children,
            "IsEnumerable": not folder.closed,
            "FolderType": 0,
            "PodcastEnabled": True,
        }
        above = None
        if parent is not None:
            above = {"Id": parent.id, "Name": None if parent.hidden else parent.name, "TypeName": "Folder"}
        return {**row, "Parent": above}

    def _get_folders(self, body: Mapping[str, Any]) -> Response:
        asked = _parameters(body)
        if asked is None:
            return _null_reference()
        if not self._manners.lists_folders:
            return _fault("Sender", "User unified\\ada is not in role (FolderEnumerate).")
        rows = []
        for one in self._visible():
            parent = self._holdings.folders.get(one.parent or "")
            is_shown = parent is not None and not parent.hidden
            rows.append(
                {
                    "ID": one.id.upper(),
                    "Name": one.name,
                    "ParentFolderId": parent.id if parent is not None and is_shown else None,
                    "ParentFolderName": parent.name if parent is not None and is_shown else None,
                    "SessionCount": None,
                }
            )
        page, most = _page_of(asked, _MOST_FOLDERS)
        return JSONResponse({"d": {"Results": rows[page * most : (page + 1) * most], "TotalNumber": len(rows)}})

    def _get_folder_info(self, body: Mapping[str, Any]) -> Response:
        folder = self._holdings.folders.get(str(body.get("folderID", "")).lower())
        if folder is None or folder.hidden:
            return _fault("Sender", "User unified\\ada is not in role (FolderEnumerate).")
        return JSONResponse({"d": {"ID": folder.id, "Name": folder.name}})

    # -- recordings

    def _get_sessions(self, body: Mapping[str, Any]) -> Response:
        """A page of recordings.  Names that are not known are ignored, and so are dates."""
        asked = _parameters(body)
        if asked is None:
            return _null_reference()
        folder_id = asked.get("folderID")
        rows = [self._row(one) for one in self._listed(asked)]
        if asked.get("includePlaylists") is True and not asked.get("isSharedWithMe"):
            lists = self._holdings.playlists.values()
            rows += [self._list_row(one) for one in lists if folder_id in {None, one.folder}]
        subfolders = []
        if asked.get("getFolderData") is True and folder_id is not None and self._is_open(str(folder_id)):
            subfolders = [
                {"ID": one.id, "Name": one.name, "ParentFolderId": None, "SessionCount": None}
                for one in self._visible()
                if one.parent == folder_id
            ]
        page, most = _page_of(asked, _MOST_ROWS)
        return JSONResponse({"d": _listing(rows[page * most : (page + 1) * most], len(rows), subfolders)})

    def _listed(self, asked: Mapping[str, Any]) -> list[Recording]:
        folder_id = asked.get("folderID")
        found = [one for one in self._holdings.sessions.values() if one.shared or self._holdings.is_visible(one.folder)]
        if asked.get("isSharedWithMe") is True:
            found = [one for one in found if one.shared]
        elif folder_id is not None:
            found = [one for one in found if one.folder == folder_id and self._is_open(str(folder_id))]
        if asked.get("includeArchived") is not True:
            found = [one for one in found if not one.archived]
        if asked.get("status") == [1]:
            found = [one for one in found if one.duration <= 0]
        return sorted(found, key=lambda one: one.start or "", reverse=asked.get("sortAscending") is not True)

    def _is_open(self, folder_id: str) -> bool:
        return self._holdings.is_visible(folder_id) and not self._holdings.folders[folder_id].closed

    def _row(self, session: Recording) -> dict[str, Any]:
        folder = self._holdings.folders[session.folder]
        return {
            "__type": "SessionRow:#Panopto.Data.DB.WebUI",
            "DeliveryID": session.id,
            "SessionID": made_guid("inner", session.id),
            "DeliveryName": "default",
            "SessionName": session.name,
            "FolderID": folder.id,
            "FolderName": folder.name,
            "Duration": session.duration,
            "StartTime": self._start(session),
            "Abstract": None,
            "HasCaptions": bool(session.captions or session.default_captions),
            "HasStreams": session.duration > 0,
            "IsArchived": session.archived,
            "IsDownloadAvailable": None,
            "PlayableObjectType": 0,
            "Status": 1 if session.duration <= 0 else 7,
            "UserCanEnumerateFolder": self._is_open(folder.id),
            "ViewerUrl": f"/Panopto/Pages/Viewer.aspx?id={session.id}",
            "ThumbUrl": "",
            "IosVideoUrl": "",
        }

    def _list_row(self, playlist: Playlist) -> dict[str, Any]:
        folder = self._holdings.folders[playlist.folder]
        return {
            "__type": "SessionRow:#Panopto.Data.DB.WebUI",
            "DeliveryID": playlist.id,
            "SessionID": None,
            "SessionName": playlist.name,
            "FolderID": folder.id,
            "FolderName": folder.name,
            "Duration": None,
            "StartTime": None,
            "PlayableObjectType": 1,
            "UserCanEnumerateFolder": self._is_open(folder.id),
            "ViewerUrl": f"/Panopto/Pages/Viewer.aspx?pid={playlist.id}",
        }

    def _start(self, session: Recording) -> str | None:
        if session.start is None:
            return None
        time = datetime.fromisoformat(session.start)
        if not self._manners.in_utc:
            time = time.astimezone(ZoneInfo(self._manners.zone)).replace(tzinfo=UTC)
        return f"/Date({int(time.timestamp()) * 1000})/"  # whole seconds in all known replies

    def _session(self, request: Request) -> Response:
        session = self._holdings.sessions.get(request.path_params["id"])
        if session is None:
            return JSONResponse({"Message": "Not found"}, 404)
        if not session.shared and not self._holdings.is_visible(session.folder):
            return JSONResponse({"Message": "Forbidden"}, 403)
        return JSONResponse(self._item(session))

    def _item(self, session: Recording) -> dict[str, Any]:
        folder = self._holdings.folders[session.folder]
        return {
            "TypeName": "Session",
            "Id": session.id,
            "Name": session.name,
            "StartTime": session.start,
            "Duration": session.duration,
            "Status": 7,
            "Parent": {"Id": folder.id, "Name": folder.name, "TypeName": "Folder"},
            "ViewerUri": f"/Panopto/Pages/Viewer.aspx?id={session.id}",
            "IsReferenceCopy": False,
        }

    # -- playlists

    def _playlist(self, request: Request) -> Response:
        playlist = self._holdings.playlists.get(request.path_params["id"])
        if playlist is None:
            return JSONResponse({"Message": "Not found"}, 404)
        return JSONResponse({"Id": playlist.id, "Name": playlist.name, "SessionListId": _list_of(playlist)})

    def _session_list(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        playlist = next((one for one in self._holdings.playlists.values() if _list_of(one) == wanted), None)
        if playlist is None or request.query_params.get("collections[0].name") != "items":
            return JSONResponse({"Message": "Not found"}, 404)
        return JSONResponse({"Items": [self._item(self._holdings.sessions[one]) for one in playlist.sessions]})

    def _visible(self) -> list[Folder]:
        return sorted((one for one in self._holdings.folders.values() if not one.hidden), key=lambda one: one.name)


def _list_of(playlist: Playlist) -> str:
    return made_guid("list", playlist.id)


def _listing(
    rows: Iterable[Mapping[str, Any]], total: int, subfolders: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    return {
        "__type": "SessionResults:#Panopto.Data.DB.WebUI",
        "Results": list(rows),
        "TotalNumber": total,
        "ArchivedCount": None,
        "ContainsArchivedDeliveries": False,
        "FolderType": 0,
        "ParentFolderId": None,
        "Subfolders": list(subfolders),
    }


def _parameters(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = body.get("queryParameters")
    return found if isinstance(found, dict) else None


def _page_of(asked: Mapping[str, Any], most: int) -> tuple[int, int]:
    """The number of a page, and its rows; more than the most are not given."""
    page, size = asked.get("page"), asked.get("maxResults")
    return (page if isinstance(page, int) else 0), min(size if isinstance(size, int) else most, most)


def _fits(name: str, words: str) -> bool:
    found = re.findall(r"\w+", name.lower())
    return all(any(one.startswith(word) for one in found) for word in re.findall(r"\w+", words.lower()))


def _fault(code: str, text: str) -> Response:
    """A fault of the services: XML, whatever was accepted."""
    return Response(_FAULT.format(code=code, text=text), 500, media_type="application/xml")


def _null_reference() -> Response:
    return _fault("InternalServiceFault", "Object reference not set to an instance of an object.")
