"""The jobs fetch, pin and unpin: files into the cache, and kept there."""

from __future__ import annotations

from collections.abc import Callable

from coursefs.bulk.transfer import NoSpace, Task
from coursefs.errors import NotAllowed, Stale
from coursefs.library import CacheFull, FileCache, Files, Found, Node, Progress, UnpinnedQuota
from coursefs.settings.units import format_size


class Fetch:
    """All bytes of each file into the cache, in the background.

    A file that would evict others of the same run is not started, and none after it.
    """

    def __init__(self, files: Files, cache: FileCache) -> None:
        self._files = files
        self._cache = cache
        self._limits = cache.unpinned_quota()
        self._quota = self._limits.bytes

    async def look(self, found: Found) -> Task | None:
        """See `Job`; probes an unknown size. Raises `NoSpace`."""
        node = await exact(self._files, found)
        if node.identity is None or not node.size:
            return None
        missing = max(0, node.size - self._cache.cached_bytes(node))
        self._quota -= missing if self._cache.is_pinned(node) else node.size
        if self._quota < 0:
            raise NoSpace(f"{found.path}: not fetched: {no_space(self._limits)}")
        came_with_its_size = found.node.version is None and not missing
        return Task(found.path, node, missing, not missing) if missing or came_with_its_size else None

    async def carry(self, task: Task, came: Callable[[int], None]) -> None:
        """See `Job`."""
        try:
            await bring(self._files, self._cache, task.node, task.missing, came)
        except CacheFull:
            raise NoSpace("the cache is full of pinned files, or its disk is full") from None


def no_space(limits: UnpinnedQuota) -> str:
    """Why a file does not fit into the cache, and which setting says so (pure)."""
    if limits.is_limited_by_disk:
        free, reserved = format_size(limits.disk_free), format_size(limits.min_free)
        return f"the disk has {free} free, {reserved} are reserved (cache.min_free)"
    pinned = f", {format_size(limits.pinned)} of it pinned" if limits.pinned else ""
    return f"the cache holds at most {format_size(limits.max_size)}{pinned} (cache.max_size)"


async def exact(files: Files, found: Found) -> Node:
    """The file with its exact size. Raises `CoursefsError`; `NotAllowed` if it was just refused."""
    node = await files.exact(found.node)
    if node.is_refused and not found.node.is_refused:
        raise NotAllowed(f"{files.last_error(node)}; see {node.name}")
    return node


async def bring(files: Files, cache: FileCache, node: Node, missing: int, came: Callable[[int], None]) -> None:
    """Fetch all bytes of a file into the cache; `came` is called with the number of `missing` bytes fetched so far.

    Starts again if the platform has another version now. Raises `CoursefsError`; `CacheFull` without space.
    """

    def progress(so_far: Progress) -> None:
        came(so_far.done - (so_far.total - missing))

    try:
        await cache.prefetch(node, progress)
    except Stale:
        await cache.prefetch(await files.look_again(node), progress)


class Pin:
    """Pin or unpin each file in the cache. Fetches nothing.

    `files` counts the files, pages of our own too, and `complete` those that are on disk completely.
    """

    def __init__(self, cache: FileCache, *, pinned: bool) -> None:
        self.files = 0
        self.complete = 0
        self._cache = cache
        self._pinned = pinned

    async def look(self, found: Found) -> Task | None:
        """See `Job`."""
        node = found.node
        if node.is_directory or node.is_generated:
            return None
        self.files += 1
        if node.identity is None:  # a page that coursefs wrote is in the catalogue, and never evicted
            self.complete += 1
            return None
        self.complete += node.size is not None and self._cache.cached_bytes(node) >= node.size
        is_done = self._cache.is_pinned(node) == self._pinned
        return None if is_done else Task(found.path, node, 0, is_at_hand=True)

    async def carry(self, task: Task, came: Callable[[int], None]) -> None:  # noqa: ARG002  # there are no bytes
        """See `Job`."""
        await self._cache.pin(task.node, pinned=self._pinned)
