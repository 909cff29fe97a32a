"""A cache of nodes and of packed listings in memory."""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.catalog.node import ROOT, Node
from coursefs.catalog.packed_listing import PackedListing

#: nodes that are kept, of a KiB each. A full cache is cleared: tracking the least recently used node would cost each
#: lookup more than reading nodes again
_MAX_NODES = 1 << 13
#: bytes of packed listings that are kept: those of half a million files with their course pages
_MAX_PACKED = 64 << 20
#: bytes that the table needs for a listing
_OF_A_LISTING = 128


class NodeCache:
    """What was read of the catalogue, until it is invalidated or there is too much of it."""

    def __init__(self) -> None:
        self._nodes: dict[int, Node] = {}  # at least every node of the cached listings of nodes
        self._listings: dict[int, tuple[Node, ...]] = {}
        self._packed: dict[int, PackedListing] = {}
        self._packed_bytes = 0
        self.node = self._nodes.get
        self.listing = self._listings.get
        self.packed = self._packed.get

    @property
    def shown(self) -> list[Node]:
        """The nodes of the root."""
        return [node for node in self._nodes.values() if node.parent == ROOT]

    def add(self, nodes: Sequence[Node]) -> None:
        """Keep nodes."""
        if len(self._nodes) + len(nodes) > _MAX_NODES:
            kept = self.shown  # wanted where the catalogue is found damaged
            self._nodes.clear()
            self._listings.clear()
            self._nodes.update((node.inode, node) for node in kept)
        self._nodes.update((node.inode, node) for node in nodes)

    def add_listing(self, directory: int, nodes: tuple[Node, ...]) -> None:
        """Keep the nodes of a directory, as its listing too."""
        self.add(nodes)
        self._listings[directory] = nodes

    def add_packed(self, directory: int, listing: PackedListing) -> None:
        """Keep a listing in its packed form."""
        size = len(listing) + _OF_A_LISTING
        if self._packed_bytes + size > _MAX_PACKED:
            self._clear_packed()
        self._packed[directory] = listing
        self._packed_bytes += size

    def invalidate(self, inode: int, parent: int | None) -> None:
        """Drop a node, its own listing, and that of its directory."""
        node = self._nodes.pop(inode, None)
        for directory in {inode, parent, None if node is None else node.parent} - {None}:
            assert directory is not None
            self._listings.pop(directory, None)
            if (packed := self._packed.pop(directory, None)) is not None:
                self._packed_bytes -= len(packed) + _OF_A_LISTING

    def clear(self) -> None:
        """Drop everything."""
        self._nodes.clear()
        self._listings.clear()
        self._clear_packed()

    def _clear_packed(self) -> None:
        self._packed.clear()
        self._packed_bytes = 0
