"""A `PanoptoReader` of a server by its API, with the token of an API client."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.model import Identity, RouteState
from coursefs.providers.kit.gathering import concerns_one_item
from coursefs.providers.panopto.client import PanoptoClient
from coursefs.providers.panopto.folders import FolderContents
from coursefs.providers.panopto.media import MediaPages
from coursefs.providers.panopto.replies import Delivery, Folder, Recording
from coursefs.providers.panopto.routes import RequestLimit
from coursefs.providers.panopto.settings import PanoptoSettings
from coursefs.providers.panopto.tokens import user_of
from coursefs.providers.panopto.walk import Folders

log = logging.getLogger(__name__)


class ApiReader:
    """One account that has signed in with an API client; `turns` limits the concurrent requests of listings."""

    def __init__(self, client: PanoptoClient, settings: PanoptoSettings, turns: RequestLimit) -> None:
        self.client = client
        self._settings = settings
        self._folders = Folders(client, settings, turns)

    @property
    def media(self) -> MediaPages:
        return self.client.media

    async def identity(self) -> Identity:
        """The platform's id of the user, else that of the API client; one request checks the sign-in."""
        await self.client.check()
        return Identity(user_of(await self.client.token()) or self._settings.client_id)

    async def visible(self) -> Mapping[str, Folder]:
        return await self._folders.visible()

    async def below(self, top: Folder) -> Mapping[str, FolderContents]:
        return await self._folders.below(top)

    async def folder(self, folder_id: str) -> Folder:
        return await self.client.folder(folder_id)

    async def facts(self, session_id: str) -> tuple[Recording, Delivery | None]:
        session = await self.client.session(session_id)
        try:
            return session, await self.client.delivery(session_id)
        except CoursefsError as error:
            if not isinstance(error, NotSignedIn) and not concerns_one_item(error):
                raise
            log.debug("the viewer says nothing of a recording: %s", error)
            return session, None

    async def download_at(self, session_id: str) -> tuple[str, dict[str, str]]:
        session = await self.client.session(session_id)
        return await self.media.offered_at(session.download_url, fresh=True)

    def routes(self) -> Sequence[RouteState]:
        return self.client.routes()
