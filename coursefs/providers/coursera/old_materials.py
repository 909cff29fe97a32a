"""The tree of a course as `opencourse.v1/course` said it: modules, lessons and items within each other (pure)."""

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
from coursefs.providers.fields import Json, identifier, record, rows, text


def materials(envelope: Envelope) -> Materials:
    """The reply, as the flat lists that its successors are made of."""
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
    """The children of a module, a lesson or the whole; what has no id has no place."""
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
