"""The routes of Open edX that coursefs uses, as a table; they change between releases.

Each resource has its routes, tried in order: if the server does not have the first route, the next is used.  A missing
route answers 404 with a web page; for a missing object the API answers in JSON.  Versions: v3 and v4 of the mobile API
since December 2023; v2 of the enrolments, which accepts no bearer tokens, since 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from coursefs.model import RouteState
from coursefs.providers.openedx.keys import quoted

TOKEN = "/oauth2/access_token/"  # noqa: S105  # a path
SESSION = "/oauth2/login/"
CSRF = "/csrf/api/v1/token"
#: the login page's endpoints for a password, and their field for the user name or e-mail
LOGINS = (
    ("/api/user/v2/account/login_session/", "email_or_username"),
    ("/api/user/v1/account/login_session/", "email"),
)
#: the user of a session: the first reply is smaller, the second route is older
WHO = ("/api/user/v1/me", "/api/mobile/v0.5/my_user_info")
BULK_ENROLL = "/api/bulk_enroll/v1/bulk_enroll/"


@dataclass(frozen=True, slots=True)
class Route:
    """A path below the server's address and its query; `{name}` is a parameter."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    lacks: str = ""  # the facts that it lacks, for people

    def url(self, base_url: str, **values: str) -> str:
        """The absolute URL, without query parameters whose value is ""."""
        path = self.path.format_map({name: quoted(value) for name, value in values.items()})
        pairs = [(key, value.format_map(values)) for key, value in self.query]
        query = urlencode([pair for pair in pairs if pair[1]], quote_via=quote, safe=",")
        return f"{base_url}{path}?{query}" if query else f"{base_url}{path}"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API, and the routes that lead to it, the first choice first."""

    name: str  # for a person
    routes: tuple[Route, ...]


_BLOCKS_QUERY = (
    ("course_id", "{course_id}"),
    ("username", "{username}"),
    ("depth", "all"),
    ("requested_fields", "children,due,graded,student_view_data"),
    ("student_view_data", "video,html,pdf,audio"),
    ("return_type", "dict"),
)


def _home(name: str) -> tuple[Route, ...]:
    """The routes to a resource below `course_home`, whose path had a version in old releases."""
    return tuple(Route(f"/api/course_home/{version}{name}/{{course_id}}") for version in ("", "v1/"))


_SEARCH_QUERY = (
    ("username", "{username}"),
    ("org", "{org}"),
    ("search_term", "{search_term}"),
    ("page", "{page}"),
    ("page_size", "100"),
)

WHOAMI = Resource("who am I", (Route("/api/mobile/v0.5/my_user_info"), Route("/api/user/v1/me")))
_PAGES = (("page", "{page}"), ("page_size", "100"))
#: without `view=minimal`, which omits the names of the courses
ENROLMENTS = Resource(
    "enrolments",
    (
        Route("/api/enrollment/v1/enrollment"),
        Route("/api/enrollment/v2/enrollment/", _PAGES),
        Route(
            "/api/mobile/v1/users/{username}/course_enrollments/",
            lacks="it lists only the courses that their teams let apps show",
        ),
    ),
)
FOR_APPS = Resource("courses for apps", (Route("/api/mobile/v1/users/{username}/course_enrollments/"),))
BLOCKS = Resource(
    "course blocks", (Route("/api/courses/v2/blocks/", _BLOCKS_QUERY), Route("/api/courses/v1/blocks/", _BLOCKS_QUERY))
)
CHAPTERS = Resource("course outline", (Route("/api/learning_sequences/v1/course_outline/{course_id}"),))
ACCESS = Resource("access to the course", _home("course_metadata"))
HOME = Resource("course home", _home("outline"))
PAGE = Resource(
    "page of a unit",
    (Route("/xblock/{usage_key}", (("view", "student_view"), ("show_title", "0"), ("show_bookmark", "0"))),),
)
HANDOUTS = Resource(
    "handouts",
    (
        Route("/api/mobile/v1/course_info/{course_id}/handouts"),
        Route("/api/mobile/v0.5/course_info/{course_id}/handouts"),
    ),
)
UPDATES = Resource(
    "updates",
    (
        Route("/api/mobile/v1/course_info/{course_id}/updates"),
        Route("/api/mobile/v0.5/course_info/{course_id}/updates"),
    ),
)
DATES = Resource("dates", _home("dates"))
PROGRESS = Resource("progress", _home("progress"))
CATALOGUE = Resource("catalogue", (Route("/api/courses/v1/courses/", _SEARCH_QUERY),))
COURSE = Resource("course of the catalogue", (Route("/api/courses/v1/courses/{course_id}/"),))


class RouteBook:
    """The record of the routes that the server does not have, for the life of the process."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, Route], str | None] = {}

    def routes(self, resource: Resource) -> Sequence[Route]:
        """The routes to try, in order: those that are not missing; all of them if every one is."""
        there = [route for route in resource.routes if self._used.get((resource.name, route)) is None]
        return there or resource.routes

    def note(self, resource: Resource, route: Route, trouble: str | None) -> None:
        """Record the result of a request: the error of a missing route, or None for any answer."""
        self._used[resource.name, route] = trouble

    def states(self) -> list[RouteState]:
        """The state of each route that was used, for `Provider.routes`."""
        used = self._used.items()
        return [RouteState(f"{name} ({route.path})", trouble or route.lacks or None) for (name, route), trouble in used]
