"""The scheduler: which queued requests get a slot, and in which order."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from coursefs.content.scheduler import Priority, QueuedRequest, Scheduler


class Driver:
    """Queues requests, which hold their slots until they are told to leave."""

    def __init__(self, nursery: trio.Nursery, *, total: int, per_group: int) -> None:
        self.scheduler = Scheduler(total=total, per_group=per_group)
        self.nursery = nursery
        self.running: list[str] = []
        self.queued: dict[str, QueuedRequest] = {}
        self._scopes: dict[str, trio.CancelScope] = {}

    async def enter(
        self, name: str, *, urgent: bool = False, group: str = "file", background: bool = False, remaining: int = 0
    ) -> None:
        priority = Priority.READ if urgent else Priority.BACKGROUND if background else Priority.AHEAD
        self.queued[name] = QueuedRequest(group, priority, group, remaining)
        self._scopes[name] = trio.CancelScope()
        self.scheduler.enqueue(self.queued[name])
        self.nursery.start_soon(self._drive, name)
        await trio.testing.wait_all_tasks_blocked()

    async def leave(self, name: str) -> None:
        self._scopes[name].cancel()
        await trio.testing.wait_all_tasks_blocked()

    async def _drive(self, name: str) -> None:
        with self._scopes[name]:
            async with self.scheduler.slot(self.queued[name]):
                self.running.append(name)
                try:
                    await trio.sleep_forever()
                finally:
                    self.running.remove(name)


async def test_reads_go_first_in_order_of_arrival(nursery: trio.Nursery) -> None:
    driver = Driver(nursery, total=10, per_group=1)
    for name in ("first", "ahead", "urgent", "later"):
        await driver.enter(name, urgent=name != "ahead")
    order = [driver.running[0]]
    while len(order) < 4:
        await driver.leave(order[-1])
        order.append(driver.running[0])
    assert order == ["first", "urgent", "later", "ahead"]


async def test_read_ahead_leaves_slots_free(nursery: trio.Nursery) -> None:
    driver = Driver(nursery, total=8, per_group=3)
    for name in "abc":
        await driver.enter(name, urgent=False)
    assert driver.running == ["a", "b"]
    await driver.enter("now", urgent=True)
    assert driver.running == ["a", "b", "now"]
    for number in range(9):
        await driver.enter(f"other {number}", urgent=False, group=f"other {number}")
    assert len(driver.running) == 6, "a quarter of all slots stays free"
    await driver.enter("urgent", urgent=True, group="yet another")
    assert driver.running[-1] == "urgent"


async def test_promote(nursery: trio.Nursery) -> None:
    driver = Driver(nursery, total=8, per_group=2)
    for name in "ab":
        await driver.enter(name, urgent=False)
    assert driver.running == ["a"]
    driver.scheduler.promote(driver.queued["b"])
    await trio.testing.wait_all_tasks_blocked()
    assert driver.running == ["a", "b"]


@pytest.mark.parametrize("leaving", ["waiting", "running"])
async def test_a_request_that_ends_gives_its_slot_back(nursery: trio.Nursery, leaving: str) -> None:
    driver = Driver(nursery, total=8, per_group=1)
    await driver.enter("running", urgent=True)
    await driver.enter("waiting", urgent=True)
    await driver.leave(leaving)
    await driver.enter("new", urgent=True)
    await driver.leave({"waiting": "running", "running": "waiting"}[leaving])
    assert driver.running == ["new"]


async def test_files_share_the_slots_for_read_ahead(nursery: trio.Nursery) -> None:
    driver = Driver(nursery, total=4, per_group=4)  # three of them for read-ahead
    for name in ("a1", "a2", "a3", "a4", "b1"):
        await driver.enter(name, group=name[0])
    assert driver.running == ["a1", "a2", "a3"]
    await driver.leave("a1")
    assert driver.running == ["a2", "a3", "b1"]


async def test_the_background_has_one_slot_while_there_are_other_requests(nursery: trio.Nursery) -> None:
    driver = Driver(nursery, total=8, per_group=4)
    for name in ("a1", "a2", "a3", "a4", "b1", "b2"):
        await driver.enter(name, group=name[0], background=True)
    assert driver.running == ["a1", "a2", "a3", "b1"], "three of a file, and half of all"
    await driver.enter("read", urgent=True, group="c")
    await driver.enter("ahead", group="c")
    assert driver.running[-2:] == ["read", "ahead"]
    for name in ("a1", "a2"):
        await driver.leave(name)
    assert driver.running == ["a3", "b1", "read", "ahead"]
    await driver.leave("a3")
    await driver.leave("b1")
    assert len(driver.running) == 3, "one continues, so that a prefetch ends some day"
    for name in ("read", "ahead"):
        await driver.leave(name)
    assert sorted(driver.running) == ["a4", "b2"]


async def test_a_promoted_background_request_goes_first(nursery: trio.Nursery) -> None:
    driver = Driver(nursery, total=8, per_group=1)
    await driver.enter("running", group="a", urgent=True)
    await driver.enter("first", group="b", background=True)
    await driver.enter("second", group="c", background=True)
    assert driver.running == ["running", "first"]
    driver.scheduler.promote(driver.queued["second"])
    await trio.testing.wait_all_tasks_blocked()
    assert driver.running == ["running", "first", "second"]
