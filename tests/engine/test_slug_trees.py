"""`names = "slug"` against trees that coursera-dl has made of real courses."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

from coursefs.catalog import Layout, Tree
from coursefs.catalog.node import ROOT
from coursefs.model import Course, File, Item, Kind, Outline, Page, Placement, Remote, Section
from tests.engine.fakes import FakeProvider
from tests.engine.test_tree import opened

_MAIN = {
    "_instructions.html": (Kind.READING, ".html"),
    ".en.srt": (Kind.SUBTITLE, ".en.srt"),
    ".en.txt": (Kind.TRANSCRIPT, ".en.txt"),
    ".mp4": (Kind.VIDEO, ".mp4"),
}


class Known(NamedTuple):
    """A course as the platform must have described it."""

    outline: Outline
    contents: dict[str, list[File]]
    paths: list[str]


def described(lines: list[str]) -> Known:
    """What a platform says of a course of which coursera-dl made these paths (module/lesson/file)."""
    # the tab «Resources» is none of the course's modules
    paths = [line for line in lines if "_Resources/" not in line]
    lessons: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in paths:
        module, lesson, name = path.split("/")
        lessons[module][lesson].append(name)
    contents: dict[str, list[File]] = {}

    def items(where: str, names: list[str]) -> tuple[Item, ...]:
        by_position: defaultdict[int, list[str]] = defaultdict(list)
        for name in names:
            by_position[int(name.split("_")[0])].append(name.split("_", 1)[1])
        found = []
        for position, mine in by_position.items():
            slug = min((name.removesuffix(end) for name in mine for end in _MAIN if name.endswith(end)), key=len)
            item = Item(f"{where}/{position}", f"The title of {slug}", slug, position, "lecture")
            contents[item.key] = [_file(item, name) for name in mine]
            found.append(item)
        return tuple(found)

    def section(kind: Kind, where: str, sections: tuple[Section, ...], of: tuple[Item, ...]) -> Section:
        position, slug = where.rsplit("/", 1)[-1].split("_", 1)
        return Section(where, kind, f"The title of {slug}", slug, int(position), None, sections, of)

    modules = tuple(
        section(
            Kind.MODULE,
            module,
            tuple(
                section(Kind.LESSON, f"{module}/{lesson}", (), items(f"{module}/{lesson}", names))
                for lesson, names in below.items()
            ),
            (),
        )
        for module, below in lessons.items()
    )
    return Known(Outline(modules), contents, paths)


def _file(item: Item, name: str) -> File:
    key = f"{item.key}/{name}"
    for end, (kind, extension) in _MAIN.items():
        if name == item.slug + end:
            body = Page("<p>") if kind is Kind.READING else Remote(key, {})
            return File(key, kind, Placement.MAIN, "", extension, "x/y", body)
    title = name.removeprefix(f"{item.slug}_")
    stem, dot, extension = title.rpartition(".")
    title, extension = (stem, dot + extension) if dot and extension.isalnum() and len(extension) < 6 else (title, "")
    plain = title.replace("_", " ").strip()
    title = plain if plain.replace(" ", "_") == title else title  # the platform has blanks where coursera-dl has none
    return File(key, Kind.ATTACHMENT, Placement.ATTACHED, title, extension, "x/y", Remote(key, {}))


async def paths(tree: Tree, inode: int = ROOT) -> list[str]:
    found = []
    for node in await tree.children(tree.node(inode)):
        below = await paths(tree, node.inode) if node.is_directory else [""]
        found += [f"{node.name}/{path}".rstrip("/") for path in below]
    return found


@pytest.mark.parametrize("number", range(4))
async def test_a_course_has_the_paths_that_coursera_dl_gave_it(
    tmp_path: Path, platform_replies: Path, number: int
) -> None:
    trees = sorted((platform_replies / "coursera" / "derived").glob("*.coursera-dl-tree.txt"))
    assert len(trees) == 4
    text = trees[number].read_text(encoding="utf-8")
    slug = trees[number].name.partition(".")[0]
    known = described([line.removeprefix(f"{slug}/") for line in text.splitlines()])
    assert len(known.paths) > 100
    provider = FakeProvider(
        listed=[Course("c1", slug, "A title")], outlines={"c1": known.outline}, contents={**known.contents}
    )
    async with opened(tmp_path, provider, layout=Layout.SLUG) as tree:
        assert sorted(await paths(tree)) == sorted(f"{slug}/{path}" for path in known.paths)
