"""Who is signed in, what they are enrolled in, and the public catalogue of courses."""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.demo.description import Course
from coursefs.demo.media import made_id
from coursefs.demo.naptime import Answer, Element, Query, invalid, not_authorized, not_found, page, unordered

USER_ID = 1000001

#: what accounts gather in time: a course of the dead platform, and one that was left again
_DEAD: Element = {
    "id": made_id("course", "algorithms-003"),
    "courseType": "v1.session",
    "slug": "algorithms-003",
    "name": "Algorithms, Part III",
}
_LEFT: Element = {
    "id": made_id("course", "gardening-for-beginners"),
    "courseType": "v2.ondemand",
    "slug": "gardening-for-beginners",
    "name": "Gardening for Beginners",
}
_LONG_AGO_MS = 1_400_000_000_000


class Enrolments:
    """The answers about courses as such."""

    def __init__(self, courses: Sequence[Course], largest_page: int) -> None:
        self._largest_page = largest_page
        self._courses = {course.id: _course(course) for course in courses}
        own = [_membership(self._courses[course.id], "LEARNER", course.enrolled_ms) for course in courses]
        others = [_membership(_DEAD, "LEARNER", _LONG_AGO_MS), _membership(_LEFT, "NOT_ENROLLED", _LONG_AGO_MS)]
        self._memberships = own[:1] + others[:1] + own[1:] + others[1:]
        self._known = self._courses | {str(course["id"]): course for course in (_DEAD, _LEFT)}

    def whoami(self, _query: Query) -> Answer:
        """`adminUserPermissions.v1?q=my`."""
        return Answer([{"id": USER_ID}])

    def memberships(self, query: Query) -> Answer:
        """`memberships.v1?q=me`, the courses joined on `includes=courseId`."""
        if "filter" in query.parameters:  # refused since 2020
            raise not_authorized()
        answer = page(self._memberships, query, largest=self._largest_page)
        if "courseId" not in query.includes:
            return answer
        # the first course of all comes with every page: what is joined may repeat itself
        ids = dict.fromkeys(str(element["courseId"]) for element in (self._memberships[0], *answer.elements))
        return Answer(answer.elements, {"courses.v1": unordered([self._known[key] for key in ids])}, answer.paging)

    def course(self, key: str, _query: Query) -> Answer:
        """`courses.v1/{id}`."""
        if key not in self._courses:
            raise not_found()
        return Answer([self._courses[key]])

    def courses_by_id(self, ids: frozenset[str], _query: Query) -> Answer:
        """`courses.v1?ids=`; ids that do not exist are just absent."""
        return Answer(unordered([course for key, course in self._courses.items() if key in ids]))

    def course_by_slug(self, query: Query) -> Answer:
        """`courses.v1?q=slug`, `onDemandCourses.v1?q=slug`."""
        slug = slug_of(query)
        found = [course for course in self._courses.values() if course["slug"] == slug]
        if not found:
            raise not_found()
        return Answer(found)

    def catalogue(self, query: Query) -> Answer:
        """`courses.v1`: every course that the platform offers."""
        return page(list(self._courses.values()), query)


def slug_of(query: Query) -> str:
    """The `slug` of a query.  Raises `Refusal` (400) where it is missing or a whole URL, say."""
    slug = query.required("slug")
    if not slug.replace("-", "").replace("_", "").isalnum():
        raise invalid("slug is not a slug")
    return slug


def _course(course: Course) -> Element:
    return {
        "id": course.id,
        "courseType": "v2.ondemand",
        "slug": course.slug,
        "name": course.title,
        "workload": course.workload,
        "primaryLanguages": list(course.languages),
        "domainTypes": [],
        "partnerIds": [],
        "instructorIds": [],
        "certificates": [],
    }


def _membership(course: Element, role: str, enrolled_ms: int) -> Element:
    return {
        "id": f"{USER_ID}~{course['id']}",
        "role": role,
        "userId": USER_ID,
        "courseId": course["id"],
        "enrolledTimestamp": enrolled_ms,
    }
