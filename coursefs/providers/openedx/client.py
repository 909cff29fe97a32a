"""A client of Open edX, usable without a mount.

    async with OpenEdxClient("https://lms.example.com", client_id, client_secret) as client:
        for course in await client.list_all_courses(org="edX"):
            print(course["id"], course["name"])

`OpenEdxReader` only reads, and is the only one that a mount uses; `OpenEdxClient` can also enrol other people.  Every
method makes new requests, may be cancelled at any await, and raises `NotSignedIn` (the sign-in is missing or has
ended), `NotAllowed` (this one thing is refused), `Gone`, `RouteGone` (this server does not have the route),
`BadReply`, `NoAnswer` or `Unreachable`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self
from urllib.parse import parse_qs, urljoin, urlsplit

from coursefs.errors import BadReply, CoursefsError, Gone, RouteGone
from coursefs.model import RouteState
from coursefs.providers.kit.fields import Json
from coursefs.providers.kit.known_fields import look
from coursefs.providers.openedx import replies, routes
from coursefs.providers.openedx.course_outline import Chapter, chapters
from coursefs.providers.openedx.errors import api_json, page_text
from coursefs.providers.openedx.replies import Access, Blocks, CourseDate, Enrolment, Home, Update, User
from coursefs.providers.openedx.routes import Resource, RouteBook
from coursefs.providers.openedx.session import Session, SignIn
from coursefs.transport import Bucket, Transport

#: requests a second, and how many at once after a pause; the platform itself limits few of its routes
RATE, BURST = 5.0, 20
#: below the platform's limits in any 60 seconds: 40 for enrolments, and 20 for the catalogue (2 on some sites)
_ENROLMENT_RATE, _ENROLMENT_BURST = 30 / 60, 10
_CATALOGUE_RATE, _CATALOGUE_BURST = 15 / 60, 5
#: how many pages of the catalogue, of 100 courses each, one search reads at most
_MOST_PAGES = 20
#: the most blocks and children of blocks in one course, 20 times the largest recorded one: reading them takes 0.2 s
_MOST_BLOCKS = 20_000


class OpenEdxReader:
    """The read-only client of a server for one learner, within the platform's rate limits."""

    def __init__(self, session: Session, *, bucket: Bucket | None = None) -> None:
        self._session = session
        self.base_url = session.base_url
        self._bucket = bucket
        self._enrolment_bucket = Bucket(_ENROLMENT_RATE, _ENROLMENT_BURST)
        self._catalogue_bucket = Bucket(_CATALOGUE_RATE, _CATALOGUE_BURST)
        self._book = RouteBook()
        self._searches: bool | None = None  # whether the site has a search engine; None: not yet known

    async def whoami(self) -> User:
        """The user of this sign-in; many other requests need the user name."""
        user = replies.user(await self._ask(routes.WHOAMI))
        if not user.username:
            raise BadReply("the platform does not say which user this is")
        return user

    async def enrolments(self, username: str) -> tuple[Enrolment, ...]:
        """All enrolments of the learner, all pages, also ended ones (`is_active`)."""
        found: list[Enrolment] = []
        page, seen = "1", set[str]()
        while page and page not in seen:
            seen.add(page)
            body = await self._ask(routes.ENROLMENTS, self._enrolment_bucket, username=username, page=page)
            found += replies.enrolments(body)
            page = _next_page(body)
        return tuple({one.course_id: one for one in found}.values())

    async def for_apps(self, username: str) -> Mapping[str, Enrolment]:
        """The learner's courses that the platform shows to apps, by their ids."""
        body = await self._ask(routes.FOR_APPS, self._enrolment_bucket, username=username)
        return {one.course_id: one for one in replies.enrolments(body)}

    async def blocks(self, course_id: str, username: str) -> Blocks:
        """The complete tree of a course, with one request; some megabytes for a large course."""
        body = await self._ask(routes.BLOCKS, course_id=course_id, username=username)
        if replies.count_of_blocks(body) > _MOST_BLOCKS:
            raise BadReply("course blocks: the platform's answer is larger than any known course")
        found = replies.blocks(body)
        if not found.root:
            raise BadReply("course blocks: the platform's answer holds no course")
        return found

    async def access(self, course_id: str) -> Access:
        """Whether the learner may see a course now, and the reason if not."""
        return replies.access(await self._ask(routes.ACCESS, course_id=course_id, attempts=1))

    async def chapters(self, course_id: str) -> tuple[Chapter, ...]:
        """All chapters and subsections of a course in order, also closed ones."""
        return chapters(await self._ask(routes.CHAPTERS, course_id=course_id))

    async def home(self, course_id: str) -> Home:
        """The handouts and the newest update of a course; available to every learner of it."""
        return replies.home(await self._ask(routes.HOME, course_id=course_id, attempts=1))

    async def spoken(self, transcript_url: str) -> frozenset[str] | None:
        """The languages of a video's transcripts, requested by the address of a listed one; None: not given.

        The blocks list an English transcript for every video, whether it exists or not.
        """
        address, is_one, _ = transcript_url.strip().partition("/transcript/download")
        if not is_one:
            return None
        url = f"{urljoin(f'{self.base_url}/', address)}/transcript/available_translations"
        reply = await self._session.fetch_open(url, bucket=self._bucket)
        if reply.status == 404 and b"<" not in reply.body:
            return frozenset()  # 404 as a web page would mean a missing route
        return replies.spoken(api_json(reply, "transcripts"))

    async def unit_page(self, usage_key: str) -> str:
        """The page of a unit or a block, without the site's frame.  Needs cookies (`Session.cookies`)."""
        route = routes.PAGE.routes[0]
        url = route.url(self.base_url, usage_key=usage_key)
        return page_text(url, await self._session.fetch_page(url, bucket=self._bucket))

    async def page(self, url: str) -> str:
        """The HTML of a page of the course on the web site.  Needs cookies (`Session.cookies`)."""
        return page_text(url, await self._session.fetch_page(url, bucket=self._bucket))

    async def handouts(self, course_id: str) -> str:
        """The HTML of a course's handouts, if the course is shown to apps; "" when there are none."""
        return replies.handouts(await self._ask_if_there(routes.HANDOUTS, course_id))

    async def updates(self, course_id: str) -> tuple[Update, ...]:
        """All updates of a course's team, the newest first, if the course is shown to apps."""
        return replies.updates(await self._ask_if_there(routes.UPDATES, course_id))

    async def dates(self, course_id: str) -> tuple[CourseDate, ...]:
        """The dates of a course: its events and deadlines."""
        return replies.course_dates(await self._ask(routes.DATES, course_id=course_id, attempts=1))

    async def progress(self, course_id: str) -> Any:
        """The learner's progress, as the platform's JSON object."""
        return await self._ask(routes.PROGRESS, course_id=course_id, attempts=1)

    async def list_all_courses(
        self, org: str | None = None, username: str | None = None, search_term: str | None = None
    ) -> list[dict[str, Any]]:
        """The full list of courses visible to the requesting user, all pages, each as the platform's JSON object.

        `org` filters by organization, `search_term` by words; `username` is whose view it is.
        """
        return await self._courses(None, org=org or "", username=username or "", search_term=search_term or "")

    async def search(self, text: str, limit: int) -> list[dict[str, Any]]:
        """The first courses of the catalogue that match these words, each as the platform's JSON object.

        A site without a search engine lists all its courses; then the search is made here.
        """
        fits = partial(replies.fits, words="" if await self._can_search() else text)
        return (await self._courses(limit, fits, org="", username="", search_term=text))[:limit]

    async def _can_search(self) -> bool:
        """Whether the site has a search engine: a nonsense word then finds nothing."""
        if self._searches is None:
            query = {"page": "1", "org": "", "username": "", "search_term": secrets.token_hex(12)}
            body = await self._ask(routes.CATALOGUE, self._catalogue_bucket, None, **query)
            self._searches = isinstance(body, dict) and body.get("results") == []
        return self._searches

    async def course(self, course_id: str) -> dict[str, Any]:
        """A course of the catalogue as the platform's JSON object.  Raises `Gone` for one that the user may not see."""
        body = await self._ask(routes.COURSE, self._catalogue_bucket, course_id=course_id)
        if not isinstance(body, dict):
            raise BadReply("course of the catalogue: the platform's answer holds none")
        return body

    async def _courses(
        self,
        limit: int | None,
        fits: Callable[[Json], bool] = lambda _: True,
        *,
        org: str,
        username: str,
        search_term: str,
    ) -> list[dict[str, Any]]:
        """The matching courses of the catalogue, read by page up to `limit` courses or `_MOST_PAGES` pages."""
        found: list[dict[str, Any]] = []
        page, seen = "1", set[str]()
        while page and page not in seen and (limit is None or (len(found) < limit and len(seen) < _MOST_PAGES)):
            seen.add(page)
            body = await self._ask(
                routes.CATALOGUE,
                self._catalogue_bucket,
                page=page,
                org=org,
                username=username,
                search_term=search_term,
            )
            listed = body.get("results") if isinstance(body, dict) else None
            if not isinstance(listed, list):
                raise BadReply("catalogue: the platform's answer holds no list of courses")
            found += [course for course in listed if isinstance(course, dict) and fits(course)]
            page = _next_page(body)
        return found

    def routes(self) -> Sequence[RouteState]:
        """The state of each route that was used so far.  No request is made."""
        return self._book.states()

    async def _ask_if_there(self, resource: Resource, course_id: str) -> Any:
        """The reply; None for 404, the platform's answer for a course that it does not show to apps."""
        try:
            return await self._ask(resource, course_id=course_id)
        except (Gone, RouteGone):
            return None

    async def _ask(
        self, resource: Resource, bucket: Bucket | None = None, attempts: int | None = None, **values: str
    ) -> Any:
        """The JSON of the first route that the server has.  Raises `RouteGone` when it has none.

        `attempts`: how often a request is made when the server fails; few if there is a substitute.
        """
        trouble: CoursefsError | None = None
        for route in self._book.routes(resource):
            url = route.url(self.base_url, **values)
            try:
                reply = await self._session.fetch(url, bucket=bucket or self._bucket, attempts=attempts)
            except BadReply as error:  # a redirect to a wrong address, as of servers that do not know of their proxy
                trouble = error
                continue
            look(self._session.surprises, "openedx", resource.name, reply)
            try:
                body = api_json(reply, resource.name)
            except RouteGone as error:
                self._book.note(resource, route, str(error))
                trouble = trouble or error
                continue
            except CoursefsError:  # any other error is an answer: the route exists
                self._book.note(resource, route, None)
                raise
            self._book.note(resource, route, None)
            return body
        raise trouble or RouteGone(f"{resource.name}: the platform does not have this")


class OpenEdxClient(OpenEdxReader):
    """The client for scripts: as an application (`client_id`, `client_secret`), or with any other `sign_in`.

    An application acts as the user to whom it belongs.  `timeout` is that of one request, in seconds; `bearer` requests
    a bearer token instead of a JWT.  Without a `transport` it makes its own, from `async with`.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str = "",
        client_secret: str = "",
        timeout: float | None = None,
        bearer: bool = True,
        *,
        sign_in: SignIn | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._owned = AsyncExitStack()
        self._own = None if transport else Transport(read_timeout=60.0 if timeout is None else timeout)
        kind = "bearer" if bearer else "jwt"
        given = sign_in or SignIn(client_id=client_id, client_secret=client_secret, token_type=kind)
        self._transport = transport or self._own or Transport()
        super().__init__(Session(self._transport, base_url, given), bucket=Bucket(RATE, BURST))

    async def __aenter__(self) -> Self:
        if self._own is not None:
            await self._owned.enter_async_context(self._own)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._owned.aclose()

    async def change_enrollment(
        self,
        emails: Sequence[str],
        courses: Sequence[str],
        action: str = "enroll",
        url: str | None = None,
        auto_enroll: bool = True,
        email_students: bool = True,
        cohorts: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Enrol or unenrol these people in these courses, as staff.  **The platform mails them unless told not to.**

        `action` is `enroll` or `unenroll`; `url` the address of another site of the same server; `auto_enroll`: people
        without an account are enrolled when they register; `email_students`: they get an e-mail; `cohorts`: one for
        each course, only with `enroll`.

        Returns the platform's reply: `action`, `auto_enroll`, `email_students`, and by course the states `before` and
        `after` for each `identifier`; for any status but 200 `{"status_code": …, "response": …}`.
        """
        body: dict[str, object] = {
            "auto_enroll": auto_enroll,
            "email_students": email_students,
            "action": action,
            "courses": ",".join(courses),
            "identifiers": ",".join(emails),
        }
        if cohorts:
            body["cohorts"] = ",".join(cohorts)
        reply = await self._session.fetch(
            f"{(url or self.base_url).rstrip('/')}{routes.BULK_ENROLL}",
            bucket=self._enrolment_bucket,
            method="POST",
            content=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            elsewhere=url is not None,
        )
        if reply.status != 200:
            return {"status_code": reply.status, "response": reply.body.decode("utf-8", "replace")}
        answer = reply.json()
        if not isinstance(answer, dict):
            raise BadReply("enrolment: the platform's answer is not an object")
        return answer


def _next_page(body: Any) -> str:
    """The number of the next page, from its URL, whose host and scheme may be wrong behind a proxy."""
    body = body if isinstance(body, dict) else {}
    pagination = body.get("pagination")
    url = pagination.get("next") if isinstance(pagination, dict) else body.get("next")
    try:
        page = parse_qs(urlsplit(url).query).get("page", [""])[0] if isinstance(url, str) else ""
    except ValueError:
        return ""
    return page if page.isascii() and page.isdecimal() else ""
