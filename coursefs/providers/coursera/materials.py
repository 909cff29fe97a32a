"""The reply of `onDemandCourseMaterials`, the tree of a course: flat lists that refer to each other by id (pure).

`v2` has `Items.v2` with `contentSummary`.  `v1` had `Items.v1` with `content` instead, which also held the ids of
videos and attachments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.kit.fields import Json, identifier, identifiers, integer, record, rows, text

#: a longer time is none (a year); JSON may hold a number that no float can
_MOST_MILLISECONDS = 366 * 86_400_000


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
class TreeFile:
    """A file whose address is in the tree itself, which some readings have.

    `key` is made of the address without its query, which is a signature that ends.
    """

    key: str
    name: str
    url: str = field(repr=False)


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
    video_id: str = ""  # in the old materials only, as is `wrapper_ids`
    wrapper_ids: tuple[str, ...] | None = None  # of attachments, or of the text; None: not given
    files: tuple[TreeFile, ...] = ()
    seconds: float | None = None  # the length of a lecture
    estimate: float | None = None  # seconds that the platform reckons with, for an item of any type


@dataclass(frozen=True, slots=True)
class Materials:
    """The flat lists of a course's tree; `outline` joins them."""

    course_id: str
    module_ids: tuple[str, ...]
    modules: Mapping[str, MaterialModule]
    lessons: Mapping[str, MaterialLesson]
    items: Mapping[str, MaterialItem]
    groups: Mapping[str, tuple[str, ...]]  # choose-one-of groups: id -> ids of all their items
    tag: str | None = None  # ETag of the reply


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
    listed = envelope.related(f"{prefix}Items.v2") or envelope.related(f"{prefix}Items.v1")
    items = (material_item(row) for row in listed)
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
    files = _files(definition)
    is_told = bool(wrappers) or (isinstance(definition.get("assets"), list) and not files)
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
        # `giAxucda…@1`: without the version
        wrapper_ids=tuple(one.partition("@")[0] for one in wrappers) if is_told else None,
        files=files,
        seconds=_seconds(definition, "duration"),
        estimate=_seconds(row, "timeCommitment"),
    )


def _seconds(source: Json, name: str) -> float | None:
    """A number of milliseconds in seconds; None where there is none, or 0."""
    milliseconds = integer(source, name)
    return milliseconds / 1000 if milliseconds is not None and 0 < milliseconds <= _MOST_MILLISECONDS else None


def _files(definition: Json) -> tuple[TreeFile, ...]:
    """The files in the description of an item: objects with a name and an address, of which either may be missing."""
    found: dict[str, TreeFile] = {}
    for row in rows(definition, "assets") or rows(record(definition, "definition"), "assets"):
        url = text(row, "url") or text(record(row, "url"), "url")
        try:
            parts = urlsplit(url)
        except ValueError:
            continue
        if parts.scheme not in ("http", "https") or not parts.hostname:
            continue
        key = hashlib.sha256(f"{parts.hostname}{parts.path}".encode()).hexdigest()[:16]
        name = text(row, "name") or unquote(parts.path, errors="replace").rpartition("/")[2] or "file"
        found.setdefault(key, TreeFile(key, " ".join(name.split()), url))
    return tuple(found.values())
