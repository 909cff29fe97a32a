"""Parsers of older Coursera replies, for a platform that still has their routes (pure).

`opencourse.v1/course` is the tree of a course, with nested modules, lessons and items.  `users/v1/me/enrollments` lists
the enrolments on the platform of sessions, until 2016; today it answers 404.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from coursefs.providers.coursera.materials import (
    MaterialItem,
    MaterialLesson,
    MaterialModule,
    Materials,
    material_item,
)
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.replies import Membership
from coursefs.providers.kit.fields import Json, identifier, record, rows, text


def materials(envelope: Envelope) -> Materials:
    """The tree in `opencourse.v1/course`, as the flat lists of the newer materials."""
    modules: list[MaterialModule] = []
    lessons: list[MaterialLesson] = []
    items: list[MaterialItem] = []
    for module_row in _elements(record(envelope.whole, "courseMaterial")):
        module_id = identifier(module_row, "id")
        own_lessons = _elements(module_row)
        for row in own_lessons:
            own = [material_item(item) for item in _elements(row)]
            lesson = _lesson(row, module_id, own)
            lessons.append(lesson)
            items += (replace(item, lesson_id=lesson.id, module_id=module_id) for item in own)
        lesson_ids = tuple(identifier(row, "id") for row in own_lessons)
        modules.append(MaterialModule(module_id, text(module_row, "name"), text(module_row, "slug"), lesson_ids))
    return Materials(
        course_id=identifier(envelope.whole, "id"),
        module_ids=tuple(module.id for module in modules),
        modules={module.id: module for module in modules},
        lessons={lesson.id: lesson for lesson in lessons},
        items={item.id: item for item in items},
        groups={},
        tag=envelope.tag,
    )


def _elements(row: Json) -> tuple[Json, ...]:
    """The children of a module, a lesson or the course; children without an id are dropped."""
    return tuple(child for child in rows(row, "elements") if identifier(child, "id"))


def _lesson(row: Json, module_id: str, items: Iterable[MaterialItem]) -> MaterialLesson:
    return MaterialLesson(
        id=identifier(row, "id"),
        module_id=module_id,
        name=text(row, "name"),
        slug=text(row, "slug"),
        item_ids=tuple(item.id for item in items),
        element_ids=(),
    )


def session_enrolments(envelope: Envelope) -> tuple[Membership, ...]:
    """The enrolments, each course once; joined by id, because courses and enrolments come in different orders."""
    courses = {identifier(row, "id"): row for row in rows(envelope.whole, "courses")}
    found: dict[str, Membership] = {}
    for row in rows(envelope.whole, "enrollments"):
        key = identifier(row, "courseId")
        course = courses.get(key, {})
        found[key] = Membership(
            course_id=key,
            user_id="",
            role="LEARNER",
            enrolled=None,  # the reply has the begin of the session, not of the enrolment
            name=text(course, "name"),
            slug=text(course, "shortName"),
            course_type="",
        )
    return tuple(one for key, one in found.items() if key)
