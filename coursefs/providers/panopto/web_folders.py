"""The folders and recordings of an account by the web site: the whole tree in as few requests as it has pages.

Facts, of which no two servers agree on all: `Api/Folders` without a parent lists the top folders, or those of all
depths; `GetFolders` lists all, or is allowed to creators alone; `HasAccessibleChildren` was false on a folder with
children; a listing of all recordings names the folder of each, also of folders that may not be listed.  So all of them
are asked, and what one does not say another does.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import trio
from cachetools import TTLCache

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.providers.kit.gathering import concerns_one_item, gathering, is_final
from coursefs.providers.panopto import wall_clock
from coursefs.providers.panopto.folders import FolderContents
from coursefs.providers.panopto.replies import Folder, Recording
from coursefs.providers.panopto.routes import RequestLimit
from coursefs.providers.panopto.settings import PanoptoSettings
from coursefs.providers.panopto.web_client import WebClient
from coursefs.providers.panopto.web_replies import ListingPage, ListingRow, WebFolder, merged
from coursefs.providers.panopto.web_tree import (
    children_of,
    placed,
    playlist,
    session,
    shared_page,
    shown_below,
    with_pages,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

#: seconds for which a listing of everything serves the courses that are listed after it
_KEPT = 60.0
#: pages of recordings that are read at once; on a server with more the folders are read one by one
_MOST_PAGES = 40
#: searches for folders that are known by their recordings alone, and for how long (s) a vain one is not repeated
_SEARCHES, _VAIN_FOR = 40, 6 * 3600.0
#: levels of folders below each other
_LEVELS = 30
#: questions of the viewer about the zone of the rooms, for one listing
_QUESTIONS = 8
#: the key and the name of the course of recordings that were shared with the user in person
SHARED, _SHARED_NAME = "shared-with-me", "Shared with me"


@dataclass(frozen=True, slots=True)
class _Everything:
    """The listings of an account, as they were at a time."""

    folders: Mapping[str, Folder]
    rows: Sequence[ListingRow] | None  # None: there are too many, or the platform lists none without a folder
    shared: Sequence[ListingRow]
    at: float  # trio's clock


class WebFolders:
    """The folders of one account; `turns` limits the concurrent requests."""

    def __init__(self, client: WebClient, settings: PanoptoSettings, turns: RequestLimit) -> None:
        self._client = client
        self._settings = settings
        self._turns = turns
        self._turn = trio.Lock()  # held while everything is listed: all others wait for that listing
        self._known: _Everything | None = None
        self._vain: TTLCache[str, None] = TTLCache(4096, _VAIN_FOR, timer=trio.current_time)
        self._no_folder_list = False
        self._given_before = set[str]()  # the listings that the server has given
        self._zones = wall_clock.zones(settings.zone)

    async def visible(self) -> dict[str, Folder]:
        """Every folder visible to the account, by id, and one of the recordings that were shared with the user."""
        everything = await self._everything(kept=0.0)
        folders = dict(everything.folders)
        if everything.shared:
            folders[SHARED] = Folder(SHARED, _SHARED_NAME, url=shared_page(self._client.server))
        return folders

    async def below(self, top: Folder) -> dict[str, FolderContents]:
        """The contents of a folder and of every shown folder below it, by id."""
        everything = await self._everything(kept=_KEPT)
        if top.id == SHARED:
            return {SHARED: FolderContents(sessions=await self._sessions(everything.shared))}
        if everything.rows is None:
            return await self._walked(top, everything.folders)
        if top.id not in everything.folders:
            raise Gone(f"{top.name}: the platform does not show this folder")
        shown = shown_below(top, children_of(everything.folders.values()), self._settings)
        by_folder: defaultdict[str, list[ListingRow]] = defaultdict(list)
        for row in everything.rows:
            if row.folder_id in shown:
                by_folder[row.folder_id].append(row)
        return await self._filled(shown, by_folder, everything.rows)

    # -- everything at once

    async def _everything(self, *, kept: float) -> _Everything:
        begun = trio.current_time()
        async with self._turn:
            known = self._known
            if known is None or known.at <= begun - kept:
                known = self._known = await self._listed()
            return known

    async def _listed(self) -> _Everything:
        at = trio.current_time()
        answers: dict[str, ListingPage | CoursefsError | None] = {}
        found: dict[str, list[WebFolder] | CoursefsError] = {}
        async with gathering(self._turns.limiter) as requests:
            requests.ask(found, "tree", self._client.folders)
            if not self._no_folder_list:
                requests.ask(found, "all", self._client.all_folders)
            requests.ask(answers, "rows", partial(self._client.rows, most_pages=_MOST_PAGES))
            requests.ask(answers, "shared", partial(self._client.rows, shared=True, most_pages=_MOST_PAGES))
        self._no_folder_list |= isinstance(found.get("all"), NotAllowed)
        rows, shared = self._given("rows", answers["rows"]), self._given("shared", answers["shared"])
        lists = [folders for name, one in found.items() if (folders := self._given(name, one)) is not None]
        if not lists and (rows is None or not rows.rows):
            raise next(one for one in found.values() if isinstance(one, CoursefsError))
        in_person = () if shared is None else shared.rows
        return await self._put_together(lists, None if rows is None else rows.rows, in_person, at)

    def _given(self, listing: str, answer: T | CoursefsError) -> T | None:
        """An answer of this listing; None where the server does not give it.

        Raises an error that may pass of a listing that it has given before, so that nothing seems gone by it.
        """
        if not isinstance(answer, CoursefsError):
            self._given_before.add(listing)
            return answer
        if isinstance(answer, NotSignedIn) or (listing in self._given_before and not is_final(answer)):
            raise answer
        log.info("the listing %r is not given: %s", listing, answer)
        return None

    async def _put_together(
        self,
        lists: Iterable[Iterable[WebFolder]],
        rows: Sequence[ListingRow] | None,
        shared: Sequence[ListingRow],
        at: float,
    ) -> _Everything:
        folders = await self._with_children([folder for some in lists for folder in some])
        if rows is not None:
            folders = await self._with_folders_of(rows, shared, folders)
        return _Everything(with_pages(folders, self._client.server), rows or None, shared, at)

    async def _with_children(self, listed: Sequence[WebFolder]) -> dict[str, Folder]:
        """The listed folders, and those below the ones that are said to have any and of which none is listed."""
        folders, waiting = merged(listed, {}), list(listed)
        asked = set[str]()
        for _ in range(_LEVELS):
            parents = {one.parent_id for one in folders.values()}
            missing = {one.folder.id for one in waiting if one.has_children} - parents - asked
            if not missing:
                break
            asked |= missing
            answers: dict[str, list[WebFolder] | CoursefsError] = {}
            async with gathering(self._turns.limiter) as requests:
                for folder_id in missing:
                    requests.ask(answers, folder_id, partial(self._client.folders, folder_id))
            waiting = []
            for parent_id, answer in answers.items():
                if not isinstance(answer, CoursefsError):
                    waiting += [placed(one, folders.get(parent_id)) for one in answer]
                elif not is_final(answer):
                    raise answer
            folders = merged(waiting, folders)
        return folders

    async def _with_folders_of(
        self, rows: Iterable[ListingRow], shared: Iterable[ListingRow], folders: Mapping[str, Folder]
    ) -> dict[str, Folder]:
        """The folders with those that only their recordings name.

        One that may be listed has a place in the tree, which a search finds.  One that may not is a top folder, unless
        all that is seen of it was shared with the user in person.
        """
        found = dict(folders)
        in_person = {row.id for row in shared}
        unlisted = {
            row.folder_id: Folder(row.folder_id, row.folder_name)
            for row in rows
            if row.folder_id and row.folder_id not in found and (row.may_list or row.id not in in_person)
        }
        searched = {row.folder_id for row in rows if row.may_list}
        wanted = {one.id: one.name for one in unlisted.values() if one.id in searched}
        for _ in range(_SEARCHES):
            wanted |= {one.parent_id: one.parent_name for one in found.values() if one.parent_id and one.parent_name}
            wanted = {key: name for key, name in wanted.items() if key not in found and key not in self._vain}
            target = next(iter(sorted(wanted, key=lambda key: (wanted[key], key))), None)
            if target is None:
                break
            found = merged(await self._searched(wanted[target]), found)
            if target not in found:
                self._vain[target] = None
        return {**unlisted, **found}

    async def _searched(self, name: str) -> list[WebFolder]:
        """The folders with the first word of a name: one search finds all weeks of a course."""
        words = re.findall(r"\w+", name)
        if not words:
            return []
        answer: list[WebFolder] | CoursefsError
        try:
            answer = await self._client.search_folders(words[0])
        except (NotAllowed, Gone, BadReply) as error:
            answer = error
        return self._given("search", answer) or []

    # -- folder by folder

    async def _walked(self, top: Folder, folders: Mapping[str, Folder]) -> dict[str, FolderContents]:
        """The same with a request for each folder, level by level."""
        known = children_of(folders.values())
        shown: dict[str, tuple[tuple[str, ...], list[Folder]]] = {}
        by_folder: dict[str, Sequence[ListingRow]] = {}
        level: dict[str, tuple[str, ...]] = {top.id: (top.name,)}
        while level:
            answers: dict[str, ListingPage | CoursefsError | None] = {}
            async with gathering(self._turns.limiter) as requests:
                for folder_id in level:
                    requests.ask(answers, folder_id, partial(self._client.rows, folder_id=folder_id))
            new: dict[str, tuple[str, ...]] = {}
            for folder_id, path in level.items():
                answer = answers[folder_id]
                if isinstance(answer, CoursefsError):
                    if folder_id == top.id or not isinstance(answer, (NotAllowed, Gone)):
                        raise answer
                    log.info("a folder of %s is not shown: %s", top.name, answer)
                    answer = ListingPage((), 0)
                if answer is None:
                    raise BadReply(f"{top.name}: the platform's list does not end")
                seen = {*shown, *level, *new}
                inner = {one.id: one for one in (*known.get(folder_id, ()), *answer.subfolders) if one.id not in seen}
                children = [one for one in inner.values() if not self._settings.skips((*path, one.name))]
                shown[folder_id], by_folder[folder_id] = (path, children), answer.rows
                new |= {one.id: (*path, one.name) for one in children}
            level = new
        return await self._filled({key: children for key, (_, children) in shown.items()}, by_folder)

    # -- what lies in the folders

    async def _filled(
        self,
        shown: Mapping[str, Sequence[Folder]],
        by_folder: Mapping[str, Sequence[ListingRow]],
        others: Sequence[ListingRow] = (),
    ) -> dict[str, FolderContents]:
        """The contents of these folders; recordings of playlists that lie elsewhere may be among `others`."""
        listed = [row for folder_id in shown for row in by_folder.get(folder_id, ())]
        members = await self._members([row for row in listed if row.is_playlist])
        wanted = {row.id: row for some in members.values() for row in some}
        wanted |= {row.id: row for row in others if row.id in wanted and not row.is_playlist}
        wanted |= {row.id: row for row in listed if not row.is_playlist}
        sessions = {one.id: one for one in await self._sessions(wanted.values())}
        server = self._client.server
        return {
            folder_id: FolderContents(
                children,
                [sessions[row.id] for row in by_folder.get(folder_id, ()) if not row.is_playlist],
                [
                    (playlist(row, server), [sessions[one.id] for one in members[row.id]])
                    for row in by_folder.get(folder_id, ())
                    if row.is_playlist
                ],
            )
            for folder_id, children in shown.items()
        }

    async def _members(self, lists: Sequence[ListingRow]) -> dict[str, Sequence[ListingRow]]:
        """The recordings of playlists, by their ids; none of one that is refused or gone."""
        answers: dict[str, Sequence[ListingRow] | CoursefsError] = {}
        async with gathering(self._turns.limiter) as requests:
            for row in lists:
                requests.ask(answers, row.id, partial(self._client.playlist, row.id))
        return {key: () if isinstance(answer, CoursefsError) else answer for key, answer in answers.items()}

    async def _sessions(self, rows: Iterable[ListingRow]) -> list[Recording]:
        """Recordings with their true times."""
        recorded = [row for row in rows if not row.is_playlist]
        await self._find_zone(recorded)
        return [session(row, self._start_of(row), self._client.server) for row in recorded]

    def _start_of(self, row: ListingRow) -> float | None:
        return row.start if row.wall is None else wall_clock.instant(row.wall, self._zones[0])

    async def _find_zone(self, rows: Iterable[ListingRow]) -> None:
        """Ask the viewer about recordings until all zones that are left agree about the listing."""
        open_rows = [row for row in rows if row.wall is not None and not row.is_archived and not row.is_scheduled]
        for _ in range(_QUESTIONS):
            day = wall_clock.disputed((row.wall for row in open_rows if row.wall is not None), self._zones)
            if day is None:
                return
            row = next(row for row in open_rows if wall_clock.is_on(row.wall, day))
            open_rows.remove(row)
            try:
                start = (await self._client.media.delivery(row.id)).start
            except CoursefsError as error:
                if not concerns_one_item(error):
                    raise
                continue
            if start is not None and row.wall is not None:
                self._zones = wall_clock.fitting(self._zones, row.wall, start)
