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
from coursefs.content.turns import Turns
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
    reads: Turns  # at reading from the disk
    writes: Turns  # at writing: apart, because a disk may be slow in that alone
    receives: Turns  # at receiving much from a socket and writing it
    read_timeout: float  # seconds

    async def reading(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that reads from the disk, in a thread.  Once begun it is not interrupted by cancellation."""
        return await self.reads.take(function, *args, **kwargs)

    async def writing(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what changes something on the disk, or waits for such a change."""
        return await self.writes.take(function, *args, **kwargs)
