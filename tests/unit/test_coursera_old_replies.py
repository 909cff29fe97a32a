"""The tree as the two older routes said it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coursefs.model import Course
from coursefs.providers.coursera import materials, old_replies
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.outline import Aside, outline

BASE = "https://www.coursera.org"
COURSE = Course(key="Ab3", slug="some-course", title="Some Course")


def nested(*modules: object) -> Envelope:
    return Envelope((), {}, "", whole={"id": "Ab3", "courseMaterial": {"elements": list(modules)}})


def test_a_recorded_lesson_in_its_course(platform_replies: Path) -> None:
    folder = platform_replies / "coursera/coursera-dl/define-comments"
    lesson = json.loads((folder / "v1-lesson-with-lecture-content.json").read_text())
    got = old_replies.materials(nested({"id": "M", "name": "Week 1", "slug": "week-1", "elements": [lesson]}))
    (module,) = outline(got, COURSE, BASE, Aside()).sections
    (section,) = module.sections
    (item,) = section.items
    (row,) = lesson["elements"]
    said = row["content"]["definition"]
    assert (module.title, section.key, section.title) == ("Week 1", f"lesson/{lesson['id']}", lesson["name"])
    assert (item.key, item.title, item.type_name) == (f"item/{row['id']}", row["name"], "lecture")
    assert dict(item.details) == {
        "item_id": row["id"],
        "video_id": said["videoId"],
        "wrapper_ids": said["assets"][0].partition("@")[0],
    }
    assert said["assets"][0].endswith("@1") and len(said["assets"]) == 1


def test_a_recorded_locked_item_of_v1(platform_replies: Path) -> None:
    folder = platform_replies / "coursera/coursera-dl/define-comments"
    row = json.loads((folder / "v1-locked-gradedProgramming-item.json").read_text())
    item = materials.material_item(row)
    assert (item.id, item.type_name, item.locked, item.lock_reason) == (row["id"], "gradedProgramming", True, "PREMIUM")
    assert (item.video_id, item.wrapper_ids) == ("", None)


def test_the_documented_frame_of_v1_is_an_empty_course(platform_replies: Path) -> None:
    folder = platform_replies / "coursera/seeds"
    reply = json.loads((folder / "onDemandCourseMaterials.v1-skeleton.json").read_text())["reply"]
    got = materials.materials(Envelope(tuple(reply["elements"]), reply["linked"], ""))
    assert got.course_id == reply["elements"][0]["id"] != ""
    assert outline(got, COURSE, BASE, Aside()).sections == ()


def test_both_old_shapes_give_the_tree_of_the_present_one() -> None:
    definition = {"videoId": "v", "assets": ["w@1"]}
    row: dict[str, Any] = {"id": "a", "name": "A", "slug": "a"}
    new = Envelope(
        ({"id": "Ab3", "moduleIds": ["M"]},),
        {
            "onDemandCourseMaterialModules.v1": [{"id": "M", "name": "One", "slug": "one", "lessonIds": ["L"]}],
            "onDemandCourseMaterialLessons.v1": [
                {"id": "L", "moduleId": "M", "name": "Two", "slug": "two", "elementIds": ["item~a", "item~b"]}
            ],
            "onDemandCourseMaterialItems.v1": [
                {**row, "lessonId": "L", "moduleId": "M", "content": {"typeName": "lecture", "definition": definition}},
                {"id": "b", "lessonId": "L", "moduleId": "M", "name": "B", "slug": "b", "isLocked": True},
            ],
        },
        "",
    )
    old = nested(
        {
            "id": "M", "name": "One", "slug": "one",
            "elements": [
                {
                    "id": "L", "name": "Two", "slug": "two",
                    "elements": [
                        {**row, "content": {"typeName": "lecture", "definition": definition}},
                        {"id": "b", "name": "B", "slug": "b", "isLocked": True},
                        {"name": "without an id"},
                    ],
                },
            ],
        }
    )  # fmt: skip
    both = (old_replies.materials(old), materials.materials(new))
    trees = [outline(one, COURSE, BASE, Aside()) for one in both]
    assert trees[0] == trees[1]
