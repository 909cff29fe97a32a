"""How many requests run at once, and who goes first."""

from __future__ import annotations

import enum
from collections import Counter
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

    @property
    def runs(self) -> bool:
        """Whether it has its lane; else it waits for one."""
        return self._called.is_set()


class Lanes:
    """Lets `total` requests run, `per_group` of them for one file.

    Those that somebody waits for go first, in the order in which they came; of the others that go whose file has the
    fewest running, so that files share fairly.  What nobody waits for leaves one lane of its file and a quarter of
    all lanes free, so that an urgent one need not wait for it.  The background takes half of all lanes at most, and a
    single one as long as anybody reads.
    """

    def __init__(self, *, total: int, per_group: int) -> None:
        self._total = total
        self.per_group = per_group
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
        return sum(ticket.group == group for ticket in self._running) >= self.per_group

    def _admit(self) -> None:
        while (ticket := self._next()) is not None:
            self._waiting.remove(ticket)
            self._running.append(ticket)
            ticket._called.set()

    def _next(self) -> Ticket | None:
        """The one that goes next, if any may."""
        of_group = Counter(ticket.group for ticket in self._running)
        of_priority = Counter(ticket.priority for ticket in self._running)
        somebody_reads = any(ticket.priority is not Priority.BACKGROUND for ticket in (*self._running, *self._waiting))
        running = len(self._running)
        room = {
            Priority.READ: running < self._total,
            Priority.AHEAD: running < self._total - self._total // 4,
            Priority.BACKGROUND: running < self._total
            and of_priority[Priority.BACKGROUND] < (1 if somebody_reads else max(1, self._total // 2)),
        }

        def may_go(ticket: Ticket) -> bool:
            spare = 0 if ticket.priority is Priority.READ else 1
            return room[ticket.priority] and of_group[ticket.group] < max(1, self.per_group - spare)

        def order(ticket: Ticket) -> tuple[Priority, int]:
            return ticket.priority, 0 if ticket.priority is Priority.READ else of_group[ticket.group]

        return min(filter(may_go, self._waiting), key=order, default=None)
