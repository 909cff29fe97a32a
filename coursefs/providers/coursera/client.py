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
from collections.abc import Iterable, Mapping, Sequence
from itertools import count

import trio

from coursefs import model
from coursefs.errors import BadReply, Gone, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.coursera import instructions, materials, old_materials, replies, resources, routes
from coursefs.providers.coursera.instructions import Instructions
from coursefs.providers.coursera.materials import Materials
from coursefs.providers.coursera.naptime import Envelope, Json, envelope, is_random_refusal
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo, Membership
from coursefs.providers.coursera.resources import Reference
from coursefs.providers.coursera.route_book import RouteBook
from coursefs.providers.coursera.routes import Route, compound
from coursefs.transport import Bucket, Transport
from coursefs.transport.backoff import pause

BASE_URL = "https://www.coursera.org"
#: how many ids go into one `assets.v1`: the URL stays below 2 kB
ASSETS_PER_REQUEST = 50
#: how many requests may go into finding the ids for which a batch is refused; one of fifty takes thirteen
_SPLITS = 32
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
        self._book = RouteBook()
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
        if reply.whole:
            return old_materials.materials(reply)
        if not reply.elements:
            raise Gone("course materials: the platform does not have this course")
        return materials.materials(reply)

    async def language(self, course_id: str) -> str:
        """The language that a course is given in, such as `en` or `pt-BR`; "" where the platform does not say."""
        return replies.language(await self._ask(routes.COURSE_LANGUAGE, course_id=course_id))

    async def lecture_video(self, course_id: str, item_id: str, video_id: str = "") -> LectureVideo:
        """The renditions, subtitles and transcripts of a lecture; their URLs end within one or two days.

        `video_id` is what the old materials say of it (`MaterialItem.video_id`), for platforms that have only those.
        """
        old = {"video_id": video_id} if video_id else {}
        return replies.lecture_video(await self._ask(routes.LECTURE_VIDEO, id=compound(course_id, item_id), **old))

    async def lecture_assets(
        self, course_id: str, item_id: str, wrapper_ids: Sequence[str] | None = None
    ) -> tuple[CourseAsset, ...]:
        """What is attached to a lecture; for the platform 404 is one of the ways to say nothing.

        `wrapper_ids` are what the old materials say of it (`MaterialItem.wrapper_ids`).
        """
        try:
            return await self._parts(routes.LECTURE_ASSETS, course_id, item_id, wrapper_ids)
        except Gone:
            return ()

    async def supplement(
        self, course_id: str, item_id: str, wrapper_ids: Sequence[str] | None = None
    ) -> tuple[CourseAsset, ...]:
        """The parts of a reading, in order; `wrapper_ids` as for `lecture_assets`."""
        return await self._parts(routes.SUPPLEMENT, course_id, item_id, wrapper_ids)

    async def has_references(self, course_id: str) -> bool:
        """Whether the Resources tab of a course lists anything.  Raises as `references` does."""
        try:
            return bool((await self._ask_aside(routes.ANY_REFERENCE, course_id=course_id)).elements)
        except Gone:  # for the platform one of the ways to say nothing
            return False

    async def references(self, course_id: str) -> tuple[Reference, ...]:
        """What the Resources tab of a course lists, with its texts."""
        try:
            return resources.references(await self._ask_aside(routes.REFERENCES, course_id=course_id))
        except Gone:
            return ()

    async def programming(self, course_id: str, item_id: str) -> Instructions:
        """The instructions of a programming assignment; nothing is begun."""
        return instructions.programming(await self._ask_aside(routes.PROGRAMMING, id=compound(course_id, item_id)))

    async def programming_exercise(self, course_id: str, item_id: str) -> Instructions:
        """The instructions of a programming exercise of the older kind (`programming`); nothing is begun."""
        return instructions.exercise(
            await self._ask_aside(routes.PROGRAMMING_EXERCISE, id=compound(course_id, item_id))
        )

    async def peer_assignment(self, user_id: str, course_id: str, item_id: str) -> Instructions:
        """The instructions of a peer assignment and what is to be handed in; nothing is begun."""
        ids = {"user_id": user_id, "course_id": course_id, "item_id": item_id}
        return instructions.peer_assignment(await self._ask_aside(routes.PEER_ASSIGNMENT, **ids))

    async def discussion(self, user_id: str, course_id: str, item_id: str) -> Instructions:
        """The question that a discussion prompt asks; what others have answered is not asked for."""
        return instructions.discussion(
            await self._ask_aside(routes.DISCUSSION, id=compound(user_id, course_id, item_id))
        )

    async def assets(self, ids: Iterable[str]) -> Mapping[str, Asset]:
        """Files by id, asked for together, fifty in a request; ids that the platform does not know are absent.

        A batch that is refused for one of its ids is asked for again in halves.
        """
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Asset] = {}
        for first in range(0, len(wanted), ASSETS_PER_REQUEST):
            found |= await self._some_assets(wanted[first : first + ASSETS_PER_REQUEST])
        return found

    def routes(self) -> Sequence[model.Route]:
        """The routes of the platform that were used so far, and which of them are gone."""
        return self._book.routes()

    async def _some_assets(self, ids: Sequence[str]) -> Mapping[str, Asset]:
        found: dict[str, Asset] = {}
        pending = [ids] if ids else []
        for asked in count(1):
            if not pending:
                break
            some = pending.pop()
            try:
                found |= replies.assets(await self._ask(routes.ASSETS, ids=",".join(compound(one) for one in some)))
            except Gone:
                if asked > _SPLITS:
                    raise
                middle = len(some) // 2
                pending += [some[:middle], some[middle:]] if middle else []
        return found

    async def _parts(
        self, route: Route, course_id: str, item_id: str, wrapper_ids: Sequence[str] | None
    ) -> tuple[CourseAsset, ...]:
        """The wrappers of an item, all with one request; where that route is gone and their ids are known, singly."""
        try:
            return replies.course_assets(await self._ask(route, id=compound(course_id, item_id)))
        except RouteGone:
            if wrapper_ids is None:
                raise
        found = [await self._ask(routes.COURSE_ASSET, id=compound(one)) for one in wrapper_ids]
        return tuple(part for reply in found for part in replies.wrappers(reply))

    async def _ask_aside(self, route: Route, **values: str) -> Envelope:
        """The reply of a route that the platform may keep back in the words of an ended session.

        Raises `NotSignedIn` only where the session has ended indeed.
        """
        try:
            return await self._ask(route, **values)
        except NotSignedIn:
            await self.whoami()  # which raises it again where it is true
            raise NotAllowed(f"{route.name}: the platform keeps it back") from None

    async def _ask(self, route: Route, **values: str) -> Envelope:
        reply = await self._ask_for_another(None, route, **values)
        assert reply is not None  # only a request with a tag is answered with «not modified»
        return reply

    async def _ask_for_another(self, tag: str | None, route: Route, **values: str) -> Envelope | None:
        """The reply of a route, or of what is to be asked instead of it; None when it is the one with this tag."""
        try:
            return await self._ask_at(tag, route, values)
        except RouteGone:
            if route.instead is None or not route.instead.needs <= values.keys():
                raise
        known = [route.resource]
        old: Route | None = route.instead
        while old is not None:
            try:
                return await self._ask_at(tag, old, values)
            except (Gone, BadReply):  # an old route that is refused is not there either
                known.append(old.resource)
            old = old.instead
        raise RouteGone(
            f"{route.name}: the platform has removed the route that coursefs uses, and the older ones with it"
            f" ({', '.join(known)}); the present ones need a session: {self._sign_in}"
        )

    async def _ask_at(self, tag: str | None, route: Route, values: Mapping[str, str]) -> Envelope | None:
        """The reply of this very route, which is written into the book; None when it is the one with this tag."""
        self._book.require(route)
        try:
            reply = await self._ask_once(tag, route, values)
        except RouteGone as error:
            self._book.gone(route, error)
            raise
        except (NotAllowed, Gone):
            self._book.answered(route)
            raise
        self._book.answered(route)
        return reply

    async def _ask_once(self, tag: str | None, route: Route, values: Mapping[str, str]) -> Envelope | None:
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
            bare=route.bare,
            sign_in_again=f"{self._account}: the sign-in is no longer accepted; sign in again: {self._sign_in}",
        )
