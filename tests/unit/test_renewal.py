"""A renewal is made once for all who ask, and a shared question is put anew for those who come late."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from coursefs.errors import BadReply, NoAnswer
from coursefs.providers.kit.renewal import Renewal, SharedQuestion


class Maker:
    """Gives 1, 2, 3 …; waits at its gate, fails where it is told to."""

    def __init__(self) -> None:
        self.made = 0
        self.gate = trio.Event()
        self.failure: Exception | None = None

    async def make(self) -> int:
        self.made += 1
        number = self.made
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return number


async def test_one_renews_for_all_who_ask() -> None:
    maker, renewal, found = Maker(), Renewal[int](), list[int]()

    async def ask() -> None:
        found.append(await renewal.other_than(None, maker.make))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        maker.gate.set()
    assert found == [1] * 5
    assert await renewal.other_than(None, maker.make) == 1
    assert await renewal.other_than(1, maker.make) == 2
    assert await renewal.other_than(1, maker.make) == 2  # another task was quicker
    assert maker.made == 2


async def test_a_failure_is_shared_by_those_who_waited_and_no_others() -> None:
    maker, renewal, errors = Maker(), Renewal[int](), list[str]()
    maker.failure = BadReply("no")

    async def ask() -> None:
        try:
            await renewal.other_than(None, maker.make)
        except BadReply as error:
            errors.append(str(error))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        maker.gate.set()
    assert errors == ["no"] * 3 and maker.made == 1
    maker.failure = None
    assert await renewal.other_than(None, maker.make) == 2


async def test_a_renewal_that_finds_no_other_is_shared_as_well() -> None:
    renewal, looks = Renewal("old"), 0

    async def look() -> str:
        nonlocal looks
        looks += 1
        await trio.testing.wait_all_tasks_blocked()
        return "old"

    async def ask() -> None:
        assert await renewal.other_than("old", look) == "old"

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(ask)
    assert looks == 1


async def test_a_task_that_is_cancelled_takes_nothing_from_the_others() -> None:
    maker, renewal, scope = Maker(), Renewal[int](), trio.CancelScope()

    async def cancelled() -> None:
        with scope:
            await renewal.other_than(None, maker.make)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancelled)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(renewal.other_than, None, maker.make)
        await trio.testing.wait_all_tasks_blocked()
        assert maker.made == 1
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert maker.made == 2
        maker.gate.set()
    assert renewal.value == 2


async def test_what_must_be_kept_is_not_cancelled_but_has_an_end(autojump_clock: trio.testing.MockClock) -> None:
    maker, renewal = Maker(), Renewal[int](within=15.0, late="too late")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renewal.other_than, None, maker.make)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        maker.gate.set()
    assert renewal.value == 1
    with pytest.raises(NoAnswer, match="too late"):
        await renewal.other_than(1, trio.sleep_forever)


async def test_an_answer_counts_for_those_who_asked_before_it_was_put() -> None:
    maker, question, found = Maker(), SharedQuestion[int](), dict[str, int]()

    async def ask(name: str, about: str = "x") -> None:
        found[name] = await question.ask(about, maker.make)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "first")
        await trio.testing.wait_all_tasks_blocked()
        for name in ("late", "later"):
            nursery.start_soon(ask, name)
            await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask, "other", "y")
        await trio.testing.wait_all_tasks_blocked()
        maker.gate.set()
    assert found == {"first": 1, "late": 2, "later": 2, "other": 3}
