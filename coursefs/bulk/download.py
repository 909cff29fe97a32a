"""The download job: plain copies of the tree in a folder; incremental, resumable, without FUSE."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from coursefs.base import threads
from coursefs.bulk.copies import Copy, CopyFolder
from coursefs.bulk.fetching import bring, exact
from coursefs.bulk.transfer import Task
from coursefs.errors import CoursefsError, Stale
from coursefs.library import CacheFull, FileCache, Files, Found, Handle, Node

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
            handle = await self._files.open(node.inode)
            try:
                is_cached = await self._bring(node, handle, copy, came)
                for offset in range(copy.size, handle.node.size or 0, _STEP):
                    data = await handle.read(offset, _STEP)
                    await threads.run_sync(self._folder.write, copy, data)
                    came(offset + len(data))
                    if not is_cached:
                        await self._cache.pace(len(data))
            finally:
                handle.close()
            await threads.run_sync(self._folder.finish, copy, handle.node)

    async def _bring(self, node: Node, handle: Handle, copy: Copy, came: Callable[[int], None]) -> bool:
        """Fetch all bytes into the cache, and copy them meanwhile; False: the cache has no space for all of them.

        A large file that was copied only when all of it has come would keep the link waiting for the disk.
        """
        more = trio.Event()
        is_over = False
        error: CoursefsError | None = None

        def progress(so_far: int) -> None:
            came(so_far)
            more.set()

        async def follow() -> None:
            nonlocal more, error
            try:
                while copy.size < (handle.node.size or 0):
                    more = trio.Event()  # before looking: what comes during the look ends the wait below
                    data = await handle.cached(copy.size, _STEP)
                    if data is not None:
                        await threads.run_sync(self._folder.write, copy, data)
                    elif is_over:
                        return
                    else:
                        await more.wait()
            except CoursefsError as failure:
                error = failure
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            try:
                await bring(self._files, self._cache, node, node.size or 0, progress)
            except CoursefsError as failure:
                error = failure
                nursery.cancel_scope.cancel()
            is_over = True
            more.set()
        if error is not None and not isinstance(error, CacheFull):
            raise error
        return error is None

    @asynccontextmanager
    async def _begun(self, path: str) -> AsyncIterator[Copy]:
        copy = await threads.run_sync(self._folder.begin, path)
        try:
            yield copy
        finally:
            with trio.CancelScope(shield=True):
                await threads.run_sync(copy.discard)
