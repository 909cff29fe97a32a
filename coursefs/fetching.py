"""Jobs for many files: into the cache, and never out of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from coursefs.content import CacheFull, Progress
from coursefs.errors import Stale
from coursefs.library import Library, Node
from coursefs.targets import Found
from coursefs.transfer import NoSpace, Task


class Fetch:
    """All bytes of each file into the cache, behind everybody who reads.

    A file that would push others of the same run out again is not begun, nor is anything after it.
    """

    def __init__(self, library: Library) -> None:
        use = library.contents.use()
        free = shutil.disk_usage(use.directory).free - library.settings.min_free
        self._library = library
        self._room = min(use.max_size, use.bytes + max(0, free)) - use.pinned_bytes

    async def look(self, found: Found) -> Task | None:
        """See `Job`; asks for the size where it is not known.  Raises `NoSpace`."""
        node = await self._library.sizes.exact(found.node)
        content = self._library.content(node)
        if content is None or not node.size:
            return None
        missing = max(0, node.size - self._library.contents.cached_bytes(content))
        self._room -= missing if self._library.contents.pinned(content) else node.size
        if self._room < 0:
            raise NoSpace(
                f"{found.path}: does not fit into the cache with what was asked for before it;"
                " name less, or give the cache more room (cache.max_size)"
            )
        came_with_its_size = found.node.version is None and not missing
        return Task(found.path, node, missing, not missing) if missing or came_with_its_size else None

    async def carry(self, task: Task, came: Callable[[int], None]) -> None:
        """See `Job`."""
        try:
            await bring(self._library, task.node, task.missing, came)
        except CacheFull:
            raise NoSpace("the cache is full of what is pinned, or its disk is full") from None


async def bring(library: Library, node: Node, missing: int, came: Callable[[int], None]) -> None:
    """All bytes of a file into the cache; `came` is told how many of the `missing` bytes are there by now.

    Asks again where the platform has another version by now.  Raises `CoursefsError`; `CacheFull` without room.
    """

    def progress(so_far: Progress) -> None:
        came(so_far.done - (so_far.total - missing))

    async def once(node: Node) -> None:
        content = library.content(node)
        if content is not None:
            await library.contents.prefetch(content, progress)

    try:
        await once(node)
    except Stale:
        await once(await looked_at_again(library, node))


async def looked_at_again(library: Library, node: Node) -> Node:
    """A file that turned out to be another one, as it is now.  Raises `CoursefsError`."""
    return library.node(node.inode) if node.identity is None else await library.sizes.again(node)


class Pin:
    """Each file is kept in the cache, or no longer.  Fetches nothing.

    `files` counts those that can be kept (pages of our own need not be), `complete` those that are wholly there.
    """

    def __init__(self, library: Library, *, pinned: bool) -> None:
        self.files = 0
        self.complete = 0
        self._library = library
        self._pinned = pinned

    async def look(self, found: Found) -> Task | None:
        """See `Job`."""
        content = self._library.content(found.node)
        if content is None:
            return None  # pages of our own are always there
        self.files += 1
        size = found.node.size
        self.complete += size is not None and self._library.contents.cached_bytes(content) >= size
        is_done = self._library.contents.pinned(content) == self._pinned
        return None if is_done else Task(found.path, found.node, 0, is_at_hand=True)

    async def carry(self, task: Task, came: Callable[[int], None]) -> None:  # noqa: ARG002  # there are no bytes
        """See `Job`."""
        content = self._library.content(task.node)
        if content is None:
            return
        if self._pinned:
            await self._library.contents.pin(content)
        else:
            await self._library.contents.unpin(content)
