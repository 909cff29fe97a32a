"""The learner's standing: progress, session, deadlines, schedule and grade, each for some courses only.

As on the platform, not every course has everything: the first of three has personal deadlines, the second a common
schedule, the third neither a session nor a grade.
"""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.demo.catalogue import USER_ID
from coursefs.demo.description import Course
from coursefs.demo.naptime import Answer, Element, Query, not_authorized, not_found, routing_error, split_compound

_WEEK_MS = 7 * 86_400_000


class Standings:
    """Replies about the learner's standing in a course."""

    def __init__(self, courses: Sequence[Course]) -> None:
        self._courses = {course.id: (number % 3, course) for number, course in enumerate(courses)}

    def progress(self, key: str, _query: Query) -> Answer:
        """`onDemandCoursesProgress.v1/{userId}~{courseId}`: the first lesson is completed."""
        _, course = self._own(key)
        items = list(course.items())
        first = items[0][1].id if items else ""
        done = [item for _, lesson, item in items if lesson.id == first]
        lessons = [lesson.id for module in course.modules for lesson in module.lessons]
        element = {
            "id": key,
            "modules": {module.id: 0 for module in course.modules},
            "lessons": {one: 100 if one == first else 0 for one in lessons},
            "overall": 100 * len(done) // max(1, len(items)),
            "items": {item.id: {"timestamp": course.enrolled_ms, "progressState": "Completed"} for item in done},
            "nextItem": items[len(done)][2].id if len(done) < len(items) else "",
        }
        return Answer([element], paging=None)

    def place(self, key: str, _query: Query) -> Answer:
        """`onDemandVideoProgresses.v1/{userId}~{courseId}~{videoId}`: every video of the second lesson is half seen."""
        user, *rest = split_compound(key)
        if user != str(USER_ID):
            raise not_authorized()
        if len(rest) != 2 or rest[0] not in self._courses:
            raise not_found()
        course = self._courses[rest[0]][1]
        lessons = [lesson for module in course.modules for lesson in module.lessons]
        for lesson in lessons[1:2]:
            for item in lesson.items:
                if item.video is not None and item.video.id == rest[1]:
                    return Answer([{"id": key, "viewedUpTo": item.duration_ms // 2}])
        raise not_found()

    def modules_done(self, key: str, _query: Query) -> Answer:
        """`onDemandHomeProgress.v1/{userId}~{courseId}`."""
        _, course = self._own(key)
        element = _of(course) | {"modulesCompleted": [], "modulesPassed": []}
        return Answer([element], paging=None)

    def session(self, query: Query) -> Answer:
        """`onDemandSessionMemberships.v1?q=activeByUserAndCourse`, the session joined on `includes=sessions`."""
        number, course = self._asked(query)
        if number == 2:
            return Answer([], {"onDemandSessions.v1": []} if "sessions" in query.includes else None)
        start, end = _span(course)
        element = _of(course) | {"createdAt": start, "sessionId": f"{course.id}-1"}
        session = {"id": f"{course.id}-1", "courseId": course.id, "startedAt": start, "endedAt": end}
        return Answer([element], {"onDemandSessions.v1": [session]} if "sessions" in query.includes else None)

    def guided(self, ids: frozenset[str], _query: Query) -> Answer:
        """`guidedCourseSessionProgresses.v1?ids=`."""
        found = [(key, self._own(key)) for key in sorted(ids)]
        elements: list[Element] = []
        for key, (number, course) in found:
            if number != 2:
                start, end = _span(course)
                elements.append(
                    {"id": key, "startedAt": start, "endedAt": end, "weeks": [], "courseProgressState": "Started"}
                )
        return Answer(elements, paging=None)

    def deadlines(self, query: Query) -> Answer:
        """`onDemandDeadlineSettings.v1?q=byUserAndCourse`."""
        number, course = self._asked(query)
        if number != 0:
            return Answer([], paging=None)
        start, _ = _span(course)
        modules = [
            {"moduleId": module.id, "deadline": start + week * _WEEK_MS - 1}
            for week, module in enumerate(course.modules, 1)
        ]
        return Answer(
            [_of(course) | {"start": start, "isEnabled": True, "moduleDeadlines": modules[::-1]}], paging=None
        )

    def schedule(self, key: str, _query: Query) -> Answer:
        """`onDemandCourseSchedules.v1/{courseId}`."""
        if key not in self._courses:
            raise not_found()
        periods = [{"moduleIds": [module.id], "numberOfWeeks": 2} for module in self._courses[key][1].modules]
        return Answer([{"id": key, "defaultSchedule": {"periods": periods}}], paging=None)

    def grade(self, key: str, _query: Query) -> Answer:
        """`onDemandCourseGrades.v1/{courseId}`, as it was in 2015; of the others as it is today."""
        number, course = self._courses.get(key, (2, None))
        if course is None or number != 0:
            raise routing_error("'get'")
        outcome = {"passedItemsCount": 1, "courseGrade": 0.825}
        element = {
            "id": key,
            "timestamp": course.enrolled_ms,
            "passingState": "notPassed",
            "itemGrades": {},
            "passableItemsCount": 5,
            "overallOutcome": outcome,
            "verifiedOutcome": outcome,
        }
        return Answer([element], paging=None)

    def instructor_notes(self, query: Query) -> Answer:
        """`onDemandInstructorNotes.v1?q=byCourse`: there are none."""
        query.required("courseId")
        return Answer([], {"instructors.v1": []} if "instructorIds" in query.includes else None, paging=None)

    def _own(self, key: str) -> tuple[int, Course]:
        """The course of a compound id. Raises `Refusal` if the user in it is not the learner."""
        user, *rest = split_compound(key)
        if user != str(USER_ID):
            raise not_authorized()
        if len(rest) != 1 or rest[0] not in self._courses:
            raise not_found()
        return self._courses[rest[0]]

    def _asked(self, query: Query) -> tuple[int, Course]:
        return self._own(f"{query.required('userId')}~{query.required('courseId')}")


def _of(course: Course) -> dict[str, object]:
    return {"id": f"{USER_ID}~{course.id}", "userId": USER_ID, "courseId": course.id}


def _span(course: Course) -> tuple[int, int]:
    """Begin and end of a course's session, in milliseconds since 1970."""
    return course.enrolled_ms, course.enrolled_ms + max(1, len(course.modules)) * _WEEK_MS
