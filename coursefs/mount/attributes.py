"""Node attributes for the kernel: `stat`, cache timeouts, and extended attributes."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping

import pyfuse3

from coursefs.library import Courses, FileCache, Files, Node, is_probe
from coursefs.mount.options import MountOptions

#: seconds that the kernel may cache names and attributes; a refresh invalidates changed ones earlier
KEPT = 60.0
#: seconds that the kernel may cache that a name does not exist
KEPT_ABSENT = 10.0
#: the same for names that no course can have
KEPT_PROBE = 300.0
_BLOCK = 512
#: bytes that programs read at once, where they go by what a file says of itself
_READING_STEP = 128 * 1024
#: the same for listings: the C library asks for 32 KiB at least, and each answer is made in a buffer as large
_LISTING_STEP = 4096


class Attributes:
    """Makes the attributes of nodes, with the options of one mount."""

    def __init__(self, options: MountOptions) -> None:
        self._options = options
        # Copies get these modes too: a copy that its owner could not write to could not be completed, nor deleted.  The
        # mount is `ro`, so the kernel refuses every change of what is in it with EROFS.
        self._directory_mode = stat.S_IFDIR | (0o777 & ~options.umask)
        self._file_mode = stat.S_IFREG | (0o666 & ~options.umask)

    def of(self, node: Node) -> pyfuse3.EntryAttributes:
        """The attributes of a node.

        A file whose size was never probed has size 0 and no cache timeout: the kernel calls `getattr` before a program
        sees it, which probes the size. The size of a refused file stays 0.
        """
        return self.fill(self.blank(), node.inode, node.size, node.mtime_ns, node.is_directory)

    def blank(self) -> pyfuse3.EntryAttributes:
        """The attributes that all nodes of a mount share."""
        entry = pyfuse3.EntryAttributes()
        entry.generation = 0
        entry.entry_timeout = KEPT
        entry.st_nlink = 1  # of directories too: find(1) takes 1 as "sub-directories not counted"
        entry.st_uid = self._options.uid
        entry.st_gid = self._options.gid
        entry.st_rdev = 0
        return entry

    def fill(
        self,
        entry: pyfuse3.EntryAttributes,
        inode: int,
        size: int | None,
        mtime_ns: int,
        is_directory: bool,  # by position: a listing calls it thousands of times
    ) -> pyfuse3.EntryAttributes:
        """Fill an attributes object and return it: a listing reuses one for thousands."""
        kept, mode, step = KEPT, self._file_mode, _READING_STEP
        if size is None:
            size = 0
            if is_directory:
                mode, step = self._directory_mode, _LISTING_STEP
            else:
                kept = 0.0
        entry.st_ino = inode
        entry.st_mode = mode
        entry.st_blksize = step
        entry.attr_timeout = kept
        entry.st_size = size
        # never 0 for a file with bytes, cached or not: `tar -S` would archive it as a hole
        entry.st_blocks = -(-size // _BLOCK)
        if entry.st_mtime_ns != mtime_ns:  # often equal, and setting it is slow
            entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = mtime_ns
        return entry


def absent(name: str = "") -> pyfuse3.EntryAttributes:
    """The reply to a lookup of a name that does not exist; the kernel caches it."""
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = 0
    entry.entry_timeout = entry.attr_timeout = KEPT_PROBE if is_probe(name) else KEPT_ABSENT
    return entry


#: not listed, because it changes while files are read: a backup program would copy the file again each time
_UNLISTED = frozenset({b"user.coursefs.cached", b"user.coursefs.error"})
#: read by name alone, because it changes by itself and is asked of the platform
PROGRESS = b"user.coursefs.progress"


class ExtendedAttributes:
    """Reads the extended attributes of nodes, in UTF-8."""

    def __init__(self, files: Files, cache: FileCache, courses: Courses) -> None:
        self._courses = courses
        self._readers: Mapping[bytes, Callable[[Node], str | None]] = {
            b"user.coursefs.id": lambda node: (
                "/".join(filter(None, (node.place.account, node.place.course, node.key))) or "/"
            ),
            b"user.coursefs.kind": lambda node: node.kind.value,
            b"user.coursefs.cached": lambda node: None if node.is_directory else str(cache.cached_bytes(node)),
            b"user.coursefs.error": files.last_error,
            b"user.xdg.origin.url": lambda node: node.url,
            b"user.mime_type": lambda node: node.mime_type,
        }

    def read(self, node: Node, name: bytes) -> bytes | None:
        """The value of an extended attribute but `PROGRESS`; None if the node does not have it."""
        reader = self._readers.get(name)
        value = None if reader is None else reader(node)
        return None if value is None else value.encode()

    async def progress(self, node: Node) -> bytes | None:
        """How much of a node the learner has done, such as `0.25`; None if the platform does not say it."""
        done = await self._courses.progress(node)
        return None if done is None else f"{done:.4g}".encode()

    def names(self, node: Node) -> list[bytes]:
        """The extended attributes of a node that change only with its content or its course."""
        return [name for name in self._readers if name not in _UNLISTED and self.read(node, name) is not None]
