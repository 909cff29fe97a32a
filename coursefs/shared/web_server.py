"""The web server of `coursefs serve-cache`: a folder of pieces over HTTP, for other machines of the same house.

It serves what `web.py` asks for.  A piece never changes, so every answer with one may be kept for ever by web caches in
front (squid, varnish, nginx).  It never reads what is in a piece; before it takes one it checks the signature, so that
nobody without the key can fill the disk.  Names are checked too: nothing outside of the folder can be reached.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from time import time

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from coursefs.base import threads
from coursefs.shared.keys import SharedKey
from coursefs.shared.pieces import MOST_SEALED, BadPiece, require_signed
from coursefs.shared.tier import Tier, TierFailed

_NAME = re.compile(r"[0-9a-f]{64}")
_CLAIM = re.compile(r"[0-9a-f]{64}\.claim")
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_NOW = {"Cache-Control": "no-store"}
_WAIT = re.compile(r"wait=(\d{1,4})")
#: seconds that an answer waits for a piece, at most
_LONGEST_WAIT = 10


def application(tier: Tier, key: SharedKey) -> Starlette:
    """The web application; a token in the key is demanded of every request."""

    def checked(answer: Callable[[Request, str], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            name = request.path_params["name"]
            if request.path_params["part"] != name[:2] or not (_NAME.fullmatch(name) or _CLAIM.fullmatch(name)):
                return Response(status_code=404, headers=_NOW)
            if key.token and not _has_token(request, key.token):
                return Response(status_code=401, headers={**_NOW, "WWW-Authenticate": "Bearer"})
            try:
                return await answer(request, name)
            except TierFailed as error:
                is_full = "full" in str(error) or "No space" in str(error)
                return Response(status_code=507 if is_full else 503, headers=_NOW)
            except ClientDisconnect:
                return Response(status_code=400, headers=_NOW)

        return respond

    async def get(request: Request, name: str) -> Response:
        if request.method == "HEAD":
            age = await tier.age(name)
            return Response(status_code=404, headers=_NOW) if age is None else Response(headers=_headers(name, age))
        data = await tier.get(name, wait=_wait(request))
        if data is None:
            return Response(status_code=404, headers=_NOW)
        return Response(data, headers=_headers(name, 0.0), media_type="application/octet-stream")

    async def put(request: Request, name: str) -> Response:
        data = await _body(request, 0 if _CLAIM.fullmatch(name) else MOST_SEALED)
        if data is None:
            return Response(status_code=413, headers=_NOW)
        if not _CLAIM.fullmatch(name):
            try:
                await threads.run_sync(require_signed, name, data, key)
            except BadPiece:
                return Response(status_code=422, headers=_NOW)
        is_new = await tier.put(name, data, only_new=request.headers.get("if-none-match") == "*")
        return Response(status_code=201 if is_new else 412, headers=_NOW)

    async def delete(_: Request, name: str) -> Response:
        if not _CLAIM.fullmatch(name):  # pieces are removed on this machine, never from another one
            return Response(status_code=405, headers=_NOW)
        await tier.remove(name)
        return Response(status_code=204, headers=_NOW)

    path = "/{part}/{name}"
    return Starlette(
        routes=[
            Route(path, checked(get), methods=["GET", "HEAD"]),
            Route(path, checked(put), methods=["PUT"]),
            Route(path, checked(delete), methods=["DELETE"]),
        ]
    )


def _has_token(request: Request, token: str) -> bool:
    return hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode())


def _headers(name: str, age: float) -> dict[str, str]:
    now = time()
    dates = {"Date": formatdate(now, usegmt=True), "Last-Modified": formatdate(now - age, usegmt=True)}
    return {**dates, **(_NOW if _CLAIM.fullmatch(name) else {**_FOREVER, "ETag": f'"{name}"'})}


def _wait(request: Request) -> float:
    found = _WAIT.search(request.headers.get("prefer", ""))
    return min(float(found[1]), _LONGEST_WAIT) if found else 0.0


async def _body(request: Request, most: int) -> bytes | None:
    """The body of a request; None when it is longer than `most`."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            return None
    return bytes(body)
