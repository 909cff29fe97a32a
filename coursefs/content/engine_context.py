"""The engine context: what all files of one content cache share, and the thread pools for its disk I/O.

A disk may hang.  So every call that may wait for it runs in one of three bounded thread pools: for reads, for writes,
and for bodies that are received straight into the cache.  A pool that is full of hanging calls does not hold up the
other two.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import trio

from coursefs.base import threads
from coursefs.base.supervisor import Supervisor
from coursefs.base.threads import NoThread
from coursefs.content.edge_tags import EdgeTags
from coursefs.content.overflow import OverflowBuffer
from coursefs.content.range_request import BufferPool
from coursefs.content.scheduler import Scheduler
from coursefs.content.store import CacheStore
from coursefs.transport import Transport

log = logging.getLogger(__name__)


P = ParamSpec("P")
T = TypeVar("T")

#: seconds to wait for a thread where the caller can do without the disk: longer than a slow disk takes for all slots
_PATIENCE = 5.0
#: seconds until a thread is asked for again after the system refused to start one
_PAUSE = 0.05


class DiskBusy(Exception):
    """No thread of a pool came free in time: every one of them waits for the disk."""


class DiskThreads:
    """A bounded thread pool for disk I/O that gives up when the disk hangs.

    Where the system starts no more threads, the calls share those that there are.
    """

    def __init__(self, threads: int) -> None:
        self._limiter = trio.CapacityLimiter(threads)
        self._is_stuck = False

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread, however long it has to wait for one.

        Cancellation ends the wait for a thread, but never the call: once begun it runs to its end first.
        Raises `NoThread` where the system has started none for seconds.
        """
        waited = 0.0
        while True:
            try:
                return await threads.run_sync(lambda: function(*args, **kwargs), limiter=self._limiter)
            except NoThread:
                if waited >= _PATIENCE:
                    raise
            waited += _PAUSE
            await trio.sleep(_PAUSE)

    async def try_run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread that comes free within seconds.  Raises `DiskBusy` otherwise.

        After the first failure every call fails at once until a thread is free: with a hanging disk, reads would
        otherwise wait these seconds for each piece.  `DiskBusy` also stands for `NoThread`.
        """
        if not self._is_stuck or self._limiter.available_tokens:
            with trio.move_on_after(_PATIENCE):
                try:
                    result = await self.run(function, *args, **kwargs)
                except NoThread:
                    raise DiskBusy from None
                self._is_stuck = False
                return result
            log.warning("the disk of the cache does not answer; new bytes are not cached until it does")
            self._is_stuck = True
        raise DiskBusy


@dataclass(frozen=True, slots=True)
class EngineContext:
    """The disk, the network, and the supervisor of all background tasks of one engine."""

    store: CacheStore
    transport: Transport
    scheduler: Scheduler
    overflow: OverflowBuffer
    buffers: BufferPool
    supervisor: Supervisor
    read_threads: DiskThreads
    write_threads: DiskThreads  # apart from reads, because a disk may be slow in writing alone
    receive_threads: DiskThreads  # for receiving a piece from a socket and writing it in one go
    read_timeout: float  # seconds
    edge_tags: EdgeTags

    async def run_read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that reads from the disk; as `DiskThreads.run`."""
        return await self.read_threads.run(function, *args, **kwargs)

    async def run_write(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that changes the disk or waits for such a change; as `DiskThreads.run`."""
        return await self.write_threads.run(function, *args, **kwargs)

    async def run_cleanup(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `run_write`, for cleaning up: without a thread it runs in the event loop, and everything else waits."""
        try:
            return await self.write_threads.run(function, *args, **kwargs)
        except NoThread:
            return function(*args, **kwargs)
