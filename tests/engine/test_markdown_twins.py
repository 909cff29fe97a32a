"""Markdown twins in the tree: they come and go with the setting, and touch nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import trio

from coursefs.catalog import Layout, Node, Store, Tree, TreeAccount
from coursefs.catalog.markdown_twins import MarkdownTwins
from coursefs.catalog.node import Space
from coursefs.errors import CoursefsError, NotAllowed
from coursefs.library.course_page_content import course_page
from coursefs.library.settings import AccountSource, shape_of
from coursefs.model import ProvisionalFiles, Wanted
from coursefs.pages import beside_url, document
from coursefs.pages.worker import TextWorker, Unrenderable
from tests.engine.fakes import FakeProvider, lecture, reading, section, video
from tests.engine.test_tree import NOW, provider_of, walk

T = TypeVar("T")

BOTH = ("html", "md")
TEXT = replace(lecture("t", "How it works", 2), duration=600.0, url="https://x/t")
FILM = lecture("v", "Hello", 1)
LESSON = ("Graphics", "01 Start")


def page(body: str) -> str:
    return document(title="How it works", body=body, url=None)


def provider_with(body: str = "<p>Some <b>text</b>.</p>", image: str | None = None) -> FakeProvider:
    provider = provider_of(FILM, TEXT)
    files = reading(TEXT, page(body), image)
    provider.contents[TEXT.key] = [replace(files[0], url=TEXT.url), *files[1:]]
    return provider


@asynccontextmanager
async def opened(path: Path, provider: FakeProvider, readings: tuple[str, ...]) -> AsyncIterator[Tree]:
    """A tree as an open library has it: with other settings everything is due to be fetched again."""
    store = Store(path / "catalogue.sqlite")
    try:
        async with trio.open_nursery() as nursery:
            store.set_fingerprint("coursera", repr(readings), None)
            tree = Tree(store, [TreeAccount("coursera", provider)], nursery, ages=NOW, readings=readings)
            tree.refresher.settle()
            yield tree
            nursery.cancel_scope.cancel()
    finally:
        store.close()


async def refreshed(tree: Tree) -> dict[str, Node]:
    """The files of the lesson after a refresh."""
    await walk(tree, *LESSON)
    await tree.update_course(await walk(tree, "Graphics"))
    lesson = await walk(tree, *LESSON)
    await tree.fetch_all(lesson)
    return {node.name: node for node in tree.store.children(lesson.inode)}


async def test_a_twin_comes_and_goes_with_the_setting_and_nothing_else_changes(tmp_path: Path) -> None:
    provider = provider_with()
    async with opened(tmp_path, provider, ("html",)) as tree:
        plain = await refreshed(tree)
    assert list(plain) == ["01 Hello.mp4", "02 How it works.html"]
    async with opened(tmp_path, provider, BOTH) as tree:
        both = await refreshed(tree)
        twin = both.pop("02 How it works.md")
        assert both == plain, "names, inode numbers, sizes and times are the same"
        assert (twin.mime_type, twin.url, twin.space) == ("text/markdown", "https://x/t", Space.MARKDOWN)
        assert tree.store.page(twin.inode) == (
            b'---\ncourse: "Graphics"\nmodule: "Start"\nlecture: "How it works"\nurl: "https://x/t"\n'
            b"duration: 600\n---\n"
            b"\n# How it works\n\nSome **text**.\n"
        )
        assert twin.inode not in {node.inode for node in plain.values()}
        assert (await refreshed(tree))["02 How it works.md"] == twin, "a refresh without news changes nothing"
    async with opened(tmp_path, provider, ("html",)) as tree:
        assert await refreshed(tree) == plain
    async with opened(tmp_path, provider, BOTH) as tree:
        assert (await refreshed(tree))["02 How it works.md"].inode == twin.inode


async def test_a_twin_changes_with_its_page(tmp_path: Path) -> None:
    provider = provider_with()
    async with opened(tmp_path, provider, BOTH) as tree:
        before = (await refreshed(tree))["02 How it works.md"]
        provider.contents[TEXT.key] = reading(TEXT, page("<p>Other text.</p>"))
        after = (await refreshed(tree))["02 How it works.md"]
        assert after.inode == before.inode and after.mtime_ns > before.mtime_ns
        assert (tree.store.page(after.inode) or b"").endswith(b"\n\nOther text.\n")


async def test_a_twin_links_to_the_images_of_its_page(tmp_path: Path) -> None:
    image = f'<p><img alt="a chart" src="{beside_url(f"{TEXT.key}/asset/star chart")}"></p>'
    link = f'<p><a href="{beside_url(f"{TEXT.key}/page")}">this page</a></p>'
    async with opened(tmp_path, provider_with(image + link, "star chart"), BOTH) as tree:
        found = await refreshed(tree)
        text = tree.store.page(found["02 How it works.md"].inode) or b""
        assert b"![a chart](02%20How%20it%20works.files/star%20chart.png)" in text
        assert b"[this page](02%20How%20it%20works.html)" in text
        html = tree.store.page(found["02 How it works.html"].inode) or b""
        assert b'href="02%20How%20it%20works.html"' in html, "a page links to pages, not to their twins"


async def test_a_page_that_says_why_there_is_none_has_no_twin(tmp_path: Path) -> None:
    provider = provider_with()
    provider.contents[TEXT.key] = NotAllowed("not for you")
    async with opened(tmp_path, provider, BOTH) as tree:
        assert list(await refreshed(tree)) == ["01 Hello.mp4", "02 How it works (unavailable).html"]


async def test_provisional_files_have_twins_and_stay_provisional(tmp_path: Path) -> None:
    provider = provider_with()
    provider.contents[TEXT.key] = ProvisionalFiles(provider.contents[TEXT.key])  # type: ignore[assignment,arg-type]
    async with opened(tmp_path, provider, BOTH) as tree:
        lesson = await walk(tree, *LESSON)
        assert "02 How it works.md" in [node.name for node in await tree.children(lesson)]
        assert tree.refresher.provisional_items(lesson.inode)


class Worker(TextWorker):
    """A worker that fails for texts with a word, and counts its calls."""

    def __init__(self, error: CoursefsError) -> None:
        super().__init__()
        self.error = error
        self.calls = 0

    async def call(self, function: Callable[[], T], *, texts: Iterable[str], about: str) -> T:
        self.calls += 1
        if any("bad" in text for text in texts):
            raise self.error
        return await super().call(function, texts=texts, about=about)


def with_worker(tree: Tree, worker: TextWorker) -> None:
    tree.refresher._twins = MarkdownTwins(tree.store, worker)


async def test_a_reading_that_cannot_become_markdown_costs_its_own_twin_alone(tmp_path: Path) -> None:
    provider = provider_with("<p>bad</p>")
    provider.contents[FILM.key] = [video(FILM), *reading(FILM, page("<p>good</p>"))]
    async with opened(tmp_path, provider, BOTH) as tree:
        with_worker(tree, worker := Worker(Unrenderable("it takes too long")))
        assert list(await refreshed(tree)) == ["01 Hello.html", "01 Hello.md", "01 Hello.mp4", "02 How it works.html"]
        assert worker.calls == 3, "both at once, and then each alone"


async def test_a_machine_that_is_busy_takes_no_twin_away(tmp_path: Path) -> None:
    provider = provider_with()
    async with opened(tmp_path, provider, BOTH) as tree:
        before = (await refreshed(tree))["02 How it works.md"]
        with_worker(tree, Worker(CoursefsError("this machine may be busy")))
        provider.contents[TEXT.key] = reading(TEXT, page("<p>bad</p>"))
        found = await refreshed(tree)
        assert found["02 How it works.md"].inode == before.inode
        assert tree.store.page(before.inode) is not None
        assert b"bad" in (tree.store.page(found["02 How it works.html"].inode) or b"")


async def test_two_readings_with_one_name_and_their_twins(tmp_path: Path) -> None:
    provider = provider_of(TEXT, replace(TEXT, key="item/u"))
    for item in (TEXT, replace(TEXT, key="item/u")):
        provider.contents[item.key] = reading(item, page("<p>x</p>"))
    async with opened(tmp_path, provider, BOTH) as tree:
        assert sorted(await refreshed(tree)) == [
            "02 How it works (t).html",
            "02 How it works (t).md",
            "02 How it works (u).html",
            "02 How it works (u).md",
        ]


async def test_the_module_is_the_top_one(tmp_path: Path) -> None:
    provider = provider_with()
    inner = section("l", "Lesson", 1, TEXT)
    provider.outlines["c1"] = replace(provider.outlines["c1"], sections=(section("m", "Start", 1, sections=[inner]),))
    async with opened(tmp_path, provider, BOTH) as tree:
        lesson = await walk(tree, *LESSON, "01 Lesson")
        await tree.fetch_all(lesson)
        twin = next(node for node in tree.store.children(lesson.inode) if node.name.endswith(".md"))
        assert b'module: "Start"' in (tree.store.page(twin.inode) or b"")


def test_the_setting_is_part_of_the_fingerprint_of_a_tree() -> None:
    account = AccountSource("coursera", "coursera", {}, {})
    assert shape_of(Layout.TITLE, Wanted(), account) != shape_of(Layout.TITLE, Wanted(readings=BOTH), account)


@pytest.mark.parametrize("readings", [("html",), BOTH])
async def test_nothing_more_is_asked_of_a_platform(tmp_path: Path, readings: tuple[str, ...]) -> None:
    provider = provider_with()
    async with opened(tmp_path, provider, readings) as tree:
        await refreshed(tree)
    assert len([call for call in provider.calls if call.startswith("files")]) == 1


async def test_the_course_page_shows_the_reading_once(tmp_path: Path) -> None:
    async with opened(tmp_path, provider_with(), BOTH) as tree:
        await refreshed(tree)
        (module,) = course_page(tree.store, await walk(tree, "Graphics")).sections
        files = {item.title: [file.path for file in item.files] for item in module.items}
    assert files == {"Hello": ["01 Start/01 Hello.mp4"], "How it works": ["01 Start/02 How it works.html"]}
