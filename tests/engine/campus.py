"""A sample Panopto server in the same process, without sockets, and an account on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import trio

from coursefs.demo.panopto.platform import Panopto
from coursefs.demo.panopto.signing_in import WEB_CLIENT
from coursefs.demo.panopto.tree import Folder, Holdings, Playlist, Recording, holdings, made_guid
from coursefs.model import Course, File, Item, Outline, Remote, Section, Wanted
from coursefs.providers.base import Account
from coursefs.providers.panopto import PanoptoClient
from coursefs.providers.panopto.api_reader import ApiReader
from coursefs.providers.panopto.platform import create
from coursefs.providers.panopto.provider import PanoptoProvider
from coursefs.providers.panopto.web_reader import WebReader
from coursefs.transport import Transport

SERVER = "https://campus.example.edu"
CDN = "https://cdn.example.net"


@dataclass
class MemoryVault:
    """Keeps secrets as another process would see them."""

    secrets: dict[str, str]
    saved: int = 0

    def load(self) -> Mapping[str, str]:
        return dict(self.secrets)

    def save(self, secrets: Mapping[str, str]) -> None:
        self.secrets = dict(secrets)
        self.saved += 1


class Hosts(httpx.AsyncBaseTransport):
    """Sends each request to the application of its host; remembers them all."""

    def __init__(self, panopto: Panopto) -> None:
        self._apps = {
            "campus.example.edu": httpx.ASGITransport(panopto.app()),
            "cdn.example.net": httpx.ASGITransport(panopto.deliveries.app()),
        }
        panopto.deliveries.base = CDN
        self.requests: list[httpx.Request] = []
        self.statuses: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = await self._apps[request.url.host].handle_async_request(request)
        self.statuses.append(response.status_code)
        return response

    def paths(self, part: str = "") -> list[str]:
        """The paths that were asked for and hold this."""
        return [request.url.path for request in self.requests if part in request.url.path]


@dataclass
class Campus:
    """A server, an account on it, and what went between them."""

    panopto: Panopto
    hosts: Hosts
    transport: Transport
    vault: MemoryVault
    settings: dict[str, str] = field(default_factory=dict)

    def provider(self, *, wanted: Wanted | None = None, **settings: str) -> PanoptoProvider:
        own = {"server": SERVER, "client_id": WEB_CLIENT, **settings}
        account = Account("campus", own, self.vault.load(), wanted or Wanted(), self.vault)
        made = create(account, self.transport)
        assert isinstance(made, PanoptoProvider)
        return made

    def browser(self, *, wanted: Wanted | None = None, keeps: bool = False, **settings: str) -> PanoptoProvider:
        """The provider of a user who has signed in with their browser's cookies, and has no API client.

        `keeps`: it puts new cookies into the vault.  A clock that jumps would jump on while a thread does that.
        """
        cookies = self.panopto.sign_ins.browser()
        self.vault.secrets = {"aspxauth": cookies[".ASPXAUTH"], "csrf_token": cookies["csrfToken"]}
        return self.kept_browser(wanted=wanted, keeps=keeps, **settings)

    def kept_browser(self, *, wanted: Wanted | None = None, keeps: bool = True, **settings: str) -> PanoptoProvider:
        """The same with the cookies that are in the vault."""
        vault = self.vault if keeps else None
        account = Account("campus", {"server": SERVER, **settings}, self.vault.load(), wanted or Wanted(), vault)
        made = create(account, self.transport)
        assert isinstance(made, PanoptoProvider) and isinstance(made._reader, WebReader)
        return made

    def client(self) -> PanoptoClient:
        return client_of(self.provider())


def client_of(made: PanoptoProvider) -> PanoptoClient:
    """The API client of a provider."""
    assert isinstance(made._reader, ApiReader)
    return made._reader.client


@asynccontextmanager
async def campus(held: Holdings, **more: Any) -> AsyncIterator[Campus]:
    panopto = Panopto(held, ticks=trio.current_time, **more)
    hosts = Hosts(panopto)
    vault = MemoryVault(panopto.sign_ins.grant(WEB_CLIENT))
    async with Transport(http_transport=hosts) as transport:
        yield Campus(panopto, hosts, transport, vault)


def folder(name: str, parent: Folder | None = None, **more: bool) -> Folder:
    return Folder(made_guid("folder", name, parent.id if parent else ""), name, parent.id if parent else None, **more)


def session(name: str, where: Folder, video: Path | None = None, **more: Any) -> Recording:
    values = {"start": "2024-01-09T10:00:00Z", "duration": 60.0, **more}
    return Recording(made_guid("session", name, where.id), name, where.id, video=video, **values)


def held(
    folders: list[Folder], sessions: list[Recording] | None = None, lists: list[Playlist] | None = None
) -> Holdings:
    return holdings(folders, sessions or [], lists)


def items_of(tree: Outline | Section) -> list[Item]:
    """Every item of a tree."""
    return [*tree.items, *(item for section in tree.sections for item in items_of(section))]


def paths_of(tree: Outline | Section, above: str = "") -> list[str]:
    """Every section and item of a tree, as paths of titles."""
    found = [above + item.title for item in tree.items]
    for one in tree.sections:
        found += [f"{above}{one.title}/", *paths_of(one, f"{above}{one.title}/")]
    return found


def remote_of(file: File) -> Remote:
    assert isinstance(file.body, Remote)
    return file.body


async def only_course(made: PanoptoProvider) -> tuple[Course, Outline]:
    (course,) = await made.courses()
    outline = await made.outline(course)
    assert outline is not None
    return course, outline


async def seconds(of: Any) -> float:
    """How long something takes, on trio's clock."""
    begun = trio.current_time()
    await of
    return trio.current_time() - begun
