"""The tree of a course as `onDemandCourseMaterials` says it: flat lists that refer to each other by id (pure).

`v1` said the same in other words: `Items.v1` with `content`, which held the ids of videos and attachments, in place of
`Items.v2` with `contentSummary`, which does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.fields import Json, identifier, identifiers, record, text


@dataclass(frozen=True, slots=True)
class MaterialModule:
    """A week of a course."""

    id: str
    name: str
    slug: str
    lesson_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MaterialLesson:
    """A lesson of a module; `element_ids` are typed (`item~…`, `passableItemGroup~…`)."""

    id: str
    module_id: str
    name: str
    slug: str
    item_ids: tuple[str, ...]
    element_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MaterialItem:
    """A step of a lesson.  A censored one (preview mode) has no name or no type."""

    id: str
    lesson_id: str
    module_id: str
    name: str
    slug: str
    type_name: str
    locked: bool
    lock_reason: str  # PREMIUM …; ""
    in_video_quiz: bool = False  # the lecture stops for questions
    video_id: str = ""  # the old materials alone say it, and what follows
    wrapper_ids: tuple[str, ...] | None = None  # of attachments, or of the text; None: not said


@dataclass(frozen=True, slots=True)
class Materials:
    """The flat lists that make up the tree of a course; `outline` puts them together."""

    course_id: str
    module_ids: tuple[str, ...]
    modules: Mapping[str, MaterialModule]
    lessons: Mapping[str, MaterialLesson]
    items: Mapping[str, MaterialItem]
    groups: Mapping[str, tuple[str, ...]]  # choose-one-of groups: id -> ids of all items to choose from
    tag: str | None = None  # of this state of the tree


def materials(envelope: Envelope) -> Materials:
    """The reply of `onDemandCourseMaterials.v2`, or of `v1`."""
    course = next(iter(envelope.elements), {})
    prefix = "onDemandCourseMaterial"
    choices = {identifier(row, "id"): row for row in envelope.related(f"{prefix}PassableItemGroupChoices.v1")}
    groups = {
        identifier(row, "id"): tuple(
            item_id
            for choice_id in identifiers(row, "passableItemGroupChoiceIds")
            for item_id in identifiers(choices.get(choice_id, {}), "itemIds")
        )
        for row in envelope.related(f"{prefix}PassableItemGroups.v1")
    }
    modules = (
        MaterialModule(
            id=identifier(row, "id"),
            name=text(row, "name"),
            slug=text(row, "slug"),
            lesson_ids=identifiers(row, "lessonIds"),
        )
        for row in envelope.related(f"{prefix}Modules.v1")
    )
    lessons = (
        MaterialLesson(
            id=identifier(row, "id"),
            module_id=identifier(row, "moduleId"),
            name=text(row, "name"),
            slug=text(row, "slug"),
            item_ids=identifiers(row, "itemIds"),
            element_ids=identifiers(row, "elementIds"),
        )
        for row in envelope.related(f"{prefix}Lessons.v1")
    )
    rows = envelope.related(f"{prefix}Items.v2") or envelope.related(f"{prefix}Items.v1")
    items = (material_item(row) for row in rows)
    return Materials(
        course_id=identifier(course, "id"),
        module_ids=identifiers(course, "moduleIds"),
        modules={module.id: module for module in modules if module.id},
        lessons={lesson.id: lesson for lesson in lessons if lesson.id},
        items={item.id: item for item in items if item.id},
        groups=groups,
        tag=envelope.tag,
    )


def material_item(row: Json) -> MaterialItem:
    """One item, as either version describes it."""
    lock = record(record(row, "itemLockSummary"), "lockState")
    said = row.get("isLocked")  # absent on every open item of the recorded course
    locked = said if isinstance(said, bool) else "LOCKED" in (text(row, "lockedStatus"), text(lock, "lockStatus"))
    content = record(row, "contentSummary") or record(row, "content")
    definition = record(content, "definition")
    wrappers = identifiers(definition, "assets") or tuple(filter(None, [identifier(definition, "assetId")]))
    is_told = bool(wrappers) or isinstance(definition.get("assets"), list)
    return MaterialItem(
        id=identifier(row, "id"),
        lesson_id=identifier(row, "lessonId"),
        module_id=identifier(row, "moduleId"),
        name=text(row, "name") or text(row, "originalName"),
        slug=text(row, "slug"),
        type_name=text(content, "typeName"),
        locked=locked,
        lock_reason=text(row, "itemLockedReasonCode") or text(lock, "reasonCode"),
        in_video_quiz=definition.get("hasInVideoAssessment") is True,
        video_id=identifier(definition, "videoId"),
        # `giAxucda…@1`: the version is no part of it
        wrapper_ids=tuple(one.partition("@")[0] for one in wrappers) if is_told else None,
    )
