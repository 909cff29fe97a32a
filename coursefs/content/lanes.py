"""How many requests run at once, and who goes first."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio


class Priority(enum.IntEnum):
    """Who goes first."""

    READ = 0  # somebody waits for it
    AHEAD = 1  # somebody will probably read it soon
    BACKGROUND = 2  # it is to be in the cache some time


@dataclass(eq=False, slots=True)
class Ticket:
    """A request that wants to run, for the file `group`."""

    group: Hashable
    priority: Priority
    _called: trio.Event = field(default_factory=trio.Event)


class Lanes:
    """Lets `total` requests run, `per_group` of them for one file.

    Those that somebody waits for go first, in the order in which they came; of the others that go whose file has the
    fewest running, so that files share fairly.  What nobody waits for leaves one lane of its file and a quarter of
    all lanes free, so that an urgent one need not wait for it.  The background takes half of all lanes at most, and a
    single one as long as anybody reads.
    """

    def __init__(self, *, total: int, per_group: int) -> None:
        self._total = total
        self._per_group = per_group
        self._running: list[Ticket] = []
        self._waiting: list[Ticket] = []

    def enqueue(self, ticket: Ticket) -> None:
        """Take a place in the queue at once; `lane` must follow.

        Apart from `lane`, because trio starts tasks in any order, and requests are to run in that of their planning.
        """
        self._waiting.append(ticket)
        self._admit()

    @asynccontextmanager
    async def lane(self, ticket: Ticket) -> AsyncIterator[None]:
        """Wait for the turn of a ticket, and hold its lane.  Who is cancelled while waiting takes nothing."""
        try:
            await ticket._called.wait()
            yield
        finally:
            (self._waiting if ticket in self._waiting else self._running).remove(ticket)
            self._admit()

    def hurry(self, ticket: Ticket) -> None:
        """Somebody waits for this one now."""
        if ticket.priority is not Priority.READ:
            ticket.priority = Priority.READ
            self._admit()

    def is_full(self, group: Hashable) -> bool:
        """Whether one more request for this file would have to wait for another one of it to end."""
        return self._count(group) >= self._per_group

    def _count(self, group: Hashable) -> int:
        return sum(ticket.group == group for ticket in self._running)

    def _admit(self) -> None:
        while (ticket := min(filter(self._has_room, self._waiting), key=self._order, default=None)) is not None:
            self._waiting.remove(ticket)
            self._running.append(ticket)
            ticket._called.set()

    def _order(self, ticket: Ticket) -> tuple[Priority, int]:
        return ticket.priority, self._count(ticket.group) if ticket.priority is not Priority.READ else 0

    def _has_room(self, ticket: Ticket) -> bool:
        if ticket.priority is Priority.READ:
            return self._count(ticket.group) < self._per_group and len(self._running) < self._total
        if self._count(ticket.group) >= max(1, self._per_group - 1):
            return False
        if ticket.priority is Priority.AHEAD:
            return len(self._running) < self._total - self._total // 4
        others = any(each.priority is not Priority.BACKGROUND for each in (*self._running, *self._waiting))
        background = sum(each.priority is Priority.BACKGROUND for each in self._running)
        return background < (1 if others else max(1, self._total // 2)) and len(self._running) < self._total
