"""The download job: plain copies of the tree in a folder; incremental, resumable, without FUSE."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import trio

from coursefs.base import threads
from coursefs.bulk.copies import Copy, CopyFolder
from coursefs.bulk.fetching import bring, exact
from coursefs.bulk.transfer import Task
from coursefs.errors import Stale
from coursefs.library import CacheFull, FileCache, Files, Found, Node

#: bytes copied from the cache at a time
_STEP = 2**20


class Download:
    """A copy of each file in a folder.

    The bytes go through the cache in the background, so cached bytes are not requested and an interrupted run continues
    where it was. Bytes that were cached only for the copy are dropped when it is complete; if the cache has no space,
    it is bypassed.
    """

    def __init__(self, files: Files, cache: FileCache, folder: CopyFolder, *, overwrite: bool = False) -> None:
        """With `overwrite` a copy is made anew also where there is one of the same size and date."""
        self._files = files
        self._cache = cache
        self._folder = folder
        self._overwrite = overwrite

    async def look(self, found: Found) -> Task | None:
        """See `Job`; probes an unknown size."""
        if found.node.is_directory:
            await threads.run_sync(self._folder.make, found.path)
            return None
        node = await exact(self._files, found)
        if not self._overwrite and await threads.run_sync(self._folder.has, found.path, node):
            return None
        size = node.size or 0
        return Task(found.path, node, size, is_at_hand=self._cache.cached_bytes(node) >= size)

    async def carry(self, task: Task, came: Callable[[int], None]) -> None:
        """See `Job`."""
        try:
            await self._copy(task, task.node, came)
        except Stale:
            await self._copy(task, await self._files.look_again(task.node), came)

    async def _copy(self, task: Task, node: Node, came: Callable[[int], None]) -> None:
        await threads.run_sync(self._folder.require_room, node.size or 0)
        async with self._cache.passing(node), self._begun(task.path) as copy:
            is_cached = False
            with suppress(CacheFull):
                await bring(self._files, self._cache, node, node.size or 0, came)
                is_cached = True
            handle = await self._files.open(node.inode)
            try:
                for offset in range(0, handle.node.size or 0, _STEP):
                    data = await handle.read(offset, _STEP)
                    await threads.run_sync(self._folder.write, copy, data)
                    came(offset + len(data))
                    if not is_cached:
                        await self._cache.pace(len(data))
            finally:
                handle.close()
            await threads.run_sync(self._folder.finish, copy, handle.node)

    @asynccontextmanager
    async def _begun(self, path: str) -> AsyncIterator[Copy]:
        copy = await threads.run_sync(self._folder.begin, path)
        try:
            yield copy
        finally:
            with trio.CancelScope(shield=True):
                await threads.run_sync(copy.discard)
