"""The tree of a course as the platform sent it until 2022; only tests enable it."""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.demo.catalogue import slug_of
from coursefs.demo.description import Course, Item
from coursefs.demo.item_replies import ItemReplies, text_id, wrapper_of
from coursefs.demo.materials import course_materials, definition
from coursefs.demo.naptime import Answer, Element, Query, not_found

_PREFIX = "onDemandCourseMaterial"
_RELATIONS = {"moduleIds": "modules", "lessonIds": "lessons", "itemIds": "items"}


class OldMaterials:
    """Replies of `onDemandCourseMaterials.v1` and of the routes before it."""

    def __init__(self, courses: Sequence[Course], contents: ItemReplies) -> None:
        self._courses = {course.slug: course for course in courses}
        self._contents = contents

    def by_slug(self, query: Query) -> Answer:
        """`onDemandCourseMaterials.v1/?q=slug&slug=`: relations and content have other names than today."""
        course = self._course(slug_of(query))
        includes = ",".join(_RELATIONS.get(name, name) for name in query.includes)
        answer = course_materials(course, Query({**query.parameters, "includes": includes}), self._contents)
        linked = dict(answer.linked or {})
        items = {item.id: item for _, _, item in course.items()}
        if f"{_PREFIX}Items.v2" in linked:
            linked[f"{_PREFIX}Items.v1"] = [
                {key: value for key, value in row.items() if key != "contentSummary"}
                | {"content": _content(items[str(row["id"])])}
                for row in linked.pop(f"{_PREFIX}Items.v2")
            ]
        return Answer(answer.elements, linked, answer.paging)

    def open_course(self, key: str, query: Query) -> Element:
        """`opencourse.v1/course/{slug}` and `opencourse.v1/video/{videoId}`."""
        what, _, name = key.partition("/")
        if what == "video":
            return self._contents.old_video(name)
        if what != "course":
            raise not_found()
        course = self._course(name)
        show_locked = query.parameters.get("showLockedItems") == "true"
        modules = [
            {
                "id": module.id,
                "name": module.name,
                "slug": module.slug,
                "elements": [
                    {
                        "id": lesson.id,
                        "name": lesson.name,
                        "slug": lesson.slug,
                        "elements": [_item(item) for item in lesson.items if show_locked or item.locked is None],
                    }
                    for lesson in module.lessons
                ],
            }
            for module in course.modules
        ]
        return {"id": course.id, "slug": course.slug, "name": course.title, "courseMaterial": {"elements": modules}}

    def _course(self, slug: str) -> Course:
        if slug not in self._courses:
            raise not_found()
        return self._courses[slug]


def _item(item: Item) -> Element:
    locked = {} if item.locked is None else {"isLocked": True, "itemLockedReasonCode": item.locked}
    return {"id": item.id, "name": item.name, "slug": item.slug, "content": _content(item), **locked}


def _content(item: Item) -> Element:
    """The content of an item then: also the ids of its video and its wrappers, with a version suffix."""
    told = dict(definition(item))
    if item.video is not None:
        told["videoId"] = item.video.id
    if item.type == "lecture":
        told["assets"] = [f"{wrapper_of(one)['id']}@1" for one in item.attachments]
    if item.cml is not None:
        told["assetId"] = f"{text_id(item)}@1"
    return {"typeName": item.type, "definition": told}
