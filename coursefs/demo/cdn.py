"""The media host: signed URLs, ranges, and files sent in parts.

A signature is valid for GET only. Cookies count for nothing; a request with credentials of another kind is refused.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from coursefs.demo.faults import Switchboard
from coursefs.demo.ranges import Unsatisfiable, Validators, precondition, range_counts, requested_range
from coursefs.demo.signing import Signer

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_PART = 64 * 1024


class MediaHost:
    """Serves files, by their decoded path, for signed URLs."""

    def __init__(self, files: Mapping[str, Path], signer: Signer, switchboard: Switchboard) -> None:
        self._files = files
        self._signer = signer
        self._switchboard = switchboard

    def app(self) -> Starlette:
        """The host as an ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=_METHODS)])

    async def _answer(self, request: Request) -> Response:
        if "authorization" in request.headers:
            return _error(400, "BadRequest", "This host takes no credentials but a signature")
        failure = self._switchboard.take_failure()
        if failure is not None:
            return _error(failure, "InternalError", "Please try again")
        if request.method not in {"GET", "HEAD"}:
            return _error(405, "MethodNotAllowed", "The specified method is not allowed")
        path: str = request.scope["path"]
        file = self._files.get(path)
        signed = request.method == "GET" and self._signer.media_query_holds(path, request.query_params)
        if file is None or not signed:
            return _error(403, "AccessDenied", "Access denied")
        return await file_response(request, file, self._switchboard)


async def file_response(request: Request, file: Path, switchboard: Switchboard) -> Response:
    """A file, or the requested range of it, with its validators."""
    status = await trio.Path(file).stat()
    size = status.st_size
    current = Validators(
        etag=f'"{status.st_mtime_ns:x}-{size:x}"', last_modified=formatdate(int(status.st_mtime), usegmt=True)
    )
    headers = {"ETag": current.etag, "Last-Modified": current.last_modified, "Accept-Ranges": "bytes"}
    ended = precondition(request.headers, current)
    if ended == 304:
        return Response(status_code=304, headers=headers)
    if ended == 412:
        return _error(412, "PreconditionFailed", "At least one of the preconditions did not hold")
    try:
        counts = range_counts(request.headers.get("if-range"), current)
        part = requested_range(request.headers.get("range"), size) if counts else None
    except Unsatisfiable:
        return _error(
            416, "InvalidRange", "The requested range cannot be satisfied", {"Content-Range": f"bytes */{size}"}
        )
    first, end = part or (0, size)
    if part is not None:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
    return _FilePart(
        file,
        first,
        end,
        switchboard=switchboard,
        status_code=200 if part is None else 206,
        headers=headers,
        media_type=mimetypes.guess_type(file.name)[0] or "application/octet-stream",
    )


class _FilePart(Response):
    """Bytes `first` to `end` of a file, read and sent in parts until the end, or until the client disconnects."""

    def __init__(
        self,
        file: Path,
        first: int,
        end: int,
        *,
        switchboard: Switchboard,
        status_code: int,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        super().__init__(
            status_code=status_code, headers={**headers, "Content-Length": str(end - first)}, media_type=media_type
        )
        self._file = file
        self._first = first
        self._length = end - first
        self._switchboard = switchboard

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on_disconnect, receive, nursery.cancel_scope)
            await self._send_parts(send)
            nursery.cancel_scope.cancel()

    async def _send_parts(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with await trio.open_file(self._file, "rb") as file:
            await file.seek(self._first)
            sent = 0
            complete = False
            while not complete:
                size = await self._allowance(sent)
                part = await file.read(min(size, self._length - sent))
                sent += len(part)
                complete = sent == self._length
                if not part and not complete:
                    return  # the file has become shorter: the body ends too early
                await send({"type": "http.response.body", "body": part, "more_body": not complete})

    async def _allowance(self, sent: int) -> int:
        """Wait until bytes may be sent; return how many."""
        await self._switchboard.wait_until(lambda faults: faults.cdn_stall is None or sent < faults.cdn_stall)
        faults = self._switchboard.current
        size = _PART
        if faults.cdn_rate is not None:
            size = max(1, min(size, int(faults.cdn_rate / 10)))
            await trio.sleep(size / faults.cdn_rate)
        return size if faults.cdn_stall is None else min(size, faults.cdn_stall - sent)


async def _cancel_on_disconnect(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(body, status, headers, media_type="application/xml")
