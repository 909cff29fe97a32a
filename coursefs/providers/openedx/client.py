"""A client of Open edX, usable without a mount.

    async with OpenEdxClient("https://lms.example.com", client_id, client_secret) as client:
        for course in await client.list_all_courses(org="edX"):
            print(course["id"], course["name"])

`OpenEdxReader` only reads, and is all that a mount has; `OpenEdxClient` can enrol others besides.  Every method makes
its requests anew, may be cancelled at any await, and raises `NotSignedIn` (the sign-in is missing or has ended),
`NotAllowed` (this one thing is refused), `Gone`, `RouteGone` (this server does not have the route), `BadReply`,
`NoAnswer` or `Unreachable`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from coursefs.errors import BadReply, CoursefsError, Gone, RouteGone
from coursefs.model import Route
from coursefs.providers.openedx import replies, routes
from coursefs.providers.openedx.errors import api_json, page_text
from coursefs.providers.openedx.replies import Access, Blocks, CourseDate, Enrolment, Update, User
from coursefs.providers.openedx.routes import Resource, RouteBook
from coursefs.providers.openedx.session import Session, SignIn
from coursefs.transport import Bucket, Transport

#: requests a second, and how many at once after a rest; the platform itself limits few of its routes
RATE, BURST = 5.0, 20
#: 40 a minute for enrolments and 20 for the catalogue (2 where the site says so), counted over any 60 seconds
_ENROLMENT_RATE, _ENROLMENT_BURST = 30 / 60, 10
_CATALOGUE_RATE, _CATALOGUE_BURST = 15 / 60, 5


class OpenEdxReader:
    """What a learner can see on a server, asked for within the platform's limits."""

    def __init__(self, session: Session, *, bucket: Bucket | None = None) -> None:
        self._session = session
        self._base_url = session.base_url
        self._bucket = bucket
        self._enrolment_bucket = Bucket(_ENROLMENT_RATE, _ENROLMENT_BURST)
        self._catalogue_bucket = Bucket(_CATALOGUE_RATE, _CATALOGUE_BURST)
        self._book = RouteBook()

    async def whoami(self) -> User:
        """Whose sign-in this is; many other requests need that name."""
        user = replies.user(await self._ask(routes.WHOAMI))
        if not user.username:
            raise BadReply("the platform does not say whose sign-in this is")
        return user

    async def enrolments(self, username: str) -> tuple[Enrolment, ...]:
        """All enrolments of the learner, also those that were ended (`is_active`)."""
        return replies.enrolments(await self._ask(routes.ENROLMENTS, self._enrolment_bucket, username=username))

    async def blocks(self, course_id: str, username: str) -> Blocks:
        """The whole tree of a course, with one request; megabytes for a large one."""
        found = replies.blocks(await self._ask(routes.BLOCKS, course_id=course_id, username=username))
        if not found.root:
            raise BadReply("course blocks: the platform's answer holds no course")
        return found

    async def access(self, course_id: str) -> Access:
        """Whether the learner may see a course now, and why not."""
        return replies.access(await self._ask(routes.ACCESS, course_id=course_id))

    async def unit_page(self, usage_key: str) -> str:
        """The web page of a unit or of one block, without the site around it.  Needs cookies (`Session.cookies`)."""
        way = routes.PAGE.ways[0]
        url = way.url(self._base_url, usage_key=usage_key)
        return page_text(url, await self._session.fetch_page(url, bucket=self._bucket))

    async def handouts(self, course_id: str) -> str:
        """The HTML of a course's handouts; "" where there are none."""
        return replies.handouts(await self._ask_if_there(routes.HANDOUTS, course_id))

    async def updates(self, course_id: str) -> tuple[Update, ...]:
        """What a course's team has announced, the youngest first."""
        return replies.updates(await self._ask_if_there(routes.UPDATES, course_id))

    async def dates(self, course_id: str) -> tuple[CourseDate, ...]:
        """What happens when in a course, and what is due."""
        return replies.course_dates(await self._ask(routes.DATES, course_id=course_id))

    async def progress(self, course_id: str) -> Any:
        """How far the learner has come, as the platform says it (an object)."""
        return await self._ask(routes.PROGRESS, course_id=course_id)

    async def list_all_courses(
        self, org: str | None = None, username: str | None = None, search_term: str | None = None
    ) -> list[dict[str, Any]]:
        """The full list of courses visible to the requesting user, over all pages, each as the platform says it.

        `org` filters by organization, `search_term` by words; `username` is whose view it is.
        """
        return await self._courses(None, org=org or "", username=username or "", search_term=search_term or "")

    async def search(self, text: str, limit: int) -> list[dict[str, Any]]:
        """The first courses of the catalogue that fit these words, each as the platform says it."""
        return (await self._courses(limit, org="", username="", search_term=text))[:limit]

    async def course(self, course_id: str) -> dict[str, Any]:
        """One course of the catalogue as the platform says it.  Raises `Gone` for one that the user may not see."""
        body = await self._ask(routes.COURSE, self._catalogue_bucket, course_id=course_id)
        if not isinstance(body, dict):
            raise BadReply("course of the catalogue: the platform's answer holds none")
        return body

    async def _courses(self, limit: int | None, **given: str) -> list[dict[str, Any]]:
        """Courses of the catalogue, page after page until there are `limit`."""
        found: list[dict[str, Any]] = []
        page, seen = "1", set[str]()
        while page and page not in seen and (limit is None or len(found) < limit):
            seen.add(page)
            body = await self._ask(routes.CATALOGUE, self._catalogue_bucket, page=page, **given)
            listed = body.get("results") if isinstance(body, dict) else None
            if not isinstance(listed, list):
                raise BadReply("catalogue: the platform's answer holds no list of courses")
            found += [course for course in listed if isinstance(course, dict)]
            page = _next_page(body)
        return found

    def routes(self) -> Sequence[Route]:
        """The ways that were used to ask, and what was wrong with them."""
        return self._book.states()

    async def _ask_if_there(self, resource: Resource, course_id: str) -> Any:
        """The reply, or None: where courses are not shown to apps, 404 is how the platform says that there is none."""
        try:
            return await self._ask(resource, course_id=course_id)
        except (Gone, RouteGone):
            return None

    async def _ask(self, resource: Resource, bucket: Bucket | None = None, **values: str) -> Any:
        """The JSON of the first way that is there.  Raises `RouteGone` when none is."""
        trouble: CoursefsError | None = None
        for way in self._book.ways(resource):
            url = way.url(self._base_url, **values)
            try:
                reply = await self._session.fetch(url, bucket=bucket or self._bucket)
            except BadReply as error:  # redirects into the void, as behind proxies that servers know nothing of
                trouble = error
                continue
            try:
                body = api_json(reply, resource.name)
            except RouteGone as error:
                self._book.note(resource, way, str(error))
                trouble = trouble or error
                continue
            except CoursefsError:  # an answer, if not the one that was hoped for: the way is there
                self._book.note(resource, way, None)
                raise
            self._book.note(resource, way, None)
            return body
        raise trouble or RouteGone(f"{resource.name}: the platform does not have this")


class OpenEdxClient(OpenEdxReader):
    """Open edX for programs: as an application (`client_id`, `client_secret`), or with any other `sign_in`.

    With an application's id and secret the platform sees the user to whom the application belongs.  `timeout` is what
    one request may take, in seconds; `bearer` asks for a bearer token instead of a JWT.  Without a `transport` it has
    one of its own, from `async with`.
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

        `action` is `enroll` or `unenroll`; `url` the address of another site of the same server; `auto_enroll`: those
        who have no account yet are enrolled as soon as they register; `email_students`: they get an e-mail about it;
        `cohorts`: one for each course, with `enroll` alone.

        Returns the platform's answer: `action`, `auto_enroll`, `email_students`, and by course what was `before` and
        is `after` for each `identifier`; for any status but 200 `{"status_code": …, "response": …}`.
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
            f"{(url or self._base_url).rstrip('/')}{routes.BULK_ENROLL}",
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
    """The number of the next page, out of its URL, of which neither the host nor the scheme is to be trusted."""
    pagination = body.get("pagination") if isinstance(body, dict) else None
    url = pagination.get("next") if isinstance(pagination, dict) else body.get("next")
    try:
        page = parse_qs(urlsplit(url).query).get("page", [""])[0] if isinstance(url, str) else ""
    except ValueError:
        return ""
    return page if page.isascii() and page.isdecimal() else ""
