"""A client of Coursera's API, usable without a mount.

    async with Transport() as transport:
        client = CourseraClient(transport, cauth)
        for membership in await client.memberships():
            print(membership.slug, membership.name)

Every method makes its requests anew, may be cancelled at any await, and raises `NotSignedIn` (the sign-in is missing
or has ended), `NotAllowed` (this one thing is locked), `Gone`, `RouteGone` (the platform removed the route),
`BadReply`, `NoAnswer` or `Unreachable`.  It only reads: no request of it starts an attempt or marks anything as seen.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import trio

from coursefs.errors import BadReply, Gone, NotSignedIn
from coursefs.providers.coursera import materials, replies, routes
from coursefs.providers.coursera.materials import Materials
from coursefs.providers.coursera.naptime import Envelope, envelope, is_random_refusal
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo, Membership
from coursefs.providers.coursera.routes import Route, compound
from coursefs.providers.fields import Json
from coursefs.transport import Bucket, Transport
from coursefs.transport.backoff import pause

BASE_URL = "https://www.coursera.org"
#: how many ids go into one `assets.v1`: the URL stays below 2 kB
ASSETS_PER_REQUEST = 50
#: how often a request is made that the platform refuses at random
_ATTEMPTS = 5


class CourseraClient:
    """Coursera for one account.

    `cauth` is the value of the cookie CAUTH; it is sent to the origin of `base_url` and nowhere else.  `account` is
    the name that the message of `NotSignedIn` speaks of; `bucket` limits how often the platform is asked.
    """

    def __init__(
        self,
        transport: Transport,
        cauth: str,
        *,
        base_url: str = BASE_URL,
        account: str = "coursera",
        bucket: Bucket | None = None,
    ) -> None:
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._signed_in = bool(cauth)
        self._bucket = bucket
        named = "" if account == "coursera" else f" --account {account}"
        self._account = account
        self._sign_in = f"coursefs login coursera{named} --cauth …"
        self._headers = {
            "Accept": "application/json",  # without it the platform sends its web page
            "X-Requested-With": "XMLHttpRequest",
            "Referer": f"{self._base_url}/",
            "Cookie": f"CAUTH={cauth}",
        }

    async def whoami(self) -> str:
        """The numeric id of the learner whose sign-in this is."""
        user_id = replies.user_id(await self._ask(routes.WHOAMI))
        if not user_id:
            raise BadReply(f"{self._account}: the platform does not say whose sign-in this is")
        return user_id

    async def memberships(self) -> tuple[Membership, ...]:
        """All enrolments, every page of them, each course once, in the platform's order."""
        elements: list[Json] = []
        courses: dict[str, Json] = {}
        start = "0"
        asked: set[str] = set()
        while start:
            asked.add(start)
            page = await self._ask(routes.MEMBERSHIPS, start=start)
            page_elements, page_courses = replies.memberships(page)
            elements += page_elements
            courses |= page_courses
            start = page.next
            if start in asked:
                raise BadReply(f"{self._account}: the platform's list of enrolments does not end")
        found = [replies.membership(element, courses) for element in elements]
        return tuple({membership.course_id: membership for membership in found if membership.course_id}.values())

    async def materials(self, slug: str, *, tag: str | None = None) -> Materials | None:
        """The tree of a course, locked items included; None when it is still the one with this (`Materials.tag`)."""
        reply = await self._ask_for_another(tag, routes.MATERIALS, slug=slug)
        if reply is None:
            return None
        if not reply.elements:
            raise Gone("course materials: the platform does not have this course")
        return materials.materials(reply)

    async def lecture_video(self, course_id: str, item_id: str) -> LectureVideo:
        """The renditions, subtitles and transcripts of a lecture; their URLs end within one or two days."""
        return replies.lecture_video(await self._ask(routes.LECTURE_VIDEO, id=compound(course_id, item_id)))

    async def lecture_assets(self, course_id: str, item_id: str) -> tuple[CourseAsset, ...]:
        """What is attached to a lecture; for the platform 404 is one of the ways to say nothing."""
        try:
            return replies.course_assets(await self._ask(routes.LECTURE_ASSETS, id=compound(course_id, item_id)))
        except Gone:
            return ()

    async def supplement(self, course_id: str, item_id: str) -> tuple[CourseAsset, ...]:
        """The parts of a reading, in order."""
        return replies.course_assets(await self._ask(routes.SUPPLEMENT, id=compound(course_id, item_id)))

    async def assets(self, ids: Iterable[str]) -> Mapping[str, Asset]:
        """Files by id, asked for together, fifty in a request; ids that the platform does not know are absent."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Asset] = {}
        for first in range(0, len(wanted), ASSETS_PER_REQUEST):
            some = wanted[first : first + ASSETS_PER_REQUEST]
            listed = ",".join(compound(one) for one in some)
            found |= replies.assets(await self._ask(routes.ASSETS, ids=listed))
        return found

    async def _ask(self, route: Route, **values: str) -> Envelope:
        reply = await self._ask_for_another(None, route, **values)
        assert reply is not None  # only a request with a tag is answered with «not modified»
        return reply

    async def _ask_for_another(self, tag: str | None, route: Route, **values: str) -> Envelope | None:
        """The reply of a route; None when it is the one with this tag."""
        if not self._signed_in:
            raise NotSignedIn(f"{self._account}: not signed in; sign in: {self._sign_in}")
        url = route.url(self._base_url, **values)
        for attempt in range(1, _ATTEMPTS + 1):
            headers = self._headers if tag is None else {**self._headers, "If-None-Match": tag}
            reply = await self._transport.fetch(url, headers=headers, bucket=self._bucket)
            if not is_random_refusal(reply) or attempt == _ATTEMPTS:
                break
            await trio.sleep(pause(attempt, None, random.random()))
        if tag is not None and reply.status == 304:
            return None
        return envelope(
            reply,
            what=route.name,
            sign_in_again=f"{self._account}: the sign-in is no longer accepted; sign in again: {self._sign_in}",
        )
