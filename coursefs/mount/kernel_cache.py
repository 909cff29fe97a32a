"""Invalidation of the names and attributes that the kernel has cached.

Names are invalidated in a thread, because the kernel takes locks for it that a pending lookup may hold. The binding
has such a thread too (`pyfuse3.invalidate_entry_async`), but it goes on after the session was closed: it may then use
freed memory, and logs what it could not do. This one ends before the session does.
"""

from __future__ import annotations

import _thread
import errno
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from queue import SimpleQueue

import pyfuse3
import trio

from coursefs.base import threads
from coursefs.library import Node

log = logging.getLogger(__name__)

#: the kernel has not cached it, or the mount has ended
_NOTHING_TO_DO = frozenset({errno.ENOENT, errno.ENODEV, errno.ENOTCONN, errno.EBADF})
#: seconds until the next attempt when there is no memory for a name
_PAUSE = 0.1
#: seconds that `settled` and `close` wait for the kernel: a pending lookup may hold it until the session is closed
_GRACE = 1.0


class KernelCache:
    """What the kernel has cached of the tree: `start` it when the mount answers, `close` it before the session."""

    def __init__(self, invalidate_entry: Callable[[int, bytes], None] = pyfuse3.invalidate_entry) -> None:
        self._invalidate_entry = invalidate_entry
        #: (parent's inode, name), or what to call when all before it are done; None: the end
        self._names: SimpleQueue[tuple[int, str] | Callable[[], None] | None] = SimpleQueue()
        self._session = threading.Lock()  # held by the thread while it is in the kernel
        self._is_closed = False

    def start(self) -> None:
        """Start the thread. Raises `NoThread`: without it no change of a name would reach the kernel."""
        try:
            # not threading.Thread, whose `start` waits for ever if the thread has no memory to report that it runs
            _thread.start_new_thread(self._work, ())
        except RuntimeError:
            raise threads.NoThread from None

    def invalidate(self, changed: Sequence[Node], names: Sequence[tuple[int, str]]) -> None:
        """Invalidate the attributes of changed nodes now, and names of (parent's inode, name) at once after that.

        Attributes only: dropping pages would wait for reads that wait for this thread. The kernel itself drops the
        pages when it sees another size or mtime.
        """
        for inode in {node.inode for node in changed} | {parent for parent, _ in names}:
            try:
                pyfuse3.invalidate_inode(inode, attr_only=True)
            except OSError as error:  # the kernel does not know this inode
                log.debug("inode %d: %s", inode, error)
        self.forget_names(names)

    def forget_names(self, names: Iterable[tuple[int, str]]) -> None:
        """Have the thread invalidate names of (parent's inode, name)."""
        for one in names:
            self._names.put(one)

    async def settled(self) -> None:
        """Wait until the names so far are invalidated, for a second at most: a pending lookup may hold them up."""
        done, token = trio.Event(), trio.lowlevel.current_trio_token()
        self._names.put(lambda: token.run_sync_soon(done.set))
        with trio.move_on_after(_GRACE):
            await done.wait()

    def close(self) -> None:
        """Let the thread enter the kernel no more, and wait until it has left it, for a second at most."""
        self._is_closed = True
        self._names.put(None)
        if self._session.acquire(timeout=_GRACE):
            self._session.release()

    def _work(self) -> None:
        while (one := self._names.get()) is not None and not self._is_closed:
            if callable(one):
                with suppress(trio.RunFinishedError, MemoryError):
                    one()
                continue
            while True:
                try:
                    self._invalidate_name(*one)
                    break
                except MemoryError:
                    time.sleep(_PAUSE)

    def _invalidate_name(self, parent: int, name: str) -> None:
        with self._session:
            if self._is_closed:
                return
            try:
                self._invalidate_entry(parent, name.encode())
            except OSError as error:
                level = logging.DEBUG if error.errno in _NOTHING_TO_DO else logging.WARNING
                log.log(level, "%r in inode %d: %s", name, parent, error.strerror)
