"""The media pages of a sample server, which need the cookie, and the host that downloads are redirected to.

Without a sign-in they redirect to the sign-in page, whose status is 200.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from coursefs.demo.panopto.signing_in import COOKIE, USER_ID, USER_KEY, USER_NAME, SignIns
from coursefs.demo.panopto.tree import Holdings, Recording
from coursefs.demo.panopto.web import LOGIN, SIGN_IN_PAGE

#: seconds from 1601, with which the viewer counts, to 1970
_EPOCH = 11_644_473_600


class Deliveries:
    """URLs on the media host.

    That of a download is valid for one GET, and for any number of HEADs before it; that of a stream for all until
    `end_streams`.
    """

    def __init__(self) -> None:
        self.base = ""  # URL of the media host
        self.ranges = True  # whether it supports range requests
        self.answers_head = True
        self._open: dict[str, Path] = {}
        self._streams: dict[str, Path] = {}

    def url(self, file: Path) -> str:
        """A new URL of a file."""
        token = secrets.token_urlsafe(24)
        self._open[token] = file
        return f"{self.base}/sessions/{token}/{file.name}?Signature={secrets.token_urlsafe(16)}"

    def stream_url(self, file: Path) -> str:
        """A new URL of a stream."""
        token = secrets.token_urlsafe(24)
        self._streams[token] = file
        return f"{self.base}/sessions/{token}/{file.name}?InvocationID={secrets.token_urlsafe(8)}"

    def end_streams(self) -> None:
        """Refuse the URLs of streams that were given so far."""
        self._streams.clear()

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
        file = self._streams.get(token) or (self._open.get(token) if is_head else self._open.pop(token, None))
        if file is None:
            return Response("<Error><Code>AccessDenied</Code></Error>", 403, media_type="application/xml")
        if not self.ranges:
            request.scope["headers"] = [one for one in request.scope["headers"] if one[0] != b"range"]
        return FileResponse(file)


class MediaPages:
    """Downloads, captions, slides, and the data of the viewer."""

    def __init__(self, holdings: Holdings, sign_ins: SignIns, deliveries: Deliveries) -> None:
        self._holdings = holdings
        self._sign_ins = sign_ins
        self._deliveries = deliveries
        self.pages = False  # without a sign-in: the sign-in page itself, not a redirect to it

    def routes(self) -> list[Route]:
        """All routes."""
        return [
            Route("/Panopto/Podcast/Download/{id}.mp4", self._guarded(self._download), methods=["GET", "HEAD"]),
            Route("/Panopto/Pages/Transcription/GenerateSRT.ashx", self._guarded(self._captions), methods=["GET"]),
            Route("/Panopto/Pages/Viewer/Image.aspx", self._guarded(self._slide), methods=["GET", "HEAD"]),
            Route("/Panopto/Pages/Viewer/DeliveryInfo.aspx", self._delivery, methods=["GET", "POST"]),
        ]

    def _guarded(self, answer: Callable[[Request], Response]) -> Any:
        async def respond(request: Request) -> Response:
            if not self._sign_ins.has_cookie(request):
                return (
                    HTMLResponse(SIGN_IN_PAGE)
                    if self.pages
                    else RedirectResponse(f"{LOGIN}?ReturnUrl={request.url.path}", 302)
                )
            return answer(request)

        return respond

    def _download(self, request: Request) -> Response:
        session = self._holdings.sessions.get(request.path_params["id"])
        target = request.query_params.get("mediaTargetType")
        file = None if session is None else session.audio if target == "audioPodcast" else session.video
        if session is None or file is None:
            return HTMLResponse("<html>Not found</html>", 404)
        if not session.download:
            return HTMLResponse("<html>Forbidden</html>", 403)
        if session.streams_only:
            return HTMLResponse("<html>Not found</html>", 404)
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
        """The viewer's data, asked for with a query or a form; errors have the status 200."""
        asked = dict(request.query_params)
        if request.method == "POST":
            asked |= dict(parse_qsl((await request.body()).decode()))
        if not self._sign_ins.has_cookie(request):
            return JSONResponse({"ErrorCode": 2, "ErrorMessage": "<p>You are not <b>logged in</b>.</p>"})
        session = self._holdings.sessions.get(asked.get("deliveryId", ""))
        if session is None or asked.get("responseType") != "json":
            return JSONResponse({"ErrorCode": 4, "ErrorMessage": "<p>No such delivery</p>"})
        if not session.shared and not self._holdings.is_visible(session.folder):
            return JSONResponse({"ErrorCode": 3, "ErrorMessage": "<p>You have no access</p>"})
        if asked.get("getCaptions", "").lower() == "true":
            return JSONResponse(_spoken(session, asked.get("language", "")))
        stream = None if session.video is None else self._deliveries.stream_url(session.video)
        download = f"/Panopto/Podcast/Download/{session.id}.mp4?mediaTargetType=videoPodcast"
        response = JSONResponse(
            {
                "SessionId": session.id,
                "UserId": USER_ID.upper(),
                "UserKey": USER_KEY,
                "UserName": USER_NAME,
                "UserEmail": "ada@example.edu",
                "DownloadUrl": download if session.download and session.video is not None else None,
                "Delivery": _told(session, stream),
            }
        )
        if asked.get("refreshAuthCookie") == "true":
            response.set_cookie(COOKIE, self._sign_ins.new_cookie(request.cookies[COOKIE]), path="/", httponly=True)
        return response


def _told(session: Recording, stream: str | None) -> dict[str, Any]:
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
        "PodcastStreams": [] if stream is None else [_stream(stream)],
        "SessionStartTime": _since_1601(session.start),
        "RehydrationAvailable": session.archived,
        "AIChapters": [{"Start": time, "Summary": summary} for time, summary in session.ai_chapters],
        "Timestamps": [*slides, *chapters],
        "Contributors": [{"DisplayName": "Somebody", "UserKey": "x"}],
    }


def _spoken(session: Recording, language: str) -> list[dict[str, Any]]:
    """The captions of a language by its number, as the viewer gets them: seconds, and the text of each."""
    file = session.captions.get(int(language)) if language.isdecimal() else None
    if file is None or not file.exists():
        return []
    return [_cue(block.split("\n")) for block in file.read_text().strip().split("\n\n")]


def _cue(lines: Sequence[str]) -> dict[str, Any]:
    """A caption from the lines of an SRT file: its number, its time, its text."""
    start, end = (_seconds(stamp) for stamp in lines[1].split(" --> "))
    return {"Time": start, "Duration": end - start, "Caption": "\n".join(lines[2:])}


def _seconds(stamp: str) -> float:
    hours, minutes, seconds = stamp.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _stream(url: str) -> dict[str, Any]:
    """A podcast stream with the fields that matter; the others are null in all known replies."""
    return {
        "StreamUrl": url,
        "StreamHttpUrl": None,
        "StreamTypeName": "Streaming",
        "Tag": "DV",
        "ViewerMediaFileTypeName": "mp4",
        "Variants": None,
    }


def _since_1601(start: str | None) -> float | None:
    return None if start is None else datetime.fromisoformat(start).timestamp() + _EPOCH
