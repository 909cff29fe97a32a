"""The keys of a platform: sections, items and files have each their own, and no key means anything to coursefs."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import trio
import trio.testing

from coursefs.catalog import Store, Tree, schema
from coursefs.catalog.node import Place, Space
from coursefs.errors import BadReply, CoursefsError
from coursefs.model import Course, File, Item, Outline
from coursefs.providers import checking
from tests.engine.fakes import reading, section, video
from tests.engine.test_tree import AGAIN, HELLO, NOW, listing, opened, provider_of, walk


async def outline_again(tree: Tree) -> None:
    """Ask for the outline, and for nothing else."""
    await tree._revalidation.refresh_outline(tree.accounts[0], await walk(tree, "Graphics"))


async def test_a_file_may_have_the_key_of_a_section(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    provider.contents[HELLO.key] = [replace(video(HELLO), key="module/m"), *reading(HELLO, "<p>text")]
    async with opened(tmp_path, provider, ages=NOW) as tree:
        for _ in range(2):
            assert await listing(tree, "Graphics") == ["01 Start"]
            assert await listing(tree, "Graphics", "01 Start") == ["01 Hello.html", "01 Hello.mp4"]
            await trio.testing.wait_all_tasks_blocked()
        file = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
        assert (file.key, file.space) == ("module/m", Space.FILE)


async def test_files_with_the_keys_that_the_catalogue_makes_itself(tmp_path: Path) -> None:
    page, image = reading(HELLO, "<p>text", "ear")
    provider = provider_of(HELLO)
    provider.contents[HELLO.key] = [replace(page, key=f"{HELLO.key}/files"), image]
    async with opened(tmp_path, provider, ages=NOW) as tree:
        for _ in range(2):
            assert await listing(tree, "Graphics", "01 Start") == ["01 Hello.files", "01 Hello.html"]
            assert await listing(tree, "Graphics", "01 Start", "01 Hello.files") == ["ear.png"]
            await trio.testing.wait_all_tasks_blocked()


async def test_a_key_that_ends_in_unavailable_is_a_file_as_any_other(tmp_path: Path) -> None:
    provider = provider_of(HELLO, AGAIN)
    provider.contents[HELLO.key] = [replace(video(HELLO), key=f"{HELLO.key}/unavailable")]
    provider.contents[AGAIN.key] = BadReply("not understood")
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree, "Graphics", "01 Start") == ["01 Hello.mp4", "02 Again (unavailable).html"]
        file = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
        notice = await walk(tree, "Graphics", "01 Start", "02 Again (unavailable).html")
        assert not file.is_notice and notice.is_notice


async def test_changed_details_of_an_item_have_its_files_asked_for_again(tmp_path: Path) -> None:
    provider = provider_of(HELLO, AGAIN)
    async with opened(tmp_path, provider) as tree:
        await listing(tree, "Graphics", "01 Start")
        provider.outlines["c1"] = Outline((section("m", "Start", 1, replace(HELLO, details={"revision": "2"}), AGAIN),))
        provider.contents[HELLO.key] = reading(HELLO, "<p>text")
        provider.calls.clear()
        await outline_again(tree)
        await tree.children(await walk(tree, "Graphics", "01 Start"))
        await trio.testing.wait_all_tasks_blocked()
        assert f"files {HELLO.key}" in provider.calls
        assert await listing(tree, "Graphics", "01 Start") == ["01 Hello.html", "02 Again.mp4"]


async def test_details_that_change_while_the_files_are_asked_for(tmp_path: Path) -> None:
    """The reply is about the item as it was: it is not taken for the item as it is."""
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider) as tree:
        newer = replace(HELLO, details={"revision": "2"})
        asked: list[Mapping[str, str]] = []

        async def files(course_: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
            asked.append(items[0].details)
            if len(asked) == 1:
                provider.outlines["c1"] = Outline((section("m", "Start", 1, newer),))
                await outline_again(tree)
                return {HELLO.key: [video(HELLO)]}
            return {HELLO.key: reading(HELLO, "<p>text")}

        provider.files = files  # type: ignore[method-assign,assignment]
        place = await walk(tree, "Graphics", "01 Start")
        await tree.children(place)
        await tree.children(place)
        await trio.testing.wait_all_tasks_blocked()
        assert asked == [{}, {"revision": "2"}]
        assert [node.name for node in await tree.children(place)] == ["01 Hello.html"]


def test_the_keys_of_a_course_are_unique_in_their_kind() -> None:
    twice = section("m", "Start", 1, HELLO, replace(HELLO, title="Other"), AGAIN)
    found = checking.outline(Outline((twice, section("m", "More", 2), section("n", "Last", 3, AGAIN)), (HELLO,)))
    assert found == Outline((section("m", "Start", 1, HELLO, AGAIN), section("n", "Last", 3)))
    files = checking.files({HELLO.key: [video(HELLO)], AGAIN.key: [video(HELLO)]}, [HELLO, AGAIN])
    assert files[HELLO.key] == (video(HELLO),) and "key" in str(files[AGAIN.key])


def test_a_key_with_a_control_character_is_none() -> None:
    assert checking.courses([Course("a\x1fb", "s", "t"), Course("a\0b", "s", "t"), Course("c", "s", "t")]) == [
        Course("c", "s", "t")
    ]


def test_a_catalogue_of_before_keeps_its_inode_numbers(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite")) as database:
        schema.migrate(database, 8)
        rows = [
            (300, "c", "01 Start", "module/m", "module", ""),
            (301, "c", "a.mp4", "i/video", "video", "i"),
            (302, "c", "a.files", "i/files", "folder", "i"),
            (303, "c", "b (unavailable).html", "j/unavailable", "link", "j"),
            (304, "c", None, "i/page", "reading", "i"),
        ]
        for inode, course, name, key, kind, item in rows:
            database.execute(
                "INSERT INTO node (inode, parent, name, wanted, account, course, key, kind, mtime_ns, item)"
                " VALUES (?, 1, ?, 'x', 'a', ?, ?, ?, 0, ?)",
                (inode, name, course, key, kind, item),
            )
        database.commit()
    store = Store(tmp_path / "catalogue.sqlite")
    try:
        found = {number: store.node(number) for number in range(300, 305)}
        assert {number: node and (node.key, node.space) for number, node in found.items()} == {
            300: ("module/m", Space.SECTION),
            301: ("i/video", Space.FILE),
            302: ("i/files", Space.FOLDER),
            303: ("j/unavailable", Space.NOTICE),
            304: ("i/page", Space.FILE),
        }
        assert store.find(Place("a", "c"), "i/video", Space.FILE) == found[301]
    finally:
        store.close()
