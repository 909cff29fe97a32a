"""Replies about the learner: the identity, and the enrolments.

A module of its own like the other groups of resources.
"""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.demo.catalogue import DEAD, LEFT, USER_ID, described_course
from coursefs.demo.description import Course
from coursefs.demo.naptime import Answer, Element, Query, not_authorized, page, unordered

_LONG_AGO_MS = 1_400_000_000_000


class LearnerReplies:
    """Replies about the learner and their enrolments."""

    def __init__(self, courses: Sequence[Course], largest_page: int) -> None:
        self._largest_page = largest_page
        described = {course.id: described_course(course) for course in courses}
        own = [_membership(described[course.id], "LEARNER", course.enrolled_ms) for course in courses]
        others = [_membership(DEAD, "LEARNER", _LONG_AGO_MS), _membership(LEFT, "NOT_ENROLLED", _LONG_AGO_MS)]
        self._memberships = own[:1] + others[:1] + own[1:] + others[1:]
        self._known = described | {str(course["id"]): course for course in (DEAD, LEFT)}

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
        # the first course is joined on every page: joined elements may be repeated
        ids = dict.fromkeys(str(element["courseId"]) for element in (self._memberships[0], *answer.elements))
        return Answer(answer.elements, {"courses.v1": unordered([self._known[key] for key in ids])}, answer.paging)


def _membership(course: Element, role: str, enrolled_ms: int) -> Element:
    return {
        "id": f"{USER_ID}~{course['id']}",
        "role": role,
        "userId": USER_ID,
        "courseId": course["id"],
        "enrolledTimestamp": enrolled_ms,
    }
