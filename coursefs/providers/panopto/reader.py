"""What the provider asks of a Panopto server, by whichever way of signing in.

There are two: the API with a token (`coursefs.providers.panopto.api_reader`), and the web site with the cookies of a
browser (`coursefs.providers.panopto.web_reader`).  Both give the same folders and recordings with the same ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from coursefs.model import Identity, RouteState
from coursefs.providers.panopto.folders import FolderContents
from coursefs.providers.panopto.media import MediaPages
from coursefs.providers.panopto.replies import Delivery, Folder, Recording


class PanoptoReader(Protocol):
    """One account on one server.  Every method makes requests, unless it says otherwise."""

    @property
    def media(self) -> MediaPages:
        """The pages that need the cookie.  No request is made."""

    async def identity(self) -> Identity:
        """The signed-in user.  Raises `NotSignedIn` when the sign-in has ended."""

    async def visible(self) -> Mapping[str, Folder]:
        """Every folder that the account sees, by id."""

    async def below(self, top: Folder) -> Mapping[str, FolderContents]:
        """The contents of a folder and of every shown folder below it, by id."""

    async def folder(self, folder_id: str) -> Folder:
        """One folder.  Raises `Gone` or `NotAllowed`."""

    async def facts(self, session_id: str) -> tuple[Recording, Delivery | None]:
        """The facts of one recording; those of the viewer may be missing."""

    async def download_at(self, session_id: str) -> tuple[str, dict[str, str]]:
        """The URL of a download and the headers for it, after the last ones were refused.

        Raises `NotAllowed` when its owner has switched downloads off.
        """

    def routes(self) -> Sequence[RouteState]:
        """The state of each route that was used so far.  No request is made."""
