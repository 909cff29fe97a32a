"""A refresh is a difference: what stays keeps its inode, its times and its kernel caches (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from coursefs.catalog.node import Entry, Node, Place, digest_of, locator_of

Key = tuple[Place, str]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a refresh writes, and what the kernel has to be told."""

    added: tuple[Node, ...] = ()
    changed: tuple[tuple[Node, Node], ...] = ()  # before, after
    gone: tuple[Node, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.gone)


def difference(
    present: Iterable[Node],
    wanted: Iterable[Entry],
    *,
    past: Mapping[Key, Node],
    new_inode: Callable[[Entry], int],
    now_ns: int,
) -> Changes:
    """How `present` nodes become the `wanted` entries.

    `past` are nodes that were there once and may come back; `new_inode` is asked for entries that never were.
    """
    before = {(node.place, node.key): node for node in present}
    added: list[Node] = []
    changed: list[tuple[Node, Node]] = []
    for entry in wanted:
        key = (entry.place, entry.key)
        node = before.pop(key, None)
        if node is not None:
            after = _updated(node, entry, now_ns)
            if after != node:
                changed.append((node, after))
        elif (old := past.get(key)) is not None:
            added.append(_updated(old, entry, now_ns))
        else:
            added.append(_created(new_inode(entry), entry, now_ns))
    return Changes(tuple(added), tuple(changed), tuple(before.values()))


def _created(inode: int, entry: Entry, now_ns: int) -> Node:
    since = now_ns if entry.modified_ns is None else entry.modified_ns
    blank = Node(inode, entry.parent, entry.name, entry.wanted, entry.place, entry.key, entry.kind, since)
    return _updated(blank, entry, now_ns)


def _updated(node: Node, entry: Entry, now_ns: int) -> Node:
    after = replace(
        node,
        parent=entry.parent,
        name=entry.name,
        wanted=entry.wanted,
        kind=entry.kind,
        item=entry.item,
        url=entry.url,
        mime_type=entry.mime_type,
        identity=None if entry.remote is None else entry.remote.identity,
        locator=locator_of(entry.remote),
    )
    since = now_ns if entry.modified_ns is None else entry.modified_ns
    if entry.page is not None:
        digest = digest_of(entry.page)
        if node.etag == digest and node.identity is None:
            return after
        return replace(
            after, size=len(entry.page), etag=digest, modified_ns=None, is_hint=False, page=entry.page, mtime_ns=since
        )
    if node.identity != after.identity:
        # other bytes: what was known of the old ones is worth nothing
        is_hint = entry.size is not None
        return replace(after, size=entry.size, etag=None, modified_ns=None, is_hint=is_hint, mtime_ns=since)
    if node.version is None and entry.size is not None and entry.size != node.size:
        return replace(after, size=entry.size, is_hint=True, mtime_ns=node.mtime_ns if node.size is None else since)
    return after
