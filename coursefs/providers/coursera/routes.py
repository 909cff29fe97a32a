"""Every address of Coursera's API that coursefs asks, as a table: routes die, and then one line changes here.

Facts: the resources answered in 2026-05 to 2026-10; field names that the platform does not know are dropped by it
silently; relations come only when `includes` names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class Route:
    """A path below the base URL and its query; `{name}` stands for a value that the caller gives."""

    name: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    public: bool = False  # answers everybody: no cookie is sent

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

# -- the account ------------------------------------------------------------------------------------------------------

LOGIN = Route("password sign-in", "/api/login/v3")
