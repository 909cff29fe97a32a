"""Sizes: probed on the first `stat`, for all siblings at once; a listing of a directory probes none.

A size that the platform's listing gives is shown without a request; the server is probed when the file is opened.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import trio
from cachetools import LRUCache

from coursefs.base.single_flight import SingleFlight
from coursefs.base.supervisor import Tasks
from coursefs.catalog.node import Node
from coursefs.catalog.store import Store
from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.model import Version

log = logging.getLogger(__name__)

#: probes in progress at once; each is one small request, and the transport keeps as many connections (`pool.MOST`)
_AT_ONCE = 40
#: seconds before a failed probe is repeated on behalf of a sibling
_FAILED_FOR = 60.0


class Sizes:
    """Probes the sizes of files through `probe`, and stores them with their version."""

    def __init__(self, store: Store, probe: Callable[[Node, Version | None], Awaitable[Version]], tasks: Tasks) -> None:
        self._store = store
        self._probe_size = probe
        self._limit = trio.CapacityLimiter(_AT_ONCE)
        self._calls: SingleFlight[int, Node] = SingleFlight(tasks)
        self._failed: LRUCache[int, float] = LRUCache(4096)  # when, monotonic s
        #: called with a file whose bytes have changed on the platform
        self.on_change: Callable[[Node], None] = lambda _: None
        #: called with a refused file; returns the page to show in its place, or None to raise the error
        self.on_refusal: Callable[[Node, CoursefsError], Awaitable[Node | None]] = _no_page

    async def exact(self, node: Node) -> Node:
        """The node with its exact size and version. Raises the error of the probe.

        Siblings without a known size are probed at the same time; their errors are only logged. A cancelled caller
        leaves the probes running.
        """
        if node.identity is None or node.version is not None:
            return node
        now = time.monotonic()
        for sibling in () if node.is_hint else self._store.children(node.parent):
            if sibling.identity is None or sibling.size is not None or sibling.inode == node.inode:
                continue
            if now - self._failed.get(sibling.inode, float("-inf")) > _FAILED_FOR:
                self._calls.start(sibling.inode, lambda sibling=sibling: self._probe_or_note_failure(sibling))  # type: ignore[misc]
        return await self._calls.join(node.inode, lambda: self._probe_or_note_failure(node))

    async def again(self, node: Node) -> Node:
        """Probe a file again, because its bytes have changed; calls `on_change` if they have."""
        return await self._calls.join(node.inode, lambda: self._probe_and_store(node))

    async def _probe_or_note_failure(self, node: Node) -> Node:
        try:
            return await self._probe_and_store(node)
        except CoursefsError as error:
            self._failed[node.inode] = time.monotonic()
            log.debug("the size of %s is not known: %s", node.name, error)
            raise

    async def _probe_and_store(self, node: Node) -> Node:
        try:
            async with self._limit:
                version = await self._probe_size(node, node.version)
        except (NotAllowed, Gone) as error:
            if isinstance(error, NotSignedIn):
                raise
            page = await self.on_refusal(node, error)
            if page is None or node.size is not None:  # after another size was shown, only a new open gets the page
                raise
            return page
        if node.is_hint and node.size and not version.size:
            raise BadReply(f"the platform lists {node.size} bytes of this file, and its server sends none")
        # if the listed size was right, a new Last-Modified alone is not a change
        has_changed = version.size != node.size if node.is_hint else version != node.version
        mtime_ns, date_ns = node.mtime_ns, version.modified_ns
        if has_changed and date_ns is not None and date_ns != node.modified_ns:
            mtime_ns = date_ns
        elif has_changed and node.size is not None:
            mtime_ns += 1  # no new date from the server, but other bytes: backup programs must see another mtime
        after = self._store.set_version(node.inode, version, mtime_ns) or node
        if has_changed and node.size is not None:
            self.on_change(after)
        return after


async def _no_page(_: Node, __: CoursefsError) -> Node | None:
    return None
