"""A client of Panopto, usable without a mount.

    async with Transport() as transport:
        client = PanoptoClient(transport, "https://campus.hosted.panopto.com", Client("my-client-id"), secrets)
        for folder in await client.search_folders("*"):
            for session in await client.sessions(folder.id):
                print(folder.name, session.name)

`secrets` are what `coursefs login panopto` keeps (`PanoptoSignIn` makes them).  Every method makes its requests anew,
may be cancelled at any await, and raises `NotSignedIn` (no sign-in, or it has ended), `NotAllowed` (this one thing is
refused), `Gone`, `RouteGone`, `BadReply`, `NoAnswer` or `Unreachable`.  It only reads; methods that list read all
pages.  What the platform counts is paced, within all clients that share `limits`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin

import httpx
import trio

from coursefs import model
from coursefs.errors import BadReply, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.base import Vault
from coursefs.providers.panopto import oauth, replies, routes
from coursefs.providers.panopto.answers import content_of
from coursefs.providers.panopto.bearer import Bearer
from coursefs.providers.panopto.captions import ENOUGH, is_srt
from coursefs.providers.panopto.cookie import MediaCookie, cookie_of
from coursefs.providers.panopto.limits import Limits
from coursefs.providers.panopto.oauth import Client
from coursefs.providers.panopto.replies import Delivery, Folder, Json, Playlist, Session
from coursefs.providers.panopto.routes import Route
from coursefs.providers.panopto.tokens import Tokens, granted
from coursefs.transport import Origin, Reply, Transport

T = TypeVar("T", Folder, Session, Playlist)

#: pages of one listing; a platform whose list is longer, or has no end, is not believed
_MOST_PAGES = 2000


class PanoptoClient:
    """Panopto for one account; `server` is its address, `account` the name that messages speak of."""

    def __init__(
        self,
        transport: Transport,
        server: str,
        client: Client,
        secrets: Mapping[str, str],
        *,
        account: str = "panopto",
        limits: Limits | None = None,
        vault: Vault | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.server = server
        self._transport = transport
        self._client = client
        # kept only where the platform gave nothing to renew the sign-in with
        self._username, self._password = secrets.get("username", ""), secrets.get("password", "")
        self._limits = limits or Limits()
        self._clock = clock
        named = "" if account == "panopto" else f" --account {account}"
        self._sign_in = f"{account}: not signed in (any more); sign in: coursefs login panopto --server …{named}"
        self._bearer = Bearer(secrets, self._refreshed, vault=vault, signed_out=self._sign_in, clock=clock)
        self._cookie = MediaCookie(self._media_sign_in)
        self._used: dict[Route, str | None] = {}  # what was wrong with each when it was asked last

    async def check(self) -> None:
        """Return when the platform accepts the sign-in: one small request.  Raises `NotSignedIn`."""
        replies.results(await self._json(routes.SEARCH_FOLDERS, text="*", page="0"))

    # -- folders

    async def folder(self, folder_id: str) -> Folder:
        """One folder."""
        return _one(replies.folder, await self._json(routes.FOLDER, id=folder_id), routes.FOLDER)

    async def children(self, folder_id: str = routes.TOP) -> list[Folder]:
        """The folders that lie directly in a folder; without an id those at the top, of which some servers say none."""
        return await self._list(replies.folder, routes.CHILDREN, id=folder_id)

    async def search_folders(self, text: str = "*") -> list[Folder]:
        """Folders whose names have words that begin so; `*` is every folder that the account sees."""
        return await self._list(replies.folder, routes.SEARCH_FOLDERS, text=text)

    async def creator_folders(self) -> list[Folder]:
        """The folders that the account may put recordings into."""
        return await self._list(replies.folder, routes.CREATOR_FOLDERS)

    # -- recordings

    async def sessions(self, folder_id: str) -> list[Session]:
        """The recordings that lie directly in a folder, oldest first.  Their download addresses are mostly missing."""
        return await self._list(replies.session, routes.SESSIONS, id=folder_id)

    async def session(self, session_id: str) -> Session:
        """All that the API says of one recording."""
        return _one(replies.session, await self._json(routes.SESSION, id=session_id), routes.SESSION)

    async def search_sessions(self, text: str) -> list[Session]:
        """Recordings in which the words occur."""
        return await self._list(replies.session, routes.SEARCH_SESSIONS, text=text)

    async def viewed_sessions(self) -> list[Session]:
        """The recordings that the account has begun to watch, or watched."""
        return await self._list(replies.session, routes.VIEWED)

    async def playlists(self, folder_id: str) -> list[Playlist]:
        """The playlists of a folder."""
        return await self._list(replies.playlist, routes.FOLDER_PLAYLISTS, id=folder_id)

    async def playlist(self, playlist_id: str) -> Playlist:
        """One playlist."""
        return _one(replies.playlist, await self._json(routes.PLAYLIST, id=playlist_id), routes.PLAYLIST)

    async def playlist_sessions(self, playlist_id: str) -> list[Session]:
        """The recordings of a playlist, in its order."""
        return await self._list(replies.session, routes.PLAYLIST_SESSIONS, id=playlist_id)

    # -- media

    async def delivery(self, session_id: str) -> Delivery:
        """What the viewer is told of a recording: languages of captions, chapters, slides."""
        cookie = await self._cookie.header()
        for is_last in (False, True):
            reply = await self._media(routes.DELIVERY, cookie, id=session_id)
            try:
                if reply.status in {401, 403} or _is_page(reply.headers.get("content-type", ""), reply.body):
                    raise NotSignedIn(self._sign_in)  # told apart from what the body says, below
                return replies.delivery(self._content(reply, routes.DELIVERY))
            except NotSignedIn:
                if is_last:
                    raise NotAllowed("viewer: the platform does not accept the sign-in for media") from None
                cookie = await self._cookie.renew()
        raise AssertionError  # the last one returns or raises

    async def has_captions(self, session_id: str, number: int | None) -> bool:
        """Whether there are captions in the language of this number; None: in the recording's own."""
        url, headers = await self.captions_at(session_id, number)
        await self._limits.of(routes.CAPTIONS.name).take()
        beginning = bytearray()
        async with self._transport.stream(url, headers=headers) as response:
            if response.status_code != 200:
                return False
            async for part in response.aiter_bytes():
                beginning += part
                if len(beginning) >= ENOUGH:
                    break
        return is_srt(bytes(beginning))

    async def captions_at(
        self, session_id: str, number: int | None, *, fresh: bool = False
    ) -> tuple[str, dict[str, str]]:
        """Where captions are, and the headers that they need."""
        if number is None:
            return await self.media_at(routes.CAPTIONS, fresh=fresh, id=session_id)
        return await self.media_at(routes.CAPTIONS_IN, fresh=fresh, id=session_id, language=str(number))

    async def media_at(self, route: Route, *, fresh: bool = False, **values: str) -> tuple[str, dict[str, str]]:
        """An address that needs the cookie, and the headers with it; `fresh`: the last cookie was refused."""
        cookie = await (self._cookie.renew() if fresh else self._cookie.header())
        return route.url(self.server, **values), {"Cookie": cookie}

    async def download_at(self, session: Session, *, fresh: bool = False) -> tuple[str, dict[str, str]]:
        """Where a recording can be downloaded, once, and the headers that this needs.

        `session` is as it was asked for by its id.  Raises `NotAllowed` where the platform offers no download.
        """
        if not session.download_url:
            raise NotAllowed("the platform does not offer this recording for download; it may be watched on its page")
        url = urljoin(f"{self.server}/", session.download_url)
        if _origin(url) != Origin.of(self.server):
            return url, {}  # another host gets no cookie
        cookie = await (self._cookie.renew() if fresh else self._cookie.header())
        return url, {"Cookie": cookie}

    async def session_headers(self, session_id: str) -> Mapping[str, str]:
        """What the server says of a recording's file (HEAD): `content-length`, `etag` …"""
        session = await self.session(session_id)
        for fresh in (False, True):
            url, headers = await self.download_at(session, fresh=fresh)
            reply = await self._transport.fetch(url, headers=headers, method="HEAD")
            if reply.status == 200 and not _is_page(reply.headers.get("content-type", ""), b""):
                return reply.headers
        raise NotAllowed("the platform does not give this recording")

    async def download(
        self, session_id: str, to: Path, progress: Callable[[int, int | None], None] | None = None
    ) -> None:
        """Download a recording into a file, which is there when it is whole.

        `progress` is told the bytes so far and altogether.  Where it breaks off nothing is left behind.
        """
        session = await self.session(session_id)
        part = to.with_name(f".{to.name}.{os.getpid()}.part")
        try:
            for fresh in (False, True):
                url, headers = await self.download_at(session, fresh=fresh)
                async with self._transport.stream(url, headers=headers) as response:
                    if response.status_code == 200 and not _is_page(response.headers.get("content-type", ""), b""):
                        await _save(response, part, progress)
                        part.replace(to)
                        return
            raise NotAllowed("the platform does not give this recording")
        finally:
            part.unlink(missing_ok=True)

    # -- asking

    def routes(self) -> Sequence[model.Route]:
        """The ways that were used to ask, and what was wrong with them; no request is made."""
        return [model.Route(f"{route.name} ({route.path})", trouble) for route, trouble in self._used.items()]

    async def token(self) -> str:
        """An access token that the platform takes; renewed where it has to be."""
        return await self._bearer.token()

    async def _json(self, route: Route, **values: str) -> object:
        reply = await self._with_token(route, **values)
        return self._content(reply, route)

    def _content(self, reply: Reply, route: Route) -> object:
        """The JSON of a reply, or the error that it means; remembers whether the route is there."""
        trouble = None
        try:
            return content_of(reply, what=route.name, sign_in_again=self._sign_in)
        except RouteGone as error:
            trouble = str(error)
            raise
        finally:
            self._used[route] = trouble

    async def _with_token(self, route: Route, **values: str) -> Reply:
        token = await self._bearer.token()
        reply = await self._bearing(token, route, **values)
        if reply.status == 401:
            reply = await self._bearing(await self._bearer.renew(token), route, **values)
        return reply

    async def _bearing(self, token: str, route: Route, **values: str) -> Reply:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        url = route.url(self.server, **values)
        return await self._transport.fetch(url, headers=headers, bucket=self._limits.of(route.name))

    async def _media(self, route: Route, cookie: str, **values: str) -> Reply:
        url = route.url(self.server, **values)
        return await self._transport.fetch(url, headers={"Cookie": cookie}, bucket=self._limits.of(route.name))

    async def _list(self, read: Callable[[Json], T | None], route: Route, **values: str) -> list[T]:
        """Every page, until one is empty or brings nothing new: a short page is not the last, and there is no total."""
        found: dict[str, T] = {}
        for page in range(_MOST_PAGES):
            content = await self._json(route, page=str(page), **values)
            rows = replies.results(content)
            new = {one.id: one for row in rows if (one := read(row)) is not None and one.id not in found}
            if not new:
                return list(found.values())
            found |= new
        raise BadReply(f"{route.name}: the platform's list does not end")

    async def _media_sign_in(self) -> str:
        """The cookie for media."""
        reply = await self._with_token(routes.LEGACY_LOGIN)
        if reply.status != 200:
            self._content(reply, routes.LEGACY_LOGIN)
        cookie = cookie_of(reply.headers.get_list("set-cookie"))
        if not cookie:
            raise NotSignedIn(self._sign_in)
        return cookie

    async def _refreshed(self, tokens: Tokens) -> Tokens:
        if tokens.refresh:
            body = oauth.by_refresh(self._client, tokens.refresh)
        elif self._username:
            body = oauth.by_password(self._client, self._username, self._password)
        else:
            raise NotSignedIn("the sign-in has ended")
        return await ask_for_tokens(self._transport, self.server, body, now=self._clock(), refresh=tokens.refresh)


async def ask_for_tokens(transport: Transport, server: str, body: bytes, *, now: float, refresh: str = "") -> Tokens:
    """Ask the token endpoint with this form.  Raises `NotSignedIn` where it refuses, else as any request."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    reply = await transport.fetch(server + routes.TOKEN, headers=headers, method="POST", content=body)
    return granted(reply.status, reply.body, now=now, refresh=refresh)


async def _save(response: httpx.Response, to: Path, progress: Callable[[int, int | None], None] | None) -> None:
    """Write the body into a file.  Raises `BadReply` when it is shorter than announced."""
    length = response.headers.get("content-length", "")
    total = int(length) if length.isdecimal() else None
    done = 0
    async with await trio.open_file(to, "wb") as file:
        async for chunk in response.aiter_bytes():
            await file.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    if total not in {None, done}:
        raise BadReply("the server sent less than it announced")


def _one(read: Callable[[Json], T | None], content: object, route: Route) -> T:
    found = read(content) if isinstance(content, dict) else None
    if found is None:
        raise BadReply(f"{route.name}: the platform's answer is not what was asked for")
    return found


def _is_page(content_type: str, body: bytes) -> bool:
    """Whether a web page came in place of data."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind in {"text/html", "application/xhtml+xml"} or body.lstrip()[:1] == b"<"


def _origin(url: str) -> Origin:
    try:
        return Origin.of(url)
    except ValueError:
        raise BadReply("the platform gave an address that is none") from None
