"""Plain copies of the tree in an ordinary folder: incremental, resumable, and no FUSE needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import trio

from coursefs.content import CacheFull
from coursefs.copies import Copy, Folder
from coursefs.errors import Stale
from coursefs.fetching import bring, looked_at_again
from coursefs.library import Library, Node
from coursefs.targets import Found
from coursefs.transfer import Task

#: bytes that go from the cache to the copy at a time
_STEP = 2**20


class Download:
    """A job: a copy of each file in a folder.

    The bytes come by way of the cache, behind everybody who reads, so that what was cached is not asked for and an
    interrupted run goes on where it was.  What came into the cache for the copy alone leaves it when the copy is
    whole; where the cache has no room, it is read through.
    """

    def __init__(self, library: Library, folder: Folder) -> None:
        self._library = library
        self._folder = folder

    async def look(self, found: Found) -> Task | None:
        """See `Job`; asks for the size where it is not known."""
        if found.node.is_directory:
            await trio.to_thread.run_sync(self._folder.make, found.path)
            return None
        node = await self._library.sizes.exact(found.node)
        if await trio.to_thread.run_sync(self._folder.has, found.path, node):
            return None
        size = node.size or 0
        return Task(found.path, node, size, is_at_hand=self._library.cached_bytes(node) >= size)

    async def carry(self, task: Task, came: Callable[[int], None]) -> None:
        """See `Job`."""
        try:
            await self._copy(task, task.node, came)
        except Stale:
            await self._copy(task, await looked_at_again(self._library, task.node), came)

    async def _copy(self, task: Task, node: Node, came: Callable[[int], None]) -> None:
        await trio.to_thread.run_sync(self._folder.require_room, node.size or 0)
        async with self._passing(node), self._begun(task.path) as copy:
            with suppress(CacheFull):
                await bring(self._library, node, node.size or 0, came)
            handle = await self._library.open(node.inode)
            try:
                for offset in range(0, handle.node.size or 0, _STEP):
                    data = await handle.read(offset, _STEP)
                    await trio.to_thread.run_sync(self._folder.write, copy, data)
                    came(offset + len(data))
            finally:
                handle.close()
            await trio.to_thread.run_sync(self._folder.finish, copy, handle.node)

    @asynccontextmanager
    async def _passing(self, node: Node) -> AsyncIterator[None]:
        content, version = self._library.content(node), node.version
        if content is None or version is None:
            yield
            return
        async with self._library.contents.passing(content, version):
            yield

    @asynccontextmanager
    async def _begun(self, path: str) -> AsyncIterator[Copy]:
        copy = await trio.to_thread.run_sync(self._folder.begin, path)
        try:
            yield copy
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(copy.discard)
