"""What all contents of one `Contents` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import trio

from coursefs.content.lanes import Lanes
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
    nursery: trio.Nursery
    disk: trio.CapacityLimiter  # threads that may wait for the disk at once
    read_timeout: float  # seconds

    async def blocking(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that waits for the disk, in a thread.  Once begun it is not interrupted by cancellation."""
        return await trio.to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self.disk)
