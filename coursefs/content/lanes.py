"""How many requests run at once, and who goes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio


@dataclass(eq=False, slots=True)
class Ticket:
    """A request that wants to run.  `urgent`: somebody waits for it."""

    group: Hashable
    urgent: bool
    _called: trio.Event = field(default_factory=trio.Event)


class Lanes:
    """Lets `total` requests run, `per_group` of them for one file.

    Urgent ones go first, in the order in which they came.  What nobody waits for leaves one lane of its file and a
    quarter of all lanes free, so that an urgent one need not wait for it.
    """

    def __init__(self, *, total: int, per_group: int) -> None:
        self._total = total
        self._per_group = per_group
        self._running: Counter[Hashable] = Counter()
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
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            else:
                self._running[ticket.group] -= 1
                self._running += Counter()  # forgets the zeros
            self._admit()

    def hurry(self, ticket: Ticket) -> None:
        """Somebody waits for this one now."""
        ticket.urgent = True
        self._admit()

    def is_full(self, group: Hashable) -> bool:
        """Whether one more request for this file would have to wait for another one of it to end."""
        return self._running[group] >= self._per_group

    def _admit(self) -> None:
        for ticket in sorted(self._waiting, key=lambda each: not each.urgent):
            spare = 0 if ticket.urgent else 1
            in_group = self._running[ticket.group] < max(1, self._per_group - spare)
            if in_group and self._running.total() < self._total - spare * self._total // 4:
                self._running[ticket.group] += 1
                self._waiting.remove(ticket)
                ticket._called.set()
