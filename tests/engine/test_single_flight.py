"""Single flight: one making for all who want the same at the same time."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from coursefs.base.single_flight import SingleFlight
from coursefs.errors import CoursefsError, Gone


async def test_all_who_wait_get_what_one_making_gives() -> None:
    gate, made, got = trio.Event(), [], []

    async def make() -> int:
        made.append(1)
        await gate.wait()
        return 7

    async def want() -> None:
        got.append(await flights.join("a", make))

    async with trio.open_nursery() as nursery:
        flights: SingleFlight[str, int] = SingleFlight(nursery)
        with trio.move_on_after(0):
            await want()  # a waiter that leaves takes nothing away
        for _ in range(3):
            nursery.start_soon(want)
        await trio.testing.wait_all_tasks_blocked()
        gate.set()
    assert (made, got, len(flights)) == ([1], [7, 7, 7], 0)


async def test_everyone_gets_an_error_of_their_own_and_the_next_making_is_new() -> None:
    errors: list[Gone] = []

    async def make() -> int:
        await trio.lowlevel.checkpoint()
        raise Gone("no")

    async def want() -> None:
        try:
            await flights.join("a", make)
        except Gone as error:
            errors.append(error)

    async with trio.open_nursery() as nursery:
        flights: SingleFlight[str, int] = SingleFlight(nursery)
        async with trio.open_nursery() as waiting:
            waiting.start_soon(want)
            waiting.start_soon(want)
        assert len({id(error) for error in errors}) == 2

        async def well() -> int:
            return 1

        assert await flights.join("a", well) == 1


async def test_an_unexpected_error_reaches_the_waiter_and_not_the_nursery() -> None:
    async def make() -> int:
        raise ZeroDivisionError

    async with trio.open_nursery() as nursery:
        flights: SingleFlight[str, int] = SingleFlight(nursery)
        with pytest.raises(ZeroDivisionError):
            await flights.join("a", make)


async def test_the_end_of_the_nursery_is_an_error_for_those_who_wait_elsewhere() -> None:
    caught: list[CoursefsError] = []
    started = trio.Event()

    async def make() -> int:
        started.set()
        await trio.sleep_forever()
        return 1

    async def want(flights: SingleFlight[str, int]) -> None:
        try:
            await flights.join("a", make)
        except CoursefsError as error:
            caught.append(error)

    async with trio.open_nursery() as waiting, trio.open_nursery() as nursery:
        waiting.start_soon(want, SingleFlight[str, int](nursery))
        await started.wait()
        nursery.cancel_scope.cancel()
    assert str(caught[0]) == "coursefs is ending"
