"""Nodes of course pages: the page of a course and what goes with it, and the overview of all courses in the root.

Their bytes are made from the catalogue when they are read (`coursefs.library.course_pages`): the store has their names,
sizes and digests.  No title gets their names (`names.RESERVED`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from coursefs.catalog.difference import Changes, difference
from coursefs.catalog.node import ROOT, SEPARATOR, DesiredNode, Node, Place, Space, digest_of
from coursefs.catalog.store import Store
from coursefs.formats.media_center import SEASON_FILE, SHOW_FILE
from coursefs.model import Kind

#: keys of nodes, which are their names, too
INDEX, PLAYLIST, DEADLINES, FOLDER = "index.html", "playlist.m3u8", "deadlines.ics", "index.files"
SCRIPT, STYLE, PROGRESS = "page.js", "page.css", "progress.js"
#: before the key of the video that an episode's file describes
EPISODE = "episode/"
#: before the key of the captions that a script of cues is made from
CUES = "cues/"
#: what its folder has as item: one without is a section of the platform, and no item has this key
_ITEM = f"{SEPARATOR}page"
#: the place of what is in the root, which belongs to no account
NOWHERE = Place()

_MIME_TYPES = {
    ".html": "text/html",
    ".m3u8": "audio/x-mpegurl",
    ".ics": "text/calendar",
    ".js": "text/javascript",
    ".css": "text/css",
    ".nfo": "text/xml",
}


class PageNodes:
    """Writes the nodes of course pages, if they are shown, and of what media centres read, if courses are `shows`.

    `notify` is called with each difference.
    """

    def __init__(
        self, store: Store, notify: Callable[[Changes], None], *, are_shown: bool, are_shows: bool = False
    ) -> None:
        self._store = store
        self._notify = notify
        self._are_shown = are_shown
        self.are_shows = are_shows

    def settle(self) -> None:
        """Give the root its overview, and a page to each course that is listed and has none; makes no request.

        If they are not shown, take away those that there are.
        """
        if self._are_shown:
            self._write(overview_changes(self._store, time.time_ns()))
        else:
            self._take_away(NOWHERE)
        for course in self._store.courses_by_use():
            place = Place(course.place.account, course.key)
            if self._has(place, INDEX) != self._are_shown or self._has(place, SHOW_FILE) != self.are_shows:
                self.arrange(course) if self._are_shown or self.are_shows else self._take_away(place)

    def _has(self, place: Place, key: str) -> bool:
        node = self._store.find(place, key, Space.PAGE)
        return node is not None and not node.is_gone

    def _take_away(self, place: Place) -> None:
        self._write(Changes(gone=tuple(node for node in self._store.of_place(place) if node.space is Space.PAGE)))

    def arrange(self, course: Node) -> None:
        """Give a course the files of its page, for what is known of it now; makes no request."""
        place = Place(course.place.account, course.key)
        if (self._are_shown or self.are_shows) and self._store.fetch_log.fetched_ns(place) is not None:
            now = time.time_ns()
            self._write(
                page_changes(self._store, place, course.inode, now, are_shown=self._are_shown, are_shows=self.are_shows)
            )

    def _write(self, changes: Changes) -> None:
        """Write a difference; directories keep their mtime, for the platform has changed nothing."""
        if changes:
            self._store.write(changes)
            self._notify(changes)

    def outdate_cues(self, captions: Node) -> None:
        """Forget the size of the script of cues of captions whose bytes have changed: it is made anew when needed."""
        cues = self._store.find(captions.place, f"{CUES}{captions.key}", Space.PAGE)
        if cues is not None and not cues.is_gone and cues.size is not None:
            self._write(Changes(changed=((cues, replace(cues, size=None, etag=None, mtime_ns=time.time_ns())),)))

    def set_bytes(self, node: Node, page: bytes) -> Node:
        """Store size and digest of a page; return its node.  Its mtime changes with its bytes."""
        digest, today = digest_of(page), self._store.node(node.inode)
        if today is None or today.etag == digest:
            return today or node
        mtime_ns = today.mtime_ns if today.size is None else time.time_ns()
        after = replace(today, size=len(page), etag=digest, mtime_ns=mtime_ns)
        self._write(Changes(changed=((today, after),)))
        return after


def page_changes(
    store: Store, place: Place, directory: int, now_ns: int, *, are_shown: bool = True, are_shows: bool = False
) -> Changes:
    """The changes that give a course with this directory its page, and what media centres read, as it is known now."""
    nodes = store.of_place(place)
    own = [node for node in nodes if node.space is Space.PAGE]
    platform = [node for node in nodes if node.space is not Space.PAGE]
    desired = list(_of_course(store, place, directory, platform)) if are_shown else []
    if are_shows:
        desired += _of_show(place, directory, platform)
    return _changes(store, own, desired, now_ns)


def overview_changes(store: Store, now_ns: int) -> Changes:
    """The changes that give the root its overview."""
    own = [node for node in store.of_place(NOWHERE) if node.space is Space.PAGE]
    folder = _folder(NOWHERE, ROOT)
    desired = [
        _page(NOWHERE, INDEX, INDEX, ROOT),
        _page(NOWHERE, DEADLINES, DEADLINES, ROOT),
        folder,
        *(_page(NOWHERE, name, name, _inode(store, folder)) for name in (SCRIPT, STYLE, PROGRESS)),
    ]
    return _changes(store, own, desired, now_ns)


def cues_name(captions: Node) -> str:
    """The name of the script with the cues of these captions."""
    return f"{captions.inode:x}.js"


def captions_of(store: Store, node: Node) -> Node | None:
    """The captions that a script of cues is made from; None if they are gone."""
    found = store.find(node.place, node.key.removeprefix(CUES), Space.FILE)
    return None if found is None or found.is_gone else found


def _of_course(store: Store, place: Place, directory: int, nodes: list[Node]) -> Iterator[DesiredNode]:
    for name in (INDEX, PLAYLIST, DEADLINES):
        yield _page(place, name, name, directory)
    folder = _folder(place, directory)
    yield folder
    for name in (SCRIPT, STYLE, PROGRESS):
        yield _page(place, name, name, _inode(store, folder))
    for node in nodes:
        if node.parent == directory and node.is_directory and not node.item:
            yield _page(place, f"{PLAYLIST}/{node.key}", PLAYLIST, node.inode)
        elif node.kind is Kind.SUBTITLE and node.space is Space.FILE:
            yield _page(place, f"{CUES}{node.key}", cues_name(node), _inode(store, folder))


def _of_show(place: Place, directory: int, nodes: list[Node]) -> Iterator[DesiredNode]:
    """What media centres read: of the course, of each module with videos, and of each video."""
    yield _page(place, SHOW_FILE, SHOW_FILE, directory)
    directories = {node.inode: node for node in nodes if node.is_directory}
    modules: dict[int, Node] = {}
    for node in nodes:
        if node.kind is not Kind.VIDEO or node.space is not Space.FILE or node.is_refused:
            continue
        yield _page(place, f"{EPISODE}{node.key}", f"{node.name.rpartition('.')[0]}.nfo", node.parent)
        above = directories.get(node.parent)
        while above is not None and above.parent != directory:
            above = directories.get(above.parent)
        if above is not None:
            modules[above.inode] = above
    for module in modules.values():
        yield _page(place, f"{SEASON_FILE}/{module.key}", SEASON_FILE, module.inode)


def _page(place: Place, key: str, name: str, parent: int) -> DesiredNode:
    mime_type = _MIME_TYPES[name[name.rindex(".") :]]
    return DesiredNode(place, key, Kind.PAGE, parent, name, name, mime_type=mime_type, space=Space.PAGE)


def _folder(place: Place, directory: int) -> DesiredNode:
    return DesiredNode(place, FOLDER, Kind.FOLDER, directory, FOLDER, FOLDER, _ITEM, space=Space.PAGE)


def _inode(store: Store, folder: DesiredNode) -> int:
    known = store.find(folder.place, folder.key, folder.space)
    return store.new_inode(folder) if known is None else known.inode


def _is_free(store: Store, node: DesiredNode) -> bool:
    """Whether nothing of a platform has this name, from before it was reserved."""
    sibling = store.child(node.parent, node.name)
    return sibling is None or sibling.space is Space.PAGE


def _changes(store: Store, present: list[Node], desired: list[DesiredNode], now_ns: int) -> Changes:
    taken: set[int] = set()

    def new_inode(node: DesiredNode) -> int:
        taken.add(inode := store.new_inode(node, taken))
        return inode

    desired = [node for node in desired if _is_free(store, node)]
    # a page that comes back is made anew: of its old bytes nothing is known
    former = {key: replace(node, size=None, etag=None) for key, node in store.former_nodes(desired).items()}
    return difference(present, desired, former_nodes=former, new_inode=new_inode, now_ns=now_ns)
