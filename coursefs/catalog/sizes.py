"""Sizes: not asked for by a listing, but for all siblings at once as soon as one is asked for.

Where the platform's listing says a size, that is shown without asking; the server is asked when the file is opened.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import trio
from cachetools import LRUCache

from coursefs.catalog.node import Node
from coursefs.catalog.store import Store
from coursefs.errors import CoursefsError
from coursefs.flight import Flights
from coursefs.model import Version

log = logging.getLogger(__name__)

#: how many sizes are asked for at once; each costs one small request
_AT_ONCE = 32
#: seconds for which a size that could not be learned is not asked for again with its siblings'
_FAILED_FOR = 60.0


class Sizes:
    """Learns the sizes of files through `measure`, and stores them with the version that they belong to."""

    def __init__(
        self, store: Store, measure: Callable[[Node, Version | None], Awaitable[Version]], nursery: trio.Nursery
    ) -> None:
        self._store = store
        self._measure = measure
        self._limit = trio.CapacityLimiter(_AT_ONCE)
        self._flights: Flights[int, Node] = Flights(nursery)
        self._failed: LRUCache[int, float] = LRUCache(4096)  # when, monotonic s
        #: hears of a file whose bytes have changed on the platform
        self.on_change: Callable[[Node], None] = lambda _: None

    async def exact(self, node: Node) -> Node:
        """The node with its exact size and its version.  Raises what kept it from being learned.

        The siblings' are asked for in the same go, where nothing is known of their sizes.
        """
        if node.identity is None or node.version is not None:
            return node
        now = time.monotonic()
        for sibling in () if node.is_hint else self._store.children(node.parent):
            if sibling.identity is None or sibling.size is not None or sibling.inode == node.inode:
                continue
            if now - self._failed.get(sibling.inode, float("-inf")) > _FAILED_FOR:
                self._flights.start(sibling.inode, lambda sibling=sibling: self._quietly(sibling))  # type: ignore[misc]
        return await self._flights.join(node.inode, lambda: self._quietly(node))

    async def again(self, node: Node) -> Node:
        """Ask for the version once more, because its bytes turned out to be others; tells what changed."""
        return await self._flights.join(node.inode, lambda: self._learn(node))

    async def _quietly(self, node: Node) -> Node:
        try:
            return await self._learn(node)
        except CoursefsError as error:
            self._failed[node.inode] = time.monotonic()
            log.debug("the size of %s is not known: %s", node.name, error)
            raise

    async def _learn(self, node: Node) -> Node:
        async with self._limit:
            version = await self._measure(node, node.version)
        # who was shown a size that turns out to be right has seen no other content, whatever date comes with it
        has_changed = version.size != node.size if node.is_hint else version != node.version
        mtime_ns, date_ns = node.mtime_ns, version.modified_ns
        if has_changed and date_ns is not None and date_ns != node.modified_ns:
            mtime_ns = date_ns
        elif has_changed and node.size is not None:
            mtime_ns += 1  # no date from the server, or that of other bytes: all the same it must differ
        self._store.set_version(node.inode, version, mtime_ns)
        after = self._store.node(node.inode) or node
        if has_changed and node.size is not None:
            self.on_change(after)
        return after
