"""The request scheduler: how many range requests run at once, and which queued one gets the next slot."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from coursefs.content.link import Link

#: over a thin link a request begins so many round trips, and seconds, before those before it end, and more where a
#: server needs more to fill the link (`Pace.round_trips_to_fill`)
_ROUND_TRIPS, _OVERLAP = 3.0, 0.1
#: what runs in the background is cancelled for a read where it would take more seconds than this
_SHORT = 0.5
#: what runs beside a read ends where it is if it would take more seconds than this
_LONG = 1.0


class Priority(enum.IntEnum):
    """Why bytes are requested; a lower number is served first."""

    READ = 0  # a read waits for them
    AHEAD = 1  # read-ahead: a reader will probably need them soon
    BACKGROUND = 2  # prefetch: they are to be in the cache some time


@dataclass(eq=False, slots=True)
class QueuedRequest:
    """A range request that waits for a scheduler slot or holds one; `group` is its file, `run` who reads on in it."""

    group: Hashable
    priority: Priority
    run: Hashable = None
    #: bytes that are still to come
    remaining: int = 0
    #: cancels a request in the background, which is made again later
    preempt: Callable[[], None] = lambda: None
    #: ends a request where it is: what has come is kept
    cut: Callable[[], None] = lambda: None
    _granted: trio.Event = field(default_factory=trio.Event)
    #: set when a read waits for its bytes, though it was made for something less urgent
    promoted: trio.Event = field(default_factory=trio.Event)

    @property
    def runs(self) -> bool:
        """Whether it holds a slot; False while it is queued."""
        return self._granted.is_set()


class Scheduler:
    """A fixed number of slots (`total`) for range requests, `per_group` of them for one file.

    This is the one place that decides about fairness between files and priorities:

    * `READ` goes first, in order of arrival;
    * of the others goes the one whose file has the fewest running requests, so that files share fairly;
    * `AHEAD` and `BACKGROUND` leave one slot of their file, and `AHEAD` leaves a quarter of all slots, so that a
      `READ` finds one free;
    * `BACKGROUND` gets half of all slots, or a single one while there is any other request.

    Over a thin link requests follow one another, each begun when the one before it is about to end (`Link`): side by
    side they would only share the link, and the bytes that a program waits for would come late.  There

    * a `READ` waits for no other request but a `READ` of the same run;
    * `AHEAD` and `BACKGROUND` wait for all others, and may end where they are when one connection more was no better;
    * a `READ` that begins cancels what runs in the background.

    For the event loop only: no lock is needed, because nothing here awaits between looking and changing.
    """

    def __init__(self, *, total: int, per_group: int) -> None:
        self._total = total
        self.per_group = per_group
        self.link = Link()
        self._running: list[QueuedRequest] = []
        self._waiting: list[QueuedRequest] = []

    def enqueue(self, queued: QueuedRequest) -> None:
        """Queue a request; `slot` must follow, which takes it out again.

        Apart from `slot`, because trio starts tasks in any order, and requests are to run in the order of the plan.
        """
        self._waiting.append(queued)
        self._admit()
        if queued.priority is Priority.READ and self.link.pace.is_thin:
            for one in self._running:
                if one.priority is Priority.BACKGROUND and one.remaining > self.link.pace.brings(_SHORT, 0):
                    one.preempt()

    def arrived(self, queued: QueuedRequest, size: int, remaining: int) -> None:
        """Report `size` bytes of a running request that have arrived, and how many are still to come."""
        queued.remaining = remaining
        before = self.link.most_connections
        self.link.arrived(size, trio.current_time())
        most = self.link.most_connections
        if most is None:
            return
        if before is None or most < before:  # it turned out to be thin just now, or a trial of one more has ended
            self._leave_to_reads(most)
        if self._waiting:
            self._admit()

    @asynccontextmanager
    async def slot(self, queued: QueuedRequest) -> AsyncIterator[None]:
        """Wait for a slot, and hold it inside the context.  A cancelled waiter leaves the queue and holds no slot."""
        try:
            await queued._granted.wait()
            yield
        finally:
            # It may have been granted a slot in the moment in which it was cancelled: then that slot is given back.
            (self._waiting if queued in self._waiting else self._running).remove(queued)
            self._admit()

    def promote(self, queued: QueuedRequest) -> None:
        """Raise a request to `READ`, because a read waits for its bytes now."""
        if queued.priority is not Priority.READ:
            queued.priority = Priority.READ
            queued.promoted.set()
            self._admit()

    @property
    def has_background(self) -> bool:
        """Whether there are requests in the background, running or queued."""
        return any(one.priority is Priority.BACKGROUND for one in (*self._running, *self._waiting))

    def is_full(self, group: Hashable) -> bool:
        """Whether one more request for this file would have to wait for another request of the file to end."""
        return sum(queued.group == group for queued in self._running) >= self.per_group

    def _leave_to_reads(self, most: int) -> None:
        """End what runs beside these many requests, where a read would share the link with it for long.

        What is on its way is lost and comes again, so not for what ends soon.
        """
        in_order = sorted(self._running, key=lambda running: running.priority)
        others = [one for one in in_order[most:] if one.priority is not Priority.READ]
        is_waited_for = bool(in_order) and in_order[0].priority is Priority.READ
        if is_waited_for and sum(one.remaining for one in others) > self.link.pace.brings(_LONG, 0):
            for one in others:
                one.cut()

    def _admit(self) -> None:
        while (queued := self._next()) is not None:
            # Moved here and not in `slot`: the woken task runs later, and until then the slot must count as taken.
            self._waiting.remove(queued)
            self._running.append(queued)
            queued._granted.set()

    def _soon(self) -> int:
        """The most bytes still to come when the next request begins over a thin link."""
        pace = self.link.pace
        return pace.brings(max(_ROUND_TRIPS, pace.round_trips_to_fill) * pace.round_trip + _OVERLAP, 0)

    def _next(self) -> QueuedRequest | None:
        """The queued request that gets a slot now; None: no slot is free for any of them."""
        of_group = Counter(queued.group for queued in self._running)
        of_priority = Counter(queued.priority for queued in self._running)
        is_foreground = any(queued.priority is not Priority.BACKGROUND for queued in (*self._running, *self._waiting))
        running = len(self._running)
        most = self.link.most_connections
        soon = self._soon()
        has_slot = {
            Priority.READ: running < self._total,
            Priority.AHEAD: running < self._total - self._total // 4,
            Priority.BACKGROUND: running < self._total
            and of_priority[Priority.BACKGROUND] < (1 if is_foreground else max(1, self._total // 2)),
        }

        def may_run(queued: QueuedRequest) -> bool:
            is_read = queued.priority is Priority.READ
            if most is not None:
                rivals = self._running
                if is_read:
                    rivals = [one for one in rivals if one.run == queued.run and one.priority is Priority.READ]
                if len(rivals) >= most and sum(one.remaining for one in rivals) > soon:
                    return False
            reserved = 0 if is_read else 1
            # at least one slot a file, also with `streams = 1`: else read-ahead and prefetch would never run
            return has_slot[queued.priority] and of_group[queued.group] < max(1, self.per_group - reserved)

        def order(queued: QueuedRequest) -> tuple[Priority, int]:
            return queued.priority, 0 if queued.priority is Priority.READ else of_group[queued.group]

        # `min` takes the first of equals, and the queue is in order of arrival
        return min(filter(may_run, self._waiting), key=order, default=None)
