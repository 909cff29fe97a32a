"""A client of Panopto, usable without a mount.

    async with Transport() as transport:
        client = PanoptoClient(transport, "https://campus.hosted.panopto.com", Client("my-client-id"), secrets)
        for folder in await client.search_folders("*"):
            for session in await client.sessions(folder.id):
                print(folder.name, session.name)

`secrets` are those that `coursefs login panopto` stores (`PanoptoSignIn` makes them).  Every method makes new requests,
may be cancelled at any await, and raises `NotSignedIn` (no sign-in, or it has ended), `NotAllowed` (this one thing is
refused), `Gone`, `RouteGone`, `BadReply`, `NoAnswer` or `Unreachable`.  The client only reads.  Methods that return a
list read all of its pages.  Clients that share `limits` share the rate limits of the API.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import trio

from coursefs import model
from coursefs.errors import BadReply, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.base import Vault
from coursefs.providers.kit.known_fields import look
from coursefs.providers.panopto import oauth, replies, routes
from coursefs.providers.panopto.bearer import Bearer
from coursefs.providers.panopto.cookie import MediaCookie, cookie_of
from coursefs.providers.panopto.media import MediaPages, is_page
from coursefs.providers.panopto.oauth import Client
from coursefs.providers.panopto.replies import Delivery, Folder, Json, Playlist, Recording, content_of
from coursefs.providers.panopto.routes import EndpointLimiters, Route
from coursefs.providers.panopto.tokens import REFUSED, Tokens, granted
from coursefs.transport import Reply, Transport
from coursefs.transport.body import body_of
from coursefs.transport.http_library import httpx
from coursefs.transport.parsing import count_of

T = TypeVar("T", Folder, Recording, Playlist)

#: how many pages a listing may have; a longer one, perhaps without an end, is an error
_MOST_PAGES = 2000


class PanoptoClient:
    """A client of a Panopto server for one account; `server` is its address, `account` the name in messages."""

    def __init__(
        self,
        transport: Transport,
        server: str,
        client: Client,
        secrets: Mapping[str, str],
        *,
        account: str = "panopto",
        limits: EndpointLimiters | None = None,
        vault: Vault | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.server = server
        self._transport = transport
        self._client = client
        # stored only when the platform gave no refresh token
        self._username, self._password = secrets.get("username", ""), secrets.get("password", "")
        self._limits = limits or EndpointLimiters()
        self._clock = clock
        named = "" if account == "panopto" else f" --account {account}"
        self._sign_in = f"{account}: not signed in (any more); sign in: coursefs login panopto --server …{named}"
        self._bearer = Bearer(secrets, self._refreshed, vault=vault, signed_out=self._sign_in, clock=clock)
        self._cookie = MediaCookie(self._media_sign_in)
        #: the pages that need the cookie
        self.media = MediaPages(
            transport, server, self._cookie, self._limits, content=self._content, ended=_no_media_sign_in
        )
        self._used: dict[Route, str | None] = {}  # the error of each route's last request

    async def check(self) -> None:
        """Check the sign-in with one small request.  Raises `NotSignedIn` when the platform refuses it."""
        replies.results(await self._json(routes.SEARCH_FOLDERS, text="*", page="0"))

    # -- folders

    async def folder(self, folder_id: str) -> Folder:
        """One folder."""
        return _one(replies.folder, await self._json(routes.FOLDER, id=folder_id), routes.FOLDER)

    async def children(self, folder_id: str = routes.TOP) -> list[Folder]:
        """The direct subfolders of a folder; without an id the top folders, of which some servers list none."""
        return await self._list(replies.folder, routes.CHILDREN, id=folder_id)

    async def search_folders(self, text: str = "*") -> list[Folder]:
        """Folders with a word in their names that begins with `text`; `*`: every folder that the account sees."""
        return await self._list(replies.folder, routes.SEARCH_FOLDERS, text=text)

    async def creator_folders(self) -> list[Folder]:
        """The folders into which the account may put recordings."""
        return await self._list(replies.folder, routes.CREATOR_FOLDERS)

    # -- recordings

    async def sessions(self, folder_id: str) -> list[Recording]:
        """The recordings directly in a folder, oldest first.  Most lack their download address."""
        return await self._list(replies.session, routes.SESSIONS, id=folder_id)

    async def session(self, session_id: str) -> Recording:
        """One recording with all its fields."""
        return _one(replies.session, await self._json(routes.SESSION, id=session_id), routes.SESSION)

    async def search_sessions(self, text: str) -> list[Recording]:
        """Recordings that contain the words."""
        return await self._list(replies.session, routes.SEARCH_SESSIONS, text=text)

    async def viewed_sessions(self) -> list[Recording]:
        """The recordings that the account has watched or started to watch."""
        return await self._list(replies.session, routes.VIEWED)

    async def playlists(self, folder_id: str) -> list[Playlist]:
        """The playlists of a folder."""
        return await self._list(replies.playlist, routes.FOLDER_PLAYLISTS, id=folder_id)

    async def playlist(self, playlist_id: str) -> Playlist:
        """One playlist."""
        return _one(replies.playlist, await self._json(routes.PLAYLIST, id=playlist_id), routes.PLAYLIST)

    async def playlist_sessions(self, playlist_id: str) -> list[Recording]:
        """The recordings of a playlist, in its order."""
        return await self._list(replies.session, routes.PLAYLIST_SESSIONS, id=playlist_id)

    # -- media

    async def delivery(self, session_id: str) -> Delivery:
        """The viewer's delivery information of a recording: languages of captions, chapters, slides."""
        return await self.media.delivery(session_id)

    async def session_headers(self, session_id: str) -> Mapping[str, str]:
        """The headers of a recording's file, from a HEAD request: `content-length`, `etag` …"""
        session = await self.session(session_id)
        for fresh in (False, True):
            url, headers = await self.media.offered_at(session.download_url, fresh=fresh)
            reply = await self._transport.fetch(url, headers=headers, method="HEAD")
            if reply.status == 200 and not is_page(reply.headers.get("content-type", ""), b""):
                return reply.headers
        raise NotAllowed("the platform does not give this recording")

    async def download(
        self, session_id: str, to: Path, progress: Callable[[int, int | None], None] | None = None
    ) -> None:
        """Download a recording; the file gets its name when it is complete.

        `progress` is called with the bytes so far and in total.  On failure or cancellation nothing is left behind.
        """
        session = await self.session(session_id)
        part = to.with_name(f".{to.name}.{os.getpid()}.part")
        try:
            for fresh in (False, True):
                url, headers = await self.media.offered_at(session.download_url, fresh=fresh)
                async with self._transport.stream(url, headers=headers) as response:
                    if response.status_code == 200 and not is_page(response.headers.get("content-type", ""), b""):
                        await _save(response, part, progress)
                        part.replace(to)
                        return
            raise NotAllowed("the platform does not give this recording")
        finally:
            part.unlink(missing_ok=True)

    # -- asking

    def routes(self) -> Sequence[model.RouteState]:
        """The state of each route that was used so far.  No request is made."""
        return [model.RouteState(f"{route.name} ({route.path})", trouble) for route, trouble in self._used.items()]

    async def token(self) -> str:
        """A valid access token, renewed if necessary."""
        return await self._bearer.token()

    async def _json(self, route: Route, **values: str) -> object:
        reply = await self._with_token(route, **values)
        return self._content(reply, route)

    def _content(self, reply: Reply, route: Route) -> object:
        """The JSON of a reply.  Raises the error that it means, and records the state of the route."""
        look(self._transport.surprises, "panopto", route.name, reply)
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
        return await self._transport.fetch(url, headers=headers, bucket=self._limits.of(route.name), data=True)

    async def _list(self, read: Callable[[Json], T | None], route: Route, **values: str) -> list[T]:
        """All pages until one is empty or repeats known rows: a short page may not be the last; there is no total."""
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


async def ask_for_tokens(
    transport: Transport, server: str, body: bytes, *, now: float, refresh: str = "", refused: str = REFUSED
) -> Tokens:
    """Send this form to the token endpoint.  Raises `NotSignedIn` when it refuses, and the errors of a request."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    reply = await transport.fetch(server + routes.TOKEN, headers=headers, method="POST", content=body, data=True)
    return granted(reply.status, reply.body, now=now, refresh=refresh, refused=refused)


async def _save(response: httpx.Response, to: Path, progress: Callable[[int, int | None], None] | None) -> None:
    """Write the body into a file.  Raises `BadReply` when it is shorter than announced."""
    total = None if "content-encoding" in response.headers else count_of(response.headers.get("content-length"))
    done = 0
    async with await trio.open_file(to, "wb") as file, body_of(response, decode=True) as chunks:
        async for chunk in chunks:
            await file.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    if total not in {None, done}:
        raise BadReply("the server sent less than it announced")


def _no_media_sign_in() -> NotAllowed:
    return NotAllowed("viewer: the platform does not accept the sign-in for media")


def _one(read: Callable[[Json], T | None], content: object, route: Route) -> T:
    found = read(content) if isinstance(content, dict) else None
    if found is None:
        raise BadReply(f"{route.name}: the platform's answer has an unexpected form")
    return found
