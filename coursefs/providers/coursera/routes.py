"""Every address of Coursera's API that coursefs asks, as a table: routes die, and then one line changes here.

Facts: the resources without `instead` answered in 2026-05 to 2026-10, but for the instructions (client code of 2021 to
2026); field names that the platform does not know are dropped by it silently; relations come only when `includes`
names them.  What stands behind `instead` is the API as it was documented in 2017.  Most of it was removed in 2022; a
platform of one's own may still have it.
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
    def resource(self) -> str:
        """What the platform calls it: `onDemandLectureVideos.v1`; of `opencourse.v1` the part too."""
        name, _, rest = self.path.removeprefix("/api/").partition("/")
        return f"{name}/{rest.partition('/')[0]}" if self.bare else name

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

_OPEN_COURSE = Route(
    "course materials",
    "/api/opencourse.v1/course/{slug}",
    (("showLockedItems", "true"),),
    bare=True,
)

_OLD_MATERIALS = Route(
    "course materials",
    "/api/onDemandCourseMaterials.v1/",
    (
        ("q", "slug"),
        ("slug", "{slug}"),
        (
            "includes",
            "moduleIds,lessonIds,passableItemGroups,passableItemGroupChoices,passableLessonElements,itemIds,tracks",
        ),
        (
            "fields",
            "moduleIds,"
            "onDemandCourseMaterialModules.v1(name,slug,description,timeCommitment,lessonIds,optional),"
            "onDemandCourseMaterialLessons.v1(name,slug,timeCommitment,elementIds,optional,trackId),"
            "onDemandCourseMaterialPassableItemGroups.v1(requiredPassedCount,passableItemGroupChoiceIds,trackId),"
            "onDemandCourseMaterialPassableItemGroupChoices.v1(name,description,itemIds),"
            "onDemandCourseMaterialPassableLessonElements.v1(gradingWeight),"
            "onDemandCourseMaterialItems.v1(name,slug,timeCommitment,content,isLocked,lockableByItem,"
            "itemLockedReasonCode,trackId),"
            "onDemandCourseMaterialTracks.v1(passablesCount)",
        ),
        ("showLockedItems", "true"),
    ),
    instead=_OPEN_COURSE,
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
    instead=_OLD_MATERIALS,
)

#: `{video_id}` is in the old materials alone: the present ones name no video
LECTURE_VIDEO = Route(
    "lecture video",
    "/api/onDemandLectureVideos.v1/{id}",
    (("includes", "video"), ("fields", "onDemandVideos.v1(sources,subtitles,subtitlesVtt,subtitlesTxt)")),
    instead=Route("lecture video", "/api/opencourse.v1/video/{video_id}", bare=True),
)

COURSE_LANGUAGE = Route("course", "/api/courses.v1", (("ids", "{course_id}"), ("fields", "primaryLanguages")))

LECTURE_ASSETS = Route("attachments", "/api/onDemandLectureAssets.v1/{id}/", (("includes", "openCourseAssets"),))

#: one wrapper by its id, without the `@1` that the old materials put behind it: where the route of a lecture's or a
#: reading's parts is gone, and the old materials have said their ids
COURSE_ASSET = Route("parts of an item", "/api/openCourseAssets.v1/{id}")

SUPPLEMENT = Route(
    "reading",
    "/api/onDemandSupplements.v1/{id}",
    (("includes", "asset"), ("fields", "openCourseAssets.v1(typeName),openCourseAssets.v1(definition)")),
)

ASSETS = Route(
    "files",
    "/api/assets.v1",
    (("ids", "{ids}"), ("fields", "name,typeName,fileExtension,url")),
    instead=Route("files", "/api/assetUrls.v1", (("ids", "{ids}"),)),  # their URLs alone
)

#: the Resources tab; the reply holds the texts too
REFERENCES = Route(
    "resources",
    "/api/onDemandReferences.v1/",
    (
        ("courseId", "{course_id}"),
        ("q", "courseListed"),
        ("fields", "name,shortId,slug,content"),
        ("includes", "assets"),
    ),
)

#: whether there is anything in it
ANY_REFERENCE = Route(
    "resources",
    "/api/onDemandReferences.v1/",
    (("courseId", "{course_id}"), ("q", "courseListed"), ("fields", "shortId"), ("limit", "1")),
)

PROGRAMMING = Route(
    "programming assignment",
    "/api/onDemandProgrammingLearnerAssignments.v1/{id}",
    (("fields", "submissionLearnerSchema"),),
)

PROGRAMMING_EXERCISE = Route("programming assignment", "/api/onDemandProgrammingImmediateInstructions.v1/{id}")

PEER_ASSIGNMENT = Route(
    "peer assignment",
    "/api/onDemandPeerAssignmentInstructions.v1/",
    (
        ("q", "latest"),
        ("userId", "{user_id}"),
        ("courseId", "{course_id}"),
        ("itemId", "{item_id}"),
        ("includes", "gradingMetadata,reviewSchemas,submissionSchemas"),
        (
            "fields",
            "instructions,"
            "onDemandPeerAssignmentGradingMetadata.v1(requiredAuthoredReviewCount,isMentorGraded,assignmentDetails),"
            "onDemandPeerReviewSchemas.v1(reviewSchema),"
            "onDemandPeerSubmissionSchemas.v1(submissionSchema)",
        ),
    ),
)

#: the id is that of the learner, the course and the item
DISCUSSION = Route(
    "discussion",
    "/api/onDemandDiscussionPrompts.v1/{id}",
    (("fields", "onDemandDiscussionPromptQuestions.v1(content),promptType,question"), ("includes", "question")),
)

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
