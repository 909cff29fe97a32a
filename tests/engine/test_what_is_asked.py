"""What a look at the tree asks of the platform, counted at the platform: the whole library over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trio

from coursefs.catalog import Ages
from coursefs.demo.description import load_course
from coursefs.demo.faults import Faults
from coursefs.demo.journal import Entry
from coursefs.demo.platform import Platform
from coursefs.errors import Unreachable
from coursefs.library import ROOT, AccountSource, Library, LibrarySettings, open_library
from coursefs.model import Course, Item, Wanted
from coursefs.providers import registry
from coursefs.providers.base import Account
from coursefs.transport import Transport
from tests.engine.small_platform import DESCRIPTION, write_course

LESSONS, LECTURES = 3, 4
#: what a lesson of lectures costs: two requests each, and one for what is attached to all of them together
MOST = 2 * LECTURES + 1
#: and once: whether several lectures can be asked for together
TRIAL = 1


def description() -> str:
    """The small course's head and first lecture, over and over."""
    head = DESCRIPTION[: DESCRIPTION.index("[[modules.lessons]]")]
    first = DESCRIPTION[DESCRIPTION.index("[[modules.lessons.items]]") :]
    lecture = first[: first.index("[[modules.lessons.items]]", 1)]
    text = head
    for lesson in range(LESSONS):
        text += f'[[modules.lessons]]\nid = "les{lesson}"\nslug = "lesson-{lesson}"\nname = "Lesson {lesson}"\n'
        for number in range(LECTURES):
            here = f"{lesson}{number}"
            text += lecture.replace("ite01", f"ite{here}").replace('"introduction"', f'"introduction-{here}"')
    return text


@asynccontextmanager
async def a_user(path: Path) -> AsyncIterator[tuple[Platform, LibrarySettings]]:
    """A platform with one course, and what the library of a user who is signed in to it is opened with."""
    platform = Platform([load_course(write_course(path / "small", description()))])
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(platform.serve)
        account = AccountSource(
            "coursera",
            "coursera",
            {"base_url": addresses.api, "requests_per_second": "1000"},
            {"cauth": addresses.cauth},
        )
        yield platform, LibrarySettings(path / "catalogue", path / "cache", [account], Wanted())
        nursery.cancel_scope.cancel()


async def directories(library: Library, inode: int = ROOT) -> dict[str, int]:
    """All directories by name, found as `find` finds them."""
    found: dict[str, int] = {}
    for node in await library.files.children(inode):
        if node.is_directory:
            found[node.name] = node.inode
            found |= await directories(library, node.inode)
    return found


def asked(platform: Platform) -> list[Entry]:
    entries = platform.journal.entries
    platform.journal.clear()
    return entries


async def test_each_look_costs_the_requests_of_what_is_looked_at(tmp_path: Path) -> None:
    async with a_user(tmp_path) as (platform, settings), open_library(settings) as library:
        (course,) = await library.files.children(ROOT)
        assert [one.path for one in asked(platform)] == ["/api/memberships.v1"]
        (module,) = await library.files.children(course.inode)
        assert sorted(one.path for one in asked(platform)) == [
            "/api/courses.v1",  # its language
            "/api/onDemandCourseMaterials.v2/",
            "/api/onDemandReferences.v1/",  # whether its Resources tab lists anything
        ]
        lessons = await library.files.children(module.inode)
        assert (len(lessons), asked(platform)) == (LESSONS, [])

        files = await library.files.children(lessons[1].inode)
        of_lesson = asked(platform)
        assert 0 < len(of_lesson) <= MOST + TRIAL
        assert not [one for one in of_lesson if "ite0" in one.path or "ite2" in one.path]
        assert {one.port for one in of_lesson} == {"api"}  # no size is asked for

        await library.files.children(lessons[1].inode)
        assert asked(platform) == []
        video = next(node for node in files if node.identity is not None)
        assert (await library.files.attributes(video.inode)).size
        assert "cdn" in {one.port for one in asked(platform)}


async def test_find_costs_two_requests_an_item_and_nothing_the_second_time(tmp_path: Path) -> None:
    async with a_user(tmp_path) as (platform, settings):
        async with open_library(settings) as library:
            first = await directories(library)
            assert len(asked(platform)) <= 1 + 3 + LESSONS * MOST + TRIAL  # enrolments, the course, its lessons
            assert await directories(library) == first
            assert asked(platform) == []
        async with open_library(settings) as library:  # another process
            assert await directories(library) == first
            assert asked(platform) == []


async def test_the_items_of_a_lesson_are_asked_for_in_parallel() -> None:
    """No request is answered before all are there: one after the other they would wait for ever."""
    arrived, all_there = 0, trio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal arrived
        if "ids" in request.url.params:  # a trial, which the platform does not take
            return httpx.Response(405, json={"msg": "Routing error: 'multi-get' not implemented"})
        arrived += 1
        if arrived == LECTURES:
            all_there.set()
        await all_there.wait()
        return httpx.Response(404, json={})

    items = [
        Item(f"item/{number}", "A", "a", number, "lecture", details={"item_id": str(number)})
        for number in range(LECTURES)
    ]
    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        provider = registry.platform("coursera").create(Account("coursera", {}, {"cauth": "x"}), transport)
        with trio.fail_after(10):
            assert len(await provider.files(Course("c", "c", "C"), items)) == LECTURES


async def test_probes_are_answered_from_memory(tmp_path: Path) -> None:
    async with a_user(tmp_path) as (platform, settings), open_library(settings) as library:
        (course,) = await library.files.children(ROOT)
        asked(platform)
        for name in (".hidden", ".Trash-1000", ".directory", "autorun.inf", "desktop.ini", ".git", "Thumbs.db"):
            assert await library.files.child(ROOT, name) is None
            assert await library.files.child(course.inode, name) is None
        assert asked(platform) == []


async def test_without_a_network_all_that_is_known_is_listed_and_it_comes_back_by_itself(tmp_path: Path) -> None:
    at_once = Ages(courses=0, outline=0, files=0, failed=0, broken_item=0)
    async with a_user(tmp_path) as (platform, settings), open_library(replace(settings, ages=at_once)) as library:
        known = await directories(library)
        await platform.apply(Faults(api_down=True))
        with trio.fail_after(10):
            assert await directories(library) == known
            while library._tree.refresher.trouble("coursera") is None:  # behind the reader's back
                await library.files.children(ROOT)
                await trio.lowlevel.checkpoint()
        assert isinstance(library._tree.refresher.trouble("coursera"), Unreachable)
        await platform.apply(Faults())
        with trio.fail_after(10):
            while library._tree.refresher.trouble("coursera") is not None:
                assert await directories(library) == known
                await trio.lowlevel.checkpoint()


async def test_without_a_network_what_is_not_known_fails_soon_and_works_again_afterwards(tmp_path: Path) -> None:
    async with a_user(tmp_path) as (platform, settings):
        async with open_library(settings) as library:
            (course,) = await library.files.children(ROOT)
            await platform.apply(Faults(api_down=True))
            with trio.fail_after(10), pytest.raises(Unreachable):
                await library.files.children(course.inode)
            await platform.apply(Faults())
            assert len(await library.files.children(course.inode)) == 1
        async with open_library(replace(settings, offline=True)) as library:
            asked(platform)
            (module,) = await library.files.children(course.inode)
            (lesson, *_) = await library.files.children(module.inode)
            with trio.fail_after(1), pytest.raises(Unreachable, match="offline"):
                await library.files.children(lesson.inode)
            assert asked(platform) == []
