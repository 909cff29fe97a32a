"""The tree as the catalogue has it: nothing is requested, nothing is written, and it says what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from coursefs.catalog import Node, Place, Store
from coursefs.catalog.node import ROOT, Space
from coursefs.errors import CoursefsError
from coursefs.library.course_selection import select
from coursefs.model import Course, Kind


@dataclass(frozen=True, slots=True)
class Totals:
    """The sum of what is known below a directory, and how much is not."""

    files: int = 0
    bytes: int = 0
    folders: int = 0
    unlisted: int = 0  # accounts, courses and items that were never listed
    unsized: int = 0  # files whose size is not known

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.files + other.files,
            self.bytes + other.bytes,
            self.folders + other.folders,
            self.unlisted + other.unlisted,
            self.unsized + other.unsized,
        )


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file or directory."""

    name: str
    is_directory: bool
    totals: Totals  # of a file: its own
    children: tuple[Known, ...] = field(default=())


class StoredTree:
    """A `Lookup` and a `CourseLookup` (`coursefs.bulk.targets`) of a catalogue, for these accounts."""

    #: no course list is refreshed
    accounts: Sequence[str] = ()

    def __init__(self, store: Store, accounts: Sequence[str]) -> None:
        self._store = store
        self._names = frozenset(accounts)

    def node(self, inode: int) -> Node:
        """The node with this inode number."""
        node = self._store.node(inode)
        assert node is not None  # the root, or one that was found here
        return node

    async def children(self, inode: int) -> Sequence[Node]:
        """The known nodes of a directory."""
        return self._children(inode)

    async def child(self, inode: int, name: str) -> Node | None:
        """The known node of this name in a directory."""
        node = self._store.child(inode, name)
        return node if node is not None and self._is_shown(node) else None

    async def refresh(self, account: str) -> None:
        """Nothing is requested."""

    def select(self, courses: Sequence[str], *, prefixes: bool = True) -> list[Node]:
        """The directories of the courses that these texts name. Raises `UsageError`."""
        shown = [(node, course) for node, course in self.courses() if node is not None]
        return [select(shown, text, prefixes=prefixes) for text in courses]

    def courses(self) -> list[tuple[Node, Course]]:
        """The courses that the tree shows, with their directories, in the order of the tree."""
        found = []
        for account in self._names:
            by_key = {course.key: course for course in self._store.enrolments.courses(account)}
            nodes = self._store.of_place(Place(account), (Kind.COURSE,))
            found += [(node, by_key[node.key]) for node in nodes if node.key in by_key]
        return sorted(found, key=lambda pair: self.path(pair[0]))

    def require_courses(self) -> None:
        """Raise `CoursefsError` where no course is known."""
        if not self.courses():
            raise CoursefsError("no course is known yet; ask for them with: coursefs update")

    def path(self, node: Node) -> str:
        """The path of a node below the root."""
        return self._store.path_of(node)

    def known(self, node: Node, depth: int | None = None) -> Known:
        """What is known of a node and below it, with `children` down to so many levels; None: all."""
        if not node.is_directory:
            return Known(
                node.name,
                False,
                Totals(files=1, bytes=node.size or 0, unsized=int(node.size is None and not node.is_generated)),
            )
        rest = None if depth is None else max(depth - 1, 0)
        children = [self.known(child, rest) for child in self._children(node.inode)]
        folders = sum(child.is_directory for child in children)
        totals = sum((child.totals for child in children), Totals(folders=folders, unlisted=self._unlisted(node)))
        return Known(node.name, True, totals, tuple(children) if depth != 0 else ())

    def _children(self, inode: int) -> Sequence[Node]:
        children = self._store.children(inode)
        return [node for node in children if self._is_shown(node)] if inode == ROOT else children

    def _is_shown(self, node: Node) -> bool:
        return node.place.account in self._names or node.space is Space.PAGE

    def _unlisted(self, node: Node) -> int:
        """The number of accounts, courses and items of a directory that were never listed."""
        log = self._store.fetch_log
        if node.inode == ROOT:
            return sum(log.fetched_ns(Place(account)) is None for account in self._names)
        if node.kind is Kind.COURSE and log.fetched_ns(Place(node.place.account, node.key)) is None:
            return 1
        return self._store.items.fetch_times(node.inode).never


@contextmanager
def stored_tree(catalogue: Path, accounts: Sequence[str]) -> Iterator[StoredTree]:
    """The tree of a catalogue as it is now, whichever process has it open.

    Raises `CoursefsError` where no course of these accounts is known.
    """
    store = Store(catalogue, read_only=True)
    try:
        tree = StoredTree(store, accounts)
        tree.require_courses()
        yield tree
    finally:
        store.close()
