"""Listings of directories in a packed form, for the requests that read directories.

A program that walks over an account asks for no more of a file than its name, inode number, size and time. In this form
they take some sixty bytes; as a `Node` they would take a KiB, so that the nodes of a large account do not fit into
memory, and reading them again from the catalogue costs more than everything else in a second walk.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from coursefs.catalog.node import Node

#: inode number; name in UTF-8; whether it is a directory; size in bytes or None; mtime in ns
Entry: TypeAlias = tuple[int, bytes, bool, int | None, int]

#: inode of the directory's own directory, and the number of entries
_HEAD = struct.Struct("<qI")
#: inode, size, mtime, whether it is a directory, and where its name ends among the names
_RECORD = struct.Struct("<qqq?I")
_NO_SIZE = -1


class PackedListing(bytes):
    """The entries of a directory, in the order of the listing; immutable.

    Layout: a head, a record of fixed length for each entry, and their names one after the other.
    """

    __slots__ = ()

    @classmethod
    def of(cls, parent: int, nodes: Iterable[Node]) -> PackedListing:
        """The listing of these nodes; `parent` is the directory of their directory."""
        return cls.of_entries(
            parent, ((node.inode, node.name.encode(), node.is_directory, node.size, node.mtime_ns) for node in nodes)
        )

    @classmethod
    def of_entries(cls, parent: int, entries: Iterable[Entry]) -> PackedListing:
        """The listing of these entries."""
        records, names, end = [], [], 0
        for inode, name, is_directory, size, mtime_ns in entries:
            end += len(name)
            names.append(name)
            known = _NO_SIZE if size is None else max(0, size)
            records.append(_RECORD.pack(inode, known, mtime_ns, is_directory, end))
        return cls(b"".join((_HEAD.pack(parent, len(records)), *records, *names)))

    @property
    def parent(self) -> int:
        """The inode number of the directory's own directory."""
        return int(_HEAD.unpack_from(self)[0])

    @property
    def length(self) -> int:
        """The number of entries."""
        return int(_HEAD.unpack_from(self)[1])

    def entries(self, first: int = 0) -> Iterator[Entry]:
        """The entries from the one with this number on; none if there are fewer."""
        names = _HEAD.size + self.length * _RECORD.size
        begin = min(_HEAD.size + first * _RECORD.size, names)
        start = names + (_RECORD.unpack_from(self, begin - _RECORD.size)[4] if first and begin > _HEAD.size else 0)
        for inode, size, mtime_ns, is_directory, end in _RECORD.iter_unpack(memoryview(self)[begin:names]):
            yield inode, self[start : names + end], is_directory, None if size == _NO_SIZE else size, mtime_ns
            start = names + end
