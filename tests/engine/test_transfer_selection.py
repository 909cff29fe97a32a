"""Which files a transfer takes, what it would do, and what it does again when it is told to."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from coursefs.bulk.transfer import NoSpace
from coursefs.daemon.commands import transfers
from coursefs.errors import BadReply, CoursefsError, UsageError
from coursefs.library import Library
from coursefs.model import Course, CourseProgress, Deadline, Outline, Standing
from tests.engine.fakes import FakeProvider, lecture, section
from tests.engine.shelf import HELLO, KIB, PATHS, VIDEOS, Shelf, counts, run, shelf
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
