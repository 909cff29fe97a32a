"""The web server of `coursefs serve-cache`: a folder of pieces over HTTP, for other machines of the same house.

It serves what `web.py` asks for.  A piece never changes, so every answer with one may be kept for ever by web caches in
front (squid, varnish, nginx); no answer about a claim may, nor one that there is no piece.  It never reads what is in a
piece; before it takes one it checks the signature, so that nobody without the key can fill the disk.  Names are checked
too: nothing outside of the folder can be reached.
"""

from __future__ import annotations

import hmac
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from email.utils import formatdate
from functools import partial
from time import time
from types import MappingProxyType

import trio
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from coursefs.base import threads
from coursefs.shared.keys import SharedKey
from coursefs.shared.pieces import MOST_SEALED, BadPiece, require_signed
from coursefs.shared.tier import CLAIM_SUFFIX, FullTier, Tier, TierFailed

_NAME = re.compile(r"[0-9a-f]{64}")
_CLAIM = re.compile(rf"[0-9a-f]{{64}}\{CLAIM_SUFFIX}")
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_NOW = {"Cache-Control": "no-store"}
_WAIT = re.compile(r"wait=(\d{1,4})")
_URGENCY = re.compile(r"(?:^|[,\s])u=([0-7])")
#: what a program waits for has at most this number (RFC 9218, section 4.1: 3 is the default, 7 the least urgent)
_URGENT = 3
#: pieces that are sent at once although no program waits for them, and seconds that one of them waits at most
_OTHERS_AT_ONCE = 4
_LONGEST_WAIT_FOR_TURN = 1.0
#: seconds for which a piece that is being sent counts: the program gives up then, and its machine may be asleep
_LONGEST_TURN = 2.0
#: seconds that an answer waits for a piece, at most
_LONGEST_WAIT = 10
#: seconds between two looks for a piece that is waited for: others may put it into the folder as well
_LOOK_EVERY = 0.5
#: seconds until a folder that does not answer is a failure; a machine that asks waits for two
_PATIENCE = 5.0


def application(tier: Tier, key: SharedKey) -> Starlette:
    """The web application; a token in the key is demanded of every request."""
    server = _Server(tier, key)

    def checked(answer: Callable[[Request, str], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            name = request.path_params["name"]
            if request.path_params["part"] != name[:2] or not (_NAME.fullmatch(name) or _CLAIM.fullmatch(name)):
                return _status(404)
            try:
                with trio.fail_after(_PATIENCE + _wait(request)):
                    if not key.token or _has_token(request, key.token):
                        return await answer(request, name)
                    await _body(request, MOST_SEALED)  # varnish says 503 where the answer comes before it is read
                    return _status(401, {"WWW-Authenticate": "Bearer"})
            except FullTier:
                return _status(507)
            except (TierFailed, trio.TooSlowError):
                return _status(503)
            except ClientDisconnect:
                return _status(400)

        return respond

    path = "/{part}/{name}"
    return Starlette(
        routes=[
            Route(path, checked(server.get), methods=["GET", "HEAD"]),
            Route(path, checked(server.put), methods=["PUT"]),
            Route(path, checked(server.delete), methods=["DELETE"]),
        ]
    )


def config(bound: socket.socket) -> Config:
    """The settings of hypercorn to serve the application on a bound socket, which it closes."""
    settings = Config()
    settings.bind = [f"fd://{bound.detach()}"]
    settings.accesslog = settings.errorlog = None
    settings.include_server_header = settings.include_date_header = False  # a date is in each answer that needs one
    settings.keep_alive_timeout = 60
    return settings


class _Turns:
    """Which pieces are sent now: those that a program waits for; while there are none of them, a few others.

    All machines share the link of this one.  When forty begin a lecture at once, the first bytes for the last machine
    must not wait for what the first one reads ahead.
    """

    def __init__(self) -> None:
        # the pieces that are being sent, and when they do not count any more
        self._urgent: dict[object, float] = {}
        self._others: dict[object, float] = {}
        self._ended = trio.Event()  # set, and replaced by a new one, when a turn ends

    async def begin(self, *, urgent: bool) -> Callable[[], None]:
        """Wait for the turn of a piece, for `_LONGEST_WAIT_FOR_TURN` seconds at most; returns what ends it."""
        turn = object()
        if not urgent:
            with trio.move_on_after(_LONGEST_WAIT_FOR_TURN):
                while (begins := self._begins_at(trio.current_time())) > trio.current_time():
                    with trio.move_on_at(begins):
                        await self._ended.wait()
        (self._urgent if urgent else self._others)[turn] = trio.current_time() + _LONGEST_TURN
        return partial(self._end, turn)

    def _begins_at(self, now: float) -> float:
        """When the next of the others may be sent, unless a turn ends before."""
        others = sorted(self._others.values(), reverse=True)
        return max([now, *self._urgent.values(), *others[_OTHERS_AT_ONCE - 1 : _OTHERS_AT_ONCE]])

    def _end(self, turn: object) -> None:
        self._urgent.pop(turn, None)
        self._others.pop(turn, None)
        self._ended.set()
        self._ended = trio.Event()


class _Piece(Response):
    """An answer with an object; its turn ends when it is sent."""

    def __init__(self, name: str, data: bytes, end_turn: Callable[[], None]) -> None:
        super().__init__(data, headers=_headers(name, 0.0), media_type="application/octet-stream")
        self._end_turn = end_turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end_turn()


class _Server:
    """The answers about one folder, and who waits for a piece in it."""

    def __init__(self, tier: Tier, key: SharedKey) -> None:
        self._tier = tier
        self._key = key
        self._turns = _Turns()
        self._waiting: dict[str, trio.Event] = {}  # by the name of the piece; set when it or its claim changes

    async def get(self, request: Request, name: str) -> Response:
        """An object, or what is known of it; for a claim with `Prefer: wait` whether its piece has come."""
        if _CLAIM.fullmatch(name) and (seconds := _wait(request)):
            has_come = await self._has_come(name.removesuffix(CLAIM_SUFFIX), seconds)
            return _status(200 if has_come else 404, {"Preference-Applied": f"wait={seconds:.0f}"})
        if request.method == "HEAD":
            age = await self._tier.age(name)
            if age is None:
                return _status(404)
            answer = Response(headers=_headers(name, age))
            del answer.headers["Content-Length"]  # not known; a wrong one would invalidate what a web cache has
            return answer
        end_turn = await self._turns.begin(urgent=_is_urgent(request))
        try:
            data = await self._tier.get(name)
            if data is not None:
                return _Piece(name, data, end_turn)
        except BaseException:
            end_turn()
            raise
        end_turn()
        return _status(404)

    async def put(self, request: Request, name: str) -> Response:
        """Write an object: a piece that is signed, or a claim."""
        data = await _body(request, 0 if _CLAIM.fullmatch(name) else MOST_SEALED)
        if data is None:
            return _status(413)
        if not _CLAIM.fullmatch(name):
            try:
                await threads.run_sync(require_signed, name, data, self._key)
            except BadPiece:
                return _status(422)
        is_new = await self._tier.put(name, data, only_new=request.headers.get("if-none-match") == "*")
        self._wake(name)
        return _status(201 if is_new else 412)

    async def delete(self, _: Request, name: str) -> Response:
        """Remove a claim.  Whoever has the folder may remove pieces, and nobody from afar."""
        if not _CLAIM.fullmatch(name):
            return _status(405)
        await self._tier.remove(name)
        self._wake(name.removesuffix(CLAIM_SUFFIX))
        return _status(204)

    async def _has_come(self, piece: str, seconds: float) -> bool:
        """Whether there is a piece, at once or within so many seconds; False as soon as its claim is removed."""
        with trio.move_on_after(seconds):
            while True:
                changed = self._waiting.setdefault(piece, trio.Event())  # before the look, so that no change is missed
                if await self._tier.age(piece) is not None:
                    return True
                try:
                    with trio.move_on_after(_LOOK_EVERY):
                        await changed.wait()
                        return await self._tier.age(piece) is not None
                finally:
                    if not changed.statistics().tasks_waiting and self._waiting.get(piece) is changed:
                        del self._waiting[piece]
        return False

    def _wake(self, name: str) -> None:
        if (changed := self._waiting.pop(name, None)) is not None:
            changed.set()


def _status(status: int, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    return Response(status_code=status, headers={**_NOW, **headers})


def _has_token(request: Request, token: str) -> bool:
    return hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode())


def _headers(name: str, age: float) -> dict[str, str]:
    now = time()
    dates = {"Date": formatdate(now, usegmt=True), "Last-Modified": formatdate(now - age, usegmt=True)}
    return {**dates, **(_NOW if _CLAIM.fullmatch(name) else {**_FOREVER, "ETag": f'"{name}"'})}


def _wait(request: Request) -> float:
    found = _WAIT.search(request.headers.get("prefer", ""))
    return min(float(found[1]), _LONGEST_WAIT) if found else 0.0


def _is_urgent(request: Request) -> bool:
    found = _URGENCY.search(request.headers.get("priority", ""))
    return found is None or int(found[1]) <= _URGENT


async def _body(request: Request, most: int) -> bytes | None:
    """The body of a request; None when it is longer than `most`."""
    body = bytearray()
    async with aclosing(request.stream()) as parts:
        async for part in parts:
            body += part
            if len(body) > most:
                return None
    return bytes(body)
