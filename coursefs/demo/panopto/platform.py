"""The sample server: its hosts on ports of 127.0.0.1, wired together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coursefs.demo.hosting import bound_to, serve_on, url_of
from coursefs.demo.journal import Journal
from coursefs.demo.panopto.api import Api
from coursefs.demo.panopto.limits import WINDOWS, Counter
from coursefs.demo.panopto.media import Deliveries, MediaPages
from coursefs.demo.panopto.signing_in import SignIns
from coursefs.demo.panopto.tree import Holdings
from coursefs.demo.panopto.web import READS, Manners, WebSite


@dataclass(frozen=True, slots=True)
class PanoptoAddresses:
    """The URLs of a server and of its media host."""

    server: str
    cdn: str
    control: str | None = None


class Panopto:
    """A sample server that holds these folders.

    `windows`: the request limits of an endpoint as (requests, seconds). `page_size`: rows of a page. `lists_top`:
    whether the top folders can be listed; some servers return nothing. `offers_clients`: whether users may make API
    clients. `manners`: what the servers differ in, of the web site. `now` returns seconds since 1970, `ticks` seconds
    of the clock for the request limits. `port`: its name in the journal.
    """

    def __init__(
        self,
        holdings: Holdings,
        *,
        journal: Journal | None = None,
        windows: Sequence[tuple[int, float]] = WINDOWS,
        page_size: int = 25,
        lists_top: bool = True,
        offers_clients: bool = True,
        manners: Manners | None = None,
        control: bool = False,
        port: str = "panopto",
        now: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.journal = journal or Journal()
        self.sign_ins = SignIns(now, offers_clients=offers_clients)
        self.manners = manners or Manners()
        self.counter = Counter(ticks, windows)
        self.deliveries = Deliveries()
        self._api = Api(holdings, self.sign_ins, self.counter, page_size=page_size, lists_top=lists_top)
        self.media = MediaPages(holdings, self.sign_ins, self.deliveries)
        self._web = WebSite(holdings, self.sign_ins, self.counter, self.manners)
        self._control = control
        self._port = port

    def app(self) -> Starlette:
        """The server as an ASGI application."""
        oauth = "/Panopto/oauth2/connect"
        return Starlette(
            routes=[
                Route(f"{oauth}/authorize", self.sign_ins.authorize, methods=["GET"]),
                Route(f"{oauth}/token", self.sign_ins.token, methods=["POST"]),
                *self._api.routes(),
                *self._web.routes(),
                *self.media.routes(),
            ]
        )

    def control_app(self) -> Starlette:
        """The control port, for tests: `POST /sign-out` ends all cookies, `POST /sign-in` returns new ones."""

        async def sign_out(request: Request) -> Response:
            self.sign_ins.end_cookies(renewable="renewable" in request.query_params)
            return JSONResponse({})

        async def sign_in(_: Request) -> Response:
            return JSONResponse(self.sign_ins.browser())

        return Starlette(
            routes=[Route("/sign-out", sign_out, methods=["POST"]), Route("/sign-in", sign_in, methods=["POST"])]
        )

    async def serve(self, *, task_status: trio.TaskStatus[PanoptoAddresses] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` gets the addresses when it is ready."""
        with ExitStack() as ports:
            server, cdn = ports.enter_context(bound_to(0)), ports.enter_context(bound_to(0))
            control = ports.enter_context(bound_to(0)) if self._control else None
            addresses = PanoptoAddresses(url_of(server), url_of(cdn), url_of(control) if control else None)
            self.deliveries.base = addresses.cdn
            site = self.journal.recording(self.app(), self._port, reads=READS)
            media_host = self.journal.recording(self.deliveries.app(), f"{self._port}-cdn")
            async with trio.open_nursery() as nursery:
                await nursery.start(serve_on, site, server)
                await nursery.start(serve_on, media_host, cdn)
                if control:
                    await nursery.start(serve_on, self.control_app(), control)
                task_status.started(addresses)
