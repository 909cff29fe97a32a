"""Courses as shows in the tree: names of episodes, their files, and what changes with the setting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import trio

from coursefs.catalog import Layout, Store, Tree, TreeAccount
from coursefs.catalog.node import Node, Space
from coursefs.library.course_page_content import PageSources
from coursefs.model import Outline
from tests.engine.fakes import FakeProvider, lecture, reading, section, video
from tests.engine.test_tree import COURSE, NOW

WELCOME, FORM = replace(lecture("a", "Welcome: hello/you", 1), duration=248.0), lecture("b", "Form", 2)
EARS, LATE, EXTRA = lecture("c", "Ears", 1), lecture("d", "Loose", 2), lecture("e", "Extra", None)


def provider() -> FakeProvider:
    found = FakeProvider([COURSE])
    one = section("m", "Start", 1, sections=[section("l", "Hello", 1, WELCOME, FORM)])
    two = section("n", "More", 2, LATE, sections=[section("k", "Hearing", 1, EARS)])
    found.outlines["c1"] = Outline((one, two), (EXTRA,))
    found.contents[FORM.key] = reading(FORM, "<p>x")
    return found


@asynccontextmanager
async def opened(path: Path, source: FakeProvider, layout: Layout) -> AsyncIterator[Tree]:
    store = Store(path / "catalogue.sqlite")
    try:
        async with trio.open_nursery() as nursery:
            store.set_fingerprint("coursera", layout.value, None)
            tree = Tree(store, [TreeAccount("coursera", source)], nursery, ages=NOW, layout=layout)
            tree.refresher.settle()
            yield tree
            nursery.cancel_scope.cancel()
    finally:
        store.close()


async def listed(tree: Tree) -> dict[str, Node]:
    """Every file of the course after a refresh, by its path below the course."""
    (course,) = await tree.children(tree.node(1))
    await tree.update_course(course)
    found: dict[str, Node] = {}

    async def walk(directory: Node, path: str) -> None:
        await tree.fetch_all(directory)
        for node in tree.store.children(directory.inode):
            if node.is_directory:
                await walk(node, f"{path}{node.name}/")
            else:
                found[path + node.name] = node

    await walk(course, "")
    return found


def facts(tree: Tree, node: Node) -> dict[str, str | None]:
    root = ET.fromstring(PageSources(tree.store).of(node).make())
    return {"root": root.tag} | {child.tag: child.text for child in root}


async def test_a_course_is_a_show_with_seasons_and_episodes(tmp_path: Path) -> None:
    async with opened(tmp_path, provider(), Layout.MEDIA_CENTER) as tree:
        await listed(tree)
        found = await listed(tree)
        assert sorted(found) == sorted(
            [
                "tvshow.nfo",
                "S00E01 - Extra.mp4",
                "S00E01 - Extra.nfo",
                "01 Start/season.nfo",
                "01 Start/01 Hello/S01E01 - Welcome hello-you.mp4",
                "01 Start/01 Hello/S01E01 - Welcome hello-you.nfo",
                "01 Start/01 Hello/S01E02 - Form.html",
                "02 More/season.nfo",
                "02 More/01 Hearing/S02E01 - Ears.mp4",
                "02 More/01 Hearing/S02E01 - Ears.nfo",
                "02 More/S02E02 - Loose.mp4",
                "02 More/S02E02 - Loose.nfo",
            ]
        )
        assert facts(tree, found["tvshow.nfo"]) == {
            "root": "tvshow", "title": "Graphics", "namedseason": "More", "uniqueid": "coursera/c1",
        }  # fmt: skip
        assert facts(tree, found["02 More/season.nfo"]) == {
            "root": "season", "title": "More", "seasonnumber": "2", "uniqueid": "coursera/c1/module/n",
        }  # fmt: skip
        assert facts(tree, found["01 Start/01 Hello/S01E01 - Welcome hello-you.nfo"]) == {
            "root": "episodedetails",
            "title": "Welcome: hello/you",
            "showtitle": "Graphics",
            "season": "1",
            "episode": "1",
            "runtime": "4",
            "uniqueid": "coursera/c1/item/a/video",
        }
        special = facts(tree, found["S00E01 - Extra.nfo"])
        assert (special["season"], special["episode"]) == ("0", "1")


async def test_inode_numbers_stay_when_the_setting_changes_and_the_names_come_back(tmp_path: Path) -> None:
    source = provider()
    async with opened(tmp_path, source, Layout.TITLE) as tree:
        plain = await listed(tree)
        assert not [name for name in plain if name.endswith(".nfo")]
    async with opened(tmp_path, source, Layout.MEDIA_CENTER) as tree:
        shows = await listed(tree)
        assert {node.inode for node in plain.values()} <= {node.inode for node in shows.values()}
    async with opened(tmp_path, source, Layout.TITLE) as tree:
        assert {name: node.inode for name, node in (await listed(tree)).items()} == {
            name: node.inode for name, node in plain.items()
        }


async def test_a_lecture_that_is_renamed_takes_its_file_along(tmp_path: Path) -> None:
    source = provider()
    async with opened(tmp_path, source, Layout.MEDIA_CENTER) as tree:
        before = await listed(tree)
        outline = source.outlines["c1"]
        source.outlines["c1"] = replace(outline, items=(replace(EXTRA, title="More"),))
        await listed(tree)
        after = await listed(tree)
        assert after["S00E01 - More.nfo"].inode == before["S00E01 - Extra.nfo"].inode
        assert "S00E01 - Extra.nfo" not in after
        source.contents[EXTRA.key] = reading(EXTRA, "<p>no film")
        assert "S00E01 - More.nfo" not in await listed(tree)


async def test_a_file_of_the_platform_with_the_name_of_ours_keeps_it(tmp_path: Path) -> None:
    source = provider()
    film = video(EXTRA)
    other = replace(film, key="item/e/other", extension=".nfo", kind=reading(EXTRA, "")[0].kind)
    source.contents[EXTRA.key] = [film, other]
    async with opened(tmp_path, source, Layout.MEDIA_CENTER) as tree:
        await listed(tree)
        found = await listed(tree)
        assert found["S00E01 - Extra.nfo"].space is Space.FILE
