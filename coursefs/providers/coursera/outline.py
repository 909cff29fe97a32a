"""The tree of a course, built from the flat lists of the materials reply (pure).

Positions count all siblings that the platform lists, also locked and censored ones.  So no other item changes its
position, and its name, when one is unlocked later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from coursefs.model import Course, Item, Kind, Outline, Section
from coursefs.providers.coursera.item_types import REFERENCES, course_url, item_url, module_url
from coursefs.providers.coursera.materials import MaterialItem, MaterialLesson, MaterialModule, Materials

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,60}")


@dataclass(frozen=True, slots=True)
class Aside:
    """Facts of a course that are not in its tree."""

    has_resources: bool = False  # the Resources tab lists something
    language: str = ""  # of the course


def outline(materials: Materials, course: Course, base_url: str, aside: Aside) -> Outline:
    """The modules of a course, their lessons and items.

    Nothing in the reply is lost.  An entry that no list contains is appended to the parent that it names itself, an
    item of no known lesson to its module, and any other to the course.  An item that is listed without a description,
    as in preview mode, keeps its position.  The Resources tab is the last item of the course, if it has entries.
    """
    modules = {one: materials.modules.get(one) or MaterialModule(one, "", "", ()) for one in materials.module_ids}
    modules |= materials.modules
    lesson_ids = _children(
        ((module.id, module.lesson_ids) for module in modules.values()),
        ((lesson.module_id, lesson.id) for lesson in materials.lessons.values()),
    )
    listed = {one: module_id for module_id, ids in lesson_ids.items() for one in ids}
    lessons = {one: MaterialLesson(one, module_id, "", "", (), ()) for one, module_id in listed.items()}
    lessons |= materials.lessons
    item_ids = _children(
        ((lesson.id, lesson_item_ids(lesson, materials.groups)) for lesson in lessons.values()),
        ((item.lesson_id, item.id) for item in materials.items.values()),
    )
    placed = {one for ids in item_ids.values() for one in ids}
    loose = [item for item in materials.items.values() if item.id not in placed]
    loose_ids = _children(((one, ()) for one in modules), ((item.module_id, item.id) for item in loose))

    def items(ids: Iterable[str], first: int, parent_slug: str, page: str) -> tuple[Item, ...]:
        return tuple(
            _item(
                course,
                base_url,
                materials.items.get(one) or _undescribed(one),
                position=position,
                parent_slug=parent_slug,
                page=page,
                language=aside.language,
            )
            for position, one in enumerate(ids, first)
        )

    def lesson_section(lesson: MaterialLesson, position: int, page: str) -> Section:
        return Section(
            key=f"lesson/{lesson.id}",
            kind=Kind.LESSON,
            title=lesson.name or lesson.slug,
            slug=lesson.slug,
            position=position,
            url=page,
            items=items(item_ids[lesson.id], 1, lesson.slug, page),
        )

    def module_section(module: MaterialModule, position: int) -> Section:
        page = module_url(base_url, course.slug, position)
        own = [lessons[one] for one in lesson_ids[module.id]]
        return Section(
            key=f"module/{module.id}",
            kind=Kind.MODULE,
            title=module.name or module.slug,
            slug=module.slug,
            position=position,
            url=page,
            sections=tuple(lesson_section(lesson, place, page) for place, lesson in enumerate(own, 1)),
            items=items(loose_ids[module.id], len(own) + 1, module.slug, page),
        )

    page = course_url(base_url, course.slug)
    sections = [module_section(module, position) for position, module in enumerate(modules.values(), 1)]
    homeless = [lesson for lesson in lessons.values() if lesson.id not in listed]
    sections += [lesson_section(lesson, place, page) for place, lesson in enumerate(homeless, len(sections) + 1)]
    settled = {one for ids in loose_ids.values() for one in ids}
    rest = [item.id for item in loose if item.id not in settled]
    others = items(rest, len(sections) + 1, course.slug, page)
    resources = (_resources(page, aside),) if aside.has_resources and (sections or others) else ()
    return Outline(sections=tuple(sections), items=(*others, *resources), tag=materials.tag)


def lesson_item_ids(lesson: MaterialLesson, groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The items of a lesson in order: `itemIds`, else `elementIds` with its choose-one-of groups expanded."""
    if lesson.item_ids:
        return lesson.item_ids
    found: list[str] = []
    for element_id in lesson.element_ids:
        kind, _, name = element_id.partition("~")
        name = name.replace("!~", "~")
        if kind == "item" and name:
            found.append(name)
        elif kind == "passableItemGroup":
            found += groups.get(name, ())
    return tuple(dict.fromkeys(found))


def lock_text(reason: str) -> str:
    """Why an item is locked, for people.  `PREMIUM` is the only recorded reason."""
    if reason in ("PREMIUM", "PREMIUM_ITEM"):
        return f"needs a paid enrolment ({reason})"
    if _REASON.fullmatch(reason):
        return f"locked by the platform ({reason})"
    return "locked by the platform"


def _children(
    lists: Iterable[tuple[str, Sequence[str]]], claims: Iterable[tuple[str, str]]
) -> Mapping[str, Sequence[str]]:
    """Child ids by parent id, each child once: under the first parent that lists it, else under the one it claims.

    `lists` are (parent, its children in order), `claims` are (parent, child) from the children's own fields.
    """
    found: dict[str, list[str]] = {}
    placed: set[str] = set()
    for parent, children in lists:
        own = found[parent] = [child for child in children if child not in placed]
        placed.update(own)
    for parent, child in claims:
        if child not in placed and parent in found:
            found[parent].append(child)
            placed.add(child)
    return found


def _undescribed(item_id: str) -> MaterialItem:
    """A placeholder for an item that is listed without a description for this learner."""
    return MaterialItem(item_id, "", "", "", "", "", locked=False, lock_reason="")


def _item(
    course: Course, base_url: str, material: MaterialItem, *, position: int, parent_slug: str, page: str, language: str
) -> Item:
    slug = material.slug or f"{parent_slug or 'item'}-{material.id}"
    own_page = item_url(base_url, course.slug, material.type_name, material.id, material.slug)
    return Item(
        key=f"item/{material.id}",
        title=material.name or slug,
        slug=slug,
        position=position,
        type_name=material.type_name,
        url=own_page or page,
        locked=lock_text(material.lock_reason) if material.locked else None,
        details=dict(_details(material, language)),
        duration=material.seconds or material.estimate,
    )


def _details(material: MaterialItem, language: str) -> Iterator[tuple[str, str]]:
    """The details of an item that later requests and pages need."""
    yield "item_id", material.id
    if language:
        yield "language", language
    if material.in_video_quiz:
        yield "in_video_quiz", "true"
    if material.video_id:
        yield "video_id", material.video_id
    if material.wrapper_ids is not None:
        yield "wrapper_ids", ",".join(material.wrapper_ids)
    if material.files:
        yield "tree_files", "\n".join(f"{one.key} {one.name}" for one in material.files)


def _resources(page: str, aside: Aside) -> Item:
    """The Resources tab as an item; its entries are requested when its directory is opened."""
    details = {"language": aside.language} if aside.language else {}
    return Item(
        key=REFERENCES,
        title="Resources",
        slug="resources",
        position=None,
        type_name=REFERENCES,
        url=page,
        details=details,
    )
