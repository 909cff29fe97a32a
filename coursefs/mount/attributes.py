"""What `stat` says of a node."""

from __future__ import annotations

import stat

import pyfuse3

from coursefs.catalog.probes import is_probe
from coursefs.library import Node
from coursefs.mount.options import MountOptions

#: seconds that the kernel may keep names and attributes; a refresh that changes them tells it earlier
KEPT = 60.0
#: seconds that the kernel may remember that a name does not exist
KEPT_ABSENT = 10.0
#: the same for names that no course ever has
KEPT_PROBE = 300.0
_BLOCK = 512
_BLOCK_SIZE = 128 * 1024


def attributes(node: Node, options: MountOptions) -> pyfuse3.EntryAttributes:
    """The attributes of a node as far as they are known.

    A file whose size was never asked for says 0 and is not to be remembered: the kernel asks again (`getattr`) before
    any program sees it, and gets the exact size then.
    """
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = node.inode
    entry.generation = 0
    kept = KEPT if node.is_directory or node.size is not None else 0.0
    entry.attr_timeout = kept
    entry.entry_timeout = KEPT
    if node.is_directory:
        entry.st_mode = stat.S_IFDIR | (0o555 & ~options.umask)
        entry.st_nlink = 1  # not 2 + sub-directories: find(1) takes 1 for "not counted"
        entry.st_size = 0
    else:
        entry.st_mode = stat.S_IFREG | (0o444 & ~options.umask)
        entry.st_nlink = 1
        entry.st_size = node.size or 0
    entry.st_uid = options.uid
    entry.st_gid = options.gid
    entry.st_rdev = 0
    entry.st_blksize = _BLOCK_SIZE
    # never 0 for a file with bytes, cached or not: `tar -S` would archive a hole
    entry.st_blocks = -(-entry.st_size // _BLOCK)
    entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = node.mtime_ns
    return entry


def absent(name: str = "") -> pyfuse3.EntryAttributes:
    """The answer to a lookup of a name that does not exist, for the kernel to remember for a while."""
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = 0
    entry.entry_timeout = entry.attr_timeout = KEPT_PROBE if is_probe(name) else KEPT_ABSENT
    return entry
