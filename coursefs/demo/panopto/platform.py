"""The whole server: its hosts on ports of 127.0.0.1, wired together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import trio
from starlette.applications import Starlette
from starlette.routing import Route

from coursefs.demo.hosting import bound_to, serve_on, url_of
from coursefs.demo.journal import Journal
from coursefs.demo.panopto.api import Api
from coursefs.demo.panopto.limits import WINDOWS, Counter
from coursefs.demo.panopto.media import Deliveries, MediaPages
from coursefs.demo.panopto.signing_in import SignIns
from coursefs.demo.panopto.tree import Holdings


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server and its media host answer."""

    server: str
    cdn: str


class Panopto:
    """A sample server that holds these folders.

    `windows`: how many requests to one endpoint are taken in how many seconds.  `page_size`: rows of one page.
    `lists_top`: whether the folders at the top can be listed, which some servers answer with nothing.
    `now` gives seconds since 1970, `ticks` seconds of the clock that requests are counted by.
    """

    def __init__(
        self,
        holdings: Holdings,
        *,
        journal: Journal | None = None,
        windows: Sequence[tuple[int, float]] = WINDOWS,
        page_size: int = 25,
        lists_top: bool = True,
        now: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.journal = journal or Journal()
        self.sign_ins = SignIns(now)
        self.counter = Counter(ticks, windows)
        self.deliveries = Deliveries()
        self._api = Api(holdings, self.sign_ins, self.counter, page_size=page_size, lists_top=lists_top)
        self._media = MediaPages(holdings, self.sign_ins, self.deliveries)

    def app(self) -> Starlette:
        """The server as an ASGI application."""
        oauth = "/Panopto/oauth2/connect"
        return Starlette(
            routes=[
                Route(f"{oauth}/authorize", self.sign_ins.authorize, methods=["GET"]),
                Route(f"{oauth}/token", self.sign_ins.token, methods=["POST"]),
                *self._api.routes(),
                *self._media.routes(),
            ]
        )

    async def serve(self, *, task_status: trio.TaskStatus[Addresses] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; started with the addresses as soon as they answer."""
        with ExitStack() as ports:
            server, cdn = ports.enter_context(bound_to(0)), ports.enter_context(bound_to(0))
            addresses = Addresses(url_of(server), url_of(cdn))
            self.deliveries.base = addresses.cdn
            async with trio.open_nursery() as nursery:
                await nursery.start(serve_on, self.journal.recording(self.app(), "panopto"), server)
                await nursery.start(serve_on, self.journal.recording(self.deliveries.app(), "panopto-cdn"), cdn)
                task_status.started(addresses)
