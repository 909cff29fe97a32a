"""Every address of an Open edX server that coursefs asks, as a table: routes come and go with releases.

Each resource has its ways in the order in which they are tried: where the first is not there (404 with a web page, for
an API says what is missing in JSON), the next one is.  Versions: v3 and v4 of the mobile API since December 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from coursefs.model import Route as RouteState
from coursefs.providers.openedx.keys import quoted

TOKEN = "/oauth2/access_token/"  # noqa: S105  # a path
SESSION = "/oauth2/login/"
CSRF = "/csrf/api/v1/token"
#: where the login page sends a password, and under which name it sends who it is
LOGINS = (
    ("/api/user/v2/account/login_session/", "email_or_username"),
    ("/api/user/v1/account/login_session/", "email"),
)
BULK_ENROLL = "/api/bulk_enroll/v1/bulk_enroll/"


@dataclass(frozen=True, slots=True)
class Way:
    """A path below the server's address and its query; `{name}` stands for a value that the caller gives."""

    path: str
    query: tuple[tuple[str, str], ...] = ()

    def url(self, base_url: str, **values: str) -> str:
        """The absolute URL.  Pairs of the query whose value is "" are not sent."""
        path = self.path.format_map({name: quoted(value) for name, value in values.items()})
        pairs = [(key, value.format_map(values)) for key, value in self.query]
        query = urlencode([pair for pair in pairs if pair[1]], quote_via=quote, safe=",")
        return f"{base_url}{path}?{query}" if query else f"{base_url}{path}"


@dataclass(frozen=True, slots=True)
class Resource:
    """What can be asked for, and the ways to do so."""

    name: str  # for a person
    ways: tuple[Way, ...]


_BLOCKS_QUERY = (
    ("course_id", "{course_id}"),
    ("username", "{username}"),
    ("depth", "all"),
    ("requested_fields", "children,due,graded,student_view_data"),
    ("student_view_data", "video,html,pdf,audio"),
    ("return_type", "dict"),
)
_SEARCH_QUERY = (
    ("username", "{username}"),
    ("org", "{org}"),
    ("search_term", "{search_term}"),
    ("page", "{page}"),
    ("page_size", "100"),
)

WHOAMI = Resource("who am I", (Way("/api/mobile/v0.5/my_user_info"), Way("/api/user/v1/me")))
ENROLMENTS = Resource(
    "enrolments", (Way("/api/enrollment/v1/enrollment"), Way("/api/mobile/v1/users/{username}/course_enrollments/"))
)
BLOCKS = Resource(
    "course blocks", (Way("/api/courses/v2/blocks/", _BLOCKS_QUERY), Way("/api/courses/v1/blocks/", _BLOCKS_QUERY))
)
ACCESS = Resource("access to the course", (Way("/api/course_home/v1/course_metadata/{course_id}"),
                                           Way("/api/course_home/course_metadata/{course_id}")))  # fmt: skip
PAGE = Resource(
    "page of a unit",
    (Way("/xblock/{usage_key}", (("view", "student_view"), ("show_title", "0"), ("show_bookmark", "0"))),),
)
HANDOUTS = Resource(
    "handouts",
    (Way("/api/mobile/v1/course_info/{course_id}/handouts"), Way("/api/mobile/v0.5/course_info/{course_id}/handouts")),
)
UPDATES = Resource(
    "updates",
    (Way("/api/mobile/v1/course_info/{course_id}/updates"), Way("/api/mobile/v0.5/course_info/{course_id}/updates")),
)
DATES = Resource("dates", (Way("/api/course_home/v1/dates/{course_id}"), Way("/api/course_home/dates/{course_id}")))
PROGRESS = Resource(
    "progress", (Way("/api/course_home/progress/{course_id}"), Way("/api/course_home/v1/progress/{course_id}"))
)
CATALOGUE = Resource("catalogue", (Way("/api/courses/v1/courses/", _SEARCH_QUERY),))
COURSE = Resource("course of the catalogue", (Way("/api/courses/v1/courses/{course_id}/"),))


class RouteBook:
    """Which ways were found to be gone, as long as the process lives."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], str | None] = {}

    def ways(self, resource: Resource) -> Sequence[Way]:
        """The ways to try, in order: those that are not gone; all where every one of them is."""
        there = [way for way in resource.ways if self._used.get((resource.name, way.path)) is None]
        return there or resource.ways

    def note(self, resource: Resource, way: Way, trouble: str | None) -> None:
        """How it went; None: there was an answer."""
        self._used[resource.name, way.path] = trouble

    def states(self) -> list[RouteState]:
        """What was used, as `Provider.routes` says it."""
        return [RouteState(f"{name} ({path})", trouble) for (name, path), trouble in self._used.items()]
