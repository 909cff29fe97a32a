"""The pages of a sample server that want the cookie, and the host that downloads are redirected to.

Whoever is not signed in is not refused: a redirect leads to a page to sign in on, with the status of success.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from coursefs.demo.panopto.signing_in import SignIns
from coursefs.demo.panopto.tree import Holdings, Session

_LOGIN = "/Panopto/Pages/Auth/Login.aspx"
_PAGE = "<!doctype html><html><title>Sign in</title><form method=post></form></html>"


class Deliveries:
    """Addresses on the media host: each is good for one GET, and for any number of HEADs until then."""

    def __init__(self) -> None:
        self.base = ""  # where the media host answers
        self.ranges = True  # whether it honours them
        self.answers_head = True
        self._open: dict[str, Path] = {}

    def url(self, file: Path) -> str:
        """A new address of a file."""
        token = secrets.token_urlsafe(24)
        self._open[token] = file
        return f"{self.base}/sessions/{token}/{file.name}?Signature={secrets.token_urlsafe(16)}"

    def app(self) -> Starlette:
        """The media host as an ASGI application."""
        return Starlette(routes=[Route("/sessions/{token}/{name}", self._answer, methods=["GET", "HEAD"])])

    async def _answer(self, request: Request) -> Response:
        if "cookie" in request.headers or "authorization" in request.headers:
            return Response("this host takes no cookies and no credentials", 400)
        token = request.path_params["token"]
        is_head = request.method == "HEAD"
        if is_head and not self.answers_head:
            return Response(status_code=403)
        file = self._open.get(token) if is_head else self._open.pop(token, None)
        if file is None:
            return Response("<Error><Code>AccessDenied</Code></Error>", 403, media_type="application/xml")
        if not self.ranges:
            request.scope["headers"] = [one for one in request.scope["headers"] if one[0] != b"range"]
        return FileResponse(file)


class MediaPages:
    """Downloads, captions, slides, and what the viewer is told."""

    def __init__(self, holdings: Holdings, sign_ins: SignIns, deliveries: Deliveries) -> None:
        self._holdings = holdings
        self._sign_ins = sign_ins
        self._deliveries = deliveries

    def routes(self) -> list[Route]:
        """Every page."""
        return [
            Route(_LOGIN, self._login, methods=["GET", "HEAD"]),
            Route("/Panopto/Podcast/Download/{id}.mp4", self._guarded(self._download), methods=["GET", "HEAD"]),
            Route("/Panopto/Pages/Transcription/GenerateSRT.ashx", self._guarded(self._captions), methods=["GET"]),
            Route("/Panopto/Pages/Viewer/Image.aspx", self._guarded(self._slide), methods=["GET", "HEAD"]),
            Route("/Panopto/Pages/Viewer/DeliveryInfo.aspx", self._delivery, methods=["GET", "POST"]),
        ]

    def _guarded(self, answer: Callable[[Request], Response]) -> Any:
        async def respond(request: Request) -> Response:
            if not self._sign_ins.has_cookie(request):
                return RedirectResponse(_LOGIN, 302)
            return answer(request)

        return respond

    async def _login(self, _request: Request) -> Response:
        return HTMLResponse(_PAGE)

    def _download(self, request: Request) -> Response:
        session = self._holdings.sessions.get(request.path_params["id"])
        target = request.query_params.get("mediaTargetType")
        file = None if session is None else session.audio if target == "audioPodcast" else session.video
        if session is None or file is None:
            return HTMLResponse("<html>Not found</html>", 404)
        if not session.download:
            return HTMLResponse("<html>Forbidden</html>", 403)
        return RedirectResponse(self._deliveries.url(file), 302)

    def _captions(self, request: Request) -> Response:
        session = self._holdings.sessions.get(request.query_params.get("id", ""))
        if session is None:
            return HTMLResponse("<html>no such session</html>")
        language = request.query_params.get("language", "")
        if language.isdecimal():
            file = session.captions.get(int(language))
        else:
            file = session.default_captions or next(iter(session.captions.values()), None)
        text = file.read_text() if file is not None and file.exists() else ""
        return Response(text, media_type="text/plain; charset=utf-8")

    def _slide(self, request: Request) -> Response:
        session = self._holdings.sessions.get(request.query_params.get("id", ""))
        number = request.query_params.get("number", "")
        if session is None or not number.isdecimal() or not 1 <= int(number) <= len(session.slides):
            return HTMLResponse("<html>no such slide</html>")
        return FileResponse(session.slides[int(number) - 1])

    async def _delivery(self, request: Request) -> Response:
        """Errors come with the status of success."""
        if not self._sign_ins.has_cookie(request):
            return JSONResponse({"ErrorCode": 2, "ErrorMessage": "<p>You are not <b>logged in</b>.</p>"})
        session = self._holdings.sessions.get(request.query_params.get("deliveryId", ""))
        if session is None:
            return JSONResponse({"ErrorCode": 4, "ErrorMessage": "<p>No such delivery</p>"})
        return JSONResponse({"SessionId": session.id, "UserKey": "somebody", "Delivery": _told(session)})


def _told(session: Session) -> dict[str, Any]:
    slides = [
        {
            "Time": 5.0 * number,
            "Caption": None,
            "EventTargetType": "PowerPoint",
            "ObjectIdentifier": session.id,
            "ObjectSequenceNumber": str(number),
        }
        for number in range(1, len(session.slides) + 1)
    ]
    chapters = [
        {"Time": time, "Caption": caption, "EventTargetType": "ObjectVideo", "ObjectSequenceNumber": None}
        for time, caption in session.chapters
    ]
    return {
        "SessionName": session.name,
        "Duration": session.duration,
        "HasCaptions": bool(session.captions),
        "AvailableLanguages": list(session.captions),
        "IsPodcastEncodeComplete": session.video is not None,
        "IsAudioPodcastEncodeComplete": session.audio is not None,
        "PodcastStreams": [] if session.video is None else [{"StreamHttpUrl": None}],
        "Timestamps": [*slides, *chapters],
        "Contributors": [{"DisplayName": "Somebody", "UserKey": "x"}],
    }
