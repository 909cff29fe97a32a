"""Kernel requests on one side, the library on the other; nothing is decided here."""

from __future__ import annotations

import errno
import functools
import itertools
import logging
import os
import unicodedata
from collections.abc import Callable, Sequence
from typing import NoReturn

import pyfuse3
import trio

from coursefs.errors import NotAllowed, NotSignedIn
from coursefs.library import Handle, Library, Node
from coursefs.mount import xattrs
from coursefs.mount.attributes import KEPT, Attributes, absent
from coursefs.mount.guard import answered, at_once, guarded
from coursefs.mount.options import MountOptions

log = logging.getLogger(__name__)

#: `.` and `..` take the offsets 1 and 2, which an NFS server expects of them
_FIRST_OFFSET = 3
_BLOCK = 4096
#: seconds beyond the read timeout: what times out inside says why, so it shall come first
_SLACK = 2.0


class Operations(pyfuse3.Operations):
    """The handlers of one mount.  They can be called without any mount, which is how most tests do."""

    supports_dot_lookup = True  # for re-export over NFS: `.` and `..` of any inode that was ever given out
    enable_writeback_cache = False
    enable_acl = False

    def __init__(
        self, library: Library, options: MountOptions, *, is_held: Callable[[str], bool] | None = None
    ) -> None:
        """`is_held` says whether any process has the file at a path open, and may block; None: that cannot be known."""
        super().__init__()
        self._is_held = is_held
        self._reads: dict[int, set[trio.CancelScope]] = {}  # those that wait, by file
        self.deadline = library.settings.read_timeout + _SLACK
        self.told: set[tuple[str, int]] = set()
        self._library = library
        self._attributes = Attributes(options)
        self._numbers = itertools.count(1)
        self._files: dict[int, Handle] = {}
        self._listings: dict[int, tuple[Node, Sequence[Node]]] = {}

    @property
    def open_files(self) -> int:
        """How many files programs have open."""
        return len(self._files)

    # -- names and attributes ---------------------------------------------------------------------------------------

    @answered
    async def lookup(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        if name == b".":
            return self._attributes.of(self._library.node(parent_inode))
        parent = self._library.node(parent_inode)
        if name == b"..":
            return self._attributes.of(self._library.node(parent.parent))
        try:
            # names are NFC; programs that come from elsewhere may ask in another normal form
            text = unicodedata.normalize("NFC", name.decode())
        except UnicodeDecodeError:
            return absent()
        node = self._library.known_child(parent_inode, text)
        if node is None:
            with trio.fail_after(self.deadline):
                node = await self._library.child(parent_inode, text)
        return absent(text) if node is None else self._attributes.of(node)

    @answered
    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        node = self._library.node(inode)
        if not node.is_directory and node.size is None:
            try:
                with trio.fail_after(self.deadline):
                    node = await self._library.attributes(inode)
            except NotSignedIn:
                raise
            except NotAllowed as error:
                # It has no size that anybody could know; `open` refuses it.  The kernel lets nobody list a file that
                # has no attributes, nor read in `user.coursefs.error` why that is.
                log.debug("getattr: %s", error)
        return self._attributes.of(node)

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        """Nothing to do: an inode number stays what it is for ever, and nodes live in the catalogue."""

    @at_once
    def access(self, inode: int, mode: int, ctx: pyfuse3.RequestContext) -> bool:
        if mode & os.W_OK:
            raise pyfuse3.FUSEError(errno.EROFS)
        return not mode & os.X_OK or self._library.node(inode).is_directory

    @at_once
    def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        count, size = self._library.totals()
        data = pyfuse3.StatvfsData()
        data.f_bsize = data.f_frsize = _BLOCK
        data.f_blocks = -(-size // _BLOCK)
        data.f_bfree = data.f_bavail = 0
        data.f_files = count
        data.f_ffree = data.f_favail = 0
        data.f_namemax = 255
        return data

    # -- directories ---------------------------------------------------------------------------------------------

    @answered
    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> int:
        children = self._library.known_children(inode)
        if children is None:
            with trio.fail_after(self.deadline):
                children = await self._library.children(inode)
        number = next(self._numbers)
        self._listings[number] = (self._library.node(inode), children)
        return number

    @at_once
    def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        directory, children = self._listings[fh]
        first = max(0, start_id - _FIRST_OFFSET + 1)
        if start_id > 1 and first >= len(children):  # the kernel asks once more after the last one
            return
        fill, reply = self._attributes.fill, pyfuse3.readdir_reply
        entry = self._attributes.of(directory)
        if start_id < 1 and not reply(token, b".", entry, 1):
            return
        entry.st_ino = directory.parent  # of these two the kernel takes no more than number and type
        if start_id < 2 and not reply(token, b"..", entry, 2):
            return
        numbered = enumerate(itertools.islice(children, first, None), first + _FIRST_OFFSET)
        if self._library.known_children(directory.inode) is children:
            for number, node in numbered:
                if not reply(token, node.name.encode(), fill(entry, node), number):
                    return
            return
        for number, listed in numbered:
            # as of now, not of opendir: a size that was learned meanwhile must not be taken back, nor a name that is no
            # longer there be kept by the kernel, which was told so already
            node = self._library.node(listed.inode)
            is_there = not node.is_gone and (node.parent, node.name) == (listed.parent, listed.name)
            entry.entry_timeout = KEPT if is_there else 0.0
            if not reply(token, listed.name.encode(), fill(entry, node), number):
                return

    @at_once
    def releasedir(self, fh: int) -> None:
        self._listings.pop(fh, None)

    @at_once
    def fsyncdir(self, fh: int, datasync: bool) -> None:
        """There is nothing to write."""

    # -- files ---------------------------------------------------------------------------------------------------

    @guarded
    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_APPEND):
            raise pyfuse3.FUSEError(errno.EROFS)
        handle = await self._library.open(inode)
        number = next(self._numbers)
        self._files[number] = handle
        # the kernel keeps its pages across opens; changed size or mtime make it drop them
        return pyfuse3.FileInfo(fh=number, keep_cache=True)

    @answered
    async def read(  # type: ignore[override]  # any buffer will do, copied once on its way to the kernel
        self, fh: int, off: int, size: int
    ) -> bytes | memoryview:
        file = self._files[fh]
        data = file.read_now(off, size)
        if data is not None:
            return data
        with trio.fail_after(self.deadline) as patience:
            waiting = self._reads.setdefault(fh, set())
            waiting.add(patience)
            try:
                return await file.read(off, size)
            finally:
                waiting.discard(patience)
                if not waiting:
                    self._reads.pop(fh, None)

    @answered
    async def flush(self, fh: int) -> None:
        """There is nothing to write; but somebody who has the file open closes it, or has died."""
        if fh in self._reads and self._is_held is not None:
            self._library.start(functools.partial(self._give_up_unless_held, fh, self._is_held))

    async def _give_up_unless_held(self, fh: int, is_held: Callable[[str], bool]) -> None:
        """End reads for which nobody waits any more.

        The kernel does not say that a reader was killed, and does not release its file before they are answered.
        """
        file = self._files.get(fh)
        if file is None:
            return
        try:
            path = self._library.path(file.node)
            if await trio.to_thread.run_sync(is_held, path, abandon_on_cancel=True):
                return
        except Exception as error:  # it cannot be known, then; nothing may end the mount for that
            log.debug("who has a file open is not known: %s", error)
        else:
            for patience in self._reads.get(fh, set()).copy():
                patience.cancel()

    @at_once
    def fsync(self, fh: int, datasync: bool) -> None:
        """There is nothing to write."""

    @at_once
    def release(self, fh: int) -> None:
        handle = self._files.pop(fh, None)
        if handle is not None:
            handle.close()

    # -- extended attributes ---------------------------------------------------------------------------------------

    @at_once
    def getxattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> bytes:
        if not name.startswith(b"user."):
            # `ls -l` asks for security.selinux and system.posix_acl_access: of every file as long as the answer is
            # «no such attribute», of the first one alone when it is that there is none of the kind here
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        value = xattrs.read(self._library, self._library.node(inode), name)
        if value is None:
            raise pyfuse3.FUSEError(pyfuse3.ENOATTR)
        return value

    @at_once
    def listxattr(self, inode: int, ctx: pyfuse3.RequestContext) -> Sequence[bytes]:
        return xattrs.names(self._library, self._library.node(inode))

    # -- everything that would change something ----------------------------------------------------------------------

    async def _refused(self, *_: object, **__: object) -> NoReturn:
        raise pyfuse3.FUSEError(errno.EROFS)

    setattr = mknod = mkdir = unlink = rmdir = symlink = rename = link = create = _refused
    write = setxattr = removexattr = _refused
