"""The routes of Coursera's API that coursefs uses, as a table; when the platform removes one, one line changes.

Facts: the resources without `instead` answered from 2026-05 to 2026-10, except the instructions, which are from client
code of 2021 to 2026.  The platform silently drops field names that it does not know.  Related objects come only when
`includes` names them.  The fallbacks in `instead` are the API as documented in 2017.  Most of it was removed in 2022; a
private platform may still have it.  `absolute` is for the addresses in replies.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from urllib.parse import quote, urlencode, urljoin, urlsplit

from coursefs.errors import BadReply
from coursefs.transport import is_loopback


@dataclass(frozen=True, slots=True)
class Route:
    """A path below the base URL and its query; `{name}` is a parameter."""

    name: str  # of the request, for people
    path: str
    query: tuple[tuple[str, str], ...] = ()
    instead: Route | None = None  # the fallback when the platform has removed this route
    bare: bool = False  # its replies are older than the envelope
    public: bool = False  # needs no sign-in: no cookie is sent
    is_trial: bool = False  # not known to exist: that it does not is neither a trouble nor a surprise

    @property
    def resource(self) -> str:
        """The platform's name of the resource: `onDemandLectureVideos.v1`; for `opencourse.v1` with the part."""
        name, _, rest = self.path.removeprefix("/api/").partition("/")
        return f"{name}/{rest.partition('/')[0]}" if self.bare else name

    @property
    def needs(self) -> frozenset[str]:
        """The names of the required parameters."""
        texts = (self.path, *(value for _, value in self.query))
        return frozenset(name for text in texts for _, name, _, _ in Formatter().parse(text) if name)

    def url(self, base_url: str, **values: str) -> str:
        """The absolute URL; all values are encoded.  In the path, `{id}` takes a compound id made by `compound`."""
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
        ("fields", "courseId,enrolledTimestamp,role,courses.v1(name,slug,courseType,photoUrl)"),
        ("limit", "100"),
        ("start", "{start}"),
    ),
    # the list on the platform of sessions; it answers 404 today
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

#: `{video_id}` is in the old materials only
LECTURE_VIDEO = Route(
    "lecture video",
    "/api/onDemandLectureVideos.v1/{id}",
    (
        ("includes", "video"),
        (
            "fields",
            "onDemandVideos.v1(sources,subtitles,subtitlesVtt,subtitlesTxt,dubbedSources,dubbedSubtitlesVtt,"
            "audioDescriptionVideoSources,hlsUrl,dashUrl,playlists)",
        ),
    ),
    instead=Route("lecture video", "/api/opencourse.v1/video/{video_id}", bare=True),
)

COURSE_LANGUAGE = Route("course", "/api/courses.v1", (("ids", "{course_id}"), ("fields", "primaryLanguages")))

LECTURE_ASSETS = Route("attachments", "/api/onDemandLectureAssets.v1/{id}/", (("includes", "openCourseAssets"),))

#: one wrapper by its id, without the `@1` that the old materials append: for parts of a lecture or reading whose own
#: route is gone, when the old materials give their ids
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
    instead=Route("files", "/api/assetUrls.v1", (("ids", "{ids}"),)),  # gives their URLs only
)

#: the Resources tab; the reply includes the texts
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

#: whether the tab has an entry
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

#: the id is compound: learner, course, item
DISCUSSION = Route(
    "discussion",
    "/api/onDemandDiscussionPrompts.v1/{id}",
    (
        (
            "fields",
            "onDemandDiscussionPromptQuestions.v1(content),ondemandDiscussionPromptQuestions.v1(content),"
            "promptType,question",
        ),
        ("includes", "question"),
    ),
)

_LAB_FIELDS = (("fields", "description,offlineInstructions,inLabInstructionsParts,label"),)

#: what the page of a lab asks for before its button is pressed; the button POSTs `action=launch` to another resource,
#: which starts a machine.  The id is compound: learner, course, item
LAB = Route(
    "lab",
    "/api/onDemandWorkspaceLaunchers.v2/{id}",
    _LAB_FIELDS,
    instead=Route("lab", "/api/onDemandWorkspaceLaunchers.v1/{id}", _LAB_FIELDS),
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
        (
            "fields",
            f"{_COURSE_FIELDS},description,photoUrl,level,workload,"
            "instructorIds,partnerIds,instructors.v1(fullName),partners.v1(name,shortName)",
        ),
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

# -- the learner's standing --------------------------------------------------------------------------------------------

#: {id} is user~course; in 2015 the reply was also seen without an envelope, as that of the older route
PROGRESS = Route(
    "progress",
    "/api/onDemandCoursesProgress.v1/{id}",
    (("fields", "modules,lessons,overall,items,nextItem"),),
    instead=Route("progress", "/api/opencourse.v1/user/{user_id}/course/{slug}", bare=True),
)

#: the place in a video; {id} is user~course~video.  Only the PUT of it was seen: `viewedUpTo` in milliseconds
PLACE = Route("place in a lecture", "/api/onDemandVideoProgresses.v1/{id}", (("fields", "viewedUpTo"),))

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


def absolute(url: str, base_url: str) -> str:
    """A URL of a reply, made absolute on the platform's host; those of subtitles are relative.

    Raises `BadReply` when a platform on another machine points to this machine.
    """
    try:
        there = urljoin(f"{base_url}/", url)
        host = urlsplit(there).hostname or ""
    except ValueError:
        raise BadReply("the platform gave an address that is not valid") from None
    if is_loopback(host) and not is_loopback(urlsplit(base_url).hostname or ""):
        raise BadReply("the platform gave an address on this machine")
    return there
