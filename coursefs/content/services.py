"""What all contents of one `Contents` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import trio

from coursefs.content.fetch import SpareBuffers
from coursefs.content.lanes import Lanes
from coursefs.content.memory import Memory
from coursefs.content.store import Store
from coursefs.transport import Transport

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Services:
    """The disk, the network, and the nursery that everything in the background runs in."""

    store: Store
    transport: Transport
    lanes: Lanes
    memory: Memory
    spare: SpareBuffers
    nursery: trio.Nursery
    reads: trio.CapacityLimiter  # threads that may wait for reads of the disk at once
    writes: trio.CapacityLimiter  # threads that may wait for writes: apart, because a disk may be slow in these alone
    receives: trio.CapacityLimiter  # threads that may wait for sockets, and write what came from them
    read_timeout: float  # seconds

    async def reading(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that reads from the disk, in a thread.  Once begun it is not interrupted by cancellation."""
        return await trio.to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self.reads)

    async def writing(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what changes something on the disk, or waits for such a change."""
        return await trio.to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self.writes)

    async def receiving(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what receives from a socket, and may write it to the disk."""
        return await trio.to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self.receives)
