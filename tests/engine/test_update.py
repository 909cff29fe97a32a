"""Updating on purpose: what is said to be new, changed and gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from coursefs.catalog import News, Store, Tree, TreeAccount
from coursefs.catalog.node import ROOT, Node, Place
from coursefs.errors import CoursefsError, NoAnswer, NotAllowed, NotSignedIn, Unreachable, UsageError
from coursefs.library.accounts import updated
from coursefs.library.course_selection import select
from coursefs.model import Course, Kind, Outline
from tests.engine.fakes import FakeProvider, section, video
from tests.engine.test_tree import AGAIN, COURSE, HELLO, listing, opened, provider_of, walk


async def test_new_changed_and_gone(tmp_path: Path) -> None:
    provider = provider_of(HELLO, AGAIN)
    noses = Course("c3", "noses", "Noses")
    provider.listed.append(noses)
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
        provider.listed = [noses, Course("c2", "ears", "Ears")]
        assert await tree.update_courses("coursera") == News("coursera", new=("Ears",), gone=("Graphics",))


async def test_a_course_that_cannot_be_asked_keeps_no_other_from_it(tmp_path: Path) -> None:
    class Refusing(FakeProvider):
        async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:
            if course.key in self.refused:
                raise NotAllowed("the session is over")
            return await FakeProvider.outline(self, course, tag=tag)

        refused: frozenset[str] = frozenset()

    provider = Refusing([COURSE, Course("c2", "ears", "Ears"), Course("c3", "noses", "Noses")])
    provider.refused = frozenset({"c1", "c3"})
    provider.outlines["c2"] = Outline((section("m", "Start", 1, HELLO),))
    async with opened(tmp_path, provider) as tree:
        found: list[News] = []
        with pytest.raises(NotAllowed, match=r"^Graphics: the session is over \(and 1 more could not be refreshed\)$"):
            async for news in updated(tree, ["coursera"], lambda: tree.store.children(ROOT)):
                found.append(news)  # noqa: PERF401  # it ends with an error
        assert [news.about for news in found] == ["coursera", "Ears"]
        assert found[1].new == ("01 Start/01 Hello",)
        assert [news.is_first for news in found] == [False, True]
        provider.outlines["c2"] = Outline((section("m", "Start", 1, HELLO, AGAIN),))
        ears = next(node for node in tree.store.children(ROOT) if node.name == "Ears")
        assert await tree.update_course(ears) == News("Ears", new=("01 Start/02 Again",)), "only the first time"


@pytest.mark.parametrize("failure", [NotSignedIn("ended"), Unreachable("no network"), NoAnswer("nothing came")])
async def test_an_account_that_cannot_be_asked_is_asked_once_and_keeps_no_other_from_it(
    tmp_path: Path, failure: CoursefsError
) -> None:
    good, lost = provider_of(HELLO), provider_of(HELLO)
    store = Store(tmp_path / "catalogue.sqlite")
    async with trio.open_nursery() as nursery:
        tree = Tree(store, [TreeAccount("lost", lost), TreeAccount("good", good)], nursery)
        for account in ("lost", "good"):
            await tree.update_courses(account)
        lost.failure = failure
        lost.calls.clear()
        found: list[str] = []
        with pytest.raises(type(failure), match=f"^lost: {failure}$"):
            async for news in updated(tree, ["lost", "good"], store.courses_by_use):
                found.append(news.about)  # noqa: PERF401  # as above
        assert found == ["good", next(node.name for node in store.courses_by_use() if node.place.account == "good")]
        assert lost.calls == ["courses"]
        nursery.cancel_scope.cancel()
    store.close()


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
        assert [stored.fetched_ns is None for stored in tree.store.items.of_course(Place("coursera", "c1"))] == [
            False,
            False,
        ]


async def test_an_outline_that_is_still_the_same_is_not_sent_again(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    provider.outlines["c1"] = replace(provider.outlines["c1"], tag='W/"1"')
    async with opened(tmp_path, provider) as tree:
        before = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
        assert tree.store.fetch_log.tag(Place("coursera", "c1")) == 'W/"1"'
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
