"""A client of Coursera's API, usable without a mount.

    async with CourseraClient(cauth=cauth) as client:
        for membership in await client.memberships():
            print(membership.slug, membership.name)

`client.lectures`, `client.catalogue` and `client.learner` have what is about lectures as files, about courses as
everybody sees them, and about how the learner stands.

Every method makes its requests anew, may be cancelled at any await, and raises `NotSignedIn` (the sign-in is missing
or has ended), `NotAllowed` (this one thing is locked), `Gone`, `RouteGone` (the platform removed the route),
`BadReply`, `NoAnswer` or `Unreachable`.  It only reads: no request of it starts an attempt or marks anything as seen.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Self

import trio

from coursefs import model
from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, NotAllowed, NotSignedIn, RouteGone, Unreachable
from coursefs.providers.coursera import instructions, materials, old_materials, replies, resources, routes
from coursefs.providers.coursera.instructions import Instructions
from coursefs.providers.coursera.learner import Learner
from coursefs.providers.coursera.lectures import Lectures
from coursefs.providers.coursera.materials import Materials
from coursefs.providers.coursera.memberships import session_enrolments
from coursefs.providers.coursera.naptime import Envelope, envelope, is_random_refusal
from coursefs.providers.coursera.password import login_request, secrets_from_reply
from coursefs.providers.coursera.public_catalogue import PublicCatalogue, all_pages
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo, Membership
from coursefs.providers.coursera.resources import Reference
from coursefs.providers.coursera.route_book import RouteBook
from coursefs.providers.coursera.routes import Route, compound
from coursefs.providers.coursera.session import Session
from coursefs.providers.fields import Json
from coursefs.transport import Bucket, Transport
from coursefs.transport.backoff import pause

BASE_URL = "https://www.coursera.org"
#: where the same API was when it was not at the address above (2018 to 2026), and may be again
_OTHER_URLS = {BASE_URL: "https://api.coursera.org"}
#: how many ids go into one `assets.v1`: the URL stays below 2 kB
ASSETS_PER_REQUEST = 50
#: how many requests may go into finding the ids for which a batch is refused; one of fifty takes thirteen
_SPLITS = 32
#: how often a request is made that the platform refuses at random
_ATTEMPTS = 5


class CourseraClient:
    """Coursera for one account.

    `cauth` is the value of the cookie CAUTH; it is sent to the origin of `base_url` and nowhere else, but to Coursera's
    other API host where the API is no longer at the first.  A `session` in its place may find another cookie when one
    is refused.  `account` is the name that the message of `NotSignedIn` speaks of; `bucket` limits how often the
    platform is asked.  Without a `transport` the client has one of its own, which is closed when `async with` ends.
    """

    def __init__(
        self,
        transport: Transport | None = None,
        cauth: str = "",
        *,
        session: Session | None = None,
        base_url: str = BASE_URL,
        account: str = "coursera",
        bucket: Bucket | None = None,
    ) -> None:
        self._transport = transport or Transport()
        self._owns_transport = transport is None
        self._base_url = base_url.rstrip("/")
        self._api_url = self._base_url
        self._other_url = _OTHER_URLS.get(self._base_url)
        self.session = session or Session({"cauth": cauth})
        self._bucket = bucket
        self._book = RouteBook()
        self._user_asked = trio.Lock()
        self._move_asked = trio.Lock()
        self.catalogue = PublicCatalogue(self._ask)
        self.learner = Learner(self._ask, self.user_id)
        self.lectures = Lectures(
            self._transport,
            self._base_url,
            materials=self.materials,
            video=self.lecture_video,
            name=self.course_name,
        )
        named = "" if account == "coursera" else f" --account {account}"
        self._account = account
        self._sign_in = f"coursefs login coursera{named} --cauth …"
        self._headers = {
            "Accept": "application/json",  # without it the platform sends its web page
            "X-Requested-With": "XMLHttpRequest",
            "Referer": f"{self._base_url}/",
        }

    async def __aenter__(self) -> Self:
        if self._owns_transport:
            await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns_transport:
            await self._transport.__aexit__(kind, error, trace)

    async def log_in(self, email: str, password: str) -> Mapping[str, str]:
        """Sign in by e-mail and password, once; the client asks with the cookie that it gets from then on.

        Returns what to keep: `cauth`, and `expires` (seconds since 1970) where the platform says it.  The password is
        kept nowhere.  Raises `NotSignedIn`, today always: the platform wants the answer to a captcha besides.
        """
        request = login_request(email, password)
        reply = await self._transport.fetch(
            routes.LOGIN.url(self._base_url),
            method="POST",
            headers={**self._headers, **request.headers},
            content=request.content,
        )
        secrets = secrets_from_reply(reply, now=time.time())
        self.session = Session(secrets)
        return secrets

    @property
    def api_url(self) -> str:
        """The address of the API: that of `base_url`, or Coursera's other one where it has moved there."""
        return self._api_url

    async def whoami(self) -> str:
        """The numeric id of the learner whose sign-in this is."""
        user_id = replies.user_id(await self._ask_at_home(routes.WHOAMI))
        if not user_id:
            raise BadReply(f"{self._account}: the platform does not say whose sign-in this is")
        self.session.belongs_to(user_id)
        return user_id

    async def user_id(self) -> str:
        """The same, asked for once, however many ask for it at the same time."""
        async with self._user_asked:
            return self.session.user_id or await self.whoami()

    async def memberships(self) -> tuple[Membership, ...]:
        """All enrolments, every page of them, each course once, in the platform's order."""
        elements: list[Json] = []
        courses: dict[str, Json] = {}
        older: tuple[Membership, ...] = ()
        async for page in all_pages(self._ask_at_home, routes.MEMBERSHIPS):
            if page.whole:
                older = session_enrolments(page)
            page_elements, page_courses = replies.memberships(page)
            elements += page_elements
            courses |= page_courses
        found = [replies.membership(element, courses) for element in elements]
        unique = {membership.course_id: membership for membership in found if membership.course_id}
        return (*unique.values(), *older)

    async def course_name(self, slug: str) -> str:
        """The name of a course, its slug where the platform says none."""
        return (await self.catalogue.course(slug)).name or slug

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

    async def peer_assignment(self, course_id: str, item_id: str) -> Instructions:
        """The instructions of a peer assignment and what is to be handed in; nothing is begun."""
        ids = {"user_id": await self.user_id(), "course_id": course_id, "item_id": item_id}
        return instructions.peer_assignment(await self._ask_aside(routes.PEER_ASSIGNMENT, **ids))

    async def discussion(self, course_id: str, item_id: str) -> Instructions:
        """The question that a discussion prompt asks; what others have answered is not asked for."""
        prompt = compound(await self.user_id(), course_id, item_id)
        return instructions.discussion(await self._ask_aside(routes.DISCUSSION, id=prompt))

    async def assets(self, ids: Iterable[str]) -> Mapping[str, Asset]:
        """Files by id, asked for together, fifty in a request; ids that the platform does not know are absent.

        A batch that is refused for one of its ids is asked for again in halves.
        """
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Asset] = {}
        for first in range(0, len(wanted), ASSETS_PER_REQUEST):
            found |= await self._some_assets(wanted[first : first + ASSETS_PER_REQUEST])
        return found

    async def _ask_at_home(self, route: Route, **values: str) -> Envelope:
        """As `_ask`, for what is asked first: where it is gone, the whole API may be at the other host."""
        asked = self._api_url
        try:
            return await self._ask(route, **values)
        except RouteGone:
            if not await self._is_elsewhere(asked):
                raise
        return await self._ask(route, **values)

    async def _is_elsewhere(self, asked: str) -> bool:
        """Whether the API knows this learner at another address than the one asked; an answer to that is kept."""
        async with self._move_asked:
            if self._other_url is not None:
                with suppress(Unreachable, NoAnswer):  # what the first host has said is what counts then
                    await self._look_at(self._other_url)
                    self._other_url = None
        return self._api_url != asked

    async def _look_at(self, other: str) -> None:
        headers = {**self._headers, "Cookie": f"CAUTH={self.session.cauth}"}
        reply = await self._transport.fetch(routes.WHOAMI.url(other), headers=headers, bucket=self._bucket)
        with suppress(CoursefsError):
            if replies.user_id(envelope(reply, what=routes.WHOAMI.name, sign_in_again="")):
                self._api_url = other
                self._book = RouteBook()  # what was gone there may be here

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
        """The reply of this very route; a cookie that is refused is tried again if it was replaced meanwhile."""
        cauth = self.session.cauth
        try:
            return await self._ask_with(cauth, tag, route, values)
        except NotSignedIn:
            if not await self.session.is_renewed(cauth):
                if self.session.is_taken_over:
                    raise NotSignedIn(f"{self._account}: somebody else has signed in; mount anew for theirs") from None
                raise
        return await self._ask_with(self.session.cauth, tag, route, values)

    async def _ask_with(self, cauth: str, tag: str | None, route: Route, values: Mapping[str, str]) -> Envelope | None:
        if not cauth and not route.public:
            raise NotSignedIn(f"{self._account}: not signed in; sign in: {self._sign_in}")
        url = route.url(self._api_url, **values)
        headers = {**self._headers}
        if not route.public:
            headers["Cookie"] = f"CAUTH={cauth}"
        if tag is not None:
            headers["If-None-Match"] = tag
        for attempt in range(1, _ATTEMPTS + 1):
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
