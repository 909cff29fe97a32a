"""The control port for tests: the requests so far, and the faults to simulate. Off by default."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coursefs.demo.faults import Faults, Switchboard, read_faults
from coursefs.demo.journal import Journal
from coursefs.demo.sessions import Sessions
from coursefs.demo.signing import Signer


class Control:
    """`GET`/`DELETE /requests`, `GET`/`POST`/`DELETE /faults` and `POST /session`.

    Besides the fields of `Faults`, `{"expire_urls": true}` expires every URL that was signed so far. A new session ends
    the old one; the reply is its cookie.
    """

    def __init__(
        self,
        journal: Journal,
        switchboard: Switchboard,
        signer: Signer,
        sessions: Sessions,
        apply: Callable[[Faults], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._switchboard = switchboard
        self._signer = signer
        self._sessions = sessions
        self._apply = apply

    def app(self) -> Starlette:
        """The port as an ASGI application."""
        return Starlette(
            routes=[
                Route("/requests", self._requests, methods=["GET", "DELETE"]),
                Route("/session", self._session, methods=["POST"]),
                Route("/faults", self._faults, methods=["GET", "POST", "DELETE"]),
            ]
        )

    async def _requests(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._journal.clear()
        return JSONResponse({"requests": self._journal.as_json(), "mutations": self._journal.mutations})

    async def _session(self, _: Request) -> Response:
        return JSONResponse({"cauth": self._sessions.renew()})

    async def _faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            await self._apply(Faults())
        elif request.method == "POST":
            try:
                values = dict(json.loads(await request.body()))
                expire = values.pop("expire_urls", False)
                faults = read_faults(self._switchboard.current, values)
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
            await self._apply(faults)
            if expire:
                self._signer.revoke()
        return JSONResponse(asdict(self._switchboard.current))
