"""Rows of the catalogue and the objects that they represent (pure)."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product
from typing import TypeAlias
from zlib import crc32

from coursefs.catalog.node import DIRECTORIES, SEPARATOR, Node, Place, Space, StoredItem
from coursefs.catalog.packed_listing import Entry
from coursefs.model import Item, Kind

#: columns of a node, without its page
NODE_COLUMNS = (
    "inode, parent, name, wanted, account, course, key, kind, mtime_ns, item, url, mime_type,"
    " size, etag, modified_ns, is_hint, identity, locator"
)
#: as `NODE_COLUMNS`, with the last name of a gone node, and whether it is gone
READ_COLUMNS = NODE_COLUMNS.replace("name,", "coalesce(name, was, ''),", 1) + ", sum, name IS NULL"
_KINDS = {kind.value: kind for kind in Kind}
_IS_DIRECTORY = {kind.value: kind in DIRECTORIES for kind in Kind}
_SPACES = {space.value: space for space in Space}
#: columns of an item
ITEM_COLUMNS = (
    "account, course, key, directory, stem, wanted, title, slug, position, type_name, url, locked, details,"
    " fetched_ns, error, duration"
)


#: SQLite stores any type in any column, so a damaged page may yield any: these are the types that we write
_TEXT, _NUMBER, _NONE = frozenset({str}), frozenset({int}), frozenset({type(None)})
_REAL_OR_NONE = frozenset({float}) | _NONE
_TEXT_OR_NONE, _NUMBER_OR_NONE = (_TEXT | _NONE), (_NUMBER | _NONE)
Types: TypeAlias = tuple[frozenset[type], ...]
_ITEM_TYPES: Types = (
    *[_TEXT] * 3, _NUMBER, *[_TEXT] * 4, _NUMBER_OR_NONE, _TEXT, *[_TEXT_OR_NONE] * 2, _TEXT,
    _NUMBER_OR_NONE, _TEXT_OR_NONE, _REAL_OR_NONE,
)  # fmt: skip
#: of a row of `course`, without its account and rank
COURSE_TYPES: Types = (*[_TEXT] * 3, _TEXT_OR_NONE, _NUMBER_OR_NONE, _NUMBER, *[_TEXT_OR_NONE] * 2)
#: rows of one column: when a place was fetched, and the account of a fetched course list
FETCHED_TYPES: Types = (_NUMBER,)
LISTED_TYPES: Types = (_TEXT,)
#: the columns that `ItemStore.fetch_times` selects
FETCH_TIMES_TYPES: Types = (*[_NUMBER] * 2, *[_NUMBER_OR_NONE] * 4)
#: of a row of `choice` without its account
SELECTION_TYPES: Types = (_TEXT, _NUMBER)
#: of a row of `deadline`, without its account, course and rank
DEADLINE_TYPES: Types = (_TEXT, _NUMBER, *[_TEXT_OR_NONE] * 2, _NUMBER)
#: of a row of `finished`, without its account and course
FINISHED_TYPES: Types = (_TEXT,)
ADDED_TYPES: Types = (*[_TEXT] * 3, _TEXT_OR_NONE)


#: of the columns of a node that may be NULL: size, modified_ns, etag, url and identity
_OPTIONAL_TYPES = frozenset(product(*[_NUMBER_OR_NONE] * 2, *[_TEXT_OR_NONE] * 3))


class BadRow(ValueError):
    """A row that coursefs did not write."""


def checked(row: tuple, types: Types) -> tuple:  # type: ignore[type-arg]  # as below
    """Return the row if its columns have these types. Raises `BadRow`."""
    if not _fits(tuple(map(type, row)), types):
        raise BadRow("a column has a type that it never has")
    return row


@lru_cache(1024)  # thousands of rows have few different types
def _fits(found: tuple[type, ...], types: Types) -> bool:
    return len(found) == len(types) and all(one in kinds for one, kinds in zip(found, types, strict=True))


def insert(table: str, columns: str) -> str:
    """The statement that inserts a row with these columns."""
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"


# not INSERT OR REPLACE: that would silently delete a sibling with the same name
UPSERT_NODE = (
    f"{insert('node', NODE_COLUMNS + ', sum, page')} ON CONFLICT (inode) DO UPDATE SET "
    + ", ".join(f"{column.strip()} = excluded.{column.strip()}" for column in [*NODE_COLUMNS.split(",")[1:], "sum"])
    + ", page = coalesce(excluded.page, page)"  # a node with an unchanged page is written without it
)
REPLACE_ITEM = insert("step", ITEM_COLUMNS).replace("INSERT", "INSERT OR REPLACE", 1)


def storable(text: str | None) -> str | None:
    """Platform text with lone surrogates replaced: JSON may hold them, SQLite may not."""
    return None if text is None else text.encode(errors="replace").decode()


@lru_cache(1024)
def _place(account: str, course: str) -> Place:
    return Place(account, course)  # one object for all nodes of a course, to save memory


def node_of(row: tuple) -> Node:  # type: ignore[type-arg]  # a row is whatever the statement names
    """The node of a row of `READ_COLUMNS`, without its page. Raises `BadRow` or `TypeError`."""
    return next(nodes_of([row]))


def nodes_of(rows: Iterable[tuple]) -> Iterator[Node]:  # type: ignore[type-arg]  # as above
    """The nodes of rows of `READ_COLUMNS`; equal texts share one object. Raises `BadRow` or `TypeError`."""
    kept: dict[str, str] = {}
    return (_node(row, kept) for row in _sound(rows))


def _node(row: tuple, kept: dict[str, str]) -> Node:  # type: ignore[type-arg]  # as above
    """The node of a sound row; texts that are equal to one in `kept` are that object."""
    once = kept.setdefault
    (inode, parent, name, wanted, account, course, key, kind, mtime, item, url, mime, size, etag, modified,
     is_hint, identity, locator, _, is_gone) = row  # fmt: skip
    key, _, space = key.partition(SEPARATOR)
    return Node(
        inode, parent, name, name if wanted == name else wanted, _place(account, course), key, _KINDS[kind], mtime,
        once(item, item), url and once(url, url), mime and sys.intern(mime), size, etag, modified,
        bool(is_hint), identity, locator, is_gone=bool(is_gone), space=_SPACES[space],
    )  # fmt: skip


def listed(rows: Iterable[tuple]) -> tuple[list[Entry], list[Node]]:  # type: ignore[type-arg]  # as above
    """What a listing tells of rows of `READ_COLUMNS`, and the nodes of the directories among them.

    Raises `BadRow` or `TypeError`.
    """
    entries, directories = [], []
    for row in _sound(rows):
        is_directory = _IS_DIRECTORY[row[7]]
        entries.append((row[0], row[2].encode(), is_directory, row[12], row[8]))
        if is_directory:
            directories.append(row)
    return entries, [_node(row, {}) for row in directories]


def _sound(rows: Iterable[tuple]) -> Iterator[tuple]:  # type: ignore[type-arg]  # as above
    """The rows of `READ_COLUMNS`, each of which is as it was written. Raises `BadRow` or `TypeError`."""
    for row in rows:
        (inode, parent, name, wanted, account, course, key, kind, mtime, item, url, _, size, etag, modified,
         is_hint, identity, locator, sum_, _) = row  # fmt: skip
        # these raise `TypeError` for a wrong type; cheaper than checks, because a walk reads thousands of rows
        "".join((name, wanted, account, course, key, item))
        inode | parent | mtime | is_hint
        if (
            (type(size), type(modified), type(etag), type(url), type(identity)) not in _OPTIONAL_TYPES
            or "/" in name or "\0" in name
            or (
                sum_ is not None
                # as `sum_of`, without its call: a walk checks thousands of rows
                and sum_ != crc32(
                    f"{inode}\0{parent}\0{name}\0{wanted}\0{account}\0{course}\0{key}\0{kind}\0{item}\0{identity}"
                    f"\0{locator}".encode()
                )
                and (identity is None or sum_ != _first_sum_of(identity, locator))
            )
        ):  # fmt: skip
            raise BadRow("it is not what was written")
        yield row


def sum_of(*columns: object) -> int:
    """A checksum of what a node is: a damaged locator would fetch another file's bytes, a damaged name is not found."""
    return crc32("\0".join(map(str, columns)).encode())


def _first_sum_of(identity: str, locator: str | None) -> int:
    """The checksum of rows that were written before it was over all columns."""
    return crc32(f"{identity}\0{locator}".encode())


def row_of(node: Node) -> tuple[object, ...]:
    """The values for `UPSERT_NODE`."""
    return (
        node.inode, node.parent, node.name, node.wanted, node.place.account, node.place.course, node.id,
        node.kind.value, node.mtime_ns, node.item, storable(node.url), node.mime_type, node.size, node.etag,
        node.modified_ns,
        node.is_hint,
        node.identity,
        node.locator,
        sum_of(
            node.inode, node.parent, node.name, node.wanted, node.place.account, node.place.course, node.id,
            node.kind.value, node.item, node.identity, node.locator,
        ),
        node.page,
    )  # fmt: skip


def stored_item_of(row: tuple) -> StoredItem:  # type: ignore[type-arg]  # as above
    """The item of a row of `ITEM_COLUMNS`. Raises `BadRow`."""
    (account, course, key, directory, stem, wanted, title, slug, position, type_name, url, locked, details, fetched,
     error, duration) = checked(row, _ITEM_TYPES)  # fmt: skip
    found = {} if details == "{}" else json.loads(details)
    if not isinstance(found, dict):
        raise BadRow("details that are none")
    item = Item(key, title, slug, position, type_name, url, locked, found, duration)
    return StoredItem(_place(account, course), directory, stem, wanted, item, fetched, error)


def row_of_item(stored: StoredItem) -> tuple[object, ...]:
    """The values for `ITEM_COLUMNS`."""
    item = stored.item
    return (
        stored.place.account, stored.place.course, item.key, stored.directory, stored.stem, stored.wanted,
        storable(item.title), storable(item.slug), item.position, item.type_name, storable(item.url),
        storable(item.locked), json.dumps(dict(item.details)), stored.fetched_ns, storable(stored.error),
        item.duration,
    )  # fmt: skip


def require_readable(database: sqlite3.Connection) -> None:
    """Read every row of a catalogue. Raises `sqlite3.Error` or `BadRow` if one cannot be read."""
    for _ in nodes_of(database.execute(f"SELECT {READ_COLUMNS} FROM node")):
        pass
    for row in database.execute(f"SELECT {ITEM_COLUMNS} FROM step"):
        stored_item_of(row)
    for statement, types in (
        ("SELECT key, slug, title, url, enrolled_ns, hidden, mark, image, account FROM course", (*COURSE_TYPES, _TEXT)),
        ("SELECT course, shown, account FROM choice", (*SELECTION_TYPES, _TEXT)),
        ("SELECT key, slug, title, url, account FROM added", (*ADDED_TYPES, _TEXT)),
        ("SELECT at_ns, account, course, tag FROM fetched", (_NUMBER, _TEXT, _TEXT, _TEXT_OR_NONE)),
        ("SELECT at_ns, account, course FROM used", (_NUMBER, _TEXT, _TEXT)),
        ("SELECT account, shape, user FROM made_with", (_TEXT, _TEXT, _TEXT_OR_NONE)),
        ("SELECT title, due_ns, key, url, changed_ns, account, course FROM deadline", (*DEADLINE_TYPES, _TEXT, _TEXT)),
        ("SELECT at_ns, account, course FROM deadlines_asked", (_NUMBER, _TEXT, _TEXT)),
        ("SELECT key, account, course FROM finished", (*FINISHED_TYPES, _TEXT, _TEXT)),
        ("SELECT at_ns, account, course FROM finished_asked", (_NUMBER, _TEXT, _TEXT)),
    ):
        for row in database.execute(statement):
            checked(row, types)
