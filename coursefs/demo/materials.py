"""`onDemandCourseMaterials.v2`: the tree of a course as flat lists that refer to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coursefs.demo.catalogue import USER_ID, slug_of
from coursefs.demo.description import Course, Item, Lesson, Module
from coursefs.demo.item_replies import ItemReplies
from coursefs.demo.media import made_id
from coursefs.demo.naptime import Answer, Element, Query, not_authorized, not_found, unordered

#: relation -> resource, for relations that are empty in the demo's courses
_EMPTY_RELATIONS = {
    "passableLessonElements": "onDemandCourseMaterialPassableLessonElements.v1",
    "tracks": "onDemandCourseMaterialTracks.v1",
    "gradingParameters": "onDemandGradingParameters.v1",
    "embeddedContentMapping": "contentAtomRelations.v1",
}


class Materials:
    """Replies with the tree of a course."""

    def __init__(self, courses: Sequence[Course], contents: ItemReplies) -> None:
        self._courses = tuple(courses)
        self._contents = contents

    def by_slug(self, query: Query) -> Answer:
        """`?q=slug&slug=`."""
        slug = slug_of(query)
        return self._one([course for course in self._courses if course.slug == slug], query)

    def of_learner(self, query: Query) -> Answer:
        """`?q=learner&learnerId=&courseId=`; learners may only ask for their own."""
        if query.required("learnerId") != str(USER_ID):
            raise not_authorized()
        key = query.required("courseId")
        return self._one([course for course in self._courses if course.id == key], query)

    def _one(self, found: Sequence[Course], query: Query) -> Answer:
        if not found:
            raise not_found()
        return course_materials(found[0], query, self._contents)


def course_materials(course: Course, query: Query, contents: ItemReplies) -> Answer:
    """The tree of one course. Locked items are included only with `showLockedItems=true`."""
    show_locked = query.parameters.get("showLockedItems") == "true"
    modules: list[Element] = []
    lessons: list[Element] = []
    items: list[Element] = []
    groups: list[Element] = []
    choices: list[Element] = []
    for module in course.modules:
        modules.append(_module(module))
        for lesson in module.lessons:
            shown = [item for item in lesson.items if show_locked or item.locked is None]
            lessons.append(_lesson(module, lesson, shown))
            items.extend(_item(module, lesson, item, contents) for item in shown)
            groups.extend(_group(group) for group in lesson.groups)
            choices.extend(_choice(lesson, one) for group in lesson.groups for one in group)
    element: Element = {"id": course.id, "moduleIds": [module.id for module in course.modules]}
    if not query.includes:
        return Answer([element])
    lists: Mapping[str, tuple[str, list[Element]]] = {
        "modules": ("onDemandCourseMaterialModules.v1", unordered(modules)),
        "lessons": ("onDemandCourseMaterialLessons.v1", unordered(lessons)),
        "items": ("onDemandCourseMaterialItems.v2", unordered(items)),
        "passableItemGroups": ("onDemandCourseMaterialPassableItemGroups.v1", unordered(groups)),
        "passableItemGroupChoices": ("onDemandCourseMaterialPassableItemGroupChoices.v1", unordered(choices)),
        **{relation: (resource, []) for relation, resource in _EMPTY_RELATIONS.items()},
    }
    return Answer([element], dict(lists[relation] for relation in lists if relation in query.includes))


def _module(module: Module) -> Element:
    return {
        "id": module.id,
        "name": module.name,
        "slug": module.slug,
        "description": module.description,
        "timeCommitment": sum(item.duration_ms for lesson in module.lessons for item in lesson.items),
        "lessonIds": [lesson.id for lesson in module.lessons],
        "optional": False,
        "learningObjectives": [],
    }


def _lesson(module: Module, lesson: Lesson, items: Sequence[Item]) -> Element:
    return {
        "id": lesson.id,
        "moduleId": module.id,
        "name": lesson.name,
        "slug": lesson.slug,
        "timeCommitment": sum(item.duration_ms for item in lesson.items),
        "itemIds": [item.id for item in items],
        "elementIds": _element_ids(lesson, items),
        "trackId": "core",
        "optional": False,
    }


def _element_ids(lesson: Lesson, items: Sequence[Item]) -> list[str]:
    """Item ids; a choice group is one id at the place of its first item."""
    groups = {one: f"passableItemGroup~{_group_id(group)}" for group in lesson.groups for one in group}
    return list(dict.fromkeys(groups.get(item.id, f"item~{item.id}") for item in items))


def _group_id(group: Sequence[str]) -> str:
    return made_id("group", *group)


def _group(group: Sequence[str]) -> Element:
    return {
        "id": _group_id(group),
        "requiredPassedCount": 1,
        "passableItemGroupChoiceIds": [made_id("choice", one) for one in group],
        "trackId": "core",
    }


def _choice(lesson: Lesson, item_id: str) -> Element:
    name = next(item.name for item in lesson.items if item.id == item_id)
    return {"id": made_id("choice", item_id), "name": name, "description": "", "itemIds": [item_id]}


def _item(module: Module, lesson: Lesson, item: Item, contents: ItemReplies) -> Element:
    element: dict[str, object] = {
        "id": item.id,
        "moduleId": module.id,
        "lessonId": lesson.id,
        "name": item.name,
        "slug": item.slug,
        "timeCommitment": item.duration_ms,
        "contentSummary": {"typeName": item.type, "definition": definition(item)},
        "trackId": "core",
    }
    if item.tree_files:
        files = {"assetTypeName": "asset", "assets": contents.tree_files(item)}
        element["contentSummary"] = {"typeName": item.type, "definition": files}
    if item.censored:
        return element | {"name": "", "slug": "", "contentSummary": {"typeName": "", "definition": {}}}
    if item.locked is not None:  # items that are open carry none of these keys
        element |= {
            "isLocked": True,
            "itemLockedReasonCode": item.locked,
            "itemLockSummary": {"lockState": {"lockStatus": "LOCKED", "reasonCode": item.locked}},
        }
    return element


def definition(item: Item) -> Element:
    """The details of an item in the tree, by its type."""
    match item.type:
        case "lecture":
            return {"duration": item.duration_ms, "hasInVideoAssessment": item.in_video_quiz}
        case "supplement":
            return {"assetTypeName": "cml", "containsWidget": False}
        case "staffGraded" | "ungradedAssignment":
            return {
                "assignmentFeatures": ["SHOW_GRADE_ON_RELEASE", "TAKE_HIGHEST_GRADE", "LIMITED_SUBMISSIONS"],
                "isTeamSubmissionEnabled": False,
                "requiredMobileFeatures": [],
            }
        case "phasedPeer":
            return {"reviewDeadlineOffset": 259_200_000, "isMentorGraded": False, "requiredReviewCount": 1}
        case _:
            return {}
