"""Fetching into the cache and pinning: what is new, what was there, what failed, and when it is no use to go on."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing

from coursefs.bulk.fetching import no_space
from coursefs.bulk.transfer import Endurance, NoSpace
from coursefs.catalog import Ages
from coursefs.content.ranges import Ranges
from coursefs.daemon.commands import UnderWay, transfers
from coursefs.daemon.status_report import library_report
from coursefs.errors import BadReply, CoursefsError, NoAnswer, NotAllowed, NotSignedIn, Unreachable
from coursefs.library import ROOT, Library, Node, UnpinnedQuota
from coursefs.model import Outline
from tests.engine.content_bench import until
from tests.engine.fakes import lecture, section
from tests.engine.fakes import video as video_of
from tests.engine.shelf import AGAIN, HELLO, KIB, PATHS, VIDEOS, Shelf, counts, run, shelf

__all__ = ["shelf"]


async def node(library: Library, path: str) -> Node:
    found = library.files.node(ROOT)
    for name in path.split("/"):
        child = await library.files.child(found.inode, name)
        assert child
        found = child
    return await library.files.exact(found)


async def read(library: Library, path: str) -> bytes:
    handle = await library.files.open((await node(library, path)).inode)
    try:
        return bytes(await handle.read(0, 2**30))
    finally:
        handle.close()


async def test_fetch_brings_everything_once(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        reply = await run(library, "fetch")
        assert counts(reply) == (3, 1, 0, 0), "the page is ours and always there"
        assert reply["state"]["came"] == reply["state"]["bytes"] == sum(map(len, shelf.cdn.bodies.values()))
        assert not reply["state"]["is_looking"] and reply["state"]["moving"] == ()
        shelf.cdn.asked.clear()
        assert counts(await run(library, "fetch", "graphics")) == (0, 4, 0, 0)
        assert shelf.cdn.asked == []
    shelf.settings = replace(shelf.settings, offline=True)
    async with shelf.opened() as library:
        for path, identity in zip(PATHS, VIDEOS, strict=True):
            assert await read(library, path) == shelf.cdn.bodies[identity]


async def test_one_that_fails_keeps_none_from_coming(shelf: Shelf) -> None:
    shelf.cdn.statuses[VIDEOS[0]] = 404
    async with shelf.opened() as library:
        reply = await run(library, "fetch")
        assert counts(reply) == (2, 1, 1, 1)
        ((path, reason),) = reply["failures"]
        assert path == PATHS[0] and reason
        assert await read(library, PATHS[1]) == shelf.cdn.bodies[VIDEOS[1]]


async def test_an_item_that_is_not_to_be_had_is_a_failure_with_its_reason(shelf: Shelf) -> None:
    shelf.provider.contents[HELLO.key] = BadReply("not understood")
    async with shelf.opened() as library:
        reply = await run(library, "fetch", "Graphics")
        assert counts(reply) == (2, 1, 1, 1)
        assert reply["failures"] == [["Graphics/01 Start/01 Hello (unavailable).html", "not understood"]]


async def test_without_a_sign_in_it_ends_with_3_after_one_line(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await run(library, "fetch", PATHS[0])
        shelf.provider.failure = NotSignedIn("signed out")
        reply = await run(library, "fetch")
        assert counts(reply)[3] == 3 and reply["state"]["failed"]
        assert reply["failures"] == [["x", "signed out; files that are not cached yet were skipped"]]


async def test_listings_that_could_not_be_asked_for_again_are_a_failure_though_all_is_there(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await run(library, "fetch")
    assert shelf.settings.ages
    shelf.settings = replace(shelf.settings, ages=replace(shelf.settings.ages, outline=0.0))
    async with shelf.opened() as library:
        shelf.provider.failure = NotSignedIn("signed out")
        reply = await run(library, "fetch")
        assert counts(reply) == (0, 4, 0, 3)
        assert reply["failures"] == [["x", "signed out; its courses are shown as last seen"]]


async def test_offline_by_choice_nothing_need_be_asked_for(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await run(library, "fetch")
    shelf.settings = replace(shelf.settings, offline=True, ages=Ages(0.0, 0.0, 0.0))
    async with shelf.opened() as library:
        assert counts(await run(library, "fetch")) == (0, 4, 0, 0)


async def test_without_a_network_it_gives_up_after_a_few(shelf: Shelf) -> None:
    many = [lecture(str(number), f"L{number}", number) for number in range(1, 31)]
    shelf.provider.outlines["c1"] = Outline((section("m", "Start", 1, *many),))
    for item in many:
        shelf.cdn.bodies[f"{item.key}/video"] = b"x"
        shelf.provider.urls[f"{item.key}/video"] = f"https://cdn.example/{item.key}/video"
    shelf.cdn.is_reachable = False
    async with shelf.opened() as library:
        reply = await run(library, "fetch")
        assert counts(reply)[3] == 1
        assert len(reply["failures"]) == 3
        about, reason = reply["failures"][-1]
        assert about == "x" and "cannot reach cdn.example" in reason and "were skipped" in reason


def test_what_is_endured() -> None:
    endurance = Endurance()
    for error in (NotAllowed("no"), BadReply("what?"), CoursefsError("no"), Unreachable("1"), NoAnswer("2")):
        endurance.failed("a", error)
    assert endurance.given_up == set()
    endurance.worked("a")
    endurance.failed("a", Unreachable("1"))
    endurance.failed("b", Unreachable("1"))
    endurance.failed("a", NoAnswer("2"))
    assert endurance.given_up == set()
    endurance.failed("a", Unreachable("3"))
    endurance.failed("c", NotSignedIn("signed out"))
    assert endurance.given_up == {"a", "c"}


async def test_what_does_not_fit_is_not_begun_and_pushes_nothing_out(shelf: Shelf) -> None:
    shelf.settings = replace(shelf.settings, max_size=4000 * KIB)
    async with shelf.opened() as library:
        with pytest.raises(
            NoSpace, match=r"02 Again\.mp4: not fetched: the cache holds at most 3\.9 MiB \(cache\.max_size\)"
        ):
            await run(library, "fetch")
        assert library.cache.cached_bytes(await node(library, PATHS[0])) == 300 * KIB
        assert library.cache.cached_bytes(await node(library, PATHS[1])) == 0


def test_the_limit_that_leaves_no_room_is_named() -> None:
    disk = UnpinnedQuota(used=0, pinned=0, max_size=20 * 2**30, disk_free=20 * 2**20, min_free=2 * 2**30)
    assert disk.bytes == 0
    assert no_space(disk) == "the disk has 20.0 MiB free, 2.0 GiB are reserved (cache.min_free)"
    cache = UnpinnedQuota(used=2**20, pinned=2**20, max_size=2**21, disk_free=2**40, min_free=0)
    assert cache.bytes == 2**20
    assert no_space(cache) == "the cache holds at most 2.0 MiB, 1.0 MiB of it pinned (cache.max_size)"


async def test_pins_of_others_leave_less_room(shelf: Shelf) -> None:
    shelf.settings = replace(shelf.settings, max_size=5200 * KIB)
    async with shelf.opened() as library:
        await run(library, "fetch", PATHS[0])
        await run(library, "pin", PATHS[0])
        with pytest.raises(NoSpace, match=r"not fetched: the cache holds at most 5\.1 MiB, .* of it pinned"):
            await run(library, "fetch", PATHS[1])
        await run(library, "unpin", PATHS[0])
        assert counts(await run(library, "fetch", PATHS[1])) == (1, 0, 0, 0)


async def test_a_file_that_has_changed_meanwhile_comes_as_it_is_now(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await node(library, PATHS[0])
        shelf.cdn.bodies[VIDEOS[0]] = b"new and short"
        assert counts(await run(library, "fetch", PATHS[0])) == (1, 0, 0, 0)
        assert await read(library, PATHS[0]) == b"new and short"


async def test_a_caller_that_is_cancelled_ends_it_and_no_byte_comes_twice(shelf: Shelf) -> None:
    shelf.cdn.gates[VIDEOS[1]] = trio.Event()
    async with shelf.opened() as library:
        wanted = {"targets": [[PATHS[1], None]]}
        async with aclosing(transfers(library)["fetch"](wanted)) as replies:
            async for reply in replies:
                if reply["state"]["came"] >= 2500 * KIB:  # half of each request, the rest waits at the gate
                    break
        video = await node(library, PATHS[1])
        await until(lambda: library.cache.cached_bytes(video) >= 2500 * KIB)
        there = library.cache.cached_bytes(video)
        had = _ranges(shelf)
        shelf.cdn.asked.clear()
        del shelf.cdn.gates[VIDEOS[1]]
        assert counts(await run(library, "fetch", PATHS[1])) == (1, 0, 0, 0)
        asked = [(start, end) for _, start, end in shelf.cdn.asked]
        assert sum(end - start for start, end in asked) == 5000 * KIB - there
        assert Ranges.of(asked).total == 5000 * KIB - there
        assert had.total == 5000 * KIB, "all of it was on its way"
        assert await read(library, PATHS[1]) == shelf.cdn.bodies[VIDEOS[1]]


async def test_the_status_says_what_a_command_carries(shelf: Shelf) -> None:
    shelf.cdn.gates[VIDEOS[1]] = trio.Event()
    under_way = UnderWay()
    async with shelf.opened() as library:
        wanted = {"targets": [[PATHS[1], None]]}
        async with aclosing(transfers(library, under_way)["fetch"](wanted)) as replies:
            async for reply in replies:
                if reply["state"]["came"]:
                    break
            (one,) = under_way.report()
            assert (one["command"], one["files"], one["done"], one["bytes"]) == ("fetch", 1, 0, 5000 * KIB)
            fetching = library_report(library, under_way.carried())["fetching"]
            assert {request["path"] for request in fetching} == {PATHS[1]}
        assert under_way.report() == [] and not under_way.carried()


def _ranges(shelf: Shelf) -> Ranges:
    return Ranges.of((start, end) for _, start, end in shelf.cdn.asked)


async def test_the_last_reply_comes_also_when_it_ends_while_another_one_is_on_its_way(shelf: Shelf) -> None:
    gate = shelf.cdn.gates[VIDEOS[0]] = trio.Event()
    async with shelf.opened() as library:
        video = await node(library, PATHS[0])
        seen: list[dict[str, Any]] = []
        async with aclosing(transfers(library)["fetch"]({"targets": [[PATHS[0], None]]})) as replies:
            async for reply in replies:
                seen.append(dict(reply))
                gate.set()
                await until(lambda: library.cache.cached_bytes(video) == 300 * KIB)
                await trio.testing.wait_all_tasks_blocked(0.01)
        assert [("exit_status" in reply) for reply in seen] == [False, True]
        assert seen[-1]["state"]["new"] == 1


async def test_the_end_of_the_library_ends_it_too(shelf: Shelf) -> None:
    shelf.cdn.gates[VIDEOS[1]] = trio.Event()
    failed: list[Exception] = []
    begun: list[bool] = []

    async def fetch(library: Library, task_status: trio.TaskStatus[None]) -> None:
        wanted = {"targets": [[PATHS[1], None]]}
        try:
            async with aclosing(transfers(library)["fetch"](wanted)) as replies:
                async for reply in replies:
                    if reply["state"]["moving"] and not begun:
                        begun.append(True)
                        task_status.started()
        except CoursefsError as error:
            failed.append(error)

    async with trio.open_nursery() as nursery, shelf.opened() as library:
        await nursery.start(fetch, library)
    assert [str(error) for error in failed] == ["coursefs is ending"]


async def test_pins(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await run(library, "fetch", PATHS[0])
        shelf.cdn.asked.clear()
        reply = await run(library, "pin", "graphics")
        assert (counts(reply)[3], reply["of"], reply["complete"]) == (0, 4, 2), "the page too"
        assert shelf.cdn.asked == [], "nothing is fetched"
    async with shelf.opened() as library:
        use = library.cache.use()
        assert (use.pinned_files, use.pinned_bytes) == (3, 300 * KIB)
        assert (await run(library, "pin", "graphics"))["of"] == 4
        assert (await run(library, "unpin", PATHS[0]))["unpinned"] == 1
        assert (await run(library, "unpin", PATHS[0]))["unpinned"] == 0
        assert library.cache.use().pinned_files == 2


async def test_unpin_all_unpins_also_what_is_no_longer_shown(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await run(library, "pin", PATHS[0])
        shelf.provider.outlines["c1"] = Outline((section("m", "Start", 1, AGAIN),))
        await library._tree.update_course(library.courses.select(["graphics"])[0])
        assert (await run(library, "unpin", "graphics"))["unpinned"] == 0
        assert (await run(library, "unpin", "all"))["unpinned"] == 1
        assert library.cache.use().pinned_files == 0


async def test_wrong_words_are_an_error_and_nothing_is_done(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        with pytest.raises(CoursefsError, match="no course is called nothing"):
            await run(library, "fetch", "graphics", "nothing")
        assert shelf.cdn.asked == []


async def test_readers_are_told_that_they_come_first(shelf: Shelf) -> None:
    """While a program waits for an answer no further folder is asked for."""
    async with shelf.opened() as library, trio.open_nursery() as nursery:
        last: dict[str, Any] = {}

        async def fetch() -> None:
            last.update(await run(library, "fetch", "graphics"))

        with library._foreground.request():
            nursery.start_soon(fetch)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert not any(call.startswith("outline") for call in shelf.provider.calls)
        while not last:
            await trio.testing.wait_all_tasks_blocked(0.001)
        assert counts(last) == (3, 1, 0, 0)


async def test_two_names_of_the_same_bytes_come_once(shelf: Shelf) -> None:
    twin = replace(video_of(AGAIN), body=video_of(HELLO).body)
    shelf.provider.contents[AGAIN.key] = [twin]
    async with shelf.opened() as library:
        assert counts(await run(library, "fetch", *PATHS)) in {(2, 0, 0, 0), (1, 1, 0, 0)}
        assert _ranges(shelf).total == 300 * KIB
        assert sum(end - start for _, start, end in shelf.cdn.asked if end - start > 1) == 300 * KIB


async def test_without_a_sign_in_what_is_at_hand_is_still_counted_as_there(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        await run(library, "fetch", PATHS[1])
    async with shelf.opened() as library:
        shelf.provider.failure = NotSignedIn("signed out")
        reply = await run(library, "fetch", *PATHS)
        assert counts(reply) == (0, 1, 1, 3), "the first is not there, the second is"
