"""A `PanoptoReader` of a server by its web site, with a browser's cookies.

Ids, names and times are those of the API, so that a change of the way of signing in moves nothing.  The whole tree
comes with few requests: the pages of all folders, and those of all recordings that the user sees.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from coursefs.errors import CoursefsError, Gone, NotSignedIn
from coursefs.model import Identity, RouteState
from coursefs.providers.kit.gathering import concerns_one_item
from coursefs.providers.panopto import routes
from coursefs.providers.panopto.folders import FolderContents
from coursefs.providers.panopto.media import MediaPages
from coursefs.providers.panopto.replies import Delivery, Folder, Recording
from coursefs.providers.panopto.routes import RequestLimit
from coursefs.providers.panopto.settings import PanoptoSettings
from coursefs.providers.panopto.web_client import WebClient
from coursefs.providers.panopto.web_folders import WebFolders

log = logging.getLogger(__name__)

#: recordings whose viewer is asked who is signed in, before the home page is
_WITNESSES = 3
#: the id of a user on a server that had no recording to tell it
_UNNAMED = "learner"


class WebReader:
    """One account that has signed in with a browser's cookies; `turns` limits the concurrent requests of listings.

    `user_id`: the user as known from an earlier sign-in; "": not known.
    """

    def __init__(self, client: WebClient, settings: PanoptoSettings, turns: RequestLimit, *, user_id: str = "") -> None:
        self.client = client
        self._folders = WebFolders(client, settings, turns)
        self._user_id = user_id
        self._witness = ""  # id of a recording whose viewer has told the user

    @property
    def media(self) -> MediaPages:
        return self.client.media

    async def identity(self) -> Identity:
        """The signed-in user, as the viewer of any recording says.

        The listings alone prove nothing: some servers give public recordings to everyone.  Where no recording tells
        the user, the home page is proof, and the user stays the one who is known.
        """
        for session_id in [self._witness] if self._witness else await self._witnesses():
            if (identity := await self._told_by(session_id)) is not None:
                return identity
        if self._witness:  # it is gone, or no longer shown
            self._witness = ""
            return await self.identity()
        await self.client.session.prove()
        return Identity(self._user_id or _UNNAMED)

    async def visible(self) -> Mapping[str, Folder]:
        return await self._folders.visible()

    async def below(self, top: Folder) -> Mapping[str, FolderContents]:
        return await self._folders.below(top)

    async def folder(self, folder_id: str) -> Folder:
        found = (await self._folders.visible()).get(folder_id)
        if found is None:
            raise Gone("folder: the platform does not show it")
        return found

    async def facts(self, session_id: str) -> tuple[Recording, Delivery | None]:
        """The viewer's data; where it refuses, one more request finds whether the recording is there at all.

        That downloads are switched off is believed only when a download was refused, so one may be tried.
        """
        session = Recording(
            session_id,
            "",
            download_url=routes.VIDEO.url(self.client.server, id=session_id),
            captions_url=routes.CAPTIONS.url(self.client.server, id=session_id),
        )
        try:
            return session, await self.media.delivery(session_id)
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            log.debug("the viewer says nothing of a recording: %s", error)
        await self.client.recording(session_id)
        return session, None

    async def download_at(self, session_id: str) -> tuple[str, dict[str, str]]:
        return await self.media.offered_at((await self.media.delivery(session_id)).download_url)

    def routes(self) -> Sequence[RouteState]:
        return self.client.routes()

    async def _witnesses(self) -> list[str]:
        page = await self.client.page(rows=_WITNESSES * 4)
        rows = [row for row in page.rows if not row.is_playlist]
        return [row.id for row in rows[:_WITNESSES]]

    async def _told_by(self, session_id: str) -> Identity | None:
        try:
            viewer = await self.client.viewer(session_id)
            if viewer is None:  # the recording is public, and the sign-in may have ended
                await self.client.session.prove()
                viewer = await self.client.viewer(session_id)
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            return None
        if viewer is None:
            raise NotSignedIn(self.client.session.signed_out)
        if not viewer.id:
            return None  # a server that does not tell it
        self._witness = session_id
        # a user who was once signed in without an id stays the same one
        return Identity(_UNNAMED if self._user_id == _UNNAMED else viewer.id, viewer.name or None)
