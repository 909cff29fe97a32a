"""The tree of a course out of flat lists, whole or in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from coursefs.model import Course, Item, Kind, Outline, Section
from coursefs.providers.coursera.item_types import item_url, word
from coursefs.providers.coursera.materials import materials
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.outline import Aside, lock_text, outline

BASE = "https://www.coursera.org"
COURSE = Course(key="Ab3", slug="some-course", title="Some Course")
PREFIX = "onDemandCourseMaterial"


def tree(
    *,
    module_ids: list[str],
    modules: list[dict[str, Any]] | None = None,
    lessons: list[dict[str, Any]] | None = None,
    items: list[dict[str, Any]] | None = None,
    has_resources: bool = False,
    language: str = "",
    others: Mapping[str, list[dict[str, Any]]] = MappingProxyType({}),
) -> Outline:
    linked = {
        f"{PREFIX}Modules.v1": modules or [],
        f"{PREFIX}Lessons.v1": lessons or [],
        f"{PREFIX}Items.v2": items or [],
        **{PREFIX + name: rows for name, rows in others.items()},
    }
    found = materials(Envelope(({"id": "Ab3", "moduleIds": module_ids},), linked, ""))
    return outline(found, COURSE, BASE, Aside(has_resources, language))


def item(item_id: str, type_name: str = "lecture", **fields: object) -> dict[str, Any]:
    slug = f"slug-{item_id}"
    return {
        "id": item_id,
        "name": f" Name {item_id} ",
        "slug": slug,
        "contentSummary": {"typeName": type_name},
    } | fields


def keys(items: tuple[Item, ...]) -> list[tuple[int | None, str]]:
    return [(one.position, one.key) for one in items]


def section_keys(sections: tuple[Section, ...]) -> list[tuple[int | None, str]]:
    return [(one.position, one.key) for one in sections]


def test_a_whole_course() -> None:
    got = tree(
        module_ids=["M2", "M1"],
        modules=[
            {"id": "M1", "name": "Second", "slug": "second", "lessonIds": []},
            {"id": "M2", "name": "First ", "slug": "first", "lessonIds": ["L2", "L1"]},
        ],
        lessons=[
            {"id": "L1", "moduleId": "M2", "name": "Review", "slug": "review", "itemIds": ["c"]},
            {"id": "L2", "moduleId": "M2", "name": "Overview", "slug": "overview", "itemIds": ["b", "a"]},
        ],
        items=[item("a"), item("b", isLocked=True, itemLockedReasonCode="PREMIUM"), item("c", "staffGraded")],
    )
    assert section_keys(got.sections) == [(1, "module/M2"), (2, "module/M1")]
    first, second = got.sections
    assert (first.kind, first.title, first.slug, first.url) == (
        Kind.MODULE, "First", "first", f"{BASE}/learn/some-course/home/module/1",
    )  # fmt: skip
    assert (second.sections, second.items) == ((), ())
    assert section_keys(first.sections) == [(1, "lesson/L2"), (2, "lesson/L1")]
    locked, open_ = first.sections[0].items
    assert (locked.key, locked.position, locked.locked) == ("item/b", 1, "needs a paid enrolment (PREMIUM)")
    assert open_ == Item(
        key="item/a",
        title="Name a",
        slug="slug-a",
        position=2,
        type_name="lecture",
        url=f"{BASE}/learn/some-course/lecture/a/slug-a",
        locked=None,
        details={"item_id": "a"},
    )
    assert first.sections[1].items[0].url == f"{BASE}/learn/some-course/assignment-submission/c/slug-c"
    assert got.items == ()


@pytest.mark.parametrize(
    ("lesson", "expected"),
    [
        ({"itemIds": ["b", "a"], "elementIds": ["item~x"]}, ["b", "a", "c"]),
        ({"elementIds": ["item~b", "passableItemGroup~g", "item~a", "odd"]}, ["b", "p", "q", "a", "c"]),
        ({"elementIds": ["item~x!~y"]}, ["x~y", "a", "b", "c"]),
        ({"elementIds": "odd"}, ["a", "b", "c"]),
        ({}, ["a", "b", "c"]),
    ],
)
def test_the_items_of_a_lesson_are_found_by_every_means(lesson: dict[str, Any], expected: list[str]) -> None:
    got = tree(
        module_ids=["M"],
        modules=[{"id": "M", "lessonIds": ["L"]}],
        lessons=[{"id": "L", **lesson}],
        items=[item(one, lessonId="L") for one in "abc"],
        others={
            "PassableItemGroups.v1": [{"id": "g", "passableItemGroupChoiceIds": ["c2", "c1", "gone"]}],
            "PassableItemGroupChoices.v1": [{"id": "c1", "itemIds": ["q", "p"]}, {"id": "c2", "itemIds": ["p"]}],
        },
    )
    assert keys(got.sections[0].sections[0].items) == [(n, f"item/{one}") for n, one in enumerate(expected, 1)]


def test_censored_items_keep_their_places() -> None:
    got = tree(
        module_ids=["M"],
        modules=[{"id": "M", "lessonIds": ["L"]}],
        lessons=[{"id": "L", "slug": "overview", "itemIds": ["missing", "nameless", "a"]}],
        items=[item("a"), {"id": "nameless", "contentSummary": {"typeName": ""}}],
    )
    missing, nameless, described = got.sections[0].sections[0].items
    assert (missing.position, missing.title, missing.slug) == (1, "overview-missing", "overview-missing")
    assert (nameless.position, nameless.title) == (2, "overview-nameless")
    assert missing.type_name == nameless.type_name == ""
    assert missing.url == nameless.url == f"{BASE}/learn/some-course/home/module/1"
    assert described.position == 3


def test_what_is_listed_nowhere_is_appended() -> None:
    got = tree(
        module_ids=["M"],
        modules=[{"id": "M", "slug": "m", "lessonIds": ["gone"]}, {"id": "N", "lessonIds": []}],
        lessons=[{"id": "L", "moduleId": "M"}, {"id": "H", "moduleId": "nowhere"}],
        items=[
            item("in-gone", lessonId="gone"),
            item("in-module", lessonId="nowhere", moduleId="M"),
            item("in-course", moduleId="nowhere"),
            item("in-h", lessonId="H"),
        ],
    )
    assert section_keys(got.sections) == [(1, "module/M"), (2, "module/N"), (3, "lesson/H")]
    module = got.sections[0]
    assert section_keys(module.sections) == [(1, "lesson/gone"), (2, "lesson/L")]
    assert keys(module.sections[0].items) == [(1, "item/in-gone")]
    assert keys(module.items) == [(3, "item/in-module")]
    assert keys(got.sections[2].items) == [(1, "item/in-h")]
    assert keys(got.items) == [(4, "item/in-course")]


def test_nothing_is_shown_twice() -> None:
    got = tree(
        module_ids=["M", "M", "N"],
        modules=[{"id": "M", "lessonIds": ["L", "K"]}, {"id": "N", "lessonIds": ["L"]}],
        lessons=[{"id": "L", "itemIds": ["a", "a"]}, {"id": "K", "itemIds": ["a", "b"]}],
        items=[item("a", lessonId="K"), item("b", lessonId="L")],
    )
    module, other = got.sections
    assert [keys(lesson.items) for lesson in module.sections] == [[(1, "item/a")], [(1, "item/b")]]
    assert other.sections == ()


def test_a_course_of_nothing_is_empty() -> None:
    assert tree(module_ids=[]) == Outline(sections=())


@pytest.mark.parametrize(
    ("fields", "locked"),
    [
        ({}, None),
        ({"isLocked": False, "lockedStatus": "LOCKED"}, None),
        ({"isLocked": "true"}, None),
        ({"isLocked": True}, "locked by the platform"),
        ({"lockedStatus": "LOCKED"}, "locked by the platform"),
        (
            {"itemLockSummary": {"lockState": {"lockStatus": "LOCKED", "reasonCode": "SESSION_ENDED"}}},
            "locked by the platform (SESSION_ENDED)",
        ),
    ],
)
def test_locks(fields: dict[str, Any], locked: str | None) -> None:
    got = tree(module_ids=["M"], modules=[{"id": "M"}], items=[item("a", moduleId="M", **fields)])
    assert got.sections[0].items[0].locked == locked


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({}, {}),
        ({"contentSummary": {"typeName": "lecture", "definition": {"hasInVideoAssessment": True}}},
         {"in_video_quiz": "true"}),
        ({"contentSummary": None,
          "content": {"typeName": "lecture", "definition": {"videoId": "v", "assets": ["a@1", "b"]}}},
         {"video_id": "v", "wrapper_ids": "a,b"}),
        ({"contentSummary": None, "content": {"typeName": "lecture", "definition": {"assetId": "a@12"}}},
         {"wrapper_ids": "a"}),
        ({"contentSummary": None, "content": {"typeName": "lecture", "definition": {"assets": []}}},
         {"wrapper_ids": ""}),
    ],
)  # fmt: skip
def test_what_is_asked_with_later_is_remembered(fields: dict[str, Any], details: dict[str, str]) -> None:
    got = tree(module_ids=["M"], modules=[{"id": "M"}], items=[item("a", moduleId="M", **fields)])
    (one,) = got.sections[0].items
    assert (one.type_name, dict(one.details)) == ("lecture", {"item_id": "a", **details})


def test_every_item_knows_the_language_of_its_course() -> None:
    got = tree(
        module_ids=["M"], modules=[{"id": "M"}], items=[item("a", moduleId="M")], has_resources=True, language="de"
    )
    assert [one.details["language"] for one in (*got.sections[0].items, *got.items)] == ["de", "de"]


def test_the_resources_tab_is_the_last_item_of_a_course() -> None:
    loose = [item("in-course", moduleId="nowhere")]
    got = tree(module_ids=["M"], modules=[{"id": "M"}], items=loose, has_resources=True)
    assert got.items[1:] == (
        Item("references", "Resources", "resources", None, "references", f"{BASE}/learn/some-course"),
    )


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("PREMIUM_ITEM", "needs a paid enrolment (PREMIUM_ITEM)"),
        ("", "locked by the platform"),
        ("<b>pay</b>\n", "locked by the platform"),
    ],
)
def test_the_reason_of_a_lock_is_cleaned(reason: str, text: str) -> None:
    assert lock_text(reason) == text


@pytest.mark.parametrize(
    ("type_name", "called", "path"),
    [
        ("lecture", "lecture", "lecture/rS7tU/s"),
        ("staffGraded", "quiz", "assignment-submission/rS7tU/s"),
        ("exam", "exam", "exam/rS7tU/s"),
        ("phasedPeer", "peer assignment", "peer/rS7tU/s"),
        ("gradedProgramming", "programming assignment", "programming/rS7tU/s"),
        ("discussionPrompt", "discussion", "discussionPrompt/rS7tU/s"),
        ("ungradedLab", "lab", "ungradedLab/rS7tU/s"),
        ("ungradedWidget", "widget", "ungradedWidget/rS7tU/s"),
        ("gradedLti", "external tool", "gradedLti/rS7tU/s"),
        ("coach", "coach", "coach/rS7tU/s"),
        ("wiseFlow", "item", "wiseFlow/rS7tU/s"),
        ("../x", "item", None),
        ("", "item", None),
    ],
)
def test_types_have_words_and_pages(type_name: str, called: str, path: str | None) -> None:
    assert word(type_name) == called
    expected = path and f"{BASE}/learn/a%2Fb/{path}"
    assert item_url(BASE, "a/b", type_name, "rS7tU", "s") == expected


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"contentSummary": {"typeName": "lecture", "definition": {"duration": 248_500}}, "timeCommitment": 9}, 248.5),
        ({"timeCommitment": 600_000}, 600.0),  # a reading
        ({"contentSummary": {"typeName": "lecture", "definition": {"duration": 0}}, "timeCommitment": 0}, None),
        ({"timeCommitment": -1}, None),
        ({"timeCommitment": 10**400}, None),
        ({"timeCommitment": "600000"}, None),
        ({}, None),
    ],
)
def test_how_long_an_item_takes(fields: dict[str, Any], seconds: float | None) -> None:
    (found,) = tree(module_ids=[], items=[item("a", **fields)]).items
    assert found.duration == seconds
