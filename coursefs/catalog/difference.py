"""The difference between stored and desired nodes (pure): unchanged nodes keep inode, times and kernel caches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from coursefs.catalog.node import DesiredNode, Node, Place, digest_of, distrusted, locator_of

Key = tuple[Place, str]


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference that a refresh writes, and that the kernel is told of."""

    added: tuple[Node, ...] = ()
    changed: tuple[tuple[Node, Node], ...] = ()  # before, after
    gone: tuple[Node, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.gone)


def difference(
    present: Iterable[Node],
    wanted: Iterable[DesiredNode],
    *,
    former_nodes: Mapping[Key, Node],
    new_inode: Callable[[DesiredNode], int],
    now_ns: int,
) -> Changes:
    """The changes that turn the `present` nodes into the `desired` ones.

    `former_nodes` are nodes that existed once and may come back, with their inode; `new_inode` is called for desired
    nodes that never existed.
    """
    before = {(node.place, node.id): node for node in present}
    added: list[Node] = []
    changed: list[tuple[Node, Node]] = []
    for desired_node in wanted:
        key = (desired_node.place, desired_node.id)
        node = before.pop(key, None)
        if node is not None:
            after = _updated(node, desired_node, now_ns)
            if after != node:
                changed.append((node, after))
        elif (old := former_nodes.get(key)) is not None:
            added.append(_updated(old, desired_node, now_ns))
        else:
            added.append(_created(new_inode(desired_node), desired_node, now_ns))
    return Changes(tuple(added), tuple(changed), tuple(before.values()))


def _created(inode: int, desired_node: DesiredNode, now_ns: int) -> Node:
    since = now_ns if desired_node.modified_ns is None else desired_node.modified_ns
    blank = Node(
        inode,
        desired_node.parent,
        desired_node.name,
        desired_node.wanted,
        desired_node.place,
        desired_node.key,
        desired_node.kind,
        since,
        space=desired_node.space,
    )
    return _updated(blank, desired_node, now_ns)


def _updated(node: Node, desired_node: DesiredNode, now_ns: int) -> Node:
    after = replace(
        node,
        parent=desired_node.parent,
        name=desired_node.name,
        wanted=desired_node.wanted,
        kind=desired_node.kind,
        item=desired_node.item,
        url=desired_node.url,
        mime_type=desired_node.mime_type,
        identity=None if desired_node.remote is None else desired_node.remote.identity,
        locator=locator_of(desired_node.remote or desired_node.refused),
    )
    since = now_ns if desired_node.modified_ns is None else desired_node.modified_ns
    if desired_node.page is not None:
        digest = digest_of(desired_node.page)
        if node.etag == digest and node.identity is None:
            return after
        return replace(
            after,
            size=len(desired_node.page),
            etag=digest,
            modified_ns=None,
            is_hint=False,
            page=desired_node.page,
            # a page that was damaged on disk and is fetched again with the same bytes has not changed
            mtime_ns=node.mtime_ns if node.etag == distrusted(digest) else since,
        )
    if node.identity != after.identity:
        # other bytes: size and version of the old ones do not apply
        is_hint = desired_node.size is not None
        return replace(after, size=desired_node.size, etag=None, modified_ns=None, is_hint=is_hint, mtime_ns=since)
    if node.version is None and desired_node.size is not None and desired_node.size != node.size:
        return replace(
            after, size=desired_node.size, is_hint=True, mtime_ns=node.mtime_ns if node.size is None else since
        )
    return after
