"""Which files a transfer takes, what it would do, and what it does again when it is told to."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from coursefs.bulk.transfer import NoSpace
from coursefs.daemon.commands import transfers
from coursefs.errors import BadReply, CoursefsError, UsageError
from coursefs.library import Library
from coursefs.model import Course, CourseProgress, Deadline, Outline, Standing
from tests.engine.fakes import FakeProvider, lecture, section
from tests.engine.shelf import AGAIN, HELLO, KIB, PATHS, VIDEOS, Cdn, Shelf, counts, run, shelf
from tests.engine.test_download import files

__all__ = ["shelf"]

PICTURE = "Graphics/01 Start/03 Read.files/plan.png"
READ = "Graphics/01 Start/03 Read.html"


async def download(library: Library, to: Path, *texts: str, **options: object) -> dict[str, Any]:
    return await run(library, "download", *texts, to=str(to), umask=0o027, **options)


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({"only": ["*.mp4"]}, {*PATHS}),
        ({"only": ["*.MP4"], "except": ["02*"]}, {PATHS[0]}),
        ({"except": ["*.mp4"]}, {READ, PICTURE}),
        ({"except": ["*.files/"]}, {*PATHS, READ}),
        ({"only": ["/*/*.html"]}, {READ}),
        ({"only": ["02*/**"]}, set()),
        ({"only": ["*.mp4", "plan.*"]}, {*PATHS, PICTURE}),
    ],
)
async def test_only_and_except(shelf: Shelf, tmp_path: Path, options: dict[str, Any], taken: set[str]) -> None:
    async with shelf.opened() as library:
        reply = await download(library, tmp_path / "to", **options)
    assert files(tmp_path / "to").keys() == taken
    assert counts(reply) == (len(taken), 0, 0, 0)
    assert reply["state"]["files"] == len(taken), "the others are not counted"


async def test_an_empty_folder_is_made_only_if_it_is_taken(shelf: Shelf, tmp_path: Path) -> None:
    async with shelf.opened() as library:
        await download(library, tmp_path / "videos", only=["*.mp4"])
        await download(library, tmp_path / "all")
    assert not (tmp_path / "videos" / "Graphics" / "02 Empty").exists()
    assert (tmp_path / "all" / "Graphics" / "02 Empty").is_dir()


async def test_a_folder_in_which_nothing_is_taken_is_not_asked_for(shelf: Shelf) -> None:
    one, other = lecture("a", "Hello", 1), lecture("z", "Far", 1)
    shelf.provider.outlines["c1"] = Outline((section("m", "Start", 1, one), section("n", "More", 2, other)))
    async with shelf.opened() as library:
        await run(library, "fetch", only=["01*/**"])
    asked = [call for call in shelf.provider.calls if call.startswith("files")]
    assert asked and not any("item/z" in call for call in asked)


async def test_the_course_is_not_part_of_a_path_but_of_a_target(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        assert counts(await run(library, "fetch", only=["Graphics/**"]))[0] == 0
        assert counts(await run(library, "fetch", "Graphics", only=["01*/01*"]))[0] == 1


async def test_an_item_whose_files_are_not_known_fails_unless_it_is_excepted(shelf: Shelf) -> None:
    shelf.provider.contents[HELLO.key] = BadReply("not understood")
    async with shelf.opened() as library:
        assert counts(await run(library, "fetch", only=["*.mp4"])) == (1, 0, 1, 1), "its video may be among its files"
        assert counts(await run(library, "fetch", **{"except": ["01 Hello*"]}))[2:] == (0, 0)


async def test_next_takes_the_items_that_follow(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        assert counts(await run(library, "fetch", next=1)) == (1, 0, 0, 0)
        assert {one for one, start, end in shelf.cdn.asked if end - start > 1} == {VIDEOS[0]}
        assert counts(await run(library, "fetch", next=1)) == (1, 1, 0, 0)
        assert counts(await run(library, "fetch", next=5)) == (1, 3, 0, 0), "a page and its picture"
        assert counts(await run(library, "fetch", next=5)) == (0, 4, 0, 0)


async def _amounts(library: Library, **options: object) -> tuple[list[dict[str, int]], tuple[int, int, int, int]]:
    """The amounts that a fetch tells, each before any byte of it was fetched, and what it has done in the end."""
    amounts = []
    async with aclosing(transfers(library)["fetch"]({"targets": [], **options})) as replies:
        async for reply in replies:
            if "amount" in reply:
                amounts.append(reply["amount"])
            last = dict(reply)
    return amounts, counts(last)


async def test_how_much_it_is_is_said_once_before_the_fetch_begins(shelf: Shelf) -> None:
    gate = shelf.cdn.gates[VIDEOS[1]] = trio.Event()
    async with shelf.opened() as library:
        async with aclosing(transfers(library)["fetch"]({"targets": [], "next": 2})) as replies:
            async for reply in replies:
                if "amount" in reply:
                    assert reply["amount"] == {"files": 2, "bytes": 5300 * KIB, "unknown": 0}
                    assert reply["state"]["came"] < 5000 * KIB
                    gate.set()
                else:
                    assert gate.is_set() or not reply["state"]["came"]
        assert await _amounts(library, next=2) == ([{"files": 1, "bytes": KIB, "unknown": 0}], (1, 3, 0, 0))
        assert await _amounts(library, next=2) == ([{"files": 0, "bytes": 0, "unknown": 0}], (0, 4, 0, 0))
        assert await _amounts(library) == ([], (0, 4, 0, 0)), "all of it is counted while it is fetched"


async def test_what_cannot_be_asked_for_is_of_unknown_size_and_reported_once(shelf: Shelf) -> None:
    shelf.cdn.statuses[VIDEOS[0]] = 500
    shelf.provider.contents[AGAIN.key] = BadReply("not understood")
    async with shelf.opened() as library:
        amounts, done = await _amounts(library, next=9)
        assert amounts == [{"files": 1, "bytes": KIB, "unknown": 2}]
        assert done == (1, 1, 2, 1)
        asked = [one for one in shelf.cdn.asked if one[0] == VIDEOS[0]]
        shelf.cdn.asked.clear()
        reply = await run(library, "fetch", next=9)
        assert [about for about, _ in reply["failures"]] == [PATHS[0], "Graphics/01 Start/02 Again (unavailable).html"]
        assert len([one for one in shelf.cdn.asked if one[0] == VIDEOS[0]]) == len(asked), (
            "no more than by a fetch of all"
        )


async def test_the_amount_holds_what_the_cache_has_no_room_for(shelf: Shelf) -> None:
    shelf.settings = replace(shelf.settings, max_size=4000 * KIB)
    told = []
    async with shelf.opened() as library, aclosing(transfers(library)["fetch"]({"targets": [], "next": 2})) as replies:
        with pytest.raises(NoSpace):
            async for reply in replies:
                told += [reply["amount"]] if "amount" in reply else []
    assert told == [{"files": 2, "bytes": 5300 * KIB, "unknown": 0}]


async def test_a_text_that_comes_with_its_size_is_one_of_the_next_items(shelf: Shelf) -> None:
    """Its server knows no ranges, so the question for its size brings it, and the fetch must take no other item."""

    class Whole(Cdn):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            reply = await super().handle_async_request(request)
            if request.url.path == f"/{VIDEOS[0]}":
                return httpx.Response(200, content=self.bodies[VIDEOS[0]])
            return reply

    shelf.cdn = Whole(shelf.cdn.bodies)
    shelf.cdn.bodies[VIDEOS[0]] = b"short"
    async with shelf.opened() as library:
        amounts, done = await _amounts(library, next=1)
        assert amounts == [{"files": 1, "bytes": 5, "unknown": 0}]
        assert done == (1, 0, 0, 0)
    assert not any(identity == VIDEOS[1] and end - start > 1 for identity, start, end in shelf.cdn.asked)


async def test_next_counts_in_each_course_and_goes_with_the_filters(shelf: Shelf) -> None:
    shelf.provider.listed.append(Course("c2", "sound", "Sound"))
    again = lecture("s", "Sound", 1)
    shelf.provider.outlines["c2"] = Outline((section("m", "Start", 1, again),))
    shelf.cdn.bodies["item/s/video"] = b"sound"
    shelf.provider.urls["item/s/video"] = "https://cdn.example/item/s/video"
    async with shelf.opened() as library:
        await run(library, "fetch", next=1, **{"except": ["01 Hello*"]})
    assert {one for one, start, end in shelf.cdn.asked if end - start > 1} == {VIDEOS[1], "item/s/video"}


async def test_a_plan_says_what_and_how_many_bytes_and_brings_nothing(shelf: Shelf, tmp_path: Path) -> None:
    async with shelf.opened() as library:
        planned = await _planned(library, "fetch")
        assert planned == [(PATHS[0], 300 * KIB), (PATHS[1], 5000 * KIB), (PICTURE, KIB)]
        assert library.cache.use().bytes == 0
        to = tmp_path / "to"
        planned = await _planned(library, "download", to=str(to), umask=0)
        assert [path for path, _ in planned] == [*PATHS, PICTURE, READ]
        assert not to.exists()
        await run(library, "download", PATHS[0], to=str(to), umask=0)
        before = files(to)
        planned = await _planned(library, "download", to=str(to), umask=0, only=["*.mp4"])
        assert planned == [(PATHS[1], 5000 * KIB)]
        planned = await _planned(library, "download", to=str(to), umask=0, only=["*.mp4"], overwrite=True)
        assert [path for path, _ in planned] == PATHS
        assert files(to) == before
    assert all(end - start == 1 for _, start, end in shelf.cdn.asked if (start, end) != (0, 300 * KIB)), "only sizes"


async def _planned(library: Library, command: str, *texts: str, **options: object) -> list[tuple[str, int]]:
    wanted = {"targets": [(text, None) for text in texts], "dry_run": True, **options}
    found: list[tuple[str, int]] = []
    async with aclosing(transfers(library)[command](wanted)) as replies:
        async for reply in replies:
            found += [(path, size) for path, size in reply["planned"]]
            last = reply
    assert last["exit_status"] == 0
    assert (last["state"]["new"], last["state"]["came"]) == (len(found), sum(size for _, size in found))
    return found


async def test_a_plan_says_what_does_not_fit(shelf: Shelf) -> None:
    shelf.settings = replace(shelf.settings, max_size=4000 * KIB)
    async with shelf.opened() as library:
        with pytest.raises(NoSpace, match="not fetched: the cache holds at most"):
            await run(library, "fetch", dry_run=True)
        assert library.cache.use().bytes == 0


async def test_overwrite_copies_also_what_is_there(shelf: Shelf, tmp_path: Path) -> None:
    async with shelf.opened() as library:
        await download(library, tmp_path)
        status = (tmp_path / PATHS[0]).stat()
        assert counts(await download(library, tmp_path)) == (0, 4, 0, 0)
        assert (tmp_path / PATHS[0]).stat().st_ino == status.st_ino
        assert counts(await download(library, tmp_path, overwrite=True)) == (4, 0, 0, 0)
    assert (tmp_path / PATHS[0]).stat().st_ino != status.st_ino
    assert files(tmp_path)[PATHS[0]] == shelf.cdn.bodies[VIDEOS[0]]


async def test_a_pattern_that_is_none_ends_it_before_anything_is_asked(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        with pytest.raises(UsageError, match="is not a pattern"):
            await run(library, "fetch", only=[""])
        assert shelf.provider.calls == []


@dataclass
class Punctual(FakeProvider):
    """A provider whose courses have deadlines."""

    deadlines: tuple[Deadline, ...] = ()

    async def standing(self, course: Course) -> Standing:
        await self._asked(f"standing {course.key}")
        return Standing(deadlines=self.deadlines)


async def test_next_skips_what_the_learner_has_done(shelf: Shelf) -> None:
    @dataclass
    class Tracking(FakeProvider):
        async def progress(self, course: Course) -> CourseProgress | None:
            await self._asked(f"progress {course.key}")
            return CourseProgress(0.4, {"item/a": 1.0, "item/b": 0.5}, lists_items=True)

        async def watched(self, course: Course, item: str) -> float | None:
            return None

    old = shelf.provider
    shelf.provider = Tracking(old.listed, old.outlines, old.contents, urls=old.urls)
    async with shelf.opened() as library:
        for target in ([], ["graphics"], ["Graphics/01 Start"]):
            planned = await _planned(library, "fetch", *target, next=1)
            assert planned == [(PATHS[1], 5000 * KIB)]
        assert [path for path, _ in await _planned(library, "fetch")] == [*PATHS, PICTURE], "without --next all of it"


async def test_until_takes_the_modules_in_which_something_is_due(shelf: Shelf) -> None:
    day, now = 86_400 * 10**9, time.time_ns()
    items = {key: lecture(key, f"L{key}", 1) for key in "abcde"}
    modules = [section(key, f"M{key}", position, item) for position, (key, item) in enumerate(items.items(), 1)]
    due = (
        Deadline("by its module", now + day, "module/a"),
        Deadline("by its item", now + 2 * day, "item/b"),
        Deadline("later", now + 9 * day, "module/c"),
        Deadline("past", now - day, "module/d"),
        Deadline("of nothing", now + day),
        Deadline("of what is not known", now + day, "module/x"),
    )
    shelf.provider = Punctual(shelf.provider.listed, {"c1": Outline(tuple(modules))}, deadlines=due)
    for key in items:
        shelf.cdn.bodies[f"item/{key}/video"] = b"x" * 10
        shelf.provider.urls[f"item/{key}/video"] = f"https://cdn.example/item/{key}/video"
    async with shelf.opened() as library:
        planned = await _planned(library, "fetch", until=now + 3 * day)
        assert [path for path, _ in planned] == ["Graphics/01 Ma/01 La.mp4", "Graphics/02 Mb/01 Lb.mp4"]
        assert counts(await run(library, "fetch", "gra", until=now))[:2] == (0, 0)
        with pytest.raises(UsageError, match="with --until, name courses, or all"):
            await run(library, "fetch", "Graphics/01 Ma", until=now + 3 * day)


async def test_until_needs_a_platform_with_deadlines(shelf: Shelf) -> None:
    async with shelf.opened() as library:
        with pytest.raises(CoursefsError, match="Graphics: the platform has no deadlines"):
            await run(library, "fetch", until=time.time_ns())
