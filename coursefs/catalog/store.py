"""The catalogue on disk: SQLite in WAL mode, small statements that a read of the tree can afford.

Statements run on the event loop: each takes some tens of microseconds on pages that are in memory, less than a hop to
a thread would.  With `synchronous=NORMAL` a commit does not wait for the disk; a power cut may lose the last commits
but never damages the database, and everything in it can be asked for again.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from cachetools import LRUCache

from coursefs.catalog import inode as inodes
from coursefs.catalog import schema
from coursefs.catalog.node import Entry, Node, Place, Step
from coursefs.catalog.refresh import Changes, Key
from coursefs.model import Course, Item, Kind, Version

log = logging.getLogger(__name__)

_NODE = (
    "inode, parent, name, wanted, account, course, key, kind, mtime_ns, item, url, mime_type,"
    " size, etag, modified_ns, identity, locator"
)
#: as `_NODE`, and whether it is gone
_READ = _NODE.replace("name,", "coalesce(name, was, ''),", 1) + ", name IS NULL"
_KINDS = {kind.value: kind for kind in Kind}
_STEP = (
    "account, course, key, directory, stem, wanted, title, slug, position, type_name, url, locked, details,"
    " fetched_ns, error"
)


#: nodes that are kept in memory, and as many in listings: a walk over a large account finds the second time what the
#: first one has read
_KEPT_NODES = 1 << 16


def _insert(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"


# not INSERT OR REPLACE: that would silently throw out a sibling that has the name
_UPSERT_NODE = (
    f"{_insert('node', _NODE + ', page')} ON CONFLICT (inode) DO UPDATE SET "
    + ", ".join(f"{column.strip()} = excluded.{column.strip()}" for column in _NODE.split(",")[1:])
    + ", page = coalesce(excluded.page, page)"  # a node whose page has not changed comes without it
)


@dataclass(frozen=True, slots=True)
class Asked:
    """When the items of a directory were asked for, in ns since 1970; None where there is none of the kind."""

    items: int
    never: int  # how many of them were not
    oldest_ns: int | None  # of those that could be had
    oldest_broken_ns: int | None  # of those that could not
    newest_ns: int | None


class Store:
    """What is known of all accounts.  One process writes it at a time (the mount's lock sees to that)."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the catalogue, or make it.  One that is damaged or of a newer coursefs is set aside with a warning.

        With `read_only` it is a copy in memory of what is known: nothing on the disk is ever changed, and what is
        written to the copy is forgotten.
        """
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._database = _copy(path) if read_only else _open(path)
        self._nodes: LRUCache[int, Node] = LRUCache(_KEPT_NODES)
        self._listings: LRUCache[int, tuple[Node, ...]] = LRUCache(_KEPT_NODES, getsizeof=lambda nodes: len(nodes) + 1)
        if self.node(inodes.ROOT) is None:
            root = Node(inodes.ROOT, inodes.ROOT, "", "", Place(), "", Kind.ROOT, time.time_ns())
            self.write(Changes(added=(root,)))

    def close(self) -> None:
        """Close the database; the store must not be used afterwards."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen, or none of them."""
        if self._database.in_transaction:
            yield
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.commit()
        except BaseException:
            self._rollback()
            raise

    def _rollback(self) -> None:
        with suppress(sqlite3.Error):
            self._database.rollback()
        self._nodes.clear()
        self._listings.clear()

    def _forget(self, *inodes: int) -> None:
        """These nodes are about to change."""
        for inode in inodes:
            node = self._nodes.pop(inode, None)
            self._listings.pop(inode, None)
            if node is not None:
                self._listings.pop(node.parent, None)

    # -- nodes ---------------------------------------------------------------------------------------------------

    def node(self, inode: int) -> Node | None:
        """The node with this inode, also when it is gone from the tree (somebody may have it open)."""
        node = self._nodes.get(inode)
        if node is None:
            row = self._database.execute(f"SELECT {_READ} FROM node WHERE inode = ?", (inode,)).fetchone()
            if row is None:
                return None
            node = self._nodes[inode] = _node(row)
        return node

    def child(self, parent: int, name: str) -> Node | None:
        """The node of this name in a directory."""
        row = self._database.execute(
            f"SELECT {_READ} FROM node WHERE parent = ? AND name = ?", (parent, name)
        ).fetchone()
        return None if row is None else _node(row)

    def children(self, parent: int) -> tuple[Node, ...]:
        """What a directory holds, by name."""
        listing = self._listings.get(parent)
        if listing is None:
            rows = self._database.execute(
                f"SELECT {_READ} FROM node WHERE parent = ? AND name IS NOT NULL AND inode <> parent ORDER BY name",
                (parent,),
            )
            listing = self._listings[parent] = tuple(map(_node, rows))
            self._nodes.update((node.inode, node) for node in listing)
        return listing

    def page(self, inode: int) -> bytes:
        """The bytes of a page of our own."""
        row = self._database.execute("SELECT page FROM node WHERE inode = ?", (inode,)).fetchone()
        return bytes(row[0]) if row is not None and row[0] is not None else b""

    def of_place(self, place: Place, kinds: Iterable[Kind] = ()) -> list[Node]:
        """Everything that a course (or an account itself) shows, of these kinds or of all."""
        rows = self._database.execute(
            f"SELECT {_READ} FROM node WHERE account = ? AND course = ? AND name IS NOT NULL",
            (place.account, place.course),
        )
        kept = frozenset(kinds)
        return [node for node in map(_node, rows) if not kept or node.kind in kept]

    def find(self, place: Place, key: str) -> Node | None:
        """The node with this stable id, also when it is gone."""
        row = self._database.execute(
            f"SELECT {_READ} FROM node WHERE account = ? AND course = ? AND key = ?", (place.account, place.course, key)
        ).fetchone()
        return None if row is None else _node(row)

    def past(self, entries: Iterable[Entry]) -> dict[Key, Node]:
        """The nodes that these entries were once, where they were."""
        found = ((entry, self.find(entry.place, entry.key)) for entry in entries)
        return {(entry.place, entry.key): node for entry, node in found if node is not None}

    def new_inode(self, entry: Entry) -> int:
        """An inode number for something never seen, the same on every machine but for collisions."""
        return inodes.choose(
            lambda number: self.node(number) is not None, entry.place.account, entry.place.course, entry.key
        )

    def write(self, changes: Changes) -> None:
        """Write what a refresh found, whole or not at all."""
        with self.transaction():
            for node in changes.gone:
                self._database.execute("UPDATE node SET was = name, name = NULL WHERE inode = ?", (node.inode,))
            for before, _ in changes.changed:  # first out of the way: two siblings may swap their names
                self._database.execute("UPDATE node SET name = NULL WHERE inode = ?", (before.inode,))
            for node in (*changes.added, *(after for _, after in changes.changed)):
                self._database.execute(_UPSERT_NODE, _row(node))
            moved = (node for pair in changes.changed for node in pair)
            for node in (*changes.gone, *changes.added, *moved):
                self._forget(node.inode, node.parent)

    def set_version(self, inode: int, version: Version, mtime_ns: int) -> None:
        """What the server said of a file's bytes."""
        with self.transaction():
            self._database.execute(
                "UPDATE node SET size = ?, etag = ?, modified_ns = ?, mtime_ns = ? WHERE inode = ?",
                (version.size, version.etag, version.modified_ns, mtime_ns, inode),
            )
        self._forget(inode)

    def touch(self, inode: int, mtime_ns: int) -> None:
        """A directory's listing has changed."""
        with self.transaction():
            self._database.execute("UPDATE node SET mtime_ns = ? WHERE inode = ?", (mtime_ns, inode))
        self._forget(inode)

    def totals(self) -> tuple[int, int]:
        """How many nodes the tree has, and how many bytes as far as sizes are known."""
        row = self._database.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM node WHERE name IS NOT NULL"
        ).fetchone()
        return int(row[0]), int(row[1])

    # -- courses -------------------------------------------------------------------------------------------------

    def courses(self, account: str) -> list[Course]:
        """An account's courses as last seen, in the platform's order."""
        rows = self._database.execute(
            "SELECT key, slug, title, url, enrolled_ns, hidden FROM course WHERE account = ? ORDER BY rank", (account,)
        )
        return [Course(key, slug, title, url, ns, bool(hidden)) for key, slug, title, url, ns, hidden in rows]

    def course(self, place: Place) -> Course | None:
        """One course of an account."""
        return next((course for course in self.courses(place.account) if course.key == place.course), None)

    def set_courses(self, account: str, courses: Sequence[Course]) -> None:
        """Replace what is known of an account's courses."""
        with self.transaction():
            self._database.execute("DELETE FROM course WHERE account = ?", (account,))
            self._database.executemany(
                "INSERT OR IGNORE INTO course VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        account,
                        one.key,
                        _sound(one.slug),
                        _sound(one.title),
                        _sound(one.url),
                        one.enrolled_ns,
                        one.hidden,
                        rank,
                    )
                    for rank, one in enumerate(courses)
                ],
            )

    def forget_account(self, account: str) -> None:
        """Drop everything that is known of an account; its inode numbers come back with it."""
        with self.transaction():
            for table in ("course", "node", "step", "fetched", "used", "made_with"):
                self._database.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
        self._nodes.clear()
        self._listings.clear()

    # -- steps and freshness ---------------------------------------------------------------------------------------

    def steps(self, directory: int) -> list[Step]:
        """The items whose files lie in this directory."""
        rows = self._database.execute(
            f"SELECT {_STEP} FROM step WHERE directory = ? ORDER BY position, key", (directory,)
        )
        return [_step(row) for row in rows]

    def asked(self, directory: int) -> Asked:
        """When the items of a directory were asked for, without reading them."""
        row = self._database.execute(
            "SELECT count(*), count(fetched_ns), min(CASE WHEN error IS NULL THEN fetched_ns END),"
            " min(CASE WHEN error IS NOT NULL THEN fetched_ns END), max(fetched_ns) FROM step WHERE directory = ?",
            (directory,),
        ).fetchone()
        return Asked(row[0], row[0] - row[1], *row[2:])

    def steps_of(self, place: Place) -> list[Step]:
        """All items of a course."""
        rows = self._database.execute(
            f"SELECT {_STEP} FROM step WHERE account = ? AND course = ? ORDER BY directory, position, key",
            (place.account, place.course),
        )
        return [_step(row) for row in rows]

    def set_steps(self, place: Place, steps: Sequence[Step]) -> None:
        """Replace the items of a course."""
        with self.transaction():
            self._database.execute("DELETE FROM step WHERE account = ? AND course = ?", (place.account, place.course))
            self._database.executemany(_insert("step", _STEP), [_step_row(step) for step in steps])

    def set_step_state(self, step: Step, fetched_ns: int | None, error: str | None) -> None:
        """When an item's files were last asked for, and what went wrong."""
        with self.transaction():
            self._database.execute(
                "UPDATE step SET fetched_ns = ?, error = ? WHERE account = ? AND course = ? AND key = ?",
                (fetched_ns, error, step.place.account, step.place.course, step.item.key),
            )

    def fetched_ns(self, place: Place) -> int | None:
        """When the outline of a course (or the courses of an account) was last asked for; None: never."""
        row = self._database.execute(
            "SELECT at_ns FROM fetched WHERE account = ? AND course = ?", (place.account, place.course)
        ).fetchone()
        return None if row is None else int(row[0])

    def tag(self, place: Place) -> str | None:
        """What the platform called the outline of a course when it was last asked for."""
        row = self._database.execute(
            "SELECT tag FROM fetched WHERE account = ? AND course = ?", (place.account, place.course)
        ).fetchone()
        return None if row is None or row[0] is None else str(row[0])

    def set_fetched(self, place: Place, at_ns: int, tag: str | None = None) -> None:
        """It was asked for just now."""
        with self.transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO fetched (account, course, at_ns, tag) VALUES (?, ?, ?, ?)",
                (place.account, place.course, at_ns, tag),
            )

    def made_with(self, account: str, shape: str, user: str | None) -> None:
        """The account's tree is to be of this shape, and this user's.

        If it was made with another shape, all of it is to be asked for anew; if it was another user's, it is forgotten.
        """
        row = self._database.execute("SELECT shape, user FROM made_with WHERE account = ?", (account,)).fetchone()
        if row is not None and (row[0], row[1]) == (shape, user or row[1]):
            return
        with self.transaction():
            if row is not None and user is not None and row[1] not in {None, user}:
                self.forget_account(account)
            self._database.execute("INSERT OR REPLACE INTO made_with VALUES (?, ?, ?)", (account, shape, user))
            self._database.execute("UPDATE fetched SET at_ns = 0, tag = NULL WHERE account = ?", (account,))
            self._database.execute(
                "UPDATE step SET fetched_ns = 0 WHERE account = ? AND fetched_ns IS NOT NULL", (account,)
            )

    def hide_other_accounts(self, accounts: Iterable[str]) -> None:
        """Take the courses of every account but these out of the tree, so that their names are free."""
        known = frozenset(accounts)
        nodes = [node for node in self.children(inodes.ROOT) if node.place.account not in known]
        if nodes:
            self.write(Changes(gone=tuple(nodes)))

    def set_used(self, place: Place, at_ns: int) -> None:
        """Somebody looked into a course."""
        with suppress(sqlite3.OperationalError), self.transaction():  # a full disk must not end a listing
            self._database.execute("INSERT OR REPLACE INTO used VALUES (?, ?, ?)", (place.account, place.course, at_ns))

    def by_use(self) -> list[Node]:
        """The directories of all courses, those that were looked into last first."""
        rows = self._database.execute(
            f"SELECT {_READ} FROM node WHERE kind = 'course' AND name IS NOT NULL ORDER BY ("
            " SELECT at_ns FROM used WHERE used.account = node.account AND used.course = node.key"
            ") DESC, mtime_ns DESC, name"
        )
        return [_node(row) for row in rows]


def _open(path: Path) -> sqlite3.Connection:
    """A usable database at this path; one that is damaged or newer is renamed to `….set-aside-<time>`."""
    try:
        database = _connect(path)
        if schema.version_of(database) <= schema.VERSION:
            schema.migrate(database)
            return database
        reason = "was written by a newer coursefs"
        database.close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, no space, no permission: not the database's fault
            raise
        reason = "is damaged"
    aside = path.with_name(f"{path.name}.set-aside-{time.strftime('%Y%m%d-%H%M%S')}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    log.warning("the catalogue %s; it was set aside as %s and is made anew", reason, aside)
    database = _connect(path)
    schema.migrate(database)
    return database


def _copy(path: Path) -> sqlite3.Connection:
    """The database at this path in memory; an empty one where there is none that this coursefs can read."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0)) as there:
            if schema.version_of(there) <= schema.VERSION:
                there.backup(copy)
    except sqlite3.DatabaseError as error:
        log.info("the catalogue cannot be read: %s", error)
        copy.close()
        copy = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(copy)
    return copy


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # fails where this is no database
    except BaseException:
        database.close()
        raise
    return database


def _sound(text: str | None) -> str | None:
    """Platform text without lone surrogates, which JSON may hold and SQLite may not."""
    return None if text is None else text.encode(errors="replace").decode()


@lru_cache(1024)
def _place(account: str, course: str) -> Place:
    return Place(account, course)  # one object for all nodes of a course


def _node(row: tuple) -> Node:  # type: ignore[type-arg]  # a row is whatever the statement names
    (inode, parent, name, wanted, account, course, key, kind, mtime, item, url, mime, size, etag, modified,
     identity, locator, is_gone) = row  # fmt: skip
    return Node(
        inode=inode,
        parent=parent,
        name=name,
        wanted=name if wanted == name else wanted,  # one text for both, in thousands of nodes
        place=_place(account, course),
        key=key,
        kind=_KINDS[kind],
        mtime_ns=mtime,
        item=sys.intern(item),
        url=None if url is None else sys.intern(url),
        mime_type=None if mime is None else sys.intern(mime),
        size=size,
        etag=etag,
        modified_ns=modified,
        identity=identity,
        locator=locator,
        is_gone=bool(is_gone),
    )


def _row(node: Node) -> tuple[object, ...]:
    return (
        node.inode, node.parent, node.name, node.wanted, node.place.account, node.place.course, node.key,
        node.kind.value, node.mtime_ns, node.item, _sound(node.url), node.mime_type, node.size, node.etag,
        node.modified_ns,
        node.identity,
        node.locator,
        node.page,
    )  # fmt: skip


def _step(row: tuple) -> Step:  # type: ignore[type-arg]  # as above
    (account, course, key, directory, stem, wanted, title, slug, position, type_name, url, locked, details, fetched,
     error) = row  # fmt: skip
    item = Item(key, title, slug, position, type_name, url, locked, json.loads(details))
    return Step(Place(account, course), directory, stem, wanted, item, fetched, error)


def _step_row(step: Step) -> tuple[object, ...]:
    item = step.item
    return (
        step.place.account, step.place.course, item.key, step.directory, step.stem, step.wanted, _sound(item.title),
        _sound(item.slug), item.position, item.type_name, _sound(item.url), _sound(item.locked),
        json.dumps(dict(item.details)), step.fetched_ns, _sound(step.error),
    )  # fmt: skip
