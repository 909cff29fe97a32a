"""Values of a wrong type from a provider: they cost the item that has them, never the course, never the mount."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from coursefs.base.foreground import Foreground
from coursefs.base.supervisor import Supervisor
from coursefs.catalog import Indexer, Sizes, Store
from coursefs.errors import BadReply, CoursefsError
from coursefs.model import Course, File, Item, Kind, Outline, Page, Placement, ProvisionalFiles, Remote, Section, Source
from coursefs.providers import checking
from tests.engine.fakes import FakeProvider, lecture, reading, section, video
from tests.engine.test_indexing import PACE, Filling
from tests.engine.test_tree import COURSE, NOW, listing, opened, provider_of, walk

#: what no field is expected to be
VALUES: tuple[Any, ...] = (
    None, 7, -1, 2**63, 2**200, 1.5, float("nan"), True, "", "x" * 100_000, "\ud800", "a\0b", "../../etc/passwd", "/",
    b"bytes", [], {}, {"a": 1}, {1: "a"}, [None], object(), Kind.ROOT, Kind.COURSE, Placement.MAIN,
    ValueError("s3cret"),
)  # fmt: skip

A, B, C = (lecture(key, key.upper(), number) for number, key in enumerate("abc", 1))


def broken(thing: Any, chance: random.Random) -> Any:
    """The same object with one of its fields, or all of it, something else."""
    if chance.random() < 0.1:
        return chance.choice(VALUES)
    name = chance.choice([field.name for field in fields(thing)])
    return replace(thing, **{name: chance.choice(VALUES)})


class Hostile(FakeProvider):
    """Answers with values of wrong types."""

    def __init__(self, seed: int) -> None:
        super().__init__([COURSE, Course("c2", "s", "Other")])
        self.chance = random.Random(seed)
        self.is_hostile = True

    async def courses(self) -> Sequence[Course]:
        await self._asked("courses")
        some = [COURSE, *(broken(Course(f"c{n}", "s", "Other"), self.chance) for n in range(2, 5))]
        return some if self.is_hostile else [COURSE]

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:
        await self._asked("outline")
        items: list[Any] = [A, B, C]
        sections: list[Any] = [section("m", "Start", 1, *items), section("n", "More", 2, lecture("d", "D", 1))]
        if self.is_hostile:
            items[1] = broken(B, self.chance)
            sections[0] = section("m", "Start", 1, *items)
            sections[1] = broken(sections[1], self.chance)
        return Outline(tuple(sections))

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        await self._asked("files")
        answers: dict[str, Any] = {item.key: [video(item), *reading(item, "<p>text")] for item in items}
        if self.is_hostile and "item/b" in answers:
            answers["item/b"] = self.chance.choice(
                [*VALUES, [broken(video(B), self.chance)], [broken(file, self.chance) for file in reading(B, "<p>")]]
            )
        return answers


@pytest.mark.parametrize("seed", range(60))
async def test_a_value_of_a_wrong_type_costs_no_more_than_its_item(tmp_path: Path, seed: int) -> None:
    provider = Hostile(seed)
    async with opened(tmp_path, provider, ages=NOW) as tree:
        for _ in range(2):
            assert "Graphics" in await listing(tree)
            (start,) = [node for node in await tree.children(await walk(tree, "Graphics")) if node.key == "module/m"]
            names = [node.name for node in await tree.children(start)]
            assert {"01 A.mp4", "01 A.html", "03 C.mp4", "03 C.html"} <= set(names)
            for course in await tree.children(tree.node(1)):
                with suppress(CoursefsError):  # courses come and go with every reply
                    for part in await tree.children(course):
                        await tree.children(part)
            await trio.testing.wait_all_tasks_blocked()
        provider.is_hostile = False
        tree._revalidation.forget()
        assert await listing(tree) is not None
        await trio.testing.wait_all_tasks_blocked()
        await listing(tree, "Graphics")
        await trio.testing.wait_all_tasks_blocked()
        await listing(tree, "Graphics", "01 Start")
        await trio.testing.wait_all_tasks_blocked()
        assert "02 B.mp4" in await listing(tree, "Graphics", "01 Start")
        assert tree.store.notice is None
    Store(tmp_path / "catalogue.sqlite").close()
    assert not list(tmp_path.glob("*.set-aside-*"))


async def test_what_is_known_of_an_item_outlives_a_bad_reply(tmp_path: Path) -> None:
    provider = provider_of(A, B)
    async with opened(tmp_path, provider, ages=NOW) as tree:
        before = await listing(tree, "Graphics", "01 Start")
        provider.listed = [replace(COURSE, title=7)]  # type: ignore[arg-type]
        provider.outlines["c1"] = Outline((section("m", "Start", 1, replace(A, title=None), B),))  # type: ignore[arg-type]
        provider.contents["item/b"] = [replace(video(B), size="large", key=None)]  # type: ignore[arg-type]
        for _ in range(3):
            assert await listing(tree) == ["Graphics"]
            assert await listing(tree, "Graphics") == ["01 Start"]
            assert await listing(tree, "Graphics", "01 Start") == before
            await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize("reply", [None, 7, "text", {"a": 1}, object()])
async def test_a_reply_that_is_none_at_all_leaves_the_tree_as_it_is(tmp_path: Path, reply: Any) -> None:
    provider = provider_of(A)
    async with opened(tmp_path, provider, ages=NOW) as tree:
        before = await listing(tree, "Graphics", "01 Start")

        async def answer(*_: object, **__: object) -> Any:
            return reply

        for name in ("courses", "files", *(() if reply is None else ("outline",))):
            setattr(provider, name, answer)
        for _ in range(2):
            assert await listing(tree) == ["Graphics"]
            assert await listing(tree, "Graphics", "01 Start") == before
            await trio.testing.wait_all_tasks_blocked()


@pytest.mark.logs
async def test_the_fill_outlives_a_provider_that_raises_anything(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    provider, filling = provider_of(A, B), Filling()
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await tree.children(tree.node(1))
        fetch_all, calls = tree.fetch_all, []

        async def fails_first(directory: Any) -> None:
            calls.append(directory)
            if len(calls) < 3:
                raise TypeError("'int' object is not iterable")
            await fetch_all(directory)

        tree.fetch_all = fails_first  # type: ignore[method-assign]
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, Foreground().idle, PACE)
        Supervisor(nursery).keep_running(fill.run, name="fill")
        await trio.sleep(1000)
        assert fill.progress.state == "done" and len(filling.measured) == 2
        nursery.cancel_scope.cancel()


def test_sections_within_sections_have_an_end() -> None:
    deep = Section("s", Kind.FOLDER, "t", "t", 1)
    for number in range(5000):
        deep = Section(f"s{number}", Kind.FOLDER, "t", "t", 1, None, (deep,))
    found = checking.outline(Outline((deep,)))
    assert found is not None
    depth, level = 0, found.sections
    while level:
        depth, level = depth + 1, level[0].sections
    assert depth == 24


def test_what_is_right_is_left_as_it_is() -> None:
    assert checking.courses([COURSE, COURSE]) == [COURSE]


def test_a_picture_that_an_answer_leaves_out_stays() -> None:
    before = replace(COURSE, image="https://images.example/1.jpg")
    after = replace(COURSE, title="Another", image=None)
    assert checking.courses([after], [before]) == [replace(after, image=before.image)]
    other = replace(COURSE, image="https://images.example/2.jpg")
    assert checking.courses([other], [before]) == [other]
    outline = Outline((section("m", "Start", 1, A, B),), (C,), "tag")
    assert checking.outline(outline) == outline and checking.outline(None) is None
    some = (video(A), *reading(A, "<p>", "ear"))
    found = checking.files({"item/a": ProvisionalFiles(some), "item/b": BadReply("no")}, [A, B, C])
    assert found["item/a"] == some and isinstance(found["item/a"], ProvisionalFiles)
    assert [str(found[key]) for key in ("item/b", "item/c")] == ["no", "the platform says nothing about it"]
    place = Source("https://x.example/y?z", {"Cookie": "a=b"}, 5.0, True, True)
    assert checking.source(place) == place
    body = video(A).body
    assert isinstance(body, Remote) and not isinstance(body, Page)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "https://x",
        replace(Source("x"), url=7),  # type: ignore[arg-type]
        Source("https://x\r\nHost: y"),
        replace(Source("https://x"), headers={"a": 1}),  # type: ignore[dict-item]
        Source("https://x", {"a\n": "b"}),
    ],
)
def test_a_source_that_is_none_is_a_bad_reply(bad: Any) -> None:
    with pytest.raises(BadReply):
        checking.source(bad)


@pytest.mark.parametrize("value", [*VALUES, 0, 1e12, float("inf")])
def test_a_duration_that_cannot_be_one_costs_nothing_else(value: object) -> None:
    found = checking.outline(Outline((), (replace(A, duration=value),)), [])  # type: ignore[arg-type]
    assert found is not None
    seconds = {7: 7.0, 1.5: 1.5}.get(value) if isinstance(value, (int, float)) and value is not True else None
    assert found.items == (replace(A, duration=seconds),)
