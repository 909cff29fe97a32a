"""Nodes of course pages: the page of a course and what goes with it, and the overview of all courses in the root.

Their bytes are made from the catalogue when they are read (`coursefs.library.course_pages`): the store has their names,
sizes and digests.  No title gets their names (`names.RESERVED`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from coursefs.catalog.difference import Changes, difference
from coursefs.catalog.node import ROOT, SEPARATOR, DesiredNode, Node, Place, Space, digest_of
from coursefs.catalog.store import Store
from coursefs.formats.media_center import SEASON_FILE, SHOW_FILE
from coursefs.model import Kind

#: keys of nodes, which are their names, too
INDEX, PLAYLIST, DEADLINES, FOLDER = "index.html", "playlist.m3u8", "deadlines.ics", "index.files"
SCRIPT, STYLE, PROGRESS = "page.js", "page.css", "progress.js"
#: before the key of the captions that a file is made from: a script of cues, subtitles in the other format, a note
CUES, SRT, VTT, NOTE = "cues/", "srt/", "vtt/", "note/"
_OF_CAPTIONS = (CUES, SRT, VTT, NOTE)
#: before the key of the video that an episode's file describes
EPISODE = "episode/"
#: what its folder has as item: one without is a section of the platform, and no item has this key
_ITEM = f"{SEPARATOR}page"
#: what a page that is complete has as Last-Modified, which no server gives it
_COMPLETE = 0
#: ns in which a course becomes known, after it was first listed
_FIRST_KNOWN_NS = 3600 * 10**9
#: the place of what is in the root, which belongs to no account
NOWHERE = Place()

_MIME_TYPES = {
    ".html": "text/html",
    ".m3u8": "audio/x-mpegurl",
    ".ics": "text/calendar",
    ".js": "text/javascript",
    ".css": "text/css",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".md": "text/markdown",
    ".nfo": "text/xml",
}


@dataclass(frozen=True, slots=True)
class Generated:
    """What is generated besides the files of the platforms."""

    pages: bool = False  # course pages, playlists and calendars
    twins: frozenset[str] = frozenset()  # of captions: "srt", "vtt", "md"
    shows: bool = False  # what media centres read

    def __bool__(self) -> bool:
        return self.pages or self.shows or bool(self.twins)


class PageNodes:
    """Writes the nodes of generated files; `notify` is called with each difference."""

    def __init__(self, store: Store, notify: Callable[[Changes], None], generated: Generated) -> None:
        self._store = store
        self._notify = notify
        self._generated = generated
        self._ensured: set[Place] = set()  # courses that have their files

    @property
    def are_beside_files(self) -> bool:
        """Whether films and captions have generated files beside them, which must be there when they are listed."""
        return self._generated.shows or bool(self._generated.twins)

    def settle(self) -> None:
        """Give the root its overview; makes no request.

        What is not generated any more is taken away.  A course that is listed and has no files gets them by `ensure`,
        when it is looked at: in a large account that takes seconds.  Files beside those of a platform are not looked
        at one by one, so a course gets these now.
        """
        if self._generated.pages:
            self._write(overview_changes(self._store, time.time_ns()))
        else:
            self._take_away(NOWHERE)
        self._ensured.clear()
        with_pages = self._store.courses_with_pages()
        if not self._generated:
            for place in with_pages:
                self._take_away(place)
            return
        for course in self._store.courses_by_use():
            place = Place(course.place.account, course.key)
            is_same = place not in with_pages or (
                self._has(place, INDEX) == self._generated.pages
                and self._has(place, SHOW_FILE) == self._generated.shows
            )
            if self.are_beside_files or not is_same:
                self.arrange(course)

    def ensure(self, course: Node) -> None:
        """Give a course its files if it is listed and has none; makes no request."""
        place = Place(course.place.account, course.key)
        if self._generated and place not in self._ensured and self._store.fetch_log.fetched_ns(place) is not None:
            if not self._has(place, INDEX if self._generated.pages else SHOW_FILE):
                self.arrange(course)
            self._ensured.add(place)

    def follow(self, course: Node, changes: Changes) -> None:
        """Give a course the files that a difference of its platform's files asks for."""
        place = Place(course.place.account, course.key)
        if self.are_beside_files:
            self.arrange(course)
        elif self._generated.pages and self._has(place, INDEX):
            nodes = (*changes.added, *changes.gone, *(after for _, after in changes.changed))
            captions = [node.key for node in nodes if node.kind is Kind.SUBTITLE and node.space is Space.FILE]
            if captions:
                self._write(cues_changes(self._store, place, course.inode, captions, time.time_ns()))

    def _has(self, place: Place, key: str) -> bool:
        node = self._store.find(place, key, Space.PAGE)
        return node is not None and not node.is_gone

    def _take_away(self, place: Place) -> None:
        self._write(Changes(gone=tuple(node for node in self._store.of_place(place) if node.space is Space.PAGE)))

    def arrange(self, course: Node) -> None:
        """Give a course its generated files, for what is known of it now; makes no request."""
        place = Place(course.place.account, course.key)
        if self._generated and self._store.fetch_log.fetched_ns(place) is not None:
            self._write(page_changes(self._store, place, course.inode, time.time_ns(), self._generated))

    def _write(self, changes: Changes) -> None:
        """Write a difference; directories keep their mtime, for the platform has changed nothing."""
        if changes:
            self._store.write(changes)
            self._notify(changes)

    def outdate(self, captions: Node) -> None:
        """Forget the sizes of what is made of captions whose bytes have changed: it is made anew when needed."""
        for prefix in _OF_CAPTIONS:
            made = self._store.find(captions.place, f"{prefix}{captions.key}", Space.PAGE)
            if made is not None and not made.is_gone and made.size is not None:
                self._write(Changes(changed=((made, replace(made, size=None, etag=None, mtime_ns=time.time_ns())),)))

    def set_size(self, node: Node, size: int) -> Node:
        """Store the size of a page that was not made yet; return its node."""
        today = self._store.node(node.inode)
        if today is None or today.size is not None:
            return today or node
        after = replace(today, size=size)
        self._write(Changes(changed=((today, after),)))
        return after

    def set_bytes(self, node: Node, page: bytes, *, is_complete: bool) -> Node:
        """Store size and digest of a page; return its node.  Its mtime changes with its bytes.

        `is_complete`: all that the page shows was asked for.  A page that was not complete keeps its mtime for an hour
        although its bytes change: a first backup reads it while the course becomes known, and the second is to find
        nothing new.
        """
        digest, today, now = digest_of(page), self._store.node(node.inode), time.time_ns()
        if today is None or (today.etag, _is_complete(today)) == (digest, is_complete):
            return today or node
        keeps = today.etag in {digest, None} or (not _is_complete(today) and now - today.mtime_ns < _FIRST_KNOWN_NS)
        mtime_ns = today.mtime_ns if keeps else now
        after = replace(
            today, size=len(page), etag=digest, modified_ns=_COMPLETE if is_complete else None, mtime_ns=mtime_ns
        )
        self._write(Changes(changed=((today, after),)))
        return after


def _is_complete(page: Node) -> bool:
    return page.modified_ns is not None


def page_changes(store: Store, place: Place, directory: int, now_ns: int, generated: Generated) -> Changes:
    """The changes that give a course with this directory its generated files, for what is known of it now."""
    nodes = store.of_place(place)
    own = [node for node in nodes if node.space is Space.PAGE]
    platform = [node for node in nodes if node.space is not Space.PAGE]
    desired = list(_of_course(store, place, directory, platform)) if generated.pages else []
    for node in platform:
        if node.kind is Kind.SUBTITLE and node.space is Space.FILE:
            desired += _twins(node, generated.twins)
    if generated.shows:
        desired += _of_show(place, directory, platform)
    return _changes(store, own, desired, now_ns)


def cues_changes(store: Store, place: Place, directory: int, captions: Sequence[str], now_ns: int) -> Changes:
    """The changes that give a course with this directory a script of cues for each of these captions that is there."""
    folder = _folder(place, directory)
    own = [store.find(place, f"{CUES}{key}", Space.PAGE) for key in dict.fromkeys(captions)]
    present = [node for node in own if node is not None and not node.is_gone]
    desired = [
        _page(place, f"{CUES}{key}", cues_name(node), _inode(store, folder))
        for key in dict.fromkeys(captions)
        if (node := store.find(place, key, Space.FILE)) is not None and not node.is_gone and node.kind is Kind.SUBTITLE
    ]
    return _changes(store, present, desired, now_ns)


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


def is_of_captions(node: Node) -> bool:
    """Whether a generated file is made from captions."""
    return node.key.startswith(_OF_CAPTIONS)


def captions_of(store: Store, node: Node) -> Node | None:
    """The captions that a file is made from; None if they are gone."""
    found = store.find(node.place, node.key.partition("/")[2], Space.FILE)
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


def _twins(captions: Node, twins: frozenset[str]) -> Iterator[DesiredNode]:
    """The twins of captions; one in the other format has its name, so a player takes it for the same."""
    stem, _, extension = captions.name.rpartition(".")
    for prefix, kind, wanted in (
        (SRT, Kind.SUBTITLE, "srt"),
        (VTT, Kind.SUBTITLE, "vtt"),
        (NOTE, Kind.TRANSCRIPT, "md"),
    ):
        if wanted in twins and wanted != extension:
            yield replace(
                _page(captions.place, f"{prefix}{captions.key}", f"{stem}.{wanted}", captions.parent), kind=kind
            )


def _of_show(place: Place, directory: int, nodes: list[Node]) -> Iterator[DesiredNode]:
    """What media centres read: of the course, of each module with videos, and of each video."""
    yield _page(place, SHOW_FILE, SHOW_FILE, directory)
    directories = {node.inode: node for node in nodes if node.is_directory}
    modules: dict[int, Node] = {}
    for node in nodes:
        if node.kind is not Kind.VIDEO or node.space is not Space.FILE:
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

    by_name = {(node.parent, node.name): node for node in reversed(desired)}  # captions in two formats have one note
    desired = [node for node in by_name.values() if _is_free(store, node)]
    # a page that comes back is made anew: of its old bytes nothing is known
    former = {key: replace(node, size=None, etag=None) for key, node in store.former_nodes(desired).items()}
    return difference(present, desired, former_nodes=former, new_inode=new_inode, now_ns=now_ns)
