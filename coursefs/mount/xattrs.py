"""The extended attributes of a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from coursefs.library import Library, Node

_READERS: Mapping[bytes, Callable[[Library, Node], str | None]] = {
    b"user.coursefs.id": lambda _, node: (
        "/".join(filter(None, (node.place.account, node.place.course, node.key))) or "/"
    ),
    b"user.coursefs.kind": lambda _, node: node.kind.value,
    b"user.coursefs.cached": lambda library, node: None if node.is_directory else str(library.cached_bytes(node)),
    b"user.coursefs.error": lambda library, node: library.last_error(node),
    b"user.xdg.origin.url": lambda _, node: node.url,
    b"user.mime_type": lambda _, node: node.mime_type,
}


def read(library: Library, node: Node, name: bytes) -> bytes | None:
    """The value of an extended attribute in UTF-8; None when the node does not have it."""
    reader = _READERS.get(name)
    value = None if reader is None else reader(library, node)
    return None if value is None else value.encode()


def names(library: Library, node: Node) -> list[bytes]:
    """The names of the extended attributes that a node has now."""
    return [name for name in _READERS if read(library, node, name) is not None]
