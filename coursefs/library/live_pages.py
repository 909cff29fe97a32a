"""What an open course page asks a mount for, beyond files: what is cached, a search over all courses, and captions.

Only the web server of `coursefs open` can answer: a page that was opened as a file cannot ask.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import trio

from coursefs.base import threads
from coursefs.base.supervisor import Tasks
from coursefs.catalog import Node, Place, Store
from coursefs.catalog.node import ROOT
from coursefs.catalog.page_nodes import INDEX
from coursefs.content import Contents
from coursefs.content.identity import Key
from coursefs.errors import CoursefsError, Gone
from coursefs.formats.subtitles import webvtt
from coursefs.library.course_pages import read_captions
from coursefs.library.handle import Handle
from coursefs.library.search_texts import FoundText, IndexMissing, require_terms, search_texts
from coursefs.library.settings import LibrarySettings
from coursefs.library.stored_tree import StoredTree
from coursefs.model import Kind
from coursefs.pages import course_page as pages

log = logging.getLogger(__name__)

#: seconds that a search waits for the index to have what was cached last
_PATIENCE = 1.0
_NO_CUES = b"WEBVTT\n"


@dataclass(frozen=True, slots=True)
class CachedItem:
    """How much of an item's files is cached."""

    fraction: float  # of its bytes; below 1 if the size of a file is not known
    is_fetching: bool  # range requests for it run now


@dataclass(frozen=True, slots=True)
class PageHit:
    """A hit of a search, with its place on the page of its course."""

    course: str  # path of its directory
    lecture: str  # "" for a title of the course or of a section
    at: float | None  # seconds from the beginning of the recording
    text: str
    address: str  # a URL path, with the fragment that opens the item


@dataclass(frozen=True, slots=True)
class PageHits:
    """The hits of a search."""

    hits: Sequence[PageHit] = ()
    is_complete: bool = True  # the index has all that was cached when the search began


class MakesSearchable(Protocol):
    """Brings the search index up to date; raises `CoursefsError`."""

    async def __call__(self, *, again: bool, is_background: bool) -> None: ...


class LivePages:
    """Answers what an open course page asks for.

    `make_searchable`: `FileCache.make_searchable`; `opened(inode)` opens a file; `settings` returns the present ones.
    """

    def __init__(
        self,
        store: Store,
        contents: Contents,
        make_searchable: MakesSearchable,
        opened: Callable[[int], Awaitable[Handle]],
        settings: Callable[[], LibrarySettings],
        tasks: Tasks,
    ) -> None:
        self._store = store
        self._contents = contents
        self._make_searchable = make_searchable
        self._opened = opened
        self._settings = settings
        self._tasks = tasks
        self._updated: trio.Event | None = None  # set when the update of the index that runs now has ended
        self._failure: CoursefsError | None = None  # of the last update
        self._files: dict[str, list[Node]] = {}  # of the course that was asked for last
        self._files_state: tuple[Place, int] | None = None

    @property
    def script(self) -> bytes:
        """The script of a page that asks."""
        return pages.assets()["live.js"]

    def cached(self, node: Node) -> dict[str, CachedItem]:
        """The items of the course of a file of which 1 % is cached, or something fetched, by the keys of its page."""
        place = Place(node.place.account, node.key) if node.kind is Kind.COURSE else node.place
        fetching = {one.key for one in self._contents.fetching() if one.runs}
        found: dict[str, CachedItem] = {}
        for item, of_item in self._files_of(place).items():
            keys = [Key(file.place.account, file.identity or "") for file in of_item]
            cached = sum(map(self._contents.cached_bytes_of, keys))
            is_fetching = not fetching.isdisjoint(keys)
            size = sum(file.size or 0 for file in of_item)
            if is_fetching or (cached and cached * 100 >= size):  # less is what a probe of the size has left
                most = 0.99 if cached < size or any(file.size is None for file in of_item) else 1.0
                fraction = min(cached / size if size else 0.0, most)
                found[pages.key_of(item)] = CachedItem(fraction, is_fetching)
        return found

    def _files_of(self, place: Place) -> dict[str, list[Node]]:
        """The platform's files of a course by their items; read again only after the catalogue has changed."""
        state = (place, self._store.changes)
        if self._files_state != state:
            files: defaultdict[str, list[Node]] = defaultdict(list)
            for file in self._store.of_place(place):
                if file.identity is not None:
                    files[file.item].append(file)
            self._files, self._files_state = dict(files), state
        return self._files

    async def find(self, text: str, limit: int) -> PageHits:
        """The hits of a search in all courses, the best first; in the index as it is after a second at most.

        Raises `UsageError` for a search without words, and `CoursefsError` if there is no index and none can be built.
        """
        require_terms(text)
        ended = self._begin_update(again=False)
        with trio.move_on_after(_PATIENCE):
            await ended.wait()
        settings = self._settings()
        accounts = [account.name for account in settings.accounts]
        try:
            found = await threads.run_sync(search_texts, settings.catalogue, text, accounts, None, limit)
        except IndexMissing:
            if ended.is_set() and self._failure is not None:
                raise self._failure from None
            if ended.is_set():  # the index was up to date, and has been deleted or damaged since
                self._begin_update(again=True)
            return PageHits(is_complete=False)
        tree = StoredTree(self._store, accounts)
        return PageHits([await self._hit(tree, one) for one in found], ended.is_set())

    def _begin_update(self, *, again: bool) -> trio.Event:
        """Start to bring the search index up to date, if that does not run yet; the event is set when it has ended.

        `again`: build it from nothing.
        """
        if self._updated is not None:
            return self._updated
        ended = self._updated = trio.Event()

        async def update() -> None:
            self._failure = None
            try:
                await self._make_searchable(again=again, is_background=False)  # a person waits
            except CoursefsError as error:
                log.info("%s", error)
                self._failure = error
            finally:
                self._updated = None
                ended.set()

        self._tasks.start_soon(update, name="search index")
        return ended

    async def _hit(self, tree: StoredTree, found: FoundText) -> PageHit:
        node: Node | None = tree.node(ROOT)
        for name in found.path.split("/"):
            node = await tree.child(node.inode, name) if node is not None else None
        address = quote(f"/{found.course}/{INDEX}", errors="replace")
        if node is not None and node.kind is not Kind.COURSE:
            fragment = f"i-{pages.anchor(node.item)}" if node.item else f"s-{pages.anchor(node.key)}"
            address += f"#{fragment}" + ("" if found.at is None else f"&t={found.at:g}")
        return PageHit(found.course, found.lecture, found.at, found.text, address)

    async def captions(self, node: Node) -> bytes:
        """Captions as WebVTT, whatever format the platform has; without cues if they are broken.

        Raises `Gone` for a file that is none, and the error of reading it.
        """
        if node.kind is not Kind.SUBTITLE:
            raise Gone("these are no captions")
        data = await read_captions(await self._opened(node.inode))
        return await threads.run_sync(webvtt, data) or _NO_CUES
