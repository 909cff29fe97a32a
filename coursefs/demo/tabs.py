"""`onDemandReferences.v1`: the Resources tab of a course; entries and their texts are separate lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coursefs.demo.description import Course, Reference
from coursefs.demo.media import made_id
from coursefs.demo.naptime import Answer, Element, Query, not_found, page, unordered

_CONTENT = "org.coursera.ondemand.reference.AssetReferenceContent"


class ResourcesTab:
    """Replies about the entries of the tab."""

    def __init__(self, courses: Sequence[Course]) -> None:
        self._courses = {course.id: course for course in courses}

    def listed(self, query: Query) -> Answer:
        """`?q=courseListed&courseId=`: what the tab shows; the texts are joined on `includes=assets`."""
        course = self._of(query)
        answer = _answer(course, query, lambda one: one.listed)
        part = page(answer.elements, query)
        return Answer(part.elements, answer.linked, part.paging)

    def by_short_id(self, query: Query) -> Answer:
        """`?q=shortId&courseId=&shortId=`: one entry, listed or not."""
        short_id = query.required("shortId")
        answer = _answer(self._of(query), query, lambda one: one.short_id == short_id)
        if not answer.elements:
            raise not_found()
        return answer

    def _of(self, query: Query) -> Course:
        course = self._courses.get(query.required("courseId"))
        if course is None:
            raise not_found()
        return course


def _answer(course: Course, query: Query, wanted: Callable[[Reference], bool]) -> Answer:
    found = [one for one in course.references if wanted(one)]
    elements = [
        {
            "id": one.id,
            "courseId": course.id,
            "name": one.name,
            "slug": one.slug,
            "shortId": one.short_id,
            "content": {_CONTENT: {"assetId": _text_id(one)}},
        }
        for one in found
    ]
    texts: list[Element] = [
        {
            "id": _text_id(one),
            "typeName": "cml",
            "definition": {"dtdId": "supplement/1", "value": one.cml},
        }
        for one in found
    ]
    return Answer(elements, {"openCourseAssets.v1": unordered(texts)} if "assets" in query.includes else None)


def _text_id(reference: Reference) -> str:
    return made_id("reference", reference.id)
