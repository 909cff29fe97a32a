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
#: bytes that programs read at once, where they go by what a file says of itself
_READING_STEP = 128 * 1024
#: the same for listings: the C library asks for 32 KiB at least, and each answer is made in a buffer as large
_LISTING_STEP = 4096


class Attributes:
    """The attributes of nodes, by the options of one mount."""

    def __init__(self, options: MountOptions) -> None:
        self._options = options
        self._directory_mode = stat.S_IFDIR | (0o555 & ~options.umask)
        self._file_mode = stat.S_IFREG | (0o444 & ~options.umask)

    def of(self, node: Node) -> pyfuse3.EntryAttributes:
        """The attributes of a node as far as they are known.

        A file whose size was never asked for says 0 and is not to be remembered: the kernel asks again (`getattr`)
        before any program sees it, and gets the exact size then; of a file that the platform refuses it stays 0.
        """
        return self.fill(self.blank(), node)

    def blank(self) -> pyfuse3.EntryAttributes:
        """What all nodes of a mount have in common."""
        entry = pyfuse3.EntryAttributes()
        entry.generation = 0
        entry.entry_timeout = KEPT
        entry.st_nlink = 1  # of directories not 2 + sub-directories: find(1) takes 1 for "not counted"
        entry.st_uid = self._options.uid
        entry.st_gid = self._options.gid
        entry.st_rdev = 0
        return entry

    def fill(self, entry: pyfuse3.EntryAttributes, node: Node) -> pyfuse3.EntryAttributes:
        """The same object, with all that is the node's own: a listing describes thousands with one."""
        size, kept, mode, step = node.size, KEPT, self._file_mode, _READING_STEP
        if size is None:
            size = 0
            if node.is_directory:
                mode, step = self._directory_mode, _LISTING_STEP
            else:
                kept = 0.0
        entry.st_ino = node.inode
        entry.st_mode = mode
        entry.st_blksize = step
        entry.attr_timeout = kept
        entry.st_size = size
        # never 0 for a file with bytes, cached or not: `tar -S` would archive a hole
        entry.st_blocks = -(-size // _BLOCK)
        if entry.st_mtime_ns != node.mtime_ns:  # what was first seen together has one time
            entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = node.mtime_ns
        return entry


def absent(name: str = "") -> pyfuse3.EntryAttributes:
    """The answer to a lookup of a name that does not exist, for the kernel to remember for a while."""
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = 0
    entry.entry_timeout = entry.attr_timeout = KEPT_PROBE if is_probe(name) else KEPT_ABSENT
    return entry
