"""The walk through the folders of a server by its API, with few requests, safe against cycles and missing parents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

import trio
from cachetools import TTLCache

from coursefs.errors import CoursefsError, Gone, NotAllowed
from coursefs.providers.kit.gathering import gathering
from coursefs.providers.panopto.client import PanoptoClient
from coursefs.providers.panopto.folders import FolderContents, unknown_parents
from coursefs.providers.panopto.replies import Folder, Playlist, Recording
from coursefs.providers.panopto.routes import RequestLimit
from coursefs.providers.panopto.settings import PanoptoSettings

log = logging.getLogger(__name__)

#: how many levels of unlisted parents are requested, and for how long (s) a refused one is not requested again
_CLIMB = 12
_REFUSED_FOR = 6 * 3600.0


class Folders:
    """The folders of one account; `turns` limits the concurrent requests."""

    def __init__(self, client: PanoptoClient, settings: PanoptoSettings, turns: RequestLimit) -> None:
        self._client = client
        self._settings = settings
        self._turns = turns
        self._refused: TTLCache[str, None] = TTLCache(4096, _REFUSED_FOR, timer=trio.current_time)

    async def visible(self) -> dict[str, Folder]:
        """Every folder visible to the account, by id.

        They come from the search for `*`, from the list of top folders, which is empty on some servers, and from
        requests for the parents of both.
        """
        answers: dict[str, list[Folder] | CoursefsError] = {}
        async with gathering(self._turns.limiter) as requests:
            requests.ask(answers, "all", partial(self._client.search_folders, "*"))
            requests.ask(answers, "top", self._client.children)
        found = [one for one in answers.values() if not isinstance(one, CoursefsError)]
        for error in answers.values():
            if isinstance(error, CoursefsError):
                if not found:
                    raise error
                log.info("one way to list the folders fails: %s", error)
        folders = {folder.id: folder for some in found for folder in some}
        await self._climb(folders)
        return folders

    async def below(self, top: Folder) -> dict[str, FolderContents]:
        """The contents of a folder and of every shown folder below it, by id; requested level by level.

        A subfolder that is refused or gone is empty; any other error is raised.
        """
        contents: dict[str, FolderContents] = {}
        level: dict[str, tuple[str, ...]] = {top.id: (top.name,)}  # folder id -> its path
        while level:
            found = await self._contents(list(level))
            new: dict[str, tuple[str, ...]] = {}
            for folder_id, path in level.items():
                here = found[folder_id]
                if isinstance(here, CoursefsError):
                    if folder_id == top.id or not isinstance(here, (NotAllowed, Gone)):
                        raise here
                    log.info("a folder of %s is not shown: %s", top.name, here)
                    here = FolderContents()
                # a repeated folder, perhaps below itself, stays in its first place
                seen = {*contents, *level, *new}
                inner = [one for one in here.children if one.id not in seen]
                here.children = [one for one in inner if not self._settings.skips((*path, one.name))]
                new |= {one.id: (*path, one.name) for one in here.children}
                contents[folder_id] = here
            level = new
        return contents

    async def _climb(self, folders: dict[str, Folder]) -> None:
        """Add the visible parents that are not listed."""
        for _ in range(_CLIMB):
            missing = unknown_parents(folders, self._refused)
            answers: dict[str, Folder | CoursefsError] = {}
            async with gathering(self._turns.limiter) as requests:
                for parent_id in missing:
                    requests.ask(answers, parent_id, partial(self._client.folder, parent_id))
            for parent_id, answer in answers.items():
                if isinstance(answer, CoursefsError):
                    self._refused[parent_id] = None
                else:
                    folders[parent_id] = answer
            if not missing:
                return

    async def _contents(self, folder_ids: Sequence[str]) -> dict[str, FolderContents | CoursefsError]:
        """The direct contents of each of these folders, or its error."""
        children: dict[str, list[Folder] | CoursefsError] = {}
        sessions: dict[str, list[Recording] | CoursefsError] = {}
        playlists: dict[str, list[Playlist] | CoursefsError] = {}
        async with gathering(self._turns.limiter) as requests:
            for one in folder_ids:
                requests.ask(children, one, partial(self._client.children, one))
                requests.ask(sessions, one, partial(self._client.sessions, one))
                requests.ask(playlists, one, partial(self._client.playlists, one))
        lists = {one.id: one for some in playlists.values() if isinstance(some, list) for one in some}
        members: dict[str, list[Recording] | CoursefsError] = {}
        async with gathering(self._turns.limiter) as requests:
            for one in lists:
                requests.ask(members, one, partial(self._client.playlist_sessions, one))
        found: dict[str, FolderContents | CoursefsError] = {}
        for one in folder_ids:
            inner, recorded, listed = children[one], sessions[one], playlists[one]
            if isinstance(inner, CoursefsError):
                found[one] = inner
            elif isinstance(recorded, CoursefsError):
                found[one] = recorded
            else:
                mine = [] if isinstance(listed, CoursefsError) else listed
                found[one] = FolderContents(inner, recorded, [(each, _or_none(members[each.id])) for each in mine])
        return found


def _or_none(sessions: list[Recording] | CoursefsError) -> list[Recording]:
    return [] if isinstance(sessions, CoursefsError) else sessions
