"""Replies with signed URLs are kept as long as they are good, and asked for once."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from coursefs.errors import BadReply, CoursefsError, Gone, NotSignedIn, Unreachable
from coursefs.providers.kit.gathering import gathering
from coursefs.providers.kit.signed_urls import SignedReplies, kept_until


@pytest.mark.parametrize(
    ("expires", "until"),
    [
        (None, 1600.0),
        (1000.0 + 86400, 1000.0 + 86400 - 600),
        (1000.0 + 1200, 1600.0),
        (1000.0 + 60, 1030.0),
        (1000.0, 1000.0),
        (900.0, 900.0),
    ],
)
def test_how_long_a_reply_is_kept(expires: float | None, until: float) -> None:
    assert kept_until(expires, now=1000.0) == until


class Platform:
    """Answers with how often it was asked, when it is let to."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = trio.Event()
        self.failure: Exception | None = None
        self.now = 1000.0
        self.replies: SignedReplies[str, int] = SignedReplies(self.ask, lambda _: 1060.0, clock=lambda: self.now)

    async def ask(self, _key: str) -> int:
        self.asked += 1
        number = self.asked
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return number


async def test_a_reply_is_kept_until_half_of_a_short_life() -> None:
    platform = Platform()
    platform.open.set()
    assert await platform.replies.get("a") == 1
    platform.now = 1029.0
    assert await platform.replies.get("a") == 1
    platform.now = 1031.0
    assert await platform.replies.get("a") == 2


async def test_fresh_asks_anew_and_is_kept() -> None:
    platform = Platform()
    platform.open.set()
    assert await platform.replies.get("a") == 1
    assert await platform.replies.get("a", fresh=True) == 2
    assert await platform.replies.get("a") == 2


async def test_a_reply_that_has_ended_is_not_kept() -> None:
    platform = Platform()
    platform.open.set()
    platform.now = 1060.0
    assert await platform.replies.get("a") == 1
    assert await platform.replies.get("a") == 2


async def test_what_came_by_another_way_is_not_asked_for() -> None:
    platform = Platform()
    platform.replies.keep("a", 7)
    assert await platform.replies.get("a") == 7
    assert platform.asked == 0


async def test_all_who_wait_share_one_request() -> None:
    platform = Platform()
    got: list[int] = []

    async def want(fresh: bool) -> None:
        got.append(await platform.replies.get("a", fresh=fresh))

    async with trio.open_nursery() as nursery:
        for fresh in (False, True, False):
            nursery.start_soon(want, fresh)
        await trio.testing.wait_all_tasks_blocked()
        platform.open.set()
    assert got == [1, 1, 1]


async def test_an_error_is_shared_but_not_remembered() -> None:
    platform = Platform()
    platform.failure = Gone("no such lecture")
    caught: list[Gone] = []

    async def want() -> None:
        with pytest.raises(Gone, match="no such lecture") as info:
            await platform.replies.get("a")
        caught.append(info.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(want)
        nursery.start_soon(want)
        await trio.testing.wait_all_tasks_blocked()
        platform.open.set()
    assert platform.asked == 1
    assert caught[0] is not caught[1]
    platform.failure = None
    assert await platform.replies.get("a") == 2


async def test_when_the_asking_task_is_cancelled_another_one_asks() -> None:
    platform = Platform()
    got: list[int] = []
    scope = trio.CancelScope()

    async def first() -> None:
        with scope:
            await platform.replies.get("a")

    async def second() -> None:
        got.append(await platform.replies.get("a"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(first)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(second)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        platform.open.set()
    assert got == [2]


async def test_an_error_of_one_is_its_answer() -> None:
    answers: dict[str, int | CoursefsError] = {}

    async def good() -> int:
        return 1

    async def broken() -> int:
        raise BadReply("broken")

    async with gathering(trio.CapacityLimiter(1)) as requests:
        requests.ask(answers, "good", good)
        requests.ask(answers, "broken", broken)
    assert answers["good"] == 1
    assert isinstance(answers["broken"], BadReply)


@pytest.mark.parametrize("error", [NotSignedIn("ended"), Unreachable("no network")])
async def test_an_error_of_all_ends_all_and_comes_bare(error: Exception) -> None:
    answers: dict[str, int | CoursefsError] = {}
    ended: list[str] = []

    async def endless() -> int:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("endless")

    async def refused() -> int:
        raise error

    with pytest.raises(type(error)) as caught:
        async with gathering(trio.CapacityLimiter(2)) as requests:
            requests.ask(answers, "endless", endless)
            requests.ask(answers, "refused", refused)
    assert caught.value is error
    assert (answers, ended) == ({}, ["endless"])


async def test_only_so_many_at_a_time() -> None:
    running = most = 0
    answers: dict[int, int | CoursefsError] = {}

    async def ask() -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.testing.wait_all_tasks_blocked()
        running -= 1
        return 0

    async with gathering(trio.CapacityLimiter(2)) as requests:
        for number in range(5):
            requests.ask(answers, number, ask)
    assert most == 2 and len(answers) == 5
