"""The web server of `coursefs open`: the files of the mount for a browser on this machine, to read.

A browser may refuse to read the files beside a page that was opened as a file.  So the same pages are served on a port
of 127.0.0.1.  Every user, program and web page of this machine can reach that port: it answers only who comes with a
token, once for each token, and then with the cookie that the browser got for it.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import socket
from collections import deque
from collections.abc import Iterable
from typing import cast
from urllib.parse import quote

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from hypercorn.typing import Framework
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from coursefs.base.crash_messages import log_unforeseen
from coursefs.daemon.web_live import LIVE, LiveAnswers
from coursefs.daemon.web_requests import NoSuchRange, Shown, address_of, listing, names_of, shown_as, span_of
from coursefs.errors import CoursefsError, Gone, leaf
from coursefs.library import ROOT, Handle, Library, Node

log = logging.getLogger(__name__)

_INDEX = "index.html"
_ICON = ("favicon.ico",)  # browsers ask for it by themselves, and complain where there is none
_PIECE = 256 * 1024
_MOST_AT_ONCE = 32  # requests that are answered; a browser makes six
_MOST_TOKENS = 64  # the oldest is forgotten
_MOST_SESSIONS = 256
#: seconds beyond the time limit of a read, as for requests of the kernel
_MARGIN = 10.0


class WebServer:
    """Serves the files of a library on a free port of 127.0.0.1; it has its port at once."""

    def __init__(self, library: Library) -> None:
        """Raises `OSError` where there is no port."""
        self._files = library.files
        self._live = LiveAnswers(library, self._found)
        self._deadline = library.read_timeout + _MARGIN
        self._room = trio.CapacityLimiter(_MOST_AT_ONCE)
        self._tokens: deque[str] = deque(maxlen=_MOST_TOKENS)
        self._sessions: deque[str] = deque(maxlen=_MOST_SESSIONS)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.bind(("127.0.0.1", 0))
            self._socket.listen()
        except OSError:
            self._socket.close()
            raise
        self.port = int(self._socket.getsockname()[1])
        self._cookie = f"coursefs-{self.port}"  # browsers do not tell ports apart in cookies

    def url_of(self, names: Iterable[str]) -> str:
        """A URL that leads to a file or directory, once."""
        self._tokens.append(secrets.token_urlsafe(32))
        return f"http://127.0.0.1:{self.port}/?token={self._tokens[-1]}&to={address_of(list(names))}"

    async def run(self) -> None:
        """Answer requests until it is cancelled."""
        config = Config()
        config.bind = [f"fd://{self._socket.detach()}"]  # closed by the server
        config.accesslog = config.errorlog = None  # they would have the token
        config.include_server_header = False
        config.h11_max_incomplete_size = 16 * 1024
        await serve(cast("Framework", self._answer), config, mode="asgi")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever fails ends it alone.  The server says its own start and end here, too."""
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
        if scope["type"] != "http":
            return
        is_begun = False

        async def sent(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            self._room.acquire_nowait()
        except trio.WouldBlock:
            await _line(503, "too many requests at once", {"Retry-After": "1"})(scope, receive, send)
            return
        try:
            await self._answered(Request(scope, receive), sent)
        except Exception as error:
            found = leaf(error)
            if not isinstance(found, CoursefsError | trio.TooSlowError):
                log_unforeseen(log, "answering a browser", error)
            if is_begun:
                raise  # the connection is closed, so that the browser sees that bytes are missing
            await _refused(found)(scope, receive, send)
        finally:
            self._room.release()

    async def _answered(self, request: Request, send: Send) -> None:
        scope, receive = request.scope, request.receive
        refusal = self._refusal(request)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        names = names_of(scope["raw_path"])
        with trio.fail_after(self._deadline):
            is_live = names is not None and names[:1] == (LIVE,)
            node = None if names is None or is_live else await self._found(names)
            if names is not None and is_live:
                live = await self._live.answer(names, request.query_params, _headers)
                response = live or _line(404, "there is no such page")
            elif names == _ICON and node is None:
                response = Response(status_code=204)
            elif names is None or node is None:
                response = _line(404, "there is no such file")
            elif node.is_directory:
                response = await self._directory(node, names)
            else:
                handle = await self._files.open(node.inode, is_watched=request.method == "GET")
                response = None
        if response is not None:
            await response(scope, receive, send)
            return
        try:
            await self._file(handle, request)(scope, receive, send)
        finally:
            handle.close()

    # -- who may read ------------------------------------------------------------------------------------------------

    def _refusal(self, request: Request) -> Response | None:
        """The response to a request that is not for a file, or that may not read any; None: it may."""
        if request.headers.getlist("host") not in ([f"127.0.0.1:{self.port}"], [f"localhost:{self.port}"]):
            return _line(421, "ask for 127.0.0.1")
        if request.method not in {"GET", "HEAD"}:
            return _line(405, "GET and HEAD only", {"Allow": "GET, HEAD"})
        session = request.cookies.get(self._cookie, "")
        is_known = _is_among(session, self._sessions)
        token = request.query_params.get("token") if request.url.path == "/" else None
        if token is None:
            return None if is_known else _line(403, "run coursefs open to read this")
        if not is_known and (request.method != "GET" or not _is_among(token, self._tokens)):
            return _line(403, "this link was used already; run coursefs open again")
        names = names_of(quote(request.query_params.get("to", "/")).encode())
        response = _redirect(names or ())
        if not is_known:
            self._sessions.append(secrets.token_urlsafe(32))
            response.set_cookie(self._cookie, self._sessions[-1], path="/", httponly=True, samesite="strict")
        if _is_among(token, self._tokens):
            self._tokens.remove(token)
        return response

    # -- what is read ------------------------------------------------------------------------------------------------

    async def _found(self, names: tuple[str, ...]) -> Node | None:
        node = self._files.node(ROOT)
        for name in names:
            child = await self._files.child(node.inode, name) if node.is_directory else None
            if child is None:
                return None
            node = child
        return node

    async def _directory(self, node: Node, names: tuple[str, ...]) -> Response:
        """The way to the page of a directory, or a list of its children where it has none."""
        if await self._files.child(node.inode, _INDEX) is not None:
            return _redirect((*names, _INDEX))
        children = sorted(child.name for child in await self._files.children(node.inode))
        shown = shown_as(_INDEX, "text/html", is_ours=True)
        return Response(listing(names, children), headers=_headers(shown))

    def _file(self, handle: Handle, request: Request) -> Response:
        """The response with the bytes of a file, or those of them that are asked for."""
        node, asked = handle.node, request.headers
        size, etag = node.size or 0, _etag(node)
        shown = shown_as(node.name, node.mime_type, is_ours=node.identity is None, has_script=node.is_generated)
        headers = {**_headers(shown), "ETag": etag, "Accept-Ranges": "bytes"}
        if etag in [one.strip() for one in asked.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        wanted = asked.get("range") if asked.get("if-range", etag) == etag and request.method == "GET" else None
        try:
            span = span_of(wanted, size)
        except NoSuchRange:
            return _line(416, "the file has no such bytes", {"Content-Range": f"bytes */{size}"})
        start, end = span or (0, size)
        headers["Content-Length"] = str(end - start)
        if span is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        if request.method == "HEAD":
            return Response(headers=headers)
        return StreamingResponse(
            _Pieces(handle, start, end, self._deadline), status_code=206 if span else 200, headers=headers
        )


class _Pieces:
    """The bytes of an open file from `start` to `end`, a piece at a time; an error ends them."""

    def __init__(self, handle: Handle, start: int, end: int, deadline: float) -> None:
        self._handle = handle
        self._offset = start
        self._end = end
        self._deadline = deadline

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> bytes:
        if self._offset >= self._end:
            raise StopAsyncIteration
        with trio.fail_after(self._deadline):
            data = bytes(await self._handle.read(self._offset, min(_PIECE, self._end - self._offset)))
        if not data:
            raise CoursefsError("the file is shorter now")
        self._offset += len(data)
        return data


def _is_among(secret: str, known: Iterable[str]) -> bool:
    """Whether a secret is known; the time that it takes does not tell how much of a wrong one is right."""
    return any(secrets.compare_digest(secret.encode(), one.encode()) for one in known)


def _redirect(names: Iterable[str]) -> Response:
    return _line(303, "it is elsewhere", {"Location": address_of(list(names))})


def _line(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """A response of one plain line."""
    shown = shown_as("", "text/plain", is_ours=False)
    return Response(f"{text}\n", status_code=status, headers={**_headers(shown), **(headers or {})})


def _refused(error: BaseException) -> Response:
    """The response to a request that failed before anything was sent."""
    if isinstance(error, Gone):
        return _line(404, str(error))
    if isinstance(error, CoursefsError):
        return _line(503, str(error))
    return _line(504, "it took too long") if isinstance(error, trio.TooSlowError) else _line(500, "the log says more")


def _headers(shown: Shown) -> dict[str, str]:
    headers = {
        "Content-Type": shown.content_type,
        "Content-Security-Policy": shown.policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-cache",
    }
    return {**headers, "Content-Disposition": "attachment"} if shown.is_download else headers


def _etag(node: Node) -> str:
    """The ETag of this version of a file."""
    version = repr((node.inode, node.identity, node.size, node.etag, node.modified_ns, node.mtime_ns))
    return f'"{hashlib.blake2b(version.encode(errors="surrogatepass"), digest_size=16).hexdigest()}"'
