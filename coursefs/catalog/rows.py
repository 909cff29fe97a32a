"""Rows of the catalogue and the objects that they are (pure)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache

from coursefs.catalog.node import Node, Place, Step
from coursefs.model import Item, Kind

#: what is written of a node, but for its page
NODE = (
    "inode, parent, name, wanted, account, course, key, kind, mtime_ns, item, url, mime_type,"
    " size, etag, modified_ns, is_hint, identity, locator"
)
#: as `NODE`, and whether it is gone
READ_NODE = NODE.replace("name,", "coalesce(name, was, ''),", 1) + ", name IS NULL"
_KINDS = {kind.value: kind for kind in Kind}
#: what is written of an item
STEP = (
    "account, course, key, directory, stem, wanted, title, slug, position, type_name, url, locked, details,"
    " fetched_ns, error"
)


def insert(table: str, columns: str) -> str:
    """The statement that adds a row with these columns."""
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"


# not INSERT OR REPLACE: that would silently throw out a sibling that has the name
UPSERT_NODE = (
    f"{insert('node', NODE + ', page')} ON CONFLICT (inode) DO UPDATE SET "
    + ", ".join(f"{column.strip()} = excluded.{column.strip()}" for column in NODE.split(",")[1:])
    + ", page = coalesce(excluded.page, page)"  # a node whose page has not changed comes without it
)
REPLACE_STEP = insert("step", STEP).replace("INSERT", "INSERT OR REPLACE", 1)


def sound(text: str | None) -> str | None:
    """Platform text without lone surrogates, which JSON may hold and SQLite may not."""
    return None if text is None else text.encode(errors="replace").decode()


@lru_cache(1024)
def _place(account: str, course: str) -> Place:
    return Place(account, course)  # one object for all nodes of a course


def node_of(row: tuple) -> Node:  # type: ignore[type-arg]  # a row is whatever the statement names
    """The node of a row of `READ_NODE`, without its page."""
    return next(nodes_of([row]))


def nodes_of(rows: Iterable[tuple]) -> Iterator[Node]:  # type: ignore[type-arg]  # as above
    """The nodes of such rows; a text that several of them have is kept once."""
    kept: dict[str, str] = {}
    once = kept.setdefault
    for (inode, parent, name, wanted, account, course, key, kind, mtime, item, url, mime, size, etag, modified,
         is_hint, identity, locator, is_gone) in rows:  # fmt: skip
        yield Node(
            inode, parent, name, name if wanted == name else wanted, _place(account, course), key, _KINDS[kind], mtime,
            once(item, item), url and once(url, url), mime and sys.intern(mime), size, etag, modified,
            bool(is_hint), identity, locator, is_gone=bool(is_gone),
        )  # fmt: skip


def row_of(node: Node) -> tuple[object, ...]:
    """The values that `UPSERT_NODE` takes."""
    return (
        node.inode, node.parent, node.name, node.wanted, node.place.account, node.place.course, node.key,
        node.kind.value, node.mtime_ns, node.item, sound(node.url), node.mime_type, node.size, node.etag,
        node.modified_ns,
        node.is_hint,
        node.identity,
        node.locator,
        node.page,
    )  # fmt: skip


def step_of(row: tuple) -> Step:  # type: ignore[type-arg]  # as above
    """The item of a row of `STEP`."""
    (account, course, key, directory, stem, wanted, title, slug, position, type_name, url, locked, details, fetched,
     error) = row  # fmt: skip
    item = Item(key, title, slug, position, type_name, url, locked, json.loads(details))
    return Step(Place(account, course), directory, stem, wanted, item, fetched, error)


def row_of_step(step: Step) -> tuple[object, ...]:
    """The values of a row of `STEP`."""
    item = step.item
    return (
        step.place.account, step.place.course, item.key, step.directory, step.stem, step.wanted, sound(item.title),
        sound(item.slug), item.position, item.type_name, sound(item.url), sound(item.locked),
        json.dumps(dict(item.details)), step.fetched_ns, sound(step.error),
    )  # fmt: skip
