"""The sample server: its hosts on ports of 127.0.0.1, wired together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from coursefs.demo.cdn import file_response
from coursefs.demo.faults import Switchboard
from coursefs.demo.hosting import bound_to, serve_on, url_of
from coursefs.demo.journal import Journal
from coursefs.demo.openedx.accounts import APP, SERVICE, Accounts
from coursefs.demo.openedx.description import Course, load, media_files
from coursefs.demo.openedx.lms import LmsHost
from coursefs.demo.openedx.site import Site
from coursefs.demo.openedx.web import open_files


@dataclass(frozen=True, slots=True)
class LmsAddresses:
    """The URLs of the server and of its media."""

    lms: str
    media: str


class LmsPlatform:
    """A sample server of Open edX.

    It shares `journal` and `switchboard` with the other sample platforms if they run together. `site` are its feature
    flags, `token_life` the lifetime of tokens in seconds, and `now` returns seconds since 1970.
    """

    def __init__(
        self,
        courses: Sequence[Course] | None = None,
        *,
        journal: Journal | None = None,
        switchboard: Switchboard | None = None,
        site: Site | None = None,
        token_life: int = 3600,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.journal = journal or Journal()
        self.switchboard = switchboard or Switchboard()
        self.accounts = Accounts(now, token_life, lambda: self.switchboard.current.refuse_sign_in)
        self.courses = tuple(load() if courses is None else courses)
        self.site = site or Site()

    def account(self, addresses: LmsAddresses) -> Mapping[str, object]:
        """An account of the learner, as `coursefs demo` mounts it."""
        password = {"password": self.accounts.passwords["learner"], "username": "learner"}
        token = self.accounts.grant({"grant_type": "password", "client_id": APP, **password, "token_type": "jwt"})
        return {
            "provider": "openedx",
            "settings": {"server": addresses.lms, "client_id": APP},
            "secrets": {
                "access_token": token["access_token"],
                "token_kind": "JWT",
                "refresh_token": token["refresh_token"],
                "access_expires": str(int(self.accounts.now() + self.accounts.life)),
            },
            "folder": "edX",
        }

    def login(self, addresses: LmsAddresses) -> Mapping[str, str]:
        """The data that a user needs to sign in: as the learner, or as an application."""
        return {
            "server": addresses.lms,
            "username": "learner",
            "password": self.accounts.passwords["learner"],
            "app": APP,
            "service": SERVICE,
            "service_secret": self.accounts.service_secret,
        }

    async def serve(self, *, task_status: trio.TaskStatus[LmsAddresses] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` gets the addresses when it is ready."""
        with ExitStack() as ports:
            lms, media = ports.enter_context(bound_to(0)), ports.enter_context(bound_to(0))
            addresses = LmsAddresses(url_of(lms), url_of(media))
            host = LmsHost(
                self.courses,
                self.accounts,
                self.site,
                self.switchboard,
                lms=addresses.lms,
                media=addresses.media,
            )
            files = _OpenFiles({**media_files(self.courses), **open_files(self.courses)}, self.switchboard)
            async with trio.open_nursery() as nursery:
                await nursery.start(serve_on, self.journal.recording(host.app(), "lms"), lms)
                await nursery.start(serve_on, self.journal.recording(files.app(), "cdn"), media)
                task_status.started(addresses)


class _OpenFiles:
    """The media host: public files. Cookies count for nothing; a request with other credentials is refused."""

    def __init__(self, files: Mapping[str, Path], switchboard: Switchboard) -> None:
        self._files = files
        self._switchboard = switchboard

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "HEAD"])])

    async def _answer(self, request: Request) -> Response:
        if "authorization" in request.headers:
            return PlainTextResponse("This host takes no credentials", 400)
        file = self._files.get(request.scope["path"])
        if file is None:
            return PlainTextResponse("Access denied", 403)
        return await file_response(request, file, self._switchboard)
