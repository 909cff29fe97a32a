"""The API of a sample server: the read-only part of `/Panopto/api/v1`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coursefs.demo.panopto.limits import Counter
from coursefs.demo.panopto.signing_in import COOKIE, SignIns
from coursefs.demo.panopto.tree import Folder, Holdings, Playlist, Recording

ZERO = "00000000-0000-0000-0000-000000000000"
_BASE = "/Panopto/api/v1"

Answer = Callable[[Request], Response]


class ApiError(Exception):
    """An error reply."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Api:
    """Replies of the API; a page of a listing has `page_size` rows.

    `lists_top`: whether the top folders can be listed.
    """

    def __init__(
        self, holdings: Holdings, sign_ins: SignIns, counter: Counter, *, page_size: int, lists_top: bool
    ) -> None:
        self._holdings = holdings
        self._sign_ins = sign_ins
        self._counter = counter
        self._page_size = page_size
        self._lists_top = lists_top

    def routes(self) -> list[Route]:
        """All routes, each with a counter of its own."""
        table: dict[str, Answer] = {
            "/folders/search": self._search_folders,
            "/folders/creator": lambda request: self._page(request, []),
            "/folders/{id}": self._folder,
            "/folders/{id}/children": self._children,
            "/folders/{id}/sessions": self._sessions,
            "/folders/{id}/playlists": self._playlists,
            "/sessions/search": self._search_sessions,
            "/sessions/{id}": self._session,
            "/playlists/{id}": self._playlist,
            "/playlists/{id}/sessions": self._playlist_sessions,
            "/users/me/sessions/viewed": lambda request: self._page(request, []),
            "/auth/legacyLogin": self._legacy_login,
        }
        return [Route(_BASE + path, self._counted(path, answer), methods=["GET"]) for path, answer in table.items()]

    def _counted(self, endpoint: str, answer: Answer) -> Any:
        async def respond(request: Request) -> Response:
            if not self._sign_ins.bears(request):
                return Response(status_code=401)
            excess = self._counter.count(endpoint)
            if excess is not None:
                said = f"{excess.most} per {excess.seconds:g} s"
                return _error(429, "TooManyRequests", said, {"Retry-After": str(math.ceil(excess.wait))})
            try:
                return answer(request)
            except ApiError as refusal:
                return refusal.response

        return respond

    # -- folders

    def _folder(self, request: Request) -> Response:
        return JSONResponse(self._folder_row(self._known_folder(request)))

    def _children(self, request: Request) -> Response:
        visible = self._visible()
        if request.path_params["id"] == ZERO:
            tops = [one for one in visible if one.parent is None] if self._lists_top else []
            return self._page(request, map(self._folder_row, tops))
        parent = self._known_folder(request)
        return self._page(request, (self._folder_row(one) for one in visible if one.parent == parent.id))

    def _search_folders(self, request: Request) -> Response:
        words = _query(request)
        found = [one for one in self._visible() if not one.unlisted and _fits(one.name, words)]
        return self._page(request, map(self._folder_row, found))

    # -- recordings

    def _sessions(self, request: Request) -> Response:
        folder = self._known_folder(request)
        sessions = [one for one in self._holdings.sessions.values() if one.folder == folder.id]
        return self._page(request, (self._listed(request, one) for one in sessions))

    def _session(self, request: Request) -> Response:
        session = self._holdings.sessions.get(request.path_params["id"])
        if session is None:
            raise ApiError(_error(404, "NotFound", "The session does not exist"))
        if not self._holdings.is_visible(session.folder):
            raise ApiError(Response(status_code=403))
        row = self._listed(request, session)
        download = f"{_server(request)}/Panopto/Podcast/Download/{session.id}.mp4?mediaTargetType=videoPodcast"
        row["Urls"] = {**row["Urls"], "DownloadUrl": download if session.download else None}
        row["CreatedBy"] = {"Id": "5c4b3a29-1111-4000-8000-000000000001", "Username": "lecturer"}
        return JSONResponse(row)

    def _search_sessions(self, request: Request) -> Response:
        words = _query(request)
        found = [one for one in self._holdings.sessions.values() if _fits(one.name, words)]
        return self._page(request, (self._listed(request, one) for one in found))

    # -- playlists

    def _playlists(self, request: Request) -> Response:
        folder = self._known_folder(request)
        lists = [one for one in self._holdings.playlists.values() if one.folder == folder.id]
        return self._page(request, (self._playlist_row(request, one) for one in lists))

    def _playlist(self, request: Request) -> Response:
        return JSONResponse(self._playlist_row(request, self._known_playlist(request)))

    def _playlist_sessions(self, request: Request) -> Response:
        sessions = (self._holdings.sessions[one] for one in self._known_playlist(request).sessions)
        return self._page(request, (self._listed(request, one) for one in sessions))

    # -- the rest

    def _legacy_login(self, _request: Request) -> Response:
        response = Response(status_code=200)
        response.set_cookie("csrfToken", "demo", path="/")
        response.set_cookie(COOKIE, self._sign_ins.new_cookie(), path="/", httponly=True)
        return response

    def _known_folder(self, request: Request) -> Folder:
        folder = self._holdings.folders.get(request.path_params["id"])
        if folder is None:
            raise ApiError(_error(404, "NotFound", "The folder does not exist"))
        if folder.hidden:
            raise ApiError(Response(status_code=403))
        return folder

    def _known_playlist(self, request: Request) -> Playlist:
        playlist = self._holdings.playlists.get(request.path_params["id"])
        if playlist is None:
            raise ApiError(_error(404, "NotFound", "The playlist does not exist"))
        return playlist

    def _visible(self) -> Sequence[Folder]:
        return sorted((one for one in self._holdings.folders.values() if not one.hidden), key=lambda one: one.name)

    def _page(self, request: Request, rows: Iterable[dict[str, Any]]) -> Response:
        """One page; pages after the last one are empty. The page size cannot be requested."""
        number = request.query_params.get("pageNumber", "0")
        if not number.isdecimal():
            raise ApiError(_error(400, "BadRequest", "pageNumber"))
        start = int(number) * self._page_size
        return JSONResponse({"Results": list(rows)[start : start + self._page_size]})

    def _folder_row(self, folder: Folder) -> dict[str, Any]:
        parent = self._holdings.folders.get(folder.parent or "")
        return {
            "Id": folder.id,
            "Name": folder.name,
            "Description": None,
            "ParentFolder": None if parent is None else {"Id": parent.id, "Name": parent.name},
            "Urls": {"FolderUrl": None, "EmbedUrl": None, "ShareSettingsUrl": None},
        }

    def _listed(self, request: Request, session: Recording) -> dict[str, Any]:
        """A recording as listings contain it: without most of its URLs, and without its creator."""
        server = _server(request)
        captions = f"{server}/Panopto/Pages/Transcription/GenerateSRT.ashx?id={session.id}"
        folder = self._holdings.folders[session.folder]
        return {
            "Id": session.id,
            "Name": session.name,
            "Description": None,
            "StartTime": session.start,
            "Duration": session.duration,
            "MostRecentViewPosition": 0.0,
            "CreatedBy": {"Id": ZERO, "Username": None},
            "Urls": {
                "ViewerUrl": f"{server}/Panopto/Pages/Viewer.aspx?id={session.id}",
                "EmbedUrl": None,
                "ShareSettingsUrl": None,
                "DownloadUrl": None,
                "AudioDescriptionDownloadUrl": None,
                "CaptionDownloadUrl": captions if session.captions or session.default_captions else None,
                "EditorUrl": None,
                "ThumbnailUrl": None,
            },
            "Folder": session.folder,
            "FolderDetails": {"Id": folder.id, "Name": folder.name},
            "PercentCompleted": None,
        }

    def _playlist_row(self, request: Request, playlist: Playlist) -> dict[str, Any]:
        folder = self._holdings.folders[playlist.folder]
        viewer = f"{_server(request)}/Panopto/Pages/Viewer.aspx?pid={playlist.id}"
        return {
            "Id": playlist.id,
            "Name": playlist.name,
            "Description": None,
            "Folder": {"Id": folder.id, "Name": folder.name},
            "Urls": {"ViewerUrl": viewer, "EmbedUrl": None, "ThumbnailUrl": None},
        }


def _server(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _query(request: Request) -> str:
    words = request.query_params.get("searchQuery", "")
    if not words:
        raise ApiError(_error(400, "BadRequest", "searchQuery must not be empty"))
    return words


def _fits(name: str, words: str) -> bool:
    return words == "*" or any(word.lower().startswith(words.lower()) for word in name.split())


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    error = {"Success": False, "ErrorCode": code, "Message": message, "ErrorSource": "demo"}
    return JSONResponse({"Error": error}, status, headers)
