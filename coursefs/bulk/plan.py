"""The plan of a transfer: what it would do (`--dry-run`), or is about to do, and how many bytes that is."""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from coursefs.base import threads
from coursefs.bulk.copies import COARSE, portable
from coursefs.bulk.fetching import exact
from coursefs.bulk.transfer import Task
from coursefs.library import FileCache, Files, Found, Node


@dataclass(frozen=True, slots=True)
class Planned:
    """A file that would be transferred, and the bytes of it that are missing."""

    path: str
    bytes: int


class DryRun:
    """A job that collects the tasks which another job's `look` finds, in `planned`. See `Job`."""

    def __init__(self, look: Callable[[Found], Awaitable[Task | None]]) -> None:
        self.planned: list[Planned] = []
        self._look = look

    async def look(self, found: Found) -> Task | None:
        """See `Job`."""
        return await self._look(found)

    async def carry(self, task: Task, came: Callable[[int], None]) -> None:
        """See `Job`."""
        self.planned.append(Planned(task.path, task.missing))
        came(task.missing)


@dataclass(frozen=True, slots=True)
class Amount:
    """How much a fetch is about to bring."""

    files: int
    bytes: int
    unknown: int  # files and items besides whose size could not be asked for


class BytesToFetch:
    """What of each file is not in the cache, whether or not the cache has room for it."""

    def __init__(self, files: Files, cache: FileCache) -> None:
        self.came: list[int] = []  # the sizes of files that came with their size
        self._files = files
        self._cache = cache

    async def look(self, found: Found) -> Task | None:
        """See `Job`; probes an unknown size."""
        node = await exact(self._files, found)
        if node.identity is None or not node.size:
            return None
        missing = max(0, node.size - self._cache.cached_bytes(node))
        if found.node.version is None and not missing:
            missing = node.size  # it is a part of what was to be fetched
            self.came.append(missing)
        return Task(found.path, node, missing, is_at_hand=True) if missing else None


class CopiesToMake:
    """What a download into a folder would copy; the folder need not exist, and is only read."""

    def __init__(self, files: Files, root: Path, *, overwrite: bool) -> None:
        self._files = files
        self._root = root
        self._overwrite = overwrite

    async def look(self, found: Found) -> Task | None:
        """See `Job`; probes an unknown size."""
        if found.node.is_directory:
            return None
        node = await exact(self._files, found)
        if not self._overwrite and await threads.run_sync(self._has, found.path, node):
            return None
        return Task(found.path, node, node.size or 0, is_at_hand=True)

    def _has(self, path: str, node: Node) -> bool:
        """Whether the copy exists, under either of the names that it may have on this disk, and as coarse as FAT is."""
        return any(self._is_copy(name, node) for name in {path, portable(path)})

    def _is_copy(self, path: str, node: Node) -> bool:
        try:
            # names on the disk are UTF-8 in every locale
            there = Path(os.fsdecode(os.fsencode(self._root) + b"/" + path.encode())).stat()
        except (OSError, ValueError):
            return False
        return (
            stat.S_ISREG(there.st_mode)
            and there.st_size == node.size
            and abs(there.st_mtime_ns - node.mtime_ns) <= COARSE
        )
