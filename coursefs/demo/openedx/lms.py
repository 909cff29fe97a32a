"""The server: sign-in, API, pages and files of its courses, and who may have which of them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from coursefs.demo.cdn import file_response
from coursefs.demo.faults import Switchboard
from coursefs.demo.openedx import pages, replies
from coursefs.demo.openedx.accounts import STAFF, Accounts, Unauthorized
from coursefs.demo.openedx.description import FILES, Asset, Course
from coursefs.demo.openedx.enrolling import bulk_enrolment
from coursefs.demo.openedx.signing_in import SignIn
from coursefs.demo.openedx.throttle import Throttle

_ENROLMENTS_A_MINUTE = 40
_CATALOGUE_A_MINUTE = 20


class Failed(Exception):
    """The API refuses: a status and its JSON."""

    def __init__(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


class LmsHost:
    """Answers for one server.

    `gone` are beginnings of paths that this release does not have: they are answered with the site's 404 page.
    `media` is the base URL of the media host.
    """

    def __init__(
        self,
        courses: Sequence[Course],
        accounts: Accounts,
        switchboard: Switchboard,
        *,
        lms: str,
        media: str,
        gone: frozenset[str] = frozenset(),
    ) -> None:
        self._courses = {course.id: course for course in courses}
        self._accounts = accounts
        self._switchboard = switchboard
        self._lms = lms
        self._media = media
        self.gone = set(gone)
        self._enrolment_throttle = Throttle(_ENROLMENTS_A_MINUTE, accounts.now)
        self._catalogue_throttle = Throttle(_CATALOGUE_A_MINUTE, accounts.now)
        self._sign_in = SignIn(accounts, lms)

    def app(self) -> Starlette:
        """The host as an ASGI application."""

        def at(path: str, answer: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
            return Route(path, self._guarded(answer), methods=list(methods or ("GET",)))

        return Starlette(
            routes=[
                *(at(path, answer, *methods) for path, answer, methods in self._sign_in.routes()),
                at("/api/mobile/v0.5/my_user_info", self._my_user_info),
                at("/api/mobile/v0.5/users/{username}", self._user),
                at("/api/user/v1/me", self._me),
                at("/api/enrollment/v1/enrollment", self._enrolments),
                at("/api/mobile/v1/users/{username}/course_enrollments/", self._mobile_enrolments),
                at("/api/courses/v1/courses/", self._catalogue),
                at("/api/courses/v1/courses/{course:path}/", self._catalogue_course),
                at("/api/courses/v1/blocks/", self._blocks),
                at("/api/courses/v2/blocks/", self._blocks),
                at("/api/course_home/v1/course_metadata/{course:path}", self._metadata),
                at("/api/mobile/v1/course_info/{course:path}/handouts", self._handouts),
                at("/api/mobile/v1/course_info/{course:path}/updates", self._updates),
                at("/api/course_home/v1/dates/{course:path}", self._dates),
                at("/api/course_home/progress/{course:path}", self._progress),
                at("/api/bulk_enroll/v1/bulk_enroll/", self._bulk_enroll, "POST"),
                at("/xblock/{usage}", self._page),
                at("/courses/{course:path}/jump_to/{usage}", self._jump_to),
                at("/courses/{course:path}/xblock/{usage}/handler_noauth/transcript/download", self._transcript),
                at("/assets/courseware/v1/{digest}/{asset}", self._asset),
                at("/{path:path}", self._other),
            ]
        )

    def _guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if any(request.url.path.startswith(path) for path in self.gone):
                return HTMLResponse(pages.NOT_FOUND, 404)
            try:
                return await answer(request)
            except Unauthorized as refused:
                return JSONResponse(refused.body, 401, {"WWW-Authenticate": 'JWT realm="api"'})
            except Failed as failed:
                return JSONResponse(failed.body, failed.status, failed.headers)

        return guarded

    # --- who

    def _api_user(self, request: Request) -> str:
        """Who asks the API: by token, or by session.  Raises `Unauthorized`."""
        user = self._accounts.session_user(request.cookies.get("sessionid"))
        if user is not None and "authorization" not in request.headers:
            return user
        return self._accounts.token(request.headers.get("authorization")).user

    def _course(self, request: Request, key: str) -> Course:
        """A course that the user may see now.  Raises `Failed`."""
        self._api_user(request)
        course = self._courses.get(key)
        if course is None or course.start > self._now():
            raise Failed(404, {"developer_message": f"Course not found: {key}"})
        return course

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._accounts.now(), UTC)

    async def _my_user_info(self, request: Request) -> Response:
        return RedirectResponse(f"{self._lms}/api/mobile/v0.5/users/{self._api_user(request)}", 302)

    async def _user(self, request: Request) -> Response:
        user = self._api_user(request)
        if request.path_params["username"] != user:
            raise Failed(403, {"detail": "You do not have permission to perform this action."})
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
        return JSONResponse([replies.enrolment(course, user) for course in self._courses.values()])

    async def _mobile_enrolments(self, request: Request) -> Response:
        if self._api_user(request) != request.path_params["username"]:
            raise Failed(403, {"detail": "You do not have permission to perform this action."})
        return JSONResponse([replies.mobile_enrolment(course) for course in self._courses.values()])

    async def _catalogue(self, request: Request) -> Response:
        self._count(self._catalogue_throttle, self._api_user(request))
        query = request.query_params
        words = query.get("search_term", "").casefold()
        found = [
            course
            for course in self._courses.values()
            if query.get("org") in {None, course.org} and words in course.name.casefold()
        ]
        size = min(int(query.get("page_size", "10")), 100)
        page, last = int(query.get("page", "1")), max(1, math.ceil(len(found) / size))
        if page > last:
            raise Failed(404, {"detail": "Invalid page."})
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
            raise Failed(404, {"developer_message": "Course not found."})
        return JSONResponse(replies.catalogue_entry(course, self._lms))

    def _count(self, throttle: Throttle, user: str) -> None:
        wait = throttle.wait(user)
        if wait is not None:
            after = math.ceil(wait)
            detail = f"Request was throttled. Expected available in {after} seconds."
            raise Failed(429, {"detail": detail}, {"Retry-After": str(after)})

    # --- one course

    async def _blocks(self, request: Request) -> Response:
        query = request.query_params
        user = self._api_user(request)
        if "course_id" not in query:
            raise Failed(400, {"developer_message": "course_id is required."})
        if "username" not in query:
            raise Failed(
                400, {"developer_message": {"username": ["This field is required unless all_blocks is requested."]}}
            )
        if query["username"] != user:
            raise Failed(403, {"developer_message": f"User {user} cannot masquerade as {query['username']}."})
        course = self._course(request, query["course_id"])
        depth = None if query.get("depth") == "all" else int(query.get("depth", "0"))
        body = replies.blocks(
            course,
            fields=_words(query.get("requested_fields", "")),
            views=_words(query.get("student_view_data", "")),
            depth=depth,
            lms=self._lms,
            media=self._media,
        )
        return JSONResponse(list(body["blocks"].values()) if query.get("return_type") == "list" else body)

    async def _metadata(self, request: Request) -> Response:
        user = self._api_user(request)
        course = self._courses.get(request.path_params["course"])
        if course is None:
            raise Failed(404, {"detail": "Not found."})
        return JSONResponse(replies.metadata(course, user, has_begun=course.start <= self._now()))

    async def _handouts(self, request: Request) -> Response:
        return JSONResponse({"handouts_html": self._course(request, request.path_params["course"]).handouts})

    async def _updates(self, request: Request) -> Response:
        updates = self._course(request, request.path_params["course"]).updates
        return JSONResponse([{"id": len(updates) - n, "status": "visible", **one} for n, one in enumerate(updates)])

    async def _dates(self, request: Request) -> Response:
        return JSONResponse(replies.dates(self._course(request, request.path_params["course"]), self._lms))

    async def _progress(self, request: Request) -> Response:
        return JSONResponse(replies.progress(self._course(request, request.path_params["course"])))

    async def _bulk_enroll(self, request: Request) -> Response:
        user = self._accounts.token(request.headers.get("authorization")).user
        if user != STAFF:
            raise Failed(403, {"detail": "You do not have permission to perform this action."})
        self._count(self._enrolment_throttle, user)
        status, body = bulk_enrolment(await request.body(), self._courses)
        return JSONResponse(body, status)

    # --- the web site

    async def _page(self, request: Request) -> Response:
        """The page of a block: for sessions alone, whatever token comes with the request."""
        if self._accounts.session_user(request.cookies.get("sessionid")) is None:
            return RedirectResponse(f"/login?next={request.url.path}", 302)
        for course in self._courses.values():
            block = course.block(request.path_params["usage"])
            if block is None or course.start > self._now():
                continue
            if block.fields.get("crashes"):
                return HTMLResponse(pages.NOT_FOUND, block.fields["crashes"])
            if block.fields.get("exam"):
                return HTMLResponse(pages.NOT_FOUND, 403)
            if block.fields.get("gated"):
                return RedirectResponse(f"/courses/{course.id}/jump_to/{block.key}", 302)
            return HTMLResponse(pages.unit(course, block))
        return HTMLResponse(pages.NOT_FOUND, 404)

    async def _jump_to(self, _: Request) -> Response:
        return HTMLResponse(pages.GATE)

    async def _transcript(self, request: Request) -> Response:
        """A transcript, to anybody: as an attachment, without ranges."""
        course = self._courses.get(request.path_params["course"])
        block = course.block(request.path_params["usage"]) if course else None
        name = block.fields.get("transcripts", {}).get(request.query_params.get("lang", "en")) if block else None
        if name is None:
            return HTMLResponse(pages.NOT_FOUND, 404)
        headers = {"Content-Disposition": 'attachment; filename="transcript.srt"', "Content-Language": "en"}
        return Response((FILES / name).read_bytes(), 200, headers, "application/x-subrip; charset=utf-8")

    async def _asset(self, request: Request) -> Response:
        """A file by its versioned address; with a digest that is not its own it is elsewhere."""
        asset = self._asset_at("/" + request.path_params["asset"])
        if asset is not None and asset.digest != request.path_params["digest"]:
            return RedirectResponse(asset.path, 301)
        return await self._file(request, asset)

    async def _other(self, request: Request) -> Response:
        path = request.url.path
        if path == "/login":
            return HTMLResponse(pages.LOGIN)
        return await self._file(request, self._asset_at(request.scope["path"]))

    def _asset_at(self, path: str) -> Asset | None:
        found = (asset for course in self._courses.values() for asset in course.assets.values())
        return next((asset for asset in found if asset.path == path), None)

    async def _file(self, request: Request, asset: Asset | None) -> Response:
        if asset is None:
            return HTMLResponse(pages.NOT_FOUND, 404)
        if asset.locked and self._accounts.session_user(request.cookies.get("sessionid")) is None:
            return PlainTextResponse("Unauthorized", 403, {"Cache-Control": "private, no-cache, no-store"})
        return await file_response(request, asset.file, self._switchboard)


def _words(value: str) -> frozenset[str]:
    return frozenset(word.strip() for word in value.split(","))
