"""The catalogue on disk: nodes and pages in SQLite (WAL), with a cache of nodes and listings in memory.

What guards what:

* One process writes a catalogue at a time: a mount, or a command that writes, holds the lock file beside it
  (`coursefs.daemon.claims`). Others get a read-only copy in memory.
* All statements run on the event loop of that process, and no transaction contains an await. So tasks need no lock, and
  a reader sees a directory as it was before a refresh or after it.
* `Store.transaction` covers all rows of one refresh: nodes, items, fetch times. If it fails, the caches are cleared.
* `NodeCache` is invalidated by the method that writes.
* At most one refresh of a directory is in progress (`coursefs.base.single_flight`, used by `tree`).

A statement takes some ten microseconds on pages that are in memory, less than a hop to a thread would. With
`synchronous=NORMAL` a commit does not wait for the disk: a power cut may lose the last commits but does not damage the
database, and everything but the course selection can be fetched again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from coursefs.catalog import node as inodes
from coursefs.catalog.database import Database
from coursefs.catalog.difference import Changes, Key
from coursefs.catalog.due_dates import DueDates
from coursefs.catalog.enrolments import Enrolments
from coursefs.catalog.failures import reading, write_error, writing
from coursefs.catalog.finished import Finished
from coursefs.catalog.item_store import FetchLog, ItemStore
from coursefs.catalog.node import DesiredNode, Node, Place, Space, digest_of, distrusted, id_of
from coursefs.catalog.node_cache import NodeCache
from coursefs.catalog.packed_listing import PackedListing
from coursefs.catalog.rows import (
    READ_COLUMNS,
    UPSERT_NODE,
    listed,
    node_of,
    nodes_of,
    require_readable,
    row_of,
)
from coursefs.errors import CatalogueDamaged, CatalogueError, CoursefsError
from coursefs.model import Kind, Version

_CHILDREN = f"SELECT {READ_COLUMNS} FROM node WHERE parent = ? AND name IS NOT NULL AND inode <> parent ORDER BY name"

#: ids in one statement: SQLite before 3.32 takes 999 parameters
_MOST_IDS = 500


class Store:
    """The tables of all accounts.

    Methods that read raise `CatalogueError`, and `CatalogueDamaged` after a damaged database was replaced; methods that
    write raise the same, and then nothing is written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the catalogue, or create it. A damaged or newer one is set aside with a warning.

        With `read_only` it is a copy in memory: the disk is never changed, and what is written to the copy is lost.
        """
        self.path = path
        if read_only:
            self._database = Database.copied(path)
        else:
            self._database = Database.opened(path, require_readable)
        self._database.on_damage = self._note_shown
        self._database.on_reset = self._reset
        #: called after a damaged database was replaced by an empty one, with the readable nodes of the old root
        self.on_reset: Callable[[Sequence[Node], CoursefsError], None] = lambda *_: None
        self._cache = NodeCache()
        self._shown: list[Node] = []
        self.enrolments = Enrolments(self._database)
        self.items = ItemStore(self._database)
        self.fetch_log = FetchLog(self._database)
        self.due_dates = DueDates(self._database)
        self.finished = Finished(self._database)
        try:
            with suppress(CatalogueDamaged):  # it was replaced, and `_reset` has made the root
                self._make_root()
        except CoursefsError:
            self.close()
            raise

    def _make_root(self) -> None:
        if self.node(inodes.ROOT) is None:
            root = Node(inodes.ROOT, inodes.ROOT, "", "", Place(), "", Kind.ROOT, time.time_ns())
            self.write(Changes(added=(root,)))

    def _reset(self, why: CoursefsError) -> None:
        """Called by the database after it replaced a damaged file."""
        self._cache.clear()
        self._make_root()
        self.on_reset(self._shown, why)

    def _note_shown(self) -> None:
        """Remember the nodes of the root before a damaged database is set aside: the kernel knows their names."""
        self._shown = self._cache.shown
        with suppress(Exception):  # as far as the damaged file can be read
            statement = f"SELECT {READ_COLUMNS} FROM node WHERE parent = ? AND name IS NOT NULL AND inode <> parent"
            for row in self._database.execute(statement, (inodes.ROOT,)):
                self._shown.append(node_of(row))

    @property
    def notice(self) -> str | None:
        """A message for the user about the state in which the catalogue was found; None if it was in order."""
        return self._database.notice

    @property
    def changes(self) -> int:
        """The number of changes since the catalogue was opened; another one after every change."""
        return self._database.changes

    def on_unsaved(self, tell: Callable[[CoursefsError], None]) -> None:
        """Set the callback for writes that stay in memory because the disk refuses them; it gets the reason.

        After such a call `save` must be called from time to time until it returns True.
        """
        self._database.on_unsaved = tell
        if self._database.is_unsaved:
            tell(CatalogueError(self.notice or "the catalogue cannot be written"))

    def save(self) -> bool:
        """Write to the disk what is only in memory; return whether all of it is on disk now."""
        return self._database.save()

    def close(self) -> None:
        """Close the database; the store must not be used afterwards."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group writes: all of them happen, or none. Nested transactions join the outer one.

        Raises `CatalogueError` if they cannot be written.
        """
        try:
            with self._database.transaction():
                yield
        except sqlite3.Error as error:
            self._cache.clear()
            raise write_error(self._database, error) from None
        except BaseException:
            self._cache.clear()
            raise

    def _invalidate(self, inode: int) -> None:
        """Drop a node from the cache, and the listings that contain it."""
        row = self._database.execute("SELECT parent FROM node WHERE inode = ?", (inode,)).fetchone()
        self._cache.invalidate(inode, None if row is None else row[0])

    # -- nodes ---------------------------------------------------------------------------------------------------

    def node(self, inode: int) -> Node | None:
        """The node with this inode number, also if it is gone from the tree: a program may still have it open."""
        return self._cache.node(inode) or self._read_node(inode)

    @reading
    def _read_node(self, inode: int) -> Node | None:
        row = self._database.execute(f"SELECT {READ_COLUMNS} FROM node WHERE inode = ?", (inode,)).fetchone()
        if row is None:
            return None
        node = node_of(row)
        self._cache.add((node,))
        return node

    def path_of(self, node: Node) -> str:
        """The path of a node below the root, also of a former one; "" for the root."""
        names = []
        here: Node | None = node
        while here is not None and here.inode != inodes.ROOT:
            names.append(here.name)
            here = self.node(here.parent)
        return "/".join(reversed(names))

    @reading
    def child(self, parent: int, name: str) -> Node | None:
        """The node with this name in a directory, or None."""
        row = self._database.execute(
            f"SELECT {READ_COLUMNS} FROM node WHERE parent = ? AND name = ?", (parent, name)
        ).fetchone()
        return None if row is None else node_of(row)

    def children(self, parent: int) -> tuple[Node, ...]:
        """The nodes of a directory, by name; the same tuple object until one of them changes."""
        listing = self._cache.listing(parent)
        return self._read_children(parent) if listing is None else listing

    @reading
    def _read_children(self, parent: int) -> tuple[Node, ...]:
        listing = tuple(nodes_of(self._database.execute(_CHILDREN, (parent,))))
        self._cache.add_listing(parent, listing)
        return listing

    def packed_listing(self, directory: int) -> PackedListing:
        """The entries of a directory, by name; the same object until one of them changes."""
        return self._cache.packed(directory) or self._read_packed(directory)

    @reading
    def _read_packed(self, directory: int) -> PackedListing:
        node = self.node(directory)
        entries, directories = listed(self._database.execute(_CHILDREN, (directory,)))
        listing = PackedListing.of_entries(inodes.ROOT if node is None else node.parent, entries)
        self._cache.add_packed(directory, listing)
        self._cache.add(directories)  # a walk opens each of them next
        return listing

    @reading
    def page(self, inode: int) -> bytes | None:
        """The bytes of a page that coursefs wrote; None if they are missing or do not match their digest."""
        row = self._database.execute("SELECT page, etag FROM node WHERE inode = ?", (inode,)).fetchone()
        page = b"" if row is None or row[0] is None else bytes(row[0])
        if row is None or row[1] is None or digest_of(page) != row[1]:
            return None
        return page

    @writing
    def distrust_page(self, node: Node) -> None:
        """Mark a page as damaged, and its item as due to be fetched again."""
        with self.transaction():
            if node.etag is not None and not node.etag.startswith(distrusted("")):
                statement = "UPDATE node SET page = NULL, etag = ? WHERE inode = ?"
                self._database.write(statement, (distrusted(node.etag), node.inode))
            self._database.write(
                "UPDATE step SET fetched_ns = 0 WHERE account = ? AND course = ? AND key = ?",
                (node.place.account, node.place.course, node.item),
            )
        self._invalidate(node.inode)

    @reading
    def of_place(self, place: Place, kinds: Iterable[Kind] = ()) -> list[Node]:
        """All shown nodes of a course, or of an account itself, optionally only of these kinds."""
        kept = [kind.value for kind in kinds]
        rows = self._database.execute(
            f"SELECT {READ_COLUMNS} FROM node WHERE account = ? AND course = ? AND name IS NOT NULL"
            + (f" AND kind IN ({', '.join('?' * len(kept))})" if kept else ""),
            (place.account, place.course, *kept),
        )
        return list(nodes_of(rows))

    @reading
    def of_items(self, place: Place, items: Iterable[str]) -> list[Node]:
        """All shown nodes of these items of a course, wherever they are.

        Not by `of_place`: for each directory of a large course that would make every node of the course.
        """
        return [node for node in self._with_one_of("item", place, items) if not node.is_gone]

    @reading
    def find(self, place: Place, key: str, space: Space = Space.SECTION) -> Node | None:
        """The node with this stable id, also if it is gone; None if there never was one."""
        row = self._database.execute(
            f"SELECT {READ_COLUMNS} FROM node WHERE account = ? AND course = ? AND key = ?",
            (place.account, place.course, id_of(key, space)),
        ).fetchone()
        return None if row is None else node_of(row)

    @reading
    def find_all(self, place: Place, ids: Iterable[str]) -> dict[str, Node]:
        """The nodes with these stable ids (`id_of`), also if they are gone, by id; without those that never were.

        A statement for each of many files would take and release SQLite's locks each time.
        """
        return {node.id: node for node in self._with_one_of("key", place, ids)}

    def _with_one_of(self, column: str, place: Place, values: Iterable[str]) -> Iterator[Node]:
        """The nodes of a course with one of these values in a column, also if they are gone."""
        wanted = iter(dict.fromkeys(values))
        while some := tuple(islice(wanted, _MOST_IDS)):
            rows = self._database.execute(
                f"SELECT {READ_COLUMNS} FROM node "
                f"WHERE account = ? AND course = ? AND {column} IN ({', '.join('?' * len(some))})",
                (place.account, place.course, *some),
            )
            yield from nodes_of(rows)

    @reading
    def course_parents(self, account: str) -> frozenset[int]:
        """The inode numbers of the directories that have, or had, courses of this account."""
        rows = self._database.execute(
            "SELECT DISTINCT parent FROM node WHERE account = ? AND course = '' AND kind = 'course'", (account,)
        )
        return frozenset(int(row[0]) for row in rows)

    def former_nodes(self, desired_nodes: Iterable[DesiredNode]) -> dict[Key, Node]:
        """The stored nodes, gone ones included, with the stable ids of these desired nodes."""
        by_place: dict[Place, list[str]] = {}
        for desired in desired_nodes:
            by_place.setdefault(desired.place, []).append(desired.id)
        return {
            (place, name): node for place, ids in by_place.items() for name, node in self.find_all(place, ids).items()
        }

    def new_inode(self, desired_node: DesiredNode, taken: Container[int] = ()) -> int:
        """An inode number for a new node: a hash of its key, so the same on every machine unless it collides.

        The space of the key is no part of it, as before keys had spaces: so it outlives the loss of an older catalogue.
        `taken` are numbers that other nodes get in the same refresh.
        """
        return inodes.choose(
            lambda number: number in taken or self.node(number) is not None,
            desired_node.place.account,
            desired_node.place.course,
            desired_node.key,
            is_generated=desired_node.space is Space.PAGE,
        )

    @writing
    def write(self, changes: Changes) -> None:
        """Write the difference that a refresh found, all of it or nothing."""
        with self.transaction():
            for node in changes.gone:
                self._database.write("UPDATE node SET was = name, name = NULL WHERE inode = ?", (node.inode,))
            for before, _ in changes.changed:  # names are unique in a directory, and two siblings may swap theirs
                self._database.write("UPDATE node SET name = NULL WHERE inode = ?", (before.inode,))
            for node in (*changes.added, *(after for _, after in changes.changed)):
                self._database.write(UPSERT_NODE, row_of(node))
            moved = (node for pair in changes.changed for node in pair)
            for node in (*changes.gone, *changes.added, *moved):
                self._cache.invalidate(node.inode, node.parent)

    @writing
    def set_version(self, inode: int, version: Version, mtime_ns: int) -> Node | None:
        """Store the size and version that the server gave, in place of the size in the listing; return the node."""
        with self.transaction():
            self._database.write(
                "UPDATE node SET size = ?, etag = ?, modified_ns = ?, mtime_ns = ?, is_hint = 0 WHERE inode = ?",
                (version.size, version.etag, version.modified_ns, mtime_ns, inode),
            )
            node = self._read_node(inode)
            self._cache.invalidate(inode, None if node is None else node.parent)
            if node is not None:
                self._cache.add((node,))
        return node

    @writing
    def touch(self, inode: int, mtime_ns: int) -> None:
        """Set the mtime of a directory whose listing has changed."""
        with self.transaction():
            self._database.write("UPDATE node SET mtime_ns = ? WHERE inode = ?", (mtime_ns, inode))
        self._invalidate(inode)

    @reading
    def totals(self) -> tuple[int, int]:
        """The number of nodes in the tree, and the sum of the known sizes in bytes."""
        row = self._database.execute("SELECT count(*), total(size) FROM node WHERE name IS NOT NULL").fetchone()
        return int(row[0]), int(row[1])

    @reading
    def count_sections(self) -> int:
        """The number of modules, lessons and folders of the shown courses, as far as their outlines are known."""
        row = self._database.execute(
            "SELECT count(*) FROM node JOIN node AS top ON top.account = node.account AND top.course = ''"
            " AND top.key = node.course AND top.name IS NOT NULL"
            " WHERE node.kind IN ('module', 'lesson', 'folder') AND node.item = '' AND node.name IS NOT NULL"
        ).fetchone()
        return int(row[0])

    # -- accounts ------------------------------------------------------------------------------------------------

    @writing
    def forget_account(self, account: str) -> None:
        """Delete all rows of an account. Its nodes get the same inode numbers if it comes back."""
        with self.transaction():
            self.enrolments.forget(account)
            for table in (
                "node",
                "step",
                "fetched",
                "made_with",
                "deadline",
                "deadlines_asked",
                "finished",
                "finished_asked",
            ):
                self._database.write(f"DELETE FROM {table} WHERE account = ?", (account,))
        self._cache.clear()

    @writing
    def set_fingerprint(self, account: str, fingerprint: str, user: str | None) -> None:
        """Record the fingerprint of the settings that shape the account's tree, and the user that it belongs to.

        If the fingerprint has changed, everything is due to be fetched again; if the user has, the account's rows are
        deleted.
        """
        row = self._database.execute("SELECT shape, user FROM made_with WHERE account = ?", (account,)).fetchone()
        if row is not None and (row[0], row[1]) == (fingerprint, user or row[1]):
            return
        with self.transaction():
            if row is not None and user is not None and row[1] not in {None, user}:
                self.forget_account(account)
            self._database.write("INSERT OR REPLACE INTO made_with VALUES (?, ?, ?)", (account, fingerprint, user))
            self._database.write("UPDATE fetched SET at_ns = 0, tag = NULL WHERE account = ?", (account,))
            self._database.write(
                "UPDATE step SET fetched_ns = 0 WHERE account = ? AND fetched_ns IS NOT NULL", (account,)
            )

    def user_of(self, account: str) -> str | None:
        """The platform's id of the user whose tree this is; None if the sign-in does not say."""
        row = self._database.execute("SELECT user FROM made_with WHERE account = ?", (account,)).fetchone()
        return None if row is None or row[0] is None else str(row[0])

    def hide_other_accounts(self, accounts: Iterable[str]) -> Changes:
        """Remove from the tree the courses of all accounts but these, so that their names are free.

        Returns what is gone.
        """
        known = frozenset(accounts)
        listed = self.fetch_log.accounts()
        top = [node for node in self.children(inodes.ROOT) if node.space is not Space.PAGE]
        nodes = {node.inode: node for node in top if node.place.account not in known}
        for account in listed - known:  # also those with a folder of their own, which is no longer reachable
            nodes |= {node.inode: node for node in self.of_place(Place(account))}
        gone = Changes(gone=tuple(nodes.values()))
        if nodes:
            self.write(gone)
        return gone

    @reading
    def courses_with_pages(self) -> set[Place]:
        """The courses that have generated files, and `Place()` if the root has some."""
        rows = self._database.execute(
            "SELECT DISTINCT account, course FROM node WHERE name IS NOT NULL AND key LIKE ?",
            (f"%{id_of('', Space.PAGE)}",),
        )
        return {Place(account, course) for account, course in rows}

    @reading
    def courses_by_use(self) -> list[Node]:
        """The directories of all courses, the most recently used one first."""
        rows = self._database.execute(
            f"SELECT {READ_COLUMNS} FROM node WHERE kind = 'course' AND name IS NOT NULL ORDER BY ("
            " SELECT at_ns FROM used WHERE used.account = node.account AND used.course = node.key"
            ") DESC, mtime_ns DESC, name"
        )
        return [node_of(row) for row in rows]
