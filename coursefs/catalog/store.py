"""The catalogue on disk: SQLite in WAL mode, small statements that a read of the tree can afford.

Statements run on the event loop: each takes some tens of microseconds on pages that are in memory, less than a hop to
a thread would.  With `synchronous=NORMAL` a commit does not wait for the disk; a power cut may lose the last commits
but never damages the database, and everything in it can be asked for again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from coursefs.catalog import inode as inodes
from coursefs.catalog.database import copied, opened
from coursefs.catalog.enrolments import Enrolments
from coursefs.catalog.node import Entry, Node, Place, Step
from coursefs.catalog.refresh import Changes, Key
from coursefs.catalog.rows import (
    READ_NODE,
    REPLACE_STEP,
    STEP,
    UPSERT_NODE,
    node_of,
    nodes_of,
    row_of,
    row_of_step,
    step_of,
)
from coursefs.model import Kind, Version

#: nodes that are kept in memory: a walk over a large account finds the second time what the first one has read.  When
#: there are more, all are let go: to tell which were used last would cost every request more than reading them again
_KEPT_NODES = 1 << 16


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
        #: what a person has to know of the catalogue as it was found
        self.notice: str | None = None
        if read_only:
            self._database = copied(path)
        else:
            self._database, self.notice = opened(path)
        self._nodes: dict[int, Node] = {}  # every node of a listing that is kept, among others
        self._listings: dict[int, tuple[Node, ...]] = {}
        self.enrolments = Enrolments(self._database, self.transaction)
        try:
            if self.node(inodes.ROOT) is None:
                root = Node(inodes.ROOT, inodes.ROOT, "", "", Place(), "", Kind.ROOT, time.time_ns())
                self.write(Changes(added=(root,)))
        except sqlite3.Error:
            self.close()
            raise

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
        self._forget_all()

    def _keep(self, nodes: Sequence[Node]) -> None:
        if len(self._nodes) + len(nodes) > _KEPT_NODES:
            self._forget_all()
        self._nodes.update({node.inode: node for node in nodes})

    def _forget_all(self) -> None:
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
            row = self._database.execute(f"SELECT {READ_NODE} FROM node WHERE inode = ?", (inode,)).fetchone()
            if row is None:
                return None
            node = node_of(row)
            self._keep((node,))
        return node

    def child(self, parent: int, name: str) -> Node | None:
        """The node of this name in a directory."""
        row = self._database.execute(
            f"SELECT {READ_NODE} FROM node WHERE parent = ? AND name = ?", (parent, name)
        ).fetchone()
        return None if row is None else node_of(row)

    def children(self, parent: int) -> tuple[Node, ...]:
        """What a directory holds, by name; the very same tuple as long as nothing in it has changed."""
        listing = self._listings.get(parent)
        if listing is None:
            rows = self._database.execute(
                f"SELECT {READ_NODE} FROM node WHERE parent = ? AND name IS NOT NULL AND inode <> parent ORDER BY name",
                (parent,),
            )
            listing = tuple(nodes_of(rows))
            self._keep(listing)
            self._listings[parent] = listing
        return listing

    def page(self, inode: int) -> bytes:
        """The bytes of a page of our own."""
        row = self._database.execute("SELECT page FROM node WHERE inode = ?", (inode,)).fetchone()
        return bytes(row[0]) if row is not None and row[0] is not None else b""

    def of_place(self, place: Place, kinds: Iterable[Kind] = ()) -> list[Node]:
        """Everything that a course (or an account itself) shows, of these kinds or of all."""
        rows = self._database.execute(
            f"SELECT {READ_NODE} FROM node WHERE account = ? AND course = ? AND name IS NOT NULL",
            (place.account, place.course),
        )
        kept = frozenset(kinds)
        return [node for node in map(node_of, rows) if not kept or node.kind in kept]

    def find(self, place: Place, key: str) -> Node | None:
        """The node with this stable id, also when it is gone."""
        row = self._database.execute(
            f"SELECT {READ_NODE} FROM node WHERE account = ? AND course = ? AND key = ?",
            (place.account, place.course, key),
        ).fetchone()
        return None if row is None else node_of(row)

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
                self._database.execute(UPSERT_NODE, row_of(node))
            moved = (node for pair in changes.changed for node in pair)
            for node in (*changes.gone, *changes.added, *moved):
                self._forget(node.inode, node.parent)

    def set_version(self, inode: int, version: Version, mtime_ns: int) -> None:
        """What the server said of a file's bytes, in place of what a listing said."""
        with self.transaction():
            self._database.execute(
                "UPDATE node SET size = ?, etag = ?, modified_ns = ?, mtime_ns = ?, is_hint = 0 WHERE inode = ?",
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

    def count_sections(self) -> int:
        """How many modules, lessons and folders the courses have that are shown, as far as their outlines are known."""
        row = self._database.execute(
            "SELECT count(*) FROM node JOIN node AS top ON top.account = node.account AND top.course = ''"
            " AND top.key = node.course AND top.name IS NOT NULL"
            " WHERE node.kind IN ('module', 'lesson', 'folder') AND node.item = '' AND node.name IS NOT NULL"
        ).fetchone()
        return int(row[0])

    # -- accounts ------------------------------------------------------------------------------------------------

    def forget_account(self, account: str) -> None:
        """Drop everything that is known of an account; its inode numbers come back with it."""
        with self.transaction():
            self.enrolments.forget(account)
            for table in ("node", "step", "fetched", "made_with"):
                self._database.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
        self._forget_all()

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
        listed = {row[0] for row in self._database.execute("SELECT account FROM fetched WHERE course = ''")}
        nodes = {node.inode: node for node in self.children(inodes.ROOT) if node.place.account not in known}
        for account in listed - known:  # those in a folder of their own too: nobody could ask for them
            nodes |= {node.inode: node for node in self.of_place(Place(account))}
        if nodes:
            self.write(Changes(gone=tuple(nodes.values())))

    # -- steps and freshness ---------------------------------------------------------------------------------------

    def steps(self, directory: int) -> list[Step]:
        """The items whose files lie in this directory."""
        rows = self._database.execute(
            f"SELECT {STEP} FROM step WHERE directory = ? AND NOT is_gone ORDER BY position, key", (directory,)
        )
        return [step_of(row) for row in rows]

    def asked(self, directory: int) -> Asked:
        """When the items of a directory were asked for, without reading them."""
        row = self._database.execute(
            "SELECT count(*), count(fetched_ns), min(CASE WHEN error IS NULL THEN fetched_ns END),"
            " min(CASE WHEN error IS NOT NULL THEN fetched_ns END), max(fetched_ns) FROM step"
            " WHERE directory = ? AND NOT is_gone",
            (directory,),
        ).fetchone()
        return Asked(row[0], row[0] - row[1], *row[2:])

    def steps_of(self, place: Place, *, gone: bool = False) -> list[Step]:
        """All items of a course; or those that it had once, as they were then."""
        rows = self._database.execute(
            f"SELECT {STEP} FROM step WHERE account = ? AND course = ? AND is_gone = ?"
            " ORDER BY directory, position, key",
            (place.account, place.course, gone),
        )
        return [step_of(row) for row in rows]

    def set_steps(self, place: Place, steps: Sequence[Step]) -> None:
        """These are the items of a course now; what it had besides is gone."""
        with self.transaction():
            self._database.execute(
                "UPDATE step SET is_gone = 1 WHERE account = ? AND course = ?", (place.account, place.course)
            )
            self._database.executemany(REPLACE_STEP, [row_of_step(step) for step in steps])

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

    def by_use(self) -> list[Node]:
        """The directories of all courses, those that were looked into last first."""
        rows = self._database.execute(
            f"SELECT {READ_NODE} FROM node WHERE kind = 'course' AND name IS NOT NULL ORDER BY ("
            " SELECT at_ns FROM used WHERE used.account = node.account AND used.course = node.key"
            ") DESC, mtime_ns DESC, name"
        )
        return [node_of(row) for row in rows]
