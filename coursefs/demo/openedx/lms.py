"""The server: sign-in, API, pages and files of its courses, and access to them."""

from __future__ import annotations

import math
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from coursefs.demo.faults import Switchboard
from coursefs.demo.openedx import pages, replies, structure
from coursefs.demo.openedx.accounts import EXCHANGED, STAFF, Accounts, Unauthorized
from coursefs.demo.openedx.description import AccessDenied, Course
from coursefs.demo.openedx.enrolling import bulk_enrolment
from coursefs.demo.openedx.signing_in import SignInRoutes
from coursefs.demo.openedx.site import Site
from coursefs.demo.openedx.throttle import Throttle
from coursefs.demo.openedx.web import WebSite

_ENROLMENTS_A_MINUTE = 40
_CATALOGUE_A_MINUTE = 20


class ApiFailure(Exception):
    """An error of the API: a status and its JSON."""

    def __init__(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


class LmsHost:
    """The host of one server. `media` is the base URL of the media host, which serves public files."""

    def __init__(
        self,
        courses: Sequence[Course],
        accounts: Accounts,
        site: Site,
        switchboard: Switchboard,
        *,
        lms: str,
        media: str,
    ) -> None:
        self._courses = {course.id: course for course in courses}
        self._accounts = accounts
        self._site = site
        self._lms = lms
        self._media = media
        self._enrolment_throttle = Throttle(_ENROLMENTS_A_MINUTE, accounts.now)
        self._catalogue_throttle = Throttle(_CATALOGUE_A_MINUTE, accounts.now)
        self._sign_in = SignInRoutes(accounts, site, lms)
        self._web = WebSite(courses, accounts, site, switchboard, cdn=media)

    def app(self) -> Starlette:
        """The host as an ASGI application."""

        def at(path: str, answer: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
            return Route(path, self._guarded(answer), methods=list(methods or ("GET",)))

        def home(path: str, answer: Callable[[Request], Awaitable[Response]]) -> list[Route]:
            """Routes below `course_home`, where the version in the path is ignored."""
            return [at(f"/api/course_home/{version}{path}", answer) for version in ("", "v1/")]

        return Starlette(
            routes=[
                *(at(path, answer, *methods) for path, answer, methods in self._sign_in.routes()),
                at("/api/mobile/v0.5/my_user_info", self._my_user_info),
                at("/api/mobile/v0.5/users/{username}", self._user),
                at("/api/user/v1/me", self._me),
                at("/api/enrollment/v1/enrollment", self._enrolments),
                at("/api/enrollment/v2/enrollment/", self._enrolments_in_pages),
                at("/api/mobile/v1/users/{username}/course_enrollments/", self._mobile_enrolments),
                at("/api/courses/v1/courses/", self._catalogue),
                at("/api/courses/v1/courses/{course:path}/", self._catalogue_course),
                at("/api/courses/v1/blocks/", self._blocks),
                at("/api/courses/v2/blocks/", self._blocks),
                at("/api/learning_sequences/v1/course_outline/{course:path}", self._outline),
                *home("course_metadata/{course:path}", self._metadata),
                *home("outline/{course:path}", self._home),
                *home("dates/{course:path}", self._dates),
                *home("progress/{course:path}", self._progress),
                at("/api/mobile/v1/course_info/{course:path}/handouts", self._handouts),
                at("/api/mobile/v1/course_info/{course:path}/updates", self._updates),
                # with a slash at its end and without: the client that the platform's documents name posts to the latter
                *(at(f"/api/bulk_enroll/v1/bulk_enroll{end}", self._bulk_enroll, "POST") for end in ("", "/")),
                at("/xblock/{usage}", self._web.page),
                at("/courses/{course:path}/jump_to/{usage}", self._jump_to),
                at(
                    "/courses/{course:path}/xblock/{usage}/handler_noauth/transcript/available_translations",
                    self._web.translations,
                ),
                at("/courses/{course:path}/xblock/{usage}/handler_noauth/transcript/download", self._web.transcript),
                at("/courses/{course:path}/pdfbook/{number:int}/", self._web.book),
                at("/courses/{course:path}/{slug}/", self._web.tab),
                at("/assets/courseware/v1/{digest}/{asset:path}", self._web.asset),
                at("/{path:path}", self._web.other),
            ]
        )

    def _guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if any(request.url.path.startswith(path) for path in self._site.gone):
                return HTMLResponse(pages.NOT_FOUND, 404)
            if any(request.url.path.startswith(path) for path in self._site.broken):
                return HTMLResponse(pages.ERROR, 500)
            try:
                response = await answer(request)
            except Unauthorized as refused:
                response = JSONResponse(refused.body, 401, {"WWW-Authenticate": 'JWT realm="api"'})
            except ApiFailure as failed:
                response = JSONResponse(failed.body, failed.status, failed.headers)
            return self._with_session_cookie(request, response)

        return guarded

    def _with_session_cookie(self, request: Request, response: Response) -> Response:
        """Delete the cookie of a session that has ended; a request with a JWT gets an anonymous session."""
        shown = request.cookies.get("sessionid")
        if shown is not None and self._accounts.session_user(shown) is None:
            taken_back = 'sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax'
            response.headers.append("Set-Cookie", taken_back)
        with_jwt = request.headers.get("authorization", "").startswith("JWT ")
        if with_jwt and response.status_code < 400 and "set-cookie" not in response.headers:
            response.set_cookie("sessionid", secrets.token_urlsafe(24), max_age=EXCHANGED, path="/", httponly=True)
        return response

    # --- users

    def _api_user(self, request: Request) -> str:
        """The user of an API request, by token or by session. Raises `Unauthorized`."""
        user = self._session_user(request)
        if user is not None and "authorization" not in request.headers:
            return user
        return self._accounts.token(request.headers.get("authorization")).user

    def _session_user(self, request: Request) -> str | None:
        return self._accounts.session_user(request.cookies.get("sessionid"))

    def _open_course(self, request: Request) -> Course:
        """The course of a path below `course_home`, for its learners. Raises `ApiFailure`."""
        self._api_user(request)
        course = self._courses.get(request.path_params["course"])
        refusal = course.refusal(self._now()) if course else None
        if course is None or (refusal and refusal.code == "not_visible_to_user"):
            raise ApiFailure(404, {"detail": "Not found."})
        if refusal is not None and refusal.code == "enrollment_required":
            raise ApiFailure(401, "User not enrolled.")
        if refusal is not None:
            raise ApiFailure(403, {"detail": refusal.said})
        return course

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._accounts.now(), UTC)

    async def _my_user_info(self, request: Request) -> Response:
        return RedirectResponse(f"{self._lms}/api/mobile/v0.5/users/{self._api_user(request)}", 302)

    async def _user(self, request: Request) -> Response:
        user = self._api_user(request)
        if request.path_params["username"] != user:
            raise ApiFailure(403, {"detail": "You do not have permission to perform this action."})
        info = {"id": 7, "username": user, "email": f"{user}@example.com", "name": "Ada Learner"}
        return JSONResponse(
            {**info, "course_enrollments": f"{self._lms}/api/mobile/v0.5/users/{user}/course_enrollments/"}
        )

    async def _me(self, request: Request) -> Response:
        return JSONResponse({"username": self._api_user(request)})

    # --- lists

    async def _enrolments(self, request: Request) -> Response:
        user = self._api_user(request)
        self._count(self._enrolment_throttle, user)
        return JSONResponse([replies.enrolment(course, user) for course in self._enrolled()])

    async def _enrolments_in_pages(self, request: Request) -> Response:
        """The paged version of the enrolments, which accepts no bearer tokens."""
        if request.headers.get("authorization", "").startswith("Bearer "):
            raise Unauthorized({"detail": "Authentication credentials were not provided."})
        user, query = self._api_user(request), request.query_params
        self._count(self._enrolment_throttle, user)
        size = min(int(query.get("page_size", "10")), 100)
        page, rows = int(query.get("page", "1")), [replies.enrolment(course, user) for course in self._enrolled()]
        last = max(1, math.ceil(len(rows) / size))
        if page > last:
            raise ApiFailure(404, {"detail": "Invalid page."})
        follows = f"{self._lms}{request.url.path}?page={page + 1}&page_size={size}" if page < last else None
        counts = {"count": len(rows), "num_pages": last, "current_page": page, "start": (page - 1) * size}
        shown = rows[(page - 1) * size : page * size]
        return JSONResponse({"next": follows, "previous": None, **counts, "results": shown})

    def _enrolled(self) -> list[Course]:
        return [course for course in self._courses.values() if course.enrolled is not None]

    async def _mobile_enrolments(self, request: Request) -> Response:
        if self._api_user(request) != request.path_params["username"]:
            raise ApiFailure(403, {"detail": "You do not have permission to perform this action."})
        return JSONResponse([replies.mobile_enrolment(one) for one in self._enrolled() if one.mobile_available])

    async def _catalogue(self, request: Request) -> Response:
        self._count(self._catalogue_throttle, self._api_user(request))
        query = request.query_params
        words = query.get("search_term", "").casefold() if self._site.search_engine else ""
        found = [
            course
            for course in self._courses.values()
            if query.get("org") in {None, course.org} and words in course.name.casefold()
        ]
        size = min(int(query.get("page_size", "10")), 100)
        page, last = int(query.get("page", "1")), max(1, math.ceil(len(found) / size))
        if page > last:
            raise ApiFailure(404, {"detail": "Invalid page."})
        follows = f"{self._lms}/api/courses/v1/courses/?page={page + 1}&page_size={size}" if page < last else None
        shown = found[(page - 1) * size : page * size]
        return JSONResponse(
            {
                "pagination": {"count": len(found), "previous": None, "num_pages": last, "next": follows},
                "results": [replies.catalogue_entry(course, self._lms) for course in shown],
            }
        )

    async def _catalogue_course(self, request: Request) -> Response:
        self._count(self._catalogue_throttle, self._api_user(request))
        course = self._courses.get(request.path_params["course"])
        if course is None:
            raise ApiFailure(404, {"developer_message": "Course not found."})
        return JSONResponse(replies.catalogue_entry(course, self._lms))

    def _count(self, throttle: Throttle, user: str) -> None:
        wait = throttle.wait(user)
        if wait is not None:
            after = math.ceil(wait)
            detail = f"Request was throttled. Expected available in {after} seconds."
            raise ApiFailure(429, {"detail": detail}, {"Retry-After": str(after)})

    # --- one course

    async def _blocks(self, request: Request) -> Response:
        query = request.query_params
        if "username" not in query:
            missing = {"developer_message": "This field is required unless all_blocks is requested."}
            raise ApiFailure(400, {"field_errors": {"username": missing}})
        is_anonymous = "authorization" not in request.headers and not self._session_user(request)
        if is_anonymous and query["username"]:
            raise ApiFailure(403, {"developer_message": "Anonymous users cannot access another user's blocks."})
        user = self._api_user(request)
        if "course_id" not in query:
            raise ApiFailure(400, {"developer_message": "course_id is required."})
        if query["username"] != user:
            said = f"'{user}' does not have permission to access view for '{query['username']}'."
            raise ApiFailure(403, {"developer_message": said})
        course = self._courses.get(query["course_id"])
        if course is None or course.enrolled is None:
            raise ApiFailure(403, {"developer_message": f"Course blocks for '{user}' cannot be accessed."})
        refusal = course.refusal(self._now())
        if refusal is not None and refusal.code in {"course_not_started", "not_visible_to_user"}:
            return HTMLResponse(pages.ERROR, 500)  # a fault of the server, on every release so far
        body = structure.blocks(
            course,
            fields=_words(query.get("requested_fields", "")),
            views=_words(query.get("student_view_data", "")),
            depth=None if query.get("depth") == "all" else int(query.get("depth", "0")),
            lms=self._lms,
            media=self._media,
            now=self._now(),
            extracted=self._site.extracted,
        )
        return JSONResponse(list(body["blocks"].values()) if query.get("return_type") == "list" else body)

    async def _outline(self, request: Request) -> Response:
        user = self._api_user(request)
        course = self._courses.get(request.path_params["course"])
        if course is None:
            raise ApiFailure(404, {"detail": "Not found."})
        return JSONResponse(structure.course_outline(course, user, self._now()))

    async def _metadata(self, request: Request) -> Response:
        course = self._courses.get(request.path_params["course"])
        if course is None:
            raise ApiFailure(404, {"detail": "Not found."})
        if "authorization" not in request.headers and not self._session_user(request):
            said = "User must be authenticated to view the course"
            return JSONResponse(
                replies.metadata(course, None, AccessDenied("authentication_required", said, said), self._lms)
            )
        return JSONResponse(replies.metadata(course, self._api_user(request), course.refusal(self._now()), self._lms))

    async def _home(self, request: Request) -> Response:
        self._api_user(request)
        course = self._courses.get(request.path_params["course"])
        if course is None or course.enrolled is not None:
            course = self._open_course(request)
        return JSONResponse(replies.home(course, enrolled=course.enrolled is not None, cdn=self._media))

    def _course_for_apps(self, request: Request) -> Course:
        """The course of a path for apps, which see only few courses. Raises `ApiFailure`."""
        self._api_user(request)
        course = self._courses.get(request.path_params["course"])
        if course is None:
            raise ApiFailure(404, {"detail": "Not found."})
        said = "You do not have access to this course on a mobile device"
        unavailable = AccessDenied("mobile_unavailable", said, "Course is not available on mobile for this user")
        refusal = course.refusal(self._now()) or (None if course.mobile_available else unavailable)
        if refusal is not None:
            raise ApiFailure(404, replies.access(refusal))
        return course

    async def _handouts(self, request: Request) -> Response:
        course = self._course_for_apps(request)
        return JSONResponse({"handouts_html": course.with_static(course.handouts or "", self._media)})

    async def _updates(self, request: Request) -> Response:
        course = self._course_for_apps(request)
        rows = [{**one, "content": course.with_static(one["content"], self._media)} for one in course.updates]
        return JSONResponse([{"id": len(rows) - n, "status": "visible", **one} for n, one in enumerate(rows)])

    async def _dates(self, request: Request) -> Response:
        return JSONResponse(replies.dates(self._open_course(request), self._lms))

    async def _progress(self, request: Request) -> Response:
        if not self._site.progress:
            raise ApiFailure(404, {"detail": "Not found."})
        return JSONResponse(replies.progress(self._open_course(request)))

    async def _bulk_enroll(self, request: Request) -> Response:
        user = self._accounts.token(request.headers.get("authorization")).user
        if user != STAFF:
            raise ApiFailure(403, {"detail": "You do not have permission to perform this action."})
        self._count(self._enrolment_throttle, user)
        status, body = bulk_enrolment(await request.body(), self._courses)
        return JSONResponse(body, status)

    async def _jump_to(self, _: Request) -> Response:
        return HTMLResponse(pages.GATE)


def _words(value: str) -> frozenset[str]:
    return frozenset(word.strip() for word in value.split(","))
