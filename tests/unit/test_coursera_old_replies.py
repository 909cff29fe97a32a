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


def test_a_recorded_lesson_in_its_course(recorded: Path) -> None:
    folder = recorded / "coursera/coursera-dl/define-comments"
    lesson = json.loads((folder / "v1-lesson-with-lecture-content.json").read_text())
    got = old_replies.materials(nested({"id": "M", "name": "Week 1", "slug": "week-1", "elements": [lesson]}))
    (module,) = outline(got, COURSE, BASE, Aside()).sections
    (section,) = module.sections
    (item,) = section.items
    assert (module.title, section.key, section.title) == ("Week 1", "lesson/6ydIh", "Введение в теорию игр")
    assert (item.key, item.title, item.type_name) == ("item/ujNfj", "Что изучает теория игр?", "lecture")
    assert dict(item.details) == {
        "item_id": "ujNfj",
        "video_id": "pGNiQYo-EeWNvA632PIn3w",
        "wrapper_ids": "giAxucdaEeWJTQ5WTi8YJQ",
    }


def test_a_recorded_locked_item_of_v1(recorded: Path) -> None:
    folder = recorded / "coursera/coursera-dl/define-comments"
    row = json.loads((folder / "v1-locked-gradedProgramming-item.json").read_text())
    item = materials.material_item(row)
    assert (item.id, item.type_name, item.locked, item.lock_reason) == ("AUd0k", "gradedProgramming", True, "PREMIUM")
    assert (item.video_id, item.wrapper_ids) == ("", None)


def test_the_documented_frame_of_v1_is_an_empty_course(recorded: Path) -> None:
    reply = json.loads((recorded / "coursera/seeds/onDemandCourseMaterials.v1-skeleton.json").read_text())["reply"]
    got = materials.materials(Envelope(tuple(reply["elements"]), reply["linked"], ""))
    assert got.course_id == "Qx-vkAocEeWAYyIACmGIdw"
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
