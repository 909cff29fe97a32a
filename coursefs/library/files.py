"""The files and directories of a library: looked up by inode number and name, listed, walked through, and opened.

It hands on what the tree knows and what the platforms say of a file now.  The bytes that are on the disk are in
`file_cache`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

import trio

from coursefs.base.foreground import Foreground
from coursefs.catalog import Node, PackedListing, Place, Store, Tree
from coursefs.content import Contents, Reader
from coursefs.library.activity import Activity
from coursefs.library.course_pages import CoursePages
from coursefs.library.handle import Handle
from coursefs.library.playback import ReadPattern
from coursefs.library.stored_tree import StoredTree
from coursefs.library.versions import Versions
from coursefs.library.walk import Found, Outdated, Unavailable, Walk
from coursefs.model import Kind


class Files:
    """The files and directories of a library.  They are given by inode number, or as nodes; `ROOT` is the top."""

    def __init__(
        self,
        tree: Tree,
        store: Store,
        contents: Contents,
        versions: Versions,
        activity: Activity,
        foreground: Foreground,
        note_use: Callable[[Node], None],
        pages: CoursePages,
        *,
        offline: bool,
    ) -> None:
        """`note_use` is called with a course whose directory is listed."""
        self._tree = tree
        self._store = store
        self._contents = contents
        self._versions = versions
        self._activity = activity
        self._foreground = foreground
        self._note_use = note_use
        self._pages = pages
        self._walk = Walk(tree, store, foreground, offline=offline)

    # -- one node ----------------------------------------------------------------------------------------------------

    def node(self, inode: int) -> Node:
        """A node as it is stored, without any request.  Raises `Gone`."""
        return self._tree.node(inode)

    async def attributes(self, inode: int) -> Node:
        """A node with its size; an unknown size is probed, together with those of the siblings."""
        node = self._tree.node(inode)
        if node.is_generated:
            return await self._pages.sized(node)
        return node if node.size is not None else await self._versions.exact(node)

    async def exact(self, node: Node) -> Node:
        """A file with its size and version, probed in the background if unknown.  Raises `CoursefsError`."""
        if node.is_generated:
            return await self._pages.sized(node)
        return await self._versions.sizes.exact(node)

    async def look_again(self, node: Node) -> Node:
        """A file with its present size and version, after its bytes were found changed.  Raises `CoursefsError`."""
        return self.node(node.inode) if node.identity is None else await self._versions.sizes.again(node)

    def path(self, node: Node) -> str:
        """Where a node is, or was, below the root; "" for the root itself."""
        return self._store.path_of(node)

    def within_course(self, node: Node, path: str) -> tuple[str, ...] | None:
        """The names of a path below its course, () for the course itself; None for what is above the courses."""
        if node.kind is Kind.COURSE:
            return ()
        course = self._store.find(Place(node.place.account), node.place.course) if node.place.course else None
        return None if course is None else tuple(path.split("/")[self.path(course).count("/") + 1 :])

    def last_error(self, node: Node) -> str | None:
        """Why the last read of a file failed; None when it did not."""
        return self._versions.last_error(node.inode)

    # -- directories -------------------------------------------------------------------------------------------------

    async def children(self, inode: int) -> Sequence[Node]:
        """The children of a directory; sizes may be unknown.  Raises the error of listing it."""
        node = self._tree.node(inode)
        if node.kind is Kind.COURSE:
            self._note_use(node)
        with self._foreground.request():
            return await self._tree.children(node)

    def known_listing(self, inode: int) -> PackedListing | None:
        """What a listing of a directory tells, if it is known and fresh; None: call `children`.

        The same object until one of the entries changes.
        """
        return self._tree.known_listing(inode)

    async def child(self, inode: int, name: str) -> Node | None:
        """The node of this name in a directory, or None; its size may be unknown."""
        with self._foreground.request():
            return await self._tree.child(self._tree.node(inode), name)

    def known_child(self, inode: int, name: str) -> Node | None:
        """The node of this name if it is known and fresh; None: call `child`."""
        return self._tree.known_child(inode, name)

    def walk(
        self,
        targets: Sequence[Node],
        may_ask: Callable[[str], bool] = lambda _: True,
        enters: Callable[[str, Node], bool] = lambda *_: True,
    ) -> AsyncGenerator[Found | Unavailable | Outdated, None]:
        """Every file at and below these nodes: see `Walk.below`."""
        return self._walk.below(targets, may_ask, enters)

    def stored(self) -> StoredTree:
        """The tree as the catalogue has it: it makes no requests."""
        return StoredTree(self._store, [account.name for account in self._tree.accounts])

    def totals(self) -> tuple[int, int]:
        """The number of known files and directories, and the sum of their known sizes in bytes."""
        return self._store.totals()

    # -- reading -----------------------------------------------------------------------------------------------------

    async def open(self, inode: int, *, is_watched: bool = False, by_pages: bool = False) -> Handle:
        """Open a file for reading.  Raises the error of finding its size.

        `is_watched`: a program opens it, so where it is a video it matters whether a person plays it; `by_pages`: reads
        may raise `ReadByPages`, after which the caller reads page by page.

        A version that was not confirmed for a day is revalidated first, so that a changed file is opened in its new
        version.  An open of a known file waits at most some seconds for this.
        """
        node = await self._versions.confirmed(await self._versions.exact(self._tree.node(inode)))
        content, version = self._versions.content(node), node.version
        source: Reader | bytes
        if node.is_generated:
            node, source = await self._pages.opened(node)
        elif content is None or version is None:
            source = await self._tree.page(node)
            node = self._tree.node(inode)
        else:
            source = self._contents.open(content, version, by_pages=by_pages)

        def is_current() -> bool:
            now = self._tree.node(inode)
            if not isinstance(source, bytes):
                return now.size == node.size
            return now.etag == node.etag or (now.etag is None and now.is_generated)  # it was shown once, and not kept

        pattern = ReadPattern(node.size or 0, trio.current_time()) if is_watched and node.kind is Kind.VIDEO else None
        reading = self._activity.opened(inode, lambda: self.path(node), pattern)
        return Handle(node, source, reading, self._foreground, self._versions.note_read, is_current)
