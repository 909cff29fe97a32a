"""The content cache of a library, file by file and as a whole: what is on the disk, what stays there, what is fetched.

Files are given as nodes; what they are called in the cache is the business of `versions`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from coursefs.base.supervisor import Supervisor
from coursefs.catalog import Node
from coursefs.content import CacheUse, Cleared, Contents, Progress, Verified
from coursefs.library.search_indexing import SearchIndexing, SearchProgress
from coursefs.library.settings import LibrarySettings
from coursefs.library.versions import Versions
from coursefs.transport import Transport
from coursefs.transport.bandwidth import limit_of


@dataclass(frozen=True, slots=True)
class UnpinnedQuota:
    """The limits of the cache at one moment, in bytes."""

    used: int
    pinned: int
    max_size: int
    disk_free: int
    min_free: int  # of the disk, which stay free

    @property
    def bytes(self) -> int:
        """The most bytes that the cache can hold besides the pinned ones."""
        return min(self.max_size, self._on_disk) - self.pinned

    @property
    def is_limited_by_disk(self) -> bool:
        """Whether the disk's free space is the narrower limit."""
        return self._on_disk < self.max_size

    @property
    def _on_disk(self) -> int:
        return self.used + max(0, self.disk_free - self.min_free)


class FileCache:
    """The content cache of a library.  Our own pages are not in it: they are in the catalogue, and always complete."""

    def __init__(
        self,
        contents: Contents,
        versions: Versions,
        transport: Transport,
        search: SearchIndexing,
        supervisor: Supervisor,
        settings: Callable[[], LibrarySettings],
    ) -> None:
        """`settings` returns the present ones."""
        self._contents = contents
        self._versions = versions
        self._transport = transport
        self._search = search
        self._supervisor = supervisor
        self._settings = settings

    # -- one file ----------------------------------------------------------------------------------------------------

    def cached_bytes(self, node: Node) -> int:
        """The number of cached bytes of a file.  Raises `Gone` when its course is gone."""
        content = self._versions.content(node)
        return node.size or 0 if content is None else self._contents.cached_bytes(content)

    async def prefetch(self, node: Node, progress: Callable[[Progress], None]) -> None:
        """Fetch all bytes of a file into the cache, after all readers' requests; calls `progress` after each piece.

        Raises `Stale` when the platform has another version, `CacheFull`, and any other `CoursefsError`.
        """
        content = self._versions.content(node)
        if content is not None:
            await self._contents.prefetch(content, progress)

    def passing(self, node: Node) -> AbstractAsyncContextManager[None]:
        """A context in which the file only passes through the cache: see `Contents.passing`."""
        content, version = self._versions.content(node), node.version
        return nullcontext() if content is None or version is None else self._contents.passing(content, version)

    async def pace(self, count: int) -> None:
        """Count bytes that a transfer received past the cache, and wait as long as its bandwidth limit demands."""
        bandwidth = limit_of(self._transport.bandwidth)
        bandwidth.spend(count)
        await bandwidth.wait()

    def is_pinned(self, node: Node) -> bool:
        """Whether a file is pinned: its bytes are never evicted."""
        content = self._versions.content(node)
        return content is not None and self._contents.pinned(content)

    async def pin(self, node: Node, *, pinned: bool = True) -> None:
        """Pin or unpin a file: its cached bytes are not evicted from now on.  Fetches nothing."""
        content = self._versions.content(node)
        if content is not None:
            await (self._contents.pin if pinned else self._contents.unpin)(content)

    # -- the whole cache ---------------------------------------------------------------------------------------------

    async def unpin_all(self) -> int:
        """Unpin every file, also those that the tree no longer shows; returns their number."""
        return await self._contents.unpin_all()

    def unpinned_quota(self) -> UnpinnedQuota:
        """What the cache can hold besides the pinned bytes.  Blocks, on the disk's free space."""
        use = self._contents.use()
        free = shutil.disk_usage(use.directory).free
        return UnpinnedQuota(use.bytes, use.pinned_bytes, use.max_size, free, self._settings().min_free)

    def use(self) -> CacheUse:
        """The use of the content cache."""
        return self._contents.use()

    async def clear(self) -> Cleared:
        """Drop all unpinned contents from the cache, and the search index, which has texts of them."""
        cleared = await self._contents.clear()
        await self._search.forget()
        return cleared

    async def verify(self, progress: Callable[[Verified], None]) -> Verified:
        """Compare every cached byte with its checksum: see `Maintenance.verify`."""
        return await self._contents.verify(progress)

    # -- the search index of its texts -------------------------------------------------------------------------------

    def keep_searchable(self) -> None:
        """Keep the search index up to date in the background until the library closes, whatever fails meanwhile."""
        self._supervisor.keep_running(self._search.run, name="search index")

    async def make_searchable(self, *, again: bool = False, is_background: bool = True) -> None:
        """Bring the search index up to date now; `again`: build it from nothing.  See `SearchIndexing.update`."""
        if again:
            await self._search.forget()
        await self._search.update(is_background=is_background)

    @property
    def searchable(self) -> SearchProgress:
        """How far the search index is up to date."""
        return self._search.progress
