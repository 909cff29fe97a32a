"""Which texts of a catalogue are documents, and what an index has too much and lacks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.catalog import Store
from coursefs.catalog.difference import Changes
from coursefs.catalog.node import Node, Place, Space, StoredItem
from coursefs.model import Course, Item, Kind
from coursefs.search.builder import batches, build
from coursefs.search.documents import SearchDocument, _TextFile, chosen, difference, documents
from coursefs.search.folding import terms
from coursefs.search.index import SearchIndex
from coursefs.search.query import find

ONE = SearchDocument("a", "c", "k", "1", "t", "d", "l", "d/l", None, "i", 0, None, 0, "")
PLACE = Place("a", "c")


def file(name: str, kind: str = "subtitle") -> _TextFile:
    return _TextFile(1, name, name, kind, "i", 2, 10, None, None, "x")


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (["01 A.en.srt", "01 A.en.txt", "01 A.de.srt"], ["01 A.de.srt", "01 A.en.srt"]),
        (["01 A.en.vtt", "01 A.en.srt"], ["01 A.en.srt"]),
        (["01 A.en.txt"], ["01 A.en.txt"]),
        ([], []),
    ],
)
def test_of_each_language_one_file_is_read(names: list[str], read: list[str]) -> None:
    assert [one.name for one in chosen([file(name) for name in names])] == read


def test_every_reading_is_read() -> None:
    pages = [file("01 A.html", "reading"), file("01 A - Notes.txt", "attachment"), file("01 A.txt", "reading")]
    assert len(chosen(pages)) == 3


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123")),
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123")),
)
def test_the_difference_makes_the_one_of_the_other(before: dict[str, str], after: dict[str, str]) -> None:
    known = {("a", "c", key): (number, version) for number, (key, version) in enumerate(before.items())}
    gone, new = difference(known, [replace(ONE, key=key, version=version) for key, version in after.items()])
    left = {place[2]: version for place, (number, version) in known.items() if number not in gone}
    assert not left.keys() & {one.key for one in new}
    assert left | {one.key: one.version for one in new} == after
    assert all(before.get(one.key) != one.version for one in new)


@given(st.lists(st.integers(0, 4 * 2**20)))
def test_parts_are_small_and_lose_nothing(sizes: list[int]) -> None:
    new = [replace(ONE, key=str(number), size=size) for number, size in enumerate(sizes)]
    parts = list(batches(new))
    assert [one for part in parts for one in part] == new
    assert all(len(part) <= 100 and (len(part) == 1 or sum(one.size for one in part) <= 2**20) for part in parts)


def stored(tmp_path: Path, *nodes: Node, items: int = 1) -> Path:
    """A catalogue with a course, whose one lesson has these nodes."""
    path = tmp_path / "catalogue.sqlite"
    store = Store(path)
    store.enrolments.set_courses("a", [Course("c", "s", "Course")])
    course = Node(300, 1, "Course", "Course", Place("a"), "c", Kind.COURSE, 1)
    lesson = Node(301, 300, "01 L", "01 L", PLACE, "lesson", Kind.LESSON, 1)
    store.write(Changes(added=(course, lesson, *nodes)))
    store.items.replace(
        PLACE,
        [StoredItem(PLACE, 301, f"0{n} I", f"0{n} I", Item(f"i{n}", "Item", "s", n, "x"), 1) for n in range(items)],
    )
    store.close()
    return path


def node(inode: int, name: str, kind: Kind, *, size: int = 10, parent: int = 301) -> Node:
    return Node(
        inode, parent, name, name, PLACE, name, kind, 1, "i0", None, "x", size, "e", 1,
        identity=f"id {name}", locator="{}", space=Space.FILE,
    )  # fmt: skip


def read(path: Path, cached: dict[tuple[str, str], int], *accounts: str) -> list[tuple[str, str, str | None]]:
    with closing(sqlite3.connect(path)) as catalogue:
        return [(one.lecture, one.path, one.media) for one in documents(catalogue, accounts or ("a",), cached)]


def test_a_lecture_without_a_cached_text_has_one_document_for_its_title(tmp_path: Path) -> None:
    path = stored(tmp_path, node(400, "00 I.mp4", Kind.VIDEO), node(401, "00 I.en.srt", Kind.SUBTITLE))
    titles = [("", "Course", None), ("01 L", "Course/01 L", None)]
    media = "Course/01 L/00 I.mp4"
    assert read(path, {}) == [*titles, ("01 L/00 I", media, media)]
    text = ("01 L/00 I", "Course/01 L/00 I.en.srt", media)
    assert read(path, {("a", "id 00 I.en.srt"): 10}) == [*titles, text]
    assert read(path, {("a", "id 00 I.en.srt"): 9})[2:] == [("01 L/00 I", media, media)], "another version is cached"
    assert read(path, {}, "b") == []


def test_what_lies_nowhere_or_in_a_circle_is_left_out(tmp_path: Path) -> None:
    circle = [replace(node(500 + n, f"x{n}", Kind.FOLDER, parent=500 + 1 - n), item="") for n in range(2)]
    path = stored(tmp_path, *circle, node(600, "lost.srt", Kind.SUBTITLE, parent=999))
    assert ("01 L/00 I", "Course/01 L", None) in read(path, {("a", "id lost.srt"): 10})


def test_a_course_of_2000_items_and_a_text_that_is_gone_meanwhile(tmp_path: Path) -> None:
    path = stored(tmp_path, node(401, "00 I.en.srt", Kind.SUBTITLE), items=2000)
    index = SearchIndex(tmp_path / "search.sqlite")
    asked: list[tuple[int, int, int]] = []

    def step(wanted: object, done: int, of: int) -> list[bytes | None]:
        asked.append((len(wanted), done, of))  # type: ignore[arg-type]
        return [None] * len(wanted)  # type: ignore[arg-type]

    cached = {("a", "id 00 I.en.srt"): 10}
    with closing(sqlite3.connect(path)) as catalogue:
        assert build(index, catalogue, ["a"], cached, step) == 2002
        assert len(asked) > 20
        assert sum(wanted for wanted, _, _ in asked) == 1
        asked.clear()
        assert build(index, catalogue, ["a"], cached, step) == 1, "the one that was gone is tried again"
        assert asked == [(1, 0, 1)]
    index.close()
    assert len(find(tmp_path / "search.sqlite", "item", ["a"], limit=1000)) == 1000


@pytest.mark.parametrize(
    ("title", "search"),
    [("The <div> element", "div"), ("ArrayList<String> basics", "string"), ("#include <stdio.h>", "stdio.h")],
)
def test_a_title_is_plain_text_and_found_by_all_of_its_words(tmp_path: Path, title: str, search: str) -> None:
    path = stored(tmp_path)
    store = Store(path)
    store.items.replace(PLACE, [StoredItem(PLACE, 301, "00 I", "00 I", Item("i0", title, "s", 1, "x"), 1)])
    store.close()
    index = SearchIndex(tmp_path / "search.sqlite")
    with closing(sqlite3.connect(path)) as catalogue:
        build(index, catalogue, ["a"], {}, lambda *_: [])
    index.close()
    assert [one.text for one in find(tmp_path / "search.sqlite", search, ["a"])] == [title]


def test_titles_of_10000_characters_and_of_html_are_titles(tmp_path: Path) -> None:
    path = stored(tmp_path)
    store = Store(path)
    title = "<script>alert(1)</script> " + "long " * 2000
    item = Item("i0", title, "s", 1, "x")
    store.items.replace(PLACE, [StoredItem(PLACE, 301, "00 I", "00 I", item, 1)])
    store.close()
    index = SearchIndex(tmp_path / "search.sqlite")
    with closing(sqlite3.connect(path)) as catalogue:
        build(index, catalogue, ["a"], {}, lambda *_: [])
    index.close()
    (found,) = find(tmp_path / "search.sqlite", "alert", ["a"])
    assert len(found.text) <= 200
    assert terms(found.text)


def test_of_a_reading_and_its_markdown_the_page_alone_is_read(tmp_path: Path) -> None:
    nodes = [
        replace(node(number, name, Kind.READING), identity=None, locator=None, space=space)
        for number, (name, space) in enumerate((("00 I.html", Space.FILE), ("00 I.md", Space.MARKDOWN)), 400)
    ]
    texts = [path for lecture, path, _ in read(stored(tmp_path, *nodes), {}) if lecture == "01 L/00 I"]
    assert texts == ["Course/01 L/00 I.html"]
