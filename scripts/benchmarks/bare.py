"""A file system that has every answer ready, and does no work of its own: what the binding to libfuse costs by itself.

    python -m benchmarks.bare MOUNTPOINT TREE FILE [--checked]

TREE is JSON, `{folder: {folder: … {name: size}}}`; the files in it have sizes and no bytes.  FILE is shown in the root
as `file.bin`, from memory; `--checked`: from the file itself, each block compared with a checksum, which is the least
that a cache has to do that never gives a wrong byte.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyfuse3
import trio

from coursefs.content.data_file import BLOCK, checksum, running_checksums

_ROOT, _KEPT = pyfuse3.ROOT_INODE, 300.0


class Bare(pyfuse3.Operations):
    """Looks everything up in dictionaries."""

    enable_writeback_cache = False

    def __init__(self, tree: Mapping[str, Any], content: bytes) -> None:
        super().__init__()
        self._numbers = itertools.count(_ROOT + 1)
        self._entries: dict[int, pyfuse3.EntryAttributes] = {}
        self._children: dict[int, dict[bytes, int]] = {}
        self._listed: dict[int, list[tuple[bytes, int]]] = {}
        self._content = memoryview(content)
        self._add(_ROOT, {**tree, "file.bin": len(content)})

    def _add(self, inode: int, tree: Mapping[str, Any] | int) -> None:
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = inode
        entry.generation = 0
        entry.entry_timeout = entry.attr_timeout = _KEPT
        entry.st_nlink = 1
        entry.st_uid, entry.st_gid = os.getuid(), os.getgid()
        entry.st_mode = stat.S_IFREG | 0o644 if isinstance(tree, int) else stat.S_IFDIR | 0o755
        entry.st_size = tree if isinstance(tree, int) else 0
        entry.st_blksize = 128 * 1024 if isinstance(tree, int) else 4096
        entry.st_blocks = -(-entry.st_size // 512)
        entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = 1_700_000_000 * 10**9
        self._entries[inode] = entry
        if not isinstance(tree, int):
            names = {name.encode(): next(self._numbers) for name in tree}
            self._children[inode], self._listed[inode] = names, list(names.items())
            for name, below in tree.items():
                self._add(names[name.encode()], below)

    async def lookup(self, parent: int, name: bytes, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        """A child."""
        inode = self._children[parent].get(name)
        if inode is None:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return self._entries[inode]

    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        """As it was made."""
        return self._entries[inode]

    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> int:
        """The inode is the handle."""
        return inode

    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        """All names."""
        for number, (name, inode) in enumerate(self._listed[fh][start_id:], start_id + 1):
            if not pyfuse3.readdir_reply(token, name, self._entries[inode], number):
                return

    async def releasedir(self, fh: int) -> None:
        """Nothing."""

    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        """Any file."""
        return pyfuse3.FileInfo(fh=inode, keep_cache=True)

    async def read(  # type: ignore[override]  # any buffer will do
        self, fh: int, off: int, size: int
    ) -> memoryview:
        """Bytes in memory."""
        return self._content[off : off + size]

    async def release(self, fh: int) -> None:
        """Nothing."""


class Checked(Bare):
    """Reads the file from the disk's page cache, and compares it with checksums."""

    def __init__(self, tree: Mapping[str, Any], content: bytes, file: Path) -> None:
        super().__init__(tree, content)
        self._content = memoryview(b"")
        self._running = running_checksums(memoryview(content))
        self._size = len(content)
        self._descriptor = os.open(file, os.O_RDONLY)

    async def read(  # type: ignore[override]  # as above
        self, fh: int, off: int, size: int
    ) -> memoryview:
        """Bytes that match their checksums."""
        first, last = off // BLOCK, -(-min(off + size, self._size) // BLOCK)
        data = memoryview(os.pread(self._descriptor, (last - first) * BLOCK, first * BLOCK))
        if checksum(data, self._running[first]) != self._running[last]:
            raise pyfuse3.FUSEError(errno.EIO)
        return data[off - first * BLOCK :][:size]


def main() -> None:
    """Mount, and serve until it is unmounted."""
    mountpoint, tree, file, *checked = sys.argv[1:]
    names, content = json.loads(Path(tree).read_text(encoding="utf-8")), Path(file).read_bytes()
    operations = Checked(names, content, Path(file)) if checked else Bare(names, content)
    del content
    pyfuse3.init(operations, mountpoint, {"fsname=bare", "ro", "default_permissions"})
    try:
        trio.run(pyfuse3.main)
    finally:
        pyfuse3.close()


if __name__ == "__main__":
    main()
