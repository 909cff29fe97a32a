"""A client of a Panopto server's web site, with the cookies of a browser that is signed in.

It reads what the site's own pages read: listings of folders and recordings, and the viewer's data.  Every method makes
new requests, may be cancelled at any await, and raises `NotSignedIn` (no sign-in, or it has ended), `NotAllowed` (this
one thing is refused), `Gone`, `RouteGone`, `BadReply`, `NoAnswer` or `Unreachable`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from coursefs import model
from coursefs.errors import BadReply, NotSignedIn, RouteGone
from coursefs.providers.base import Vault
from coursefs.providers.kit.known_fields import look
from coursefs.providers.panopto import routes, web_replies
from coursefs.providers.panopto.media import MediaPages
from coursefs.providers.panopto.replies import Folder
from coursefs.providers.panopto.routes import EndpointLimiters, Route
from coursefs.providers.panopto.web_replies import ListingPage, ListingRow, Viewer, WebFolder
from coursefs.providers.panopto.web_session import WebSession
from coursefs.transport import Reply, Transport

#: rows of a page: as many as the site gives
_ROWS, _FOLDERS = 250, 2000
#: how many pages a listing may have; a longer one, perhaps without an end, is an error
_MOST_PAGES = 2000


class WebClient:
    """A client of a Panopto server for one account; `server` is its address, `account` the name in messages."""

    def __init__(
        self,
        transport: Transport,
        server: str,
        secrets: Mapping[str, str],
        *,
        account: str = "panopto",
        limits: EndpointLimiters | None = None,
        vault: Vault | None = None,
    ) -> None:
        self.server = server
        self._transport = transport
        named = "" if account == "panopto" else f" --account {account}"
        self._signed_out = (
            f"{account}: not signed in (any more); sign in to {server.partition('://')[2]} with your browser, then:"
            f" coursefs login panopto --server {server} --cookies FILE{named}"
        )
        limits = limits or EndpointLimiters()
        self.session = WebSession(
            transport, server, secrets, vault=vault, signed_out=self._signed_out, limits=limits
        )  # fmt: skip
        #: the pages that need the cookie
        self.media = MediaPages(
            transport, server, self.session, limits, content=self._content, ended=self._has_ended, refresh=True,
            received=self.session.received,
        )  # fmt: skip
        self._used: dict[Route, str | None] = {}  # the error of each route's last request

    # -- folders

    async def folders(self, parent_id: str = "null") -> list[WebFolder]:
        """The folders below a folder; without an id the top folders, on some servers those of all depths."""
        return await self._pages(routes.WEB_FOLDERS, parent=parent_id)

    async def search_folders(self, words: str) -> list[WebFolder]:
        """The folders of all depths with these words in their names."""
        return await self._pages(routes.WEB_FOLDER_SEARCH, parent="null", text=words)

    async def all_folders(self) -> list[WebFolder]:
        """Every folder that the account sees, by a service that many servers give to creators of recordings alone."""
        found: dict[str, WebFolder] = {}
        for page in range(_MOST_PAGES):
            asked = {"query": None, "sortColumn": 0, "sortAscending": True, "maxResults": _FOLDERS, "page": page}
            content = await self._post(routes.GET_FOLDERS, asked)
            new = {one.folder.id: one for one in web_replies.folders_page(content) if one.folder.id not in found}
            found |= new
            total = web_replies.total_of(content)
            if not new or (total is not None and len(found) >= total):
                return list(found.values())
        raise BadReply(f"{routes.GET_FOLDERS.name}: the platform's list does not end")

    # -- recordings

    async def page(
        self, number: int = 0, *, folder_id: str | None = None, shared: bool = False, rows: int = _ROWS
    ) -> ListingPage:
        """A page of recordings, oldest first: of a folder, of those shared with the user, or of all that they see."""
        asked = {
            "query": None,
            "sortColumn": 1,
            "sortAscending": True,
            "maxResults": rows,
            "page": number,
            "startDate": None,
            "endDate": None,
            "folderID": folder_id,
            "bookmarked": False,
            "getFolderData": folder_id is not None,
            "isSharedWithMe": shared,
            "includePlaylists": not shared,
            "includeArchived": True,
        }
        return web_replies.sessions_page(await self._post(routes.GET_SESSIONS, asked))

    async def rows(
        self, *, folder_id: str | None = None, shared: bool = False, most_pages: int = _MOST_PAGES
    ) -> ListingPage | None:
        """All pages of recordings as one; None when there are more than `most_pages`.

        The pages end where as many rows came as the platform says there are, at an empty page, or at one that repeats
        known rows: a short page need not be the last.
        """
        found: dict[str, ListingRow] = {}
        subfolders: tuple[Folder, ...] = ()
        for number in range(most_pages):
            page = await self.page(number, folder_id=folder_id, shared=shared)
            if not number:
                subfolders = page.subfolders
                if page.total is not None and page.total > most_pages * _ROWS:
                    return None
            new = {row.id: row for row in page.rows if row.id not in found}
            found |= new
            if not new or (page.total is not None and len(found) >= page.total):
                return ListingPage(tuple(found.values()), page.total, subfolders)
        return None

    async def recording(self, session_id: str) -> ListingRow:
        """One recording."""
        row = web_replies.item(await self._get(routes.WEB_SESSION, id=session_id))
        if row is None:
            raise BadReply(f"{routes.WEB_SESSION.name}: the platform's answer has an unexpected form")
        return row

    async def playlist(self, playlist_id: str) -> Sequence[ListingRow]:
        """The recordings of a playlist, in its order."""
        list_id = web_replies.session_list_id(await self._get(routes.WEB_PLAYLIST, id=playlist_id))
        if not list_id:
            raise BadReply(f"{routes.WEB_PLAYLIST.name}: the platform's answer has an unexpected form")
        return web_replies.list_items(await self._get(routes.WEB_SESSION_LIST, id=list_id))

    # -- who

    async def viewer(self, session_id: str) -> Viewer | None:
        """Who is signed in, as the viewer of a recording says; None when no user is."""
        return web_replies.viewer_of(await self.media.viewer(session_id))

    # -- asking

    def routes(self) -> Sequence[model.RouteState]:
        """The state of each route that was used so far.  No request is made."""
        return [model.RouteState(f"{route.name} ({route.path})", trouble) for route, trouble in self._used.items()]

    async def _get(self, route: Route, **values: str) -> object:
        return self._content(await self.session.get(route, **values), route)

    async def _post(self, route: Route, asked: Mapping[str, object]) -> object:
        content = json.dumps({"queryParameters": asked}).encode()
        return self._content(await self.session.post(route, content), route)

    async def _pages(self, route: Route, **values: str) -> list[WebFolder]:
        """All pages until one is empty or repeats known rows: neither their length nor a total is known."""
        found: dict[str, WebFolder] = {}
        for page in range(_MOST_PAGES):
            listed = web_replies.folders_page(await self._get(route, page=str(page), **values))
            new = {one.folder.id: one for one in listed if one.folder.id not in found}
            if not new:
                return list(found.values())
            found |= new
        raise BadReply(f"{route.name}: the platform's list does not end")

    def _content(self, reply: Reply, route: Route) -> object:
        """The JSON of a reply.  Raises the error that it means, and records the state of the route."""
        if not web_replies.is_refusal(reply):
            look(self._transport.surprises, "panopto", route.name, reply)
        trouble = None
        try:
            return web_replies.web_content(reply, route.name)
        except RouteGone as error:
            trouble = str(error)
            raise
        finally:
            self._used[route] = trouble

    def _has_ended(self) -> NotSignedIn:
        return NotSignedIn(self._signed_out)
