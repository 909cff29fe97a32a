"""The FUSE handlers: translate kernel requests into library calls; no decisions are made here."""

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

from coursefs.base import threads
from coursefs.errors import NotAllowed, NotSignedIn, ReadByPages
from coursefs.library import Handle, Library, PackedListing
from coursefs.mount.attributes import KEPT, PROGRESS, Attributes, ExtendedAttributes, absent
from coursefs.mount.callers import Callers
from coursefs.mount.guard import answered, at_once
from coursefs.mount.options import MountOptions
from coursefs.mount.pending_signals import is_ending
from coursefs.mount.players import is_player

log = logging.getLogger(__name__)

#: `.` and `..` have the offsets 1 and 2, which an NFS server expects
_FIRST_OFFSET = 3
_BLOCK = 4096
#: seconds beyond the read timeout: an inner timeout gives a better reason, so it must come first
_SLACK = 0.5
#: threads that search /proc for open files: /proc of a stuck process may block, so these have a limit of their own and
#: do not use up the other threads
_LOOKING = 2


class Operations(pyfuse3.Operations):
    """The handlers of one mount. They can be called without a mount, as most tests do."""

    supports_dot_lookup = True  # for re-export over NFS: `.` and `..` of any inode that was ever given out
    enable_writeback_cache = False
    enable_acl = False

    def __init__(
        self,
        library: Library,
        options: MountOptions,
        *,
        is_held: Callable[[str], bool] | None = None,
        is_ending: Callable[[int], bool] = is_ending,
        is_player: Callable[[int], bool] = is_player,
    ) -> None:
        """`is_held` tells whether any process has the file at a path open, and may block; None: not knowable.

        `is_ending` tells whether a signal ends a thread, `is_player` whether it is of a player, by its number.
        """
        super().__init__()
        self._is_held = is_held
        self._is_player = is_player
        self._reads: dict[int, set[trio.CancelScope]] = {}  # cancel scopes of waiting reads, by file
        self.deadline = library.read_timeout + _SLACK
        self.told: set[tuple[str, int]] = set()
        self._library = library
        self._files = library.files
        self._extended = ExtendedAttributes(library.files, library.cache, library.courses)
        self._attributes = Attributes(options)
        self._numbers = itertools.count(1)
        self._handles: dict[int, Handle] = {}
        self._players: set[int] = set()  # files that players have opened
        self._openers: dict[int, int] = {}  # the thread that opened a file, as `RequestContext.pid`
        self._listings: dict[int, tuple[int, PackedListing]] = {}  # of open directories, with their inode numbers
        self._callers = Callers(lambda watch: library.start(watch, name="watch waiting programs"), is_ending)
        self._looking = trio.CapacityLimiter(_LOOKING)

    @property
    def open_files(self) -> int:
        """The number of files that programs have open."""
        return len(self._handles)

    @property
    def in_use(self) -> int:
        """The number of files and directories that programs have open."""
        return len(self._handles) + len(self._listings)

    # -- names and attributes ---------------------------------------------------------------------------------------

    @answered
    async def lookup(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        if name == b".":
            return self._attributes.of(self._files.node(parent_inode))
        parent = self._files.node(parent_inode)
        if name == b"..":
            return self._attributes.of(self._files.node(parent.parent))
        try:
            # our names are NFC; a program may use another normal form, as from a Mac
            text = unicodedata.normalize("NFC", name.decode())
        except UnicodeDecodeError:
            return absent()
        node = self._files.known_child(parent_inode, text)
        if node is None:
            with self._callers.patience(self.deadline, ctx.pid):
                node = await self._files.child(parent_inode, text)
        return absent(text) if node is None else self._attributes.of(node)

    @answered
    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        node = self._files.node(inode)
        if not node.is_directory and node.size is None:
            try:
                with self._callers.patience(self.deadline, ctx.pid):
                    node = await self._files.attributes(inode)
            except NotSignedIn:
                raise
            except NotAllowed as error:
                # A refused file without a known size: `open` will fail. An error here would hide the file from
                # listings, and its `user.coursefs.error` could not be read.
                log.debug("getattr: %s", error)
        return self._attributes.of(node)

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        """Nothing to do: inode numbers never change, and nodes are in the catalogue."""

    @at_once
    def access(self, inode: int, mode: int, ctx: pyfuse3.RequestContext) -> bool:
        if mode & os.W_OK:
            raise pyfuse3.FUSEError(errno.EROFS)
        return not mode & os.X_OK or self._files.node(inode).is_directory

    @at_once
    def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        count, size = self._files.totals()
        data = pyfuse3.StatvfsData()
        data.f_bsize = data.f_frsize = _BLOCK
        # as if all of it were free: a file system at 100 % sets off alarms, and EROFS refuses every write anyway
        data.f_blocks = data.f_bfree = data.f_bavail = -(-size // _BLOCK)
        data.f_files = count
        data.f_ffree = data.f_favail = 0
        data.f_namemax = 255
        return data

    # -- directories ---------------------------------------------------------------------------------------------

    @answered
    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> int:
        listing = self._files.known_listing(inode)
        if listing is None:
            with self._callers.patience(self.deadline, ctx.pid):
                children = await self._files.children(inode)
            directory = self._files.node(inode)
            listing = self._files.known_listing(inode) or PackedListing.of(directory.parent, children)
        number = next(self._numbers)
        self._listings[number] = (inode, listing)
        return number

    @at_once
    def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        directory, listing = self._listings[fh]
        first = max(0, start_id - _FIRST_OFFSET + 1)
        if start_id > 1 and first >= listing.length:  # the kernel asks once more after the last one
            return
        fill, reply = self._attributes.fill, pyfuse3.readdir_reply
        # of `.` and `..` the kernel uses only inode and type
        entry = fill(self._attributes.blank(), directory, None, 0, is_directory=True)
        if start_id < 1 and not reply(token, b".", entry, 1):
            return
        entry.st_ino = listing.parent
        if start_id < 2 and not reply(token, b"..", entry, 2):
            return
        number = first + _FIRST_OFFSET
        if self._files.known_listing(directory) is listing:
            for inode, name, is_directory, size, mtime_ns in listing.entries(first):
                if not reply(token, name, fill(entry, inode, size, mtime_ns, is_directory), number):
                    return
                number += 1
            return
        for inode, name, *_ in listing.entries(first):
            # Use the nodes of now, not of opendir: the kernel was already told of later changes, so an old size or a
            # removed name must not enter its cache again.
            node = self._files.node(inode)
            is_there = not node.is_gone and (node.parent, node.name.encode()) == (directory, name)
            entry.entry_timeout = KEPT if is_there else 0.0
            fill(entry, node.inode, node.size, node.mtime_ns, node.is_directory)
            if not reply(token, name, entry, number):
                return
            number += 1

    @at_once
    def releasedir(self, fh: int) -> None:
        self._listings.pop(fh, None)

    @at_once
    def fsyncdir(self, fh: int, datasync: bool) -> None:
        """There is nothing to write."""

    # -- files ---------------------------------------------------------------------------------------------------

    @answered
    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_APPEND):
            raise pyfuse3.FUSEError(errno.EROFS)
        is_player = self._is_player(ctx.pid)
        with self._callers.patience(self.deadline, ctx.pid):
            # With its page cache the kernel reads a page once more after an error, before it reports one.
            by_pages = not (is_player or flags & os.O_DIRECT)
            handle = await self._files.open(inode, is_watched=True, by_pages=by_pages)
        number = next(self._numbers)
        self._handles[number] = handle
        self._openers[number] = ctx.pid
        if is_player:
            self._players.add(number)
        # The kernel keeps its page cache across opens, and drops it when size or mtime change. Past the page cache it
        # hands on an answer that is shorter than the request, which it otherwise takes for the end of the file.
        return pyfuse3.FileInfo(fh=number, keep_cache=True, direct_io=is_player)

    @answered
    async def read(  # type: ignore[override]  # any buffer will do, copied once on its way to the kernel
        self, fh: int, off: int, size: int
    ) -> bytes | memoryview:
        file = self._handles[fh]
        data = file.read_now(off, size)
        if data is not None:
            return data
        with trio.fail_after(self.deadline) as patience:
            waiting = self._reads.setdefault(fh, set())
            waiting.add(patience)
            try:
                with self._callers.told(self._openers.get(fh, 0), functools.partial(self._give_up_soon, fh)):
                    return await file.read(off, size, partly=fh in self._players)
            except ReadByPages:
                raise pyfuse3.FUSEError(errno.EINTR) from None
            finally:
                waiting.discard(patience)
                if not waiting:
                    self._reads.pop(fh, None)

    @answered
    async def flush(self, fh: int) -> None:
        """Nothing to write; but a process with this file open has closed it, or was killed."""
        self._give_up_soon(fh)

    def _give_up_soon(self, fh: int) -> None:
        """Look whether a process has this file open, if it has reads that wait."""
        if fh in self._reads and self._is_held is not None:
            give_up = functools.partial(self._give_up_unless_held, fh, self._is_held)
            self._library.start(give_up, name="give up reads")

    async def _give_up_unless_held(self, fh: int, is_held: Callable[[str], bool]) -> None:
        """Cancel the reads of a file that no process has open any more but such as a signal ends.

        The kernel does not say that a reader was killed, and releases its file only after the reads are answered. A
        reader past the page cache (O_DIRECT) closes it only then.
        """
        file = self._handles.get(fh)
        if file is None:
            return
        try:
            path = self._files.path(file.node)
            with trio.fail_after(self.deadline):  # after that the reads have timed out themselves
                looking = threads.run_sync(lambda: is_held(path), abandon_on_cancel=True, limiter=self._looking)
                if await looking:
                    return
        except Exception as error:  # not knowable now; no error may end the mount
            log.debug("cannot tell which processes have the file open: %s", error)
        else:
            for patience in self._reads.get(fh, set()).copy():
                patience.cancel()

    @at_once
    def fsync(self, fh: int, datasync: bool) -> None:
        """There is nothing to write."""

    @at_once
    def release(self, fh: int) -> None:
        handle = self._handles.pop(fh, None)
        self._openers.pop(fh, None)
        self._players.discard(fh)
        if handle is not None:
            handle.close()

    # -- extended attributes ---------------------------------------------------------------------------------------

    @answered
    async def getxattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> bytes:
        if not name.startswith(b"user."):
            # `ls -l` reads security.selinux and system.posix_acl_access of every file if the error is ENODATA, but only
            # of the first one if it is EOPNOTSUPP
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        node = self._files.node(inode)
        if name == PROGRESS:
            with self._callers.patience(self.deadline, ctx.pid):
                value = await self._extended.progress(node)
        else:
            value = self._extended.read(node, name)
        if value is None:
            raise pyfuse3.FUSEError(pyfuse3.ENOATTR)
        return value

    @at_once
    def listxattr(self, inode: int, ctx: pyfuse3.RequestContext) -> Sequence[bytes]:
        return self._extended.names(self._files.node(inode))

    # -- everything that would change something ----------------------------------------------------------------------

    async def _refused(self, *_: object, **__: object) -> NoReturn:
        raise pyfuse3.FUSEError(errno.EROFS)

    setattr = mknod = mkdir = unlink = rmdir = symlink = rename = link = create = _refused
    write = setxattr = removexattr = _refused
