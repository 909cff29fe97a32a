"""The web site: unit pages for signed-in users, public transcripts, and the files of courses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import trio
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from coursefs.demo.cdn import file_response
from coursefs.demo.faults import Switchboard
from coursefs.demo.openedx import pages
from coursefs.demo.openedx.accounts import Accounts
from coursefs.demo.openedx.description import FILES, Asset, Block, Course
from coursefs.demo.openedx.site import Site
from coursefs.demo.openedx.structure import keeps_back

#: blocks that write down something for who opens their page: a seed, or what was drawn
_WRITING = frozenset({"problem", "library_content", "itembank", "randomize"})


class WebSite:
    """The site besides its API. `cdn` is the base URL of the host for public files."""

    def __init__(
        self, courses: Sequence[Course], accounts: Accounts, site: Site, switchboard: Switchboard, *, cdn: str
    ) -> None:
        self._courses = {course.id: course for course in courses}
        self._accounts = accounts
        self._site = site
        self._switchboard = switchboard
        self._cdn = cdn

    async def page(self, request: Request) -> Response:
        """The page of a block: only for sessions, tokens are ignored. Other paths give 404."""
        user = self._accounts.session_user(request.cookies.get("sessionid"))
        now = datetime.fromtimestamp(self._accounts.now(), UTC)
        for course in self._courses.values() if user is not None else ():
            block = course.block(request.path_params["usage"])
            if user is None or block is None or course.refusal(now) is not None:
                continue
            if block.fields.get("crashes"):
                return HTMLResponse(pages.ERROR, block.fields["crashes"])
            parent = course.parent(block.key)
            if any(one is not None and one.fields.get("staff_only") for one in (block, parent)):
                break
            if block.type == "sequential":
                return HTMLResponse(pages.GATE)
            behind = parent is not None and keeps_back(course, parent, now) in {"exam", "gated"}
            if parent is not None and (behind or block.fields.get("gated")):
                return RedirectResponse(f"/xblock/{parent.key}", 302)
            self._site.rows.update((user, one.key) for one in block.walk() if one.type in _WRITING)
            return HTMLResponse(pages.unit(course, block, cdn=self._cdn, extracted=self._site.extracted))
        return HTMLResponse(pages.NOT_FOUND, 404)

    async def translations(self, request: Request) -> Response:
        """The languages of a video's transcripts; an empty 404 if there are none."""
        languages = self._transcripts(request)
        return JSONResponse(list(languages)) if languages else Response(status_code=404, media_type="text/html")

    async def transcript(self, request: Request) -> Response:
        """A public transcript: as an attachment, without ranges."""
        language = request.query_params.get("lang", "en")
        name = self._transcripts(request).get(language)
        if name is None:
            return Response(status_code=404, media_type="text/html")
        headers = {
            "Content-Disposition": f'attachment; filename="External Video-{language}.srt"',
            "Content-Language": "en",
        }
        body = await trio.Path(FILES / name).read_bytes()
        return Response(body, 200, headers, "application/x-subrip; charset=utf-8")

    def _transcripts(self, request: Request) -> dict[str, str]:
        course = self._courses.get(request.path_params["course"])
        block: Block | None = course.block(request.path_params["usage"]) if course else None
        return block.fields.get("transcripts", {}) if block else {}

    async def tab(self, request: Request) -> Response:
        """A page that the authors added to the course."""
        course = self._course(request)
        slug = request.path_params["slug"]
        tab = next((one for one in course.tabs if one["slug"] == slug), None) if course else None
        if course is None or tab is None:
            return HTMLResponse(pages.NOT_FOUND, 404)
        return HTMLResponse(pages.static_tab(course, tab, self._cdn))

    async def book(self, request: Request) -> Response:
        """The viewer of a textbook."""
        course, number = self._course(request), request.path_params["number"]
        if course is None or number >= len(course.books):
            return HTMLResponse(pages.NOT_FOUND, 404)
        return HTMLResponse(pages.pdf_book(course.assets[course.books[number]["asset"]].versioned, number))

    def _course(self, request: Request) -> Course | None:
        """The course of a path, for a signed-in user who may see it."""
        user = self._accounts.session_user(request.cookies.get("sessionid"))
        course = self._courses.get(request.path_params["course"]) if user is not None else None
        now = datetime.fromtimestamp(self._accounts.now(), UTC)
        return None if course is None or course.refusal(now) is not None else course

    async def asset(self, request: Request) -> Response:
        """A file by its versioned path; a wrong digest redirects to the right one."""
        asset = self._asset_at("/" + request.path_params["asset"])
        if asset is not None and asset.digest != request.path_params["digest"]:
            return RedirectResponse(f"/assets/courseware/v1/{asset.digest}{asset.path}", 301)
        return await self._file(request, asset)

    async def other(self, request: Request) -> Response:
        """The sign-in form, a file by its plain path, or 404."""
        if request.url.path == "/login":
            return HTMLResponse(pages.LOGIN)
        return await self._file(request, self._asset_at(request.scope["path"]))

    def _asset_at(self, path: str) -> Asset | None:
        path = path.replace("+type@asset+block/", "+type@asset+block@")  # both forms are accepted
        found = (asset for course in self._courses.values() for asset in course.assets.values())
        return next((asset for asset in found if asset.path == path), None)

    async def _file(self, request: Request, asset: Asset | None) -> Response:
        if asset is None:
            odd = ";" in request.scope["path"] and "+type@asset+" in request.scope["path"]
            return Response(status_code=400) if odd else HTMLResponse(pages.NOT_FOUND, 404)
        if asset.locked and self._accounts.session_user(request.cookies.get("sessionid")) is None:
            return PlainTextResponse("Unauthorized", 403, {"Cache-Control": "private, no-cache, no-store"})
        response = await file_response(request, asset.file, self._switchboard)
        if response.status_code == 416:  # the platform omits the size here
            return Response(status_code=416, media_type="text/html")
        del response.headers["ETag"]  # the platform sends only Last-Modified
        return response


def open_files(courses: Sequence[Course]) -> dict[str, Path]:
    """The files of the host for public files, by decoded path."""
    return {
        f"/assets/courseware/v1/{asset.digest}{path}": asset.file
        for course in courses
        for asset in course.assets.values()
        if not asset.locked
        for path in (asset.path, asset.path.replace("+block@", "+block/"))
    }
