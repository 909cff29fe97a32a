"""Who may ask, and who goes first."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from coursefs.content.lanes import Lanes, Priority, Ticket


class Street:
    """Tickets that hold their lane until they are told to leave."""

    def __init__(self, nursery: trio.Nursery, *, total: int, per_group: int) -> None:
        self.lanes = Lanes(total=total, per_group=per_group)
        self.nursery = nursery
        self.running: list[str] = []
        self.tickets: dict[str, Ticket] = {}
        self._scopes: dict[str, trio.CancelScope] = {}

    async def enter(self, name: str, *, urgent: bool = False, group: str = "file", background: bool = False) -> None:
        priority = Priority.READ if urgent else Priority.BACKGROUND if background else Priority.AHEAD
        self.tickets[name] = Ticket(group, priority)
        self._scopes[name] = trio.CancelScope()
        self.lanes.enqueue(self.tickets[name])
        self.nursery.start_soon(self._drive, name)
        await trio.testing.wait_all_tasks_blocked()

    async def leave(self, name: str) -> None:
        self._scopes[name].cancel()
        await trio.testing.wait_all_tasks_blocked()

    async def _drive(self, name: str) -> None:
        with self._scopes[name]:
            async with self.lanes.lane(self.tickets[name]):
                self.running.append(name)
                try:
                    await trio.sleep_forever()
                finally:
                    self.running.remove(name)


async def test_urgent_ones_go_first_in_their_order(nursery: trio.Nursery) -> None:
    street = Street(nursery, total=10, per_group=1)
    for name in ("first", "ahead", "urgent", "later"):
        await street.enter(name, urgent=name != "ahead")
    order = [street.running[0]]
    while len(order) < 4:
        await street.leave(order[-1])
        order.append(street.running[0])
    assert order == ["first", "urgent", "later", "ahead"]


async def test_what_nobody_waits_for_leaves_a_lane_free(nursery: trio.Nursery) -> None:
    street = Street(nursery, total=8, per_group=3)
    for name in "abc":
        await street.enter(name, urgent=False)
    assert street.running == ["a", "b"]
    await street.enter("now", urgent=True)
    assert street.running == ["a", "b", "now"]
    for number in range(9):
        await street.enter(f"other {number}", urgent=False, group=f"other {number}")
    assert len(street.running) == 6, "a quarter of all lanes stays free"
    await street.enter("urgent", urgent=True, group="yet another")
    assert street.running[-1] == "urgent"


async def test_hurry(nursery: trio.Nursery) -> None:
    street = Street(nursery, total=8, per_group=2)
    for name in "ab":
        await street.enter(name, urgent=False)
    assert street.running == ["a"]
    street.lanes.hurry(street.tickets["b"])
    await trio.testing.wait_all_tasks_blocked()
    assert street.running == ["a", "b"]


@pytest.mark.parametrize("leaving", ["waiting", "running"])
async def test_who_leaves_gives_the_lane_back(nursery: trio.Nursery, leaving: str) -> None:
    street = Street(nursery, total=8, per_group=1)
    await street.enter("running", urgent=True)
    await street.enter("waiting", urgent=True)
    await street.leave(leaving)
    await street.enter("new", urgent=True)
    await street.leave({"waiting": "running", "running": "waiting"}[leaving])
    assert street.running == ["new"]


async def test_files_share_what_is_read_ahead(nursery: trio.Nursery) -> None:
    street = Street(nursery, total=4, per_group=4)  # three of them for what nobody waits for
    for name in ("a1", "a2", "a3", "a4", "b1"):
        await street.enter(name, group=name[0])
    assert street.running == ["a1", "a2", "a3"]
    await street.leave("a1")
    assert street.running == ["a2", "a3", "b1"]


async def test_the_background_steps_back_while_anybody_reads(nursery: trio.Nursery) -> None:
    street = Street(nursery, total=8, per_group=4)
    for name in ("a1", "a2", "a3", "a4", "b1", "b2"):
        await street.enter(name, group=name[0], background=True)
    assert street.running == ["a1", "a2", "a3", "b1"], "three of a file, and half of all"
    await street.enter("read", urgent=True, group="c")
    await street.enter("ahead", group="c")
    assert street.running[-2:] == ["read", "ahead"]
    for name in ("a1", "a2"):
        await street.leave(name)
    assert street.running == ["a3", "b1", "read", "ahead"]
    await street.leave("a3")
    await street.leave("b1")
    assert len(street.running) == 3, "one goes on, so that it ends some day"
    for name in ("read", "ahead"):
        await street.leave(name)
    assert sorted(street.running) == ["a4", "b2"]


async def test_background_work_that_somebody_waits_for_goes_first(nursery: trio.Nursery) -> None:
    street = Street(nursery, total=8, per_group=1)
    await street.enter("running", group="a", urgent=True)
    await street.enter("first", group="b", background=True)
    await street.enter("second", group="c", background=True)
    assert street.running == ["running", "first"]
    street.lanes.hurry(street.tickets["second"])
    await trio.testing.wait_all_tasks_blocked()
    assert street.running == ["running", "first", "second"]
