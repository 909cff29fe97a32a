"""Courses whose session is over, and lectures that can only be streamed: what there is of them is read."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from coursefs.errors import NotAllowed
from coursefs.model import Item, Kind, Page
from coursefs.providers.base import Grades
from tests.engine.small_platform import COURSE, DESCRIPTION, MP4, small_platform
from tests.engine.test_coursera_catalogue import provider_in
from tests.engine.test_coursera_provider import COURSE as SOME
from tests.engine.test_coursera_provider import (
    LOCKED,
    SIGNED_OUT,
    Answer,
    good,
    item,
    names,
    reading_reply,
    remote,
    signed_in,
)

LONG_AGO = DESCRIPTION.replace("2026-09-01T08:00:00Z", "2019-03-04T08:00:00Z")
STREAMED = DESCRIPTION.replace('video = { "720p" = "media/a.720p.mp4", "360p" = "media/a.360p.mp4" }\n', "").replace(
    'webm = { "360p" = "media/a.360p.webm" }\n', ""
)


async def test_a_course_that_has_ended_is_listed_and_read_as_any_other(tmp_path: Path) -> None:
    async with small_platform(tmp_path, LONG_AGO) as world, provider_in(world) as provider:
        (course,) = [one for one in await provider.courses() if one.key == COURSE]
        assert not course.hidden
        assert isinstance(provider, Grades)
        ends = (await provider.standing(course)).ends_ns
        assert ends is not None and ends < time.time_ns()
        outline = await provider.outline(course)
        assert outline is not None
        items = [one for section in outline.sections for lesson in section.sections for one in lesson.items]
        files = await provider.files(course, items)
        video = remote(files["item/ite01"], "item/ite01/video")
        source = await provider.source(course, video, fresh=False)
        assert (await world.anyone.get(source.url)).content == MP4
        assert names(files["item/ite02"])[0] == "ite02/page"
        assert not any("write" in entry.notes for entry in world.platform.journal.entries)


async def test_what_an_ended_course_keeps_back_takes_nothing_else_along() -> None:
    rows = [{"id": one, "moduleId": "M", "name": one.upper()} for one in ("a", "r")]
    tree = good([{"id": "C1", "moduleIds": ["M"]}], {"onDemandCourseMaterialItems.v2": rows})
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandCourseMaterials.v2/": tree,
        "adminUserPermissions.v1": good([{"id": 7}]),
        "onDemandReferences.v1/": SIGNED_OUT,
        "courses.v1": httpx.Response(404),
        "onDemandLectureVideos.v1/C1~a": LOCKED,
        "onDemandLectureAssets.v1/C1~a/": LOCKED,
        "onDemandSupplements.v1/C1~r": reading_reply(),
    }
    async with signed_in(answers) as (provider, _):
        outline = await provider.outline(SOME)
        assert outline is not None
        shown: list[Item] = [one for section in outline.sections for one in section.items]
        assert {"item/a", "item/r"} <= {one.key for one in shown}
        files = await provider.files(SOME, [item("a"), item("r", "supplement")])
    assert isinstance(files["item/a"], NotAllowed)
    assert names(files["item/r"]) == ["r/page"]


async def test_a_lecture_that_can_only_be_streamed_has_its_texts_and_a_page(tmp_path: Path) -> None:
    async with small_platform(tmp_path, STREAMED) as world, provider_in(world) as provider:
        (course,) = [one for one in await provider.courses() if one.key == COURSE]
        outline = await provider.outline(course)
        assert outline is not None
        lecture = outline.sections[0].sections[0].items[0]
        files = (await provider.files(course, [lecture]))[lecture.key]
        assert not isinstance(files, Exception)
        page = files[0]
        assert (page.key, page.kind) == ("item/ite01/video", Kind.LINK) and isinstance(page.body, Page)
        shown = page.body.html
        assert "as a stream only" in shown and f"/learn/small/lecture/{lecture.details['item_id']}" in shown
        assert {"ite01/subtitle/en.srt", "ite01/transcript/en.txt"} <= set(names(files))
        assert not any("Playlists" in entry.path for entry in world.platform.journal.entries)
