"""The sample platform: its hosts on ports of 127.0.0.1, wired together."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import trio
from starlette.types import ASGIApp

from coursefs.demo.catalogue import Catalogue
from coursefs.demo.cdn import MediaHost
from coursefs.demo.control import Control
from coursefs.demo.coursera import ApiHost
from coursefs.demo.description import Course
from coursefs.demo.faults import Faults, Switchboard
from coursefs.demo.graphql import GraphQL
from coursefs.demo.hosting import bound_to, serve_on, url_of
from coursefs.demo.journal import Journal
from coursefs.demo.media import media_files, subtitle_files
from coursefs.demo.naptime import DEFAULT_LIMIT
from coursefs.demo.resources import resource_table
from coursefs.demo.sessions import Sessions
from coursefs.demo.signing import Signer


@dataclass(frozen=True, slots=True)
class Addresses:
    """The URLs of a platform, and a valid session cookie."""

    api: str
    cdn: str
    control: str | None
    cauth: str = field(repr=False)


class Platform:
    """A sample platform that serves these courses.

    `url_life`: lifetime of signed URLs in seconds; None as on the real platform. `memberships_page`: maximum size of a
    page in a list of courses. Port 0 is any free one. `captcha`: no password is accepted. `now` returns seconds since
    1970.
    """

    def __init__(
        self,
        courses: Sequence[Course],
        *,
        url_life: int | None = None,
        memberships_page: int = DEFAULT_LIMIT,
        port: int = 0,
        cdn_port: int = 0,
        control: bool = False,
        captcha: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.journal = Journal()
        self.switchboard = Switchboard()
        self.signer = Signer(now, url_life)
        self.sessions = Sessions(captcha=captcha)
        self._courses = tuple(courses)
        self._memberships_page = memberships_page
        self._port = port
        self._cdn_port = cdn_port
        self._control = control
        self._api_is_up = False
        self._api_turned = trio.Event()

    async def serve(self, *, task_status: trio.TaskStatus[Addresses] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` gets the addresses when it is ready. Raises `OSError` if a port is taken."""
        with ExitStack() as ports:
            api = ports.enter_context(bound_to(self._port))
            cdn = ports.enter_context(bound_to(self._cdn_port))
            control = ports.enter_context(bound_to(0)) if self._control else None
            addresses = Addresses(url_of(api), url_of(cdn), url_of(control) if control else None, self.sessions.cauth)
            resources = resource_table(self._courses, self.signer, addresses.cdn, self._memberships_page)
            subtitles = subtitle_files(self._courses)
            catalogue = Catalogue(self._courses, self._memberships_page)
            graphql = GraphQL(self._courses, catalogue, self.switchboard, self.journal)
            api_host = ApiHost(resources, subtitles, self.signer, self.switchboard, self.sessions, graphql)
            media_host = MediaHost(media_files(self._courses), self.signer, self.switchboard)
            async with trio.open_nursery() as nursery:
                await nursery.start(self._serve_api, self.journal.recording(api_host.app(), "api"), api)
                await nursery.start(serve_on, self.journal.recording(media_host.app(), "cdn"), cdn)
                if control:
                    port = Control(self.journal, self.switchboard, self.signer, self.sessions, self.apply)
                    await nursery.start(serve_on, port.app(), control)
                task_status.started(addresses)

    async def apply(self, faults: Faults) -> None:
        """Replace the simulated faults; while serving, return when they are in effect."""
        self.switchboard.set(faults)
        while self._api_is_up == self.switchboard.current.api_down:
            await self._api_turned.wait()

    async def _serve_api(self, app: ASGIApp, port: socket.socket, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve, except while the API must be down."""
        started = False
        while True:
            async with trio.open_nursery() as nursery:
                await nursery.start(serve_on, app, port)
                self._turn_api(up=True)
                if not started:
                    task_status.started()
                    started = True
                await self.switchboard.wait_until(lambda faults: faults.api_down)
                nursery.cancel_scope.cancel()
            self._turn_api(up=False)
            await self.switchboard.wait_until(lambda faults: not faults.api_down)

    def _turn_api(self, *, up: bool) -> None:
        self._api_is_up = up
        self._api_turned.set()
        self._api_turned = trio.Event()
