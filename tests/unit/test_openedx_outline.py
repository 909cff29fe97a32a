"""From blocks to directories and items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.model import LEAVES_TRACES, Course, Kind, Outline, Section
from coursefs.providers.openedx.course_outline import merged
from coursefs.providers.openedx.outline import ACCESS, HANDOUTS, UPDATES, closed, outline, parts
from coursefs.providers.openedx.replies import Access, Block, Blocks, blocks

LMS = "https://lms.example.com"
COURSE = Course("course-v1:O+C+R", "O+C+R", "A Course", f"{LMS}/courses/course-v1:O+C+R/course/")


def tree(*rows: tuple[str, str, str]) -> Blocks:
    """Blocks by key, each with type and children in words; the first is the root."""
    found = {key: Block(key, kind, f"Name {key}", "", tuple(children.split())) for key, kind, children in rows}
    return Blocks(rows[0][0], found)


def shape(result: Outline) -> list[object]:
    def section(one: Section) -> object:
        inner = [section(each) for each in one.sections]
        return (one.position, one.key, inner + [(item.position, item.key) for item in one.items])

    return [section(one) for one in result.sections] + [(item.position, item.key) for item in result.items[:-2]]


def test_chapters_subsections_and_units_in_order() -> None:
    found = tree(
        ("c", "course", "ch1 ch2"),
        ("ch2", "chapter", ""),
        ("ch1", "chapter", "s1"),
        ("u2", "vertical", "v"),
        ("v", "video", ""),
        ("u1", "vertical", ""),
        ("s1", "sequential", "u1 u2"),
    )
    result = outline(found, COURSE, LMS)
    inner = [(1, "lesson/s1", [(1, "item/u1"), (2, "item/u2")])]
    assert shape(result) == [(1, "module/ch1", inner), (2, "module/ch2", [])]
    assert [item.key for item in result.items] == [HANDOUTS, UPDATES]
    chapter = result.sections[0]
    assert (chapter.kind, chapter.sections[0].kind) == (Kind.MODULE, Kind.LESSON)
    assert (chapter.title, chapter.slug) == ("Name ch1", "name-ch1")
    assert chapter.sections[0].items[0].details == {"block": "u1"}
    assert chapter.sections[0].items[0].url == f"{LMS}/courses/course-v1:O+C+R/jump_to/u1"


def test_what_is_listed_but_not_there_keeps_its_place() -> None:
    found = tree(
        ("c", "course", "gone ch"), ("ch", "chapter", "x s"), ("s", "sequential", "a b u"), ("u", "vertical", "")
    )
    assert shape(outline(found, COURSE, LMS)) == [(2, "module/ch", [(2, "lesson/s", [(3, "item/u")])])]


def test_levels_that_are_left_out_or_unknown() -> None:
    found = tree(
        ("c", "course", "u0 ch"), ("u0", "vertical", ""), ("ch", "chapter", "u1 old new"),
        ("u1", "vertical", ""), ("old", "videosequence", "v"), ("v", "video", ""), ("new", "invention", "w"),
        ("w", "html", ""),
    )  # fmt: skip
    assert shape(outline(found, COURSE, LMS)) == [
        (2, "module/ch", [(2, "lesson/old", [(1, "item/v")]), (1, "item/u1"), (3, "item/new")]),
        (1, "item/u0"),
    ]


def test_a_block_that_is_listed_twice_or_in_itself_is_shown_once() -> None:
    found = tree(
        ("c", "course", "ch ch2"), ("ch", "chapter", "s ch c"), ("ch2", "chapter", "s"), ("s", "sequential", "ch2")
    )
    assert shape(outline(found, COURSE, LMS)) == [(1, "module/ch", [(1, "lesson/s", [(1, "lesson/ch2", [])])])]


def test_parts_of_a_unit_are_its_leaves_in_order() -> None:
    found = tree(
        ("u", "vertical", "a lib none split b u"), ("a", "html", ""), ("lib", "library_content", "p q"),
        ("p", "problem", ""), ("q", "problem", ""), ("split", "split_test", "inner"),
        ("inner", "vertical", "b empty"), ("b", "video", ""),
        ("empty", "vertical", ""),
    )  # fmt: skip
    assert [part.key for part in parts(found, found.blocks["u"])] == ["a", "p", "q", "b"]


def test_a_leaf_in_place_of_a_unit_is_its_own_part() -> None:
    found = tree(("p", "problem", ""))
    assert [part.key for part in parts(found, found.blocks["p"])] == ["p"]
    empty = tree(("u", "vertical", "gone"))
    assert parts(empty, empty.blocks["u"]) == []


def test_the_recorded_course_with_descendants(platform_replies: Path) -> None:
    said = json.loads((platform_replies / "openedx/blocks_RG+MC01+2022_with_video.json").read_text())
    found = blocks(said)
    result = outline(found, COURSE, LMS)

    def below(*keys: str) -> list[Any]:
        return [said["blocks"][child] for key in keys for child in said["blocks"][key]["descendants"]]

    chapters = below(said["root"])
    assert [(one.position, one.title) for one in result.sections] == [
        (position, chapter["display_name"]) for position, chapter in enumerate(chapters, 1)
    ]
    units = [item for chapter in result.sections for lesson in chapter.sections for item in lesson.items]
    verticals = below(*(lesson["id"] for chapter in chapters for lesson in below(chapter["id"])))
    assert (len(chapters), len(verticals)) == (3, 5)
    assert [item.title for item in units] == [unit["display_name"] for unit in verticals]
    assert [part.type for part in parts(found, found.blocks[units[0].details["block"]])] == ["html", "video"]


@pytest.mark.parametrize(
    ("access", "reason"),
    [
        (
            Access(False, "course_not_started", "x", 1716822000 * 10**9),
            "the course has not begun; it begins on 2024-05-27",
        ),
        (Access(False, "course_not_started"), "the course has not begun"),
        (Access(False, "audit_expired"), "your access to this course has ended; the platform sells a longer one"),
        (Access(False, "new_code", "Ask your teacher."), "Ask your teacher"),
        (Access(False), "the platform does not show this course to you"),
    ],
)  # fmt: skip
def test_a_closed_course_says_why(access: Access, reason: str) -> None:
    result = closed(COURSE, access)
    (item,) = result.items
    assert (item.key, item.locked, result.sections) == (ACCESS, reason, ())


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefg"), max_size=5), min_size=1), st.data()
)
def test_whatever_refers_to_whatever_it_ends(children: dict[str, list[str]], data: st.DataObject) -> None:
    kinds = st.sampled_from(["course", "chapter", "sequential", "vertical", "html"])
    found = {key: Block(key, data.draw(kinds), "", "", tuple(inner)) for key, inner in children.items()}
    made = Blocks(next(iter(found)), found)
    outline(made, COURSE, LMS)
    for block in found.values():
        keys = [part.key for part in parts(made, block)]
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("listed", "shown", "first", "second"),
    [
        ("abc", "abc", "abc", "abc"),
        ("", "abc", "abc", "abc"),
        ("abc", "", "abc", "abc"),
        ("acd", "abcd", "abcd", "abcd"),
        ("abcd", "ad", "abcd", "abcd"),
        ("ab", "xaby", "xaby", "xaby"),
        ("afgb", "axb", "axfgb", "afgxb"),
        ("f", "x", "xf", "fx"),
        ("abc", "cba", "abc", "abc"),
    ],
)
def test_one_order_of_two_lists(listed: str, shown: str, first: str, second: str) -> None:
    assert "".join(merged(listed, shown, shown_first=True)) == first
    assert "".join(merged(listed, shown, shown_first=False)) == second


@given(st.text("abcdef", max_size=8), st.text("abcdef", max_size=8), st.booleans())
def test_every_one_of_both_lists_is_there_once(listed: str, shown: str, first: bool) -> None:
    order = merged(listed, shown, shown_first=first)
    assert len(order) == len(set(order)) and set(order) == {*listed, *shown}


def test_units_whose_page_writes_something_down_are_marked() -> None:
    found = tree(
        ("c", "course", "s"), ("s", "sequential", "t p b x"), ("t", "vertical", "h v"), ("p", "vertical", "h2 q"),
        ("b", "vertical", "lib"), ("x", "vertical", "y"), ("h", "html", ""), ("h2", "html", ""), ("v", "video", ""),
        ("q", "problem", ""), ("lib", "library_content", ""), ("y", "vertical", "x gone"),
    )  # fmt: skip
    result = outline(found, COURSE, LMS)
    marked = [item.key for item in result.sections[0].items if LEAVES_TRACES in item.details]
    assert marked == ["item/p", "item/b"]


@pytest.mark.parametrize(
    ("lengths", "seconds"),
    [
        ([342.0], 342.0),
        ([342.0, 60], 402.0),
        ([342.0, None], None),  # that of one is unknown, so that of the unit is
        ([0.0], None),  # by this the platform means that it does not know
        ([-5], None),
        ([True], None),
        ([10**400], None),
        (["342"], None),
        ([], None),
    ],
)
def test_how_long_the_videos_of_a_unit_are(lengths: list[object], seconds: float | None) -> None:
    videos = [
        {"id": f"v{number}", "type": "video", "student_view_data": {"duration": one, "transcripts": {}}}
        for number, one in enumerate(lengths)
    ]
    unit = {"id": "u", "type": "vertical", "children": ["box", *(one["id"] for one in videos[:1])]}
    box = {"id": "box", "type": "wrapper", "children": [one["id"] for one in videos]}
    found = blocks({"root": "c", "blocks": [{"id": "c", "type": "course", "children": ["u"]}, unit, box, *videos]})
    assert outline(found, COURSE, LMS).items[0].duration == seconds
