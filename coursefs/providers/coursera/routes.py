"""Every address of Coursera's API that coursefs asks, as a table: routes die, and then one line changes here.

Facts: the resources answered in 2026-05 to 2026-10; field names that the platform does not know are dropped by it
silently; relations come only when `includes` names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class Route:
    """A path below the base URL and its query; `{name}` stands for a value that the caller gives."""

    name: str  # what is asked for, for a person
    path: str
    query: tuple[tuple[str, str], ...] = ()
    instead: Route | None = None  # what to ask where the platform has removed this one
    bare: bool = False  # its replies are older than the envelope
    public: bool = False  # answers everybody: no cookie is sent

    @property
    def needs(self) -> frozenset[str]:
        """The names of the values without which it cannot be asked."""
        texts = (self.path, *(value for _, value in self.query))
        return frozenset(name for text in texts for _, name, _, _ in Formatter().parse(text) if name)

    def url(self, base_url: str, **values: str) -> str:
        """The absolute URL.  In the path `{id}` takes a compound id made by `compound`; all values are encoded."""
        path = self.path.format_map({name: quote(value, safe="~") for name, value in values.items()})
        pairs = [(key, value.format_map(values)) for key, value in self.query]
        query = urlencode(pairs, quote_via=quote, safe="()~")
        return f"{base_url}{path}?{query}" if query else f"{base_url}{path}"


def compound(*parts: str) -> str:
    """A compound id, `courseId~itemId`: a tilde inside a part is written `!~`, a comma `\\,`, as Naptime does."""
    return "~".join(part.replace("~", "!~").replace(",", "\\,") for part in parts)


WHOAMI = Route("who am I", "/api/adminUserPermissions.v1", (("q", "my"),))

MEMBERSHIPS = Route(
    "enrolments",
    "/api/memberships.v1",
    (
        ("q", "me"),
        ("includes", "courseId,course"),
        ("fields", "courseId,enrolledTimestamp,role,courses.v1(name,slug,courseType)"),
        ("limit", "100"),
        ("start", "{start}"),
    ),
    # the list of the platform of sessions, which answers 404 today
    instead=Route("enrolments", "/api/users/v1/me/enrollments", bare=True),
)

MATERIALS = Route(
    "course materials",
    "/api/onDemandCourseMaterials.v2/",
    (
        ("q", "slug"),
        ("slug", "{slug}"),
        ("includes", "modules,lessons,passableItemGroups,passableItemGroupChoices,items"),
        (
            "fields",
            "moduleIds,"
            "onDemandCourseMaterialModules.v1(name,slug,lessonIds),"
            "onDemandCourseMaterialLessons.v1(name,slug,itemIds,elementIds),"
            "onDemandCourseMaterialPassableItemGroups.v1(passableItemGroupChoiceIds),"
            "onDemandCourseMaterialPassableItemGroupChoices.v1(itemIds),"
            "onDemandCourseMaterialItems.v2(name,originalName,slug,contentSummary,isLocked,itemLockedReasonCode,"
            "lockedStatus,itemLockSummary)",
        ),
        ("showLockedItems", "true"),
    ),
)

LECTURE_VIDEO = Route(
    "lecture video",
    "/api/onDemandLectureVideos.v1/{id}",
    (("includes", "video"), ("fields", "onDemandVideos.v1(sources,subtitles,subtitlesVtt,subtitlesTxt)")),
)

LECTURE_ASSETS = Route("attachments", "/api/onDemandLectureAssets.v1/{id}/", (("includes", "openCourseAssets"),))

SUPPLEMENT = Route(
    "reading",
    "/api/onDemandSupplements.v1/{id}",
    (("includes", "asset"), ("fields", "openCourseAssets.v1(typeName),openCourseAssets.v1(definition)")),
)

ASSETS = Route("files", "/api/assets.v1", (("ids", "{ids}"), ("fields", "name,typeName,fileExtension,url")))

# -- the account and the public catalogue -----------------------------------------------------------------------------

LOGIN = Route("password sign-in", "/api/login/v3")

_COURSE_FIELDS = "name,slug,courseType"

COURSE = Route(
    "course",
    "/api/onDemandCourses.v1",
    (
        ("q", "slug"),
        ("slug", "{slug}"),
        ("includes", "instructorIds,partnerIds"),
        ("fields", f"{_COURSE_FIELDS},instructorIds,partnerIds,instructors.v1(fullName),partners.v1(name,shortName)"),
    ),
    instead=Route(
        "course", "/api/courses.v1", (("q", "slug"), ("slug", "{slug}"), ("fields", _COURSE_FIELDS)), public=True
    ),
    public=True,
)

COURSES = Route("courses", "/api/courses.v1", (("ids", "{ids}"), ("fields", _COURSE_FIELDS)), public=True)

CATALOGUE = Route(
    "public catalogue",
    "/api/courses.v1",
    (("limit", "100"), ("start", "{start}"), ("fields", _COURSE_FIELDS)),
    public=True,
)

#: the courses of a learner's watch list; 2021
WATCHLIST = Route(
    "watch list", "/api/courses.v1", (("q", "watchlist"), ("start", "{start}"), ("fields", _COURSE_FIELDS))
)

SPECIALIZATION = Route(
    "specialization",
    "/api/onDemandSpecializations.v1",
    (
        ("q", "slug"),
        ("slug", "{slug}"),
        ("includes", "courseIds"),
        ("fields", f"name,slug,courseIds,courses.v1({_COURSE_FIELDS})"),
    ),
    public=True,
)

MY_SPECIALIZATIONS = Route(
    "specializations",
    "/api/onDemandSpecializationMemberships.v1",
    (
        ("q", "me"),
        ("includes", "s12nId"),
        ("fields", "s12nId,role,onDemandSpecializations.v1(name,slug,courseIds)"),
        ("limit", "100"),
        ("start", "{start}"),
    ),
)

# -- how the learner stands -------------------------------------------------------------------------------------------

#: {id} is user~course; the reply was also seen without an envelope (2015), as the older route gives it
PROGRESS = Route(
    "progress",
    "/api/onDemandCoursesProgress.v1/{id}",
    (("fields", "modules,lessons,overall,items,nextItem"),),
    instead=Route("progress", "/api/opencourse.v1/user/{user_id}/course/{slug}", bare=True),
)

SESSION = Route(
    "session",
    "/api/onDemandSessionMemberships.v1",
    (
        ("q", "activeByUserAndCourse"),
        ("userId", "{user_id}"),
        ("courseId", "{course_id}"),
        ("includes", "sessions"),
        ("fields", "id,createdAt,sessionId,userId,onDemandSessions.v1(courseId,startedAt,endedAt)"),
    ),
    instead=Route(
        "session",
        "/api/guidedCourseSessionProgresses.v1",
        (("ids", "{id}"), ("fields", "id,startedAt,endedAt,weeks,courseProgressState")),
    ),
)

DEADLINES = Route(
    "deadlines",
    "/api/onDemandDeadlineSettings.v1/",
    (("q", "byUserAndCourse"), ("userId", "{user_id}"), ("courseId", "{course_id}")),
)

SCHEDULE = Route("schedule", "/api/onDemandCourseSchedules.v1/{course_id}/", (("fields", "defaultSchedule"),))

#: answered in 2015; today 405
GRADES = Route("grades", "/api/onDemandCourseGrades.v1/{course_id}")

MODULES_DONE = Route(
    "modules that are done", "/api/onDemandHomeProgress.v1/{id}/", (("fields", "modulesCompleted,modulesPassed"),)
)

INSTRUCTOR_NOTES = Route(
    "instructors",
    "/api/onDemandInstructorNotes.v1/",
    (
        ("courseId", "{course_id}"),
        ("includes", "instructorIds"),
        ("fields", "instructors.v1(fullName)"),
        ("q", "byCourse"),
    ),
)
