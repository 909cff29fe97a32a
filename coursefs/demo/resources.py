"""The resources of the API: their requests and their default fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coursefs.demo.catalogue import Catalogue
from coursefs.demo.description import Course
from coursefs.demo.instruction_replies import InstructionReplies
from coursefs.demo.item_replies import ItemReplies
from coursefs.demo.learner_replies import LearnerReplies
from coursefs.demo.materials import Materials
from coursefs.demo.naptime import Resource
from coursefs.demo.old_materials import OldMaterials
from coursefs.demo.signing import Signer
from coursefs.demo.standing import Standings
from coursefs.demo.tabs import ResourcesTab

#: default fields of each resource; `id` is always included
DEFAULT_FIELDS: Mapping[str, frozenset[str]] = {
    "memberships.v1": frozenset({"role", "userId", "courseId"}),
    "courses.v1": frozenset({"courseType", "slug", "name"}),
    "onDemandCourses.v1": frozenset({"courseType", "slug", "name"}),
    "onDemandSpecializations.v1": frozenset({"slug", "name", "tagline", "description"}),
    "onDemandSpecializationMemberships.v1": frozenset({"s12nId", "userId", "role", "createdAt", "lastModified"}),
    "partners.v1": frozenset({"name", "shortName"}),
    "onDemandCoursesProgress.v1": frozenset({"modules", "lessons", "overall", "nextItem"}),
    "onDemandHomeProgress.v1": frozenset({"userId", "courseId"}),
    "onDemandSessionMemberships.v1": frozenset({"userId", "sessionId", "createdAt"}),
    "onDemandSessions.v1": frozenset({"courseId", "startedAt", "endedAt"}),
    "onDemandDeadlineSettings.v1": frozenset({"userId", "courseId", "start", "isEnabled", "moduleDeadlines"}),
    "onDemandCourseGrades.v1": frozenset(
        {"timestamp", "passingState", "itemGrades", "passableItemsCount", "overallOutcome", "verifiedOutcome"}
    ),
    "onDemandCourseMaterialLessons.v1": frozenset({"moduleId", "itemIds"}),
    "onDemandCourseMaterialItems.v2": frozenset({"moduleId", "lessonId"}),
    "onDemandCourseMaterialItems.v1": frozenset({"moduleId", "lessonId"}),
    "onDemandLectureVideos.v1": frozenset({"itemId", "courseId"}),
    "onDemandLectureAssets.v1": frozenset({"itemId", "courseId"}),
    "onDemandSupplements.v1": frozenset({"itemId", "courseId"}),
    "openCourseAssets.v1": frozenset({"itemId", "courseId", "typeName", "definition"}),
    "assets.v1": frozenset({"name", "typeName", "url"}),
    "assetUrls.v1": frozenset({"url", "expires"}),
    "onDemandReferences.v1": frozenset({"courseId"}),
    "onDemandProgrammingLearnerAssignments.v1": frozenset({"itemId", "courseId"}),
    "onDemandProgrammingImmediateInstructions.v1": frozenset({"itemId", "courseId", "assignmentInstructions"}),
}


def resource_table(
    courses: Sequence[Course], signer: Signer, cdn: str, memberships_page: int
) -> Mapping[str, Resource]:
    """All resources, by name.

    `cdn` is the base URL of the media host, `memberships_page` the maximum size of a page in a list of courses.
    """
    enrolments = LearnerReplies(courses, memberships_page)
    catalogue = Catalogue(courses, memberships_page)
    standings = Standings(courses)
    contents = ItemReplies(courses, signer, cdn)
    materials = Materials(courses, contents)
    tasks = InstructionReplies(contents)
    tabs = ResourcesTab(courses)
    old = OldMaterials(courses, contents)
    return {
        "adminUserPermissions.v1": Resource(finders={"my": enrolments.whoami}),
        "memberships.v1": Resource(finders={"me": enrolments.memberships}),
        "courses.v1": Resource(
            get=catalogue.course,
            multi_get=catalogue.courses_by_id,
            get_all=catalogue.all_courses,
            finders={"slug": catalogue.course_by_slug, "watchlist": catalogue.watch_list},
            public=True,
            private=frozenset({"watchlist"}),
        ),
        "onDemandCourses.v1": Resource(
            get=catalogue.course,
            multi_get=catalogue.courses_by_id,
            finders={"slug": catalogue.course_by_slug},
            public=True,
        ),
        "onDemandSpecializations.v1": Resource(
            get_all=catalogue.all_specializations,
            finders={"slug": catalogue.specialization_by_slug},
            public=True,
        ),
        "onDemandSpecializationMemberships.v1": Resource(finders={"me": catalogue.my_specializations}),
        "instructors.v1": Resource(multi_get=catalogue.instructors, public=True),
        "partners.v1": Resource(multi_get=catalogue.partners, public=True),
        "onDemandCoursesProgress.v1": Resource(get=standings.progress),
        "onDemandVideoProgresses.v1": Resource(get=standings.place),
        "onDemandHomeProgress.v1": Resource(get=standings.modules_done),
        "onDemandSessionMemberships.v1": Resource(finders={"activeByUserAndCourse": standings.session}),
        "guidedCourseSessionProgresses.v1": Resource(multi_get=standings.guided),
        "onDemandDeadlineSettings.v1": Resource(finders={"byUserAndCourse": standings.deadlines}),
        "onDemandCourseSchedules.v1": Resource(get=standings.schedule),
        "onDemandCourseGrades.v1": Resource(get=standings.grade),
        "onDemandInstructorNotes.v1": Resource(finders={"byCourse": standings.instructor_notes}),
        "onDemandCourseMaterials.v2": Resource(finders={"slug": materials.by_slug, "learner": materials.of_learner}),
        "onDemandLectureVideos.v1": Resource(get=contents.lecture_video, multi_get=contents.lecture_videos),
        "onDemandLectureAssets.v1": Resource(get=contents.lecture_assets, multi_get=contents.lectures_assets),
        "onDemandSupplements.v1": Resource(get=contents.supplement, multi_get=contents.supplements),
        "openCourseAssets.v1": Resource(get=contents.wrapper),
        "assets.v1": Resource(get=contents.asset, multi_get=contents.assets),
        "assetUrls.v1": Resource(multi_get=contents.asset_urls),
        "onDemandReferences.v1": Resource(finders={"courseListed": tabs.listed, "shortId": tabs.by_short_id}),
        "onDemandProgrammingLearnerAssignments.v1": Resource(get=tasks.programming),
        "onDemandProgrammingImmediateInstructions.v1": Resource(get=tasks.exercise),
        "onDemandPeerAssignmentInstructions.v1": Resource(finders={"latest": tasks.peer_assignment}),
        "onDemandDiscussionPrompts.v1": Resource(get=tasks.discussion),
        "onDemandWorkspaceLaunchers.v2": Resource(get=tasks.lab),
        "onDemandCourseMaterials.v1": Resource(finders={"slug": old.by_slug}),
        "opencourse.v1": Resource(bare=old.open_course),
    }
