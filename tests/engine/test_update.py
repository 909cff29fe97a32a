"""Updating on purpose: what is said to be new, changed and gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from coursefs.catalog import News
from coursefs.catalog.node import Node, Place
from coursefs.errors import UsageError
from coursefs.model import Course, Kind, Outline
from coursefs.selection import select
from tests.engine.fakes import section, video
from tests.engine.test_tree import AGAIN, COURSE, HELLO, listing, opened, provider_of, walk


async def test_new_changed_and_gone(tmp_path: Path) -> None:
    provider = provider_of(HELLO, AGAIN)
    async with opened(tmp_path, provider) as tree:
        await listing(tree, "Graphics", "01 Start")
        course = await walk(tree, "Graphics")
        assert not await tree.update_course(course)
        more = replace(HELLO, key="item/n", title="New", position=3)
        provider.outlines["c1"] = Outline((section("m", "Start", 1, replace(HELLO, title="Hallo"), more),))
        assert await tree.update_course(course) == News(
            "Graphics", new=("01 Start/03 New",), changed=("01 Start/01 Hallo",), gone=("01 Start/02 Again",)
        )
        provider.contents["item/a"] = [replace(video(HELLO), extension=".webm")]
        assert (await tree.update_course(course)).changed == ("01 Start/01 Hallo",)
        provider.listed = [Course("c2", "ears", "Ears")]
        assert await tree.update_courses("coursera") == News("coursera", new=("Ears",), gone=("Graphics",))


async def test_what_is_only_looked_at_meanwhile_has_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = provider_of(HELLO, AGAIN)
    async with opened(tmp_path, provider) as tree:
        await walk(tree, "Graphics", "01 Start")
        ask = provider.outline

        async def outline(course: Course, *, tag: str | None = None) -> Outline | None:
            await listing(tree, "Graphics", "01 Start")
            return await ask(course, tag=tag)

        monkeypatch.setattr(provider, "outline", outline)
        assert not await tree.update_course(await walk(tree, "Graphics"))
        assert [step.fetched_ns is None for step in tree.store.steps_of(Place("coursera", "c1"))] == [False, False]


async def test_an_outline_that_is_still_the_same_is_not_sent_again(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    provider.outlines["c1"] = replace(provider.outlines["c1"], tag='W/"1"')
    async with opened(tmp_path, provider) as tree:
        before = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
        assert tree.store.tag(Place("coursera", "c1")) == 'W/"1"'
        provider.outlines["c1"] = Outline((), tag='W/"1"')  # were it looked into, the course would be empty
        assert not await tree.update_course(await walk(tree, "Graphics"))
        assert await walk(tree, "Graphics", "01 Start", "01 Hello.mp4") == before


COURSES = [
    (Node(7, 1, "Graphics", "Graphics", Place("coursera"), "c1", Kind.COURSE, 0), COURSE),
    (Node(8, 1, "Ears", "Ears", Place("coursera"), "c2", Kind.COURSE, 0), Course("c2", "ears", "Ears")),
    (Node(9, 1, "Ears (c3)", "Ears", Place("other"), "c3", Kind.COURSE, 0), Course("c3", "ears", "Ears")),
]


@pytest.mark.parametrize(
    ("text", "inode"),
    [
        ("Graphics", 7),
        ("graphics", 7),
        ("c1", 7),
        ("/home/me/courses/Graphics/", 7),
        ("https://www.coursera.org/learn/graphics/home/week/1?specialization=x", 7),
        ("Ears", 8),
        ("c2", 8),
    ],
)
def test_courses_are_named_in_many_ways(text: str, inode: int) -> None:
    assert select(COURSES, text).inode == inode


@pytest.mark.parametrize("text", ["nothing", "https://www.coursera.org/learn/nothing", "ears", ""])
def test_what_names_no_course_or_several_is_an_error(text: str) -> None:
    with pytest.raises(UsageError):
        select(COURSES, text)
