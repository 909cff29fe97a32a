"""The API host: sign-in, cookies, routes and replies; `naptime` has the protocol."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from coursefs.demo.faults import Faults, Switchboard
from coursefs.demo.graphql import GraphQL
from coursefs.demo.naptime import (
    Query,
    Refusal,
    Resource,
    encode,
    envelope,
    not_authorized,
    not_found,
    routing_error,
    weak_etag,
)
from coursefs.demo.ranges import none_is_new
from coursefs.demo.resources import DEFAULT_FIELDS
from coursefs.demo.sessions import LIFE, Sessions
from coursefs.demo.signing import Signer

#: resources of which it is not known whether they take several ids
_ONE_BY_ONE = frozenset({"onDemandLectureVideos.v1", "onDemandLectureAssets.v1", "onDemandSupplements.v1"})
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_PAGE = '<!DOCTYPE html><html lang="en"><head><title>Coursera</title></head><body><div id="root"></div></body></html>'
_SUBTITLE_TYPES = {"srt": "application/x-subrip", "vtt": "text/vtt", "txt": "text/plain"}


class ApiHost:
    """Serves `/api/…`; every other path returns the page of the web application."""

    def __init__(
        self,
        resources: Mapping[str, Resource],
        subtitles: Mapping[tuple[str, str], Path],
        signer: Signer,
        switchboard: Switchboard,
        sessions: Sessions,
        graphql: GraphQL,
    ) -> None:
        self._graphql = graphql
        self._resources = resources
        self._subtitles = subtitles
        self._signer = signer
        self._switchboard = switchboard
        self._sessions = sessions
        self._anonymous_cookies = {
            "CSRF3-Token": f"1893456000.{secrets.token_urlsafe(12)}",
            "__204u": secrets.token_hex(16),
            "__400v": secrets.token_hex(16),
        }

    def app(self) -> Starlette:
        """The host as an ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=_METHODS)])

    async def _answer(self, request: Request) -> Response:
        delay = self._switchboard.current.api_delay
        if delay:
            await trio.sleep(delay)
        try:
            response = await self._reply(request)
        except Refusal as refusal:
            response = _json(encode(refusal.body), refusal.status)
        for name, value in self._anonymous_cookies.items():
            response.set_cookie(name, value, path="/")
        return response

    async def _reply(self, request: Request) -> Response:
        if self._is_confused(request):
            return PlainTextResponse("Confused deputy attack detected.", 400)
        host, _, path = request.scope["path"].strip("/").partition("/")
        if host == "graphql-gateway":
            return await self._graphql.answer(request, signed_in=self._is_signed_in(request))
        if host != "api":
            return HTMLResponse(_PAGE)
        name, _, key = path.partition("/")
        if name == "subtitleAssetProxy.v1":
            return await self._subtitle(request, key)
        if path == "login/v3" and request.method == "POST":
            return await self._log_in(request)
        if request.method not in {"GET", "HEAD"}:
            raise routing_error(f"'{request.method.lower()}'") if name in self._resources else not_authorized()
        if path == "users/v1/me/enrollments":
            raise not_found()
        faults = self._switchboard.current
        if name in faults.removed:
            return HTMLResponse(_PAGE)
        if any(one in path for one in faults.broken):
            return _json(b'{"elements":null}', 200)
        resource = self._resources.get(name)
        if resource is None or not _takes_json(request.headers.get("accept", "*/*")):
            return HTMLResponse(_PAGE)
        query = Query(dict(request.query_params))
        _require_single(name, query, faults)
        if not resource.is_public(query) and not self._is_signed_in(request):
            raise not_authorized()
        if resource.bare is not None:
            return _conditional(encode(resource.bare(key, query)), request)
        reply = envelope(name, resource.answer(key or None, query), query, DEFAULT_FIELDS)
        return _conditional(encode(reply), request)

    async def _log_in(self, request: Request) -> Response:
        """The password sign-in: the session comes as a cookie, the body only reports success."""
        cauth = self._sessions.log_in(request.headers, request.cookies, await request.body())
        response = _json(encode({"errorCode": "OK", "message": None, "details": None}), 200)
        response.set_cookie("CAUTH", cauth, max_age=LIFE, path="/", secure=True, httponly=True)
        return response

    def _is_signed_in(self, request: Request) -> bool:
        return not self._switchboard.current.refuse_sign_in and self._sessions.holds(request.cookies.get("CAUTH", ""))

    def _is_confused(self, request: Request) -> bool:
        """Whether the guard refuses a request, because it has cookies of this server without the matching header.

        The platform's guard refuses some requests that read, late in long runs; here it does so as a fault.
        """
        if not self._switchboard.current.confused_deputy:
            return False
        token = request.cookies.get("CSRF3-Token")
        if token is not None and request.headers.get("x-csrf3-token") == token:
            return False
        return not self._anonymous_cookies.keys().isdisjoint(request.cookies)

    async def _subtitle(self, request: Request, asset: str) -> Response:
        """A subtitle file: no session, no `Content-Length`, no ranges; only the signature is checked."""
        if request.method not in {"GET", "HEAD"}:
            raise routing_error(f"'{request.method.lower()}'")
        extension = request.query_params.get("fileExtension", "")
        file = self._subtitles.get((asset, extension))
        if file is None or not self._signer.subtitle_query_holds(asset, request.query_params):
            return PlainTextResponse("Forbidden", 403)
        response = Response(await trio.Path(file).read_bytes(), media_type=_SUBTITLE_TYPES[extension])
        del response.headers["content-length"]
        return response


def _require_single(name: str, query: Query, faults: Faults) -> None:
    """Refuse several ids of a resource that takes one at a time. Raises `Refusal`."""
    if name in _ONE_BY_ONE and "ids" in query.parameters and not faults.several:
        raise routing_error("'multi-get'")


def _takes_json(accept: str) -> bool:
    """Whether a client that sends this `Accept` takes JSON: by name, or as anything (most clients send `*/*`)."""
    kinds = {part.partition(";")[0].strip() for part in accept.split(",")}
    return not kinds.isdisjoint({"application/json", "application/*", "*/*", ""})


def _conditional(body: bytes, request: Request) -> Response:
    """A whole reply, or 304 if the client has this version."""
    etag = weak_etag(body)
    if none_is_new(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers={"ETag": etag})
    response = _json(body, 200)
    response.headers["ETag"] = etag
    return response


def _json(body: bytes, status: int) -> Response:
    """A JSON reply, sent chunked, so that its length is not known before its end."""
    response = Response(body, status, media_type="application/json")
    del response.headers["content-length"]
    return response
