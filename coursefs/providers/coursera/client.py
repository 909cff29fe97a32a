"""A client of Coursera's API, usable without a mount.

    async with CourseraClient(cauth=cauth) as client:
        for membership in await client.memberships():
            print(membership.slug, membership.name)

`client.lectures` has the lectures as files, `client.catalogue` the public catalogue, and `client.learner` the learner's
progress, grades and deadlines.

Every method makes new requests, may be cancelled at any await, and raises `NotSignedIn` (the sign-in is missing or has
ended), `NotAllowed` (this one thing is locked), `Gone`, `RouteGone` (the platform removed the route), `BadReply`,
`NoAnswer` or `Unreachable`.  The client only reads: no request starts an attempt or marks anything as seen.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from types import TracebackType
from typing import Self

from coursefs import model
from coursefs.errors import BadReply, Gone, NotAllowed, NotSignedIn, RouteGone
from coursefs.providers.coursera import documents, instructions, materials, old_replies, quizzes, replies, routes
from coursefs.providers.coursera.asking import Asker
from coursefs.providers.coursera.gateway import Gateway
from coursefs.providers.coursera.instructions import Instructions
from coursefs.providers.coursera.learner import Learner
from coursefs.providers.coursera.lectures import Lectures
from coursefs.providers.coursera.materials import Materials
from coursefs.providers.coursera.old_replies import session_enrolments
from coursefs.providers.coursera.platform import BASE_URL
from coursefs.providers.coursera.public_catalogue import PublicCatalogue, all_pages
from coursefs.providers.coursera.quizzes import Quiz
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo, Membership, Reference
from coursefs.providers.coursera.routes import Route, compound
from coursefs.providers.coursera.session import Session
from coursefs.providers.coursera.several import Several, for_several
from coursefs.providers.coursera.sign_in import login_request, secrets_from_reply
from coursefs.providers.kit.fields import Json, as_identifier
from coursefs.providers.kit.renewal import Renewal
from coursefs.transport import Bucket, Transport

log = logging.getLogger(__name__)

#: another address at which the same API has answered (2018 to 2026)
_OTHER_URLS = {BASE_URL: "https://api.coursera.org"}
#: the same for several items; the fields after the route name the objects that belong to an item
_VIDEOS = for_several(routes.LECTURE_VIDEO, "video,videoId,videoIds")
_ATTACHMENTS = for_several(routes.LECTURE_ASSETS, "openCourseAssets,openCourseAssets.v1(itemId)")
_READINGS = for_several(routes.SUPPLEMENT, "openCourseAssets.v1(itemId)")
#: how many ids go into one `assets.v1`: the URL stays below 2 kB
ASSETS_PER_REQUEST = 50
#: how many requests may go into finding the ids for which a batch is refused; one of fifty takes thirteen
_SPLITS = 32


class CourseraClient:
    """A client of Coursera for one account.

    `cauth` is the value of the cookie CAUTH.  It is sent to the origin of `base_url` only, or to Coursera's other API
    host when the API has moved there.  With a `session` in its place, a refused cookie can be replaced by a newer one.
    `account` is the name in the message of `NotSignedIn`; `bucket` limits the rate of requests.  Without a `transport`
    the client makes its own, and closes it when `async with` ends.
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
        self._asker = Asker(
            self._transport,
            session or Session({"cauth": cauth}),
            base_url=self._base_url,
            other_url=_OTHER_URLS.get(self._base_url),
            account=account,
            bucket=bucket,
        )
        self._several = Several(self._asker.ask_checking_session)
        self._user: Renewal[str] = Renewal()
        self._gateway = Gateway(self._asker)
        self.catalogue = PublicCatalogue(self._asker.ask, self._gateway.query)
        self.learner = Learner(self._asker.ask, self.user_id)
        self.lectures = Lectures(
            self._transport,
            self._base_url,
            materials=self.materials,
            video=self.lecture_video,
            name=self.course_name,
        )

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
        """Sign in by e-mail and password; the client then uses the cookie that the platform returns.

        Returns the secrets to store: `cauth`, and `expires` (seconds since 1970) if the platform gives it.  The
        password is not stored.  Raises `NotSignedIn`, today always: the platform also wants the answer to a captcha.
        """
        request = login_request(email, password)
        reply = await self._transport.fetch(
            routes.LOGIN.url(self._base_url),
            method="POST",
            headers={**self._asker.headers, **request.headers},
            content=request.content,
        )
        secrets = secrets_from_reply(reply, now=time.time())
        self._asker.session = Session(secrets)
        return secrets

    @property
    def session(self) -> Session:
        """The sign-in: the cookie and its user."""
        return self._asker.session

    @property
    def api_url(self) -> str:
        """The address of the API: `base_url`, or Coursera's other API host when the API has moved there."""
        return self._asker.api_url

    async def whoami(self) -> str:
        """The numeric id of the learner, from a new request."""
        return await self._asker.whoami()

    async def user_id(self) -> str:
        """The numeric id of the learner, from one request that is shared and remembered."""
        return self.session.user_id or await self._user.other_than(None, self.whoami)

    async def memberships(self) -> tuple[Membership, ...]:
        """All enrolments: all pages of the list, each course once, in the platform's order.

        Afterwards every route is tried again, also those that seemed to be removed.
        """
        self._asker.ask_again()
        elements: list[Json] = []
        courses: dict[str, Json] = {}
        older: tuple[Membership, ...] = ()
        async for page in all_pages(self._asker.ask_at_home, routes.MEMBERSHIPS):
            if page.whole:
                older = session_enrolments(page)
            page_elements, page_courses = replies.memberships(page)
            elements += page_elements
            courses |= page_courses
        found = [replies.membership(element, courses) for element in elements]
        unique = {membership.course_id: membership for membership in found if membership.course_id}
        return (*unique.values(), *older)

    async def course_name(self, slug: str) -> str:
        """The name of a course; its slug when the platform gives no name."""
        return (await self.catalogue.course(slug)).name or slug

    async def materials(self, slug: str, *, tag: str | None = None) -> Materials | None:
        """The tree of a course with its locked items; None when it still has this tag (`Materials.tag`)."""
        reply = await self._asker.ask_for_another(tag, routes.MATERIALS, slug=slug)
        if reply is None:
            return None
        if reply.whole:
            return old_replies.materials(reply)
        if not reply.elements:
            raise Gone("course materials: the platform does not have this course")
        return materials.materials(reply)

    async def language(self, course_id: str) -> str:
        """The language of a course, such as `en` or `pt-BR`; "" when the platform does not give it."""
        return replies.language(await self._asker.ask(routes.COURSE_LANGUAGE, course_id=course_id))

    async def lecture_video(self, course_id: str, item_id: str, video_id: str = "") -> LectureVideo:
        """The renditions, subtitles and transcripts of a lecture; their URLs expire after one or two days.

        `video_id` is from the old materials (`MaterialItem.video_id`), for platforms that have only those.
        """
        old = {"video_id": video_id} if video_id else {}
        return replies.lecture_video(
            await self._asker.ask(routes.LECTURE_VIDEO, id=compound(course_id, item_id), **old)
        )

    async def some_lecture_videos(self, course_id: str, item_ids: Sequence[str]) -> Mapping[str, LectureVideo]:
        """As `lecture_video`, with one request for several lectures, if the platform takes it; others are left out."""
        found = await self._several.get(_VIDEOS, course_id, item_ids)
        return {one: replies.lecture_video(reply) for one, reply in found.items()}

    async def some_lecture_assets(
        self, course_id: str, item_ids: Sequence[str]
    ) -> Mapping[str, tuple[CourseAsset, ...]]:
        """As `lecture_assets`, with one request for several lectures, if the platform takes it; others are left out."""
        found = await self._several.get(_ATTACHMENTS, course_id, item_ids)
        return {one: replies.course_assets(reply) for one, reply in found.items()}

    async def some_supplements(self, course_id: str, item_ids: Sequence[str]) -> Mapping[str, tuple[CourseAsset, ...]]:
        """As `supplement`, with one request for several readings, if the platform takes it; others are left out."""
        found = await self._several.get(_READINGS, course_id, item_ids)
        return {one: replies.course_assets(reply) for one, reply in found.items()}

    async def lecture_assets(
        self, course_id: str, item_id: str, wrapper_ids: Sequence[str] | None = None
    ) -> tuple[CourseAsset, ...]:
        """The attachments of a lecture; () also for 404, which the platform may answer when there are none.

        `wrapper_ids` are from the old materials (`MaterialItem.wrapper_ids`).
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
            return bool((await self._asker.ask_checking_session(routes.ANY_REFERENCE, course_id=course_id)).elements)
        except Gone:  # the platform may answer 404 for an empty list
            return False

    async def references(self, course_id: str) -> tuple[Reference, ...]:
        """The entries of the Resources tab of a course, with their texts."""
        try:
            return replies.references(await self._asker.ask_checking_session(routes.REFERENCES, course_id=course_id))
        except Gone:
            return ()

    async def programming(self, course_id: str, item_id: str) -> Instructions:
        """The instructions of a programming assignment; no attempt is started."""
        return instructions.programming(
            await self._asker.ask_checking_session(routes.PROGRAMMING, id=compound(course_id, item_id))
        )

    async def programming_exercise(self, course_id: str, item_id: str) -> Instructions:
        """The instructions of a programming exercise of the older kind (`programming`); no attempt is started."""
        return instructions.exercise(
            await self._asker.ask_checking_session(routes.PROGRAMMING_EXERCISE, id=compound(course_id, item_id))
        )

    async def peer_assignment(self, course_id: str, item_id: str) -> Instructions:
        """The instructions of a peer assignment and the prompts of the submission; no attempt is started."""
        ids = {"user_id": await self.user_id(), "course_id": course_id, "item_id": item_id}
        return instructions.peer_assignment(await self._asker.ask_checking_session(routes.PEER_ASSIGNMENT, **ids))

    async def discussion(self, course_id: str, item_id: str) -> Instructions:
        """The question of a discussion prompt; the posts of other learners are not requested."""
        prompt = compound(await self.user_id(), course_id, item_id)
        return instructions.discussion(await self._asker.ask_checking_session(routes.DISCUSSION, id=prompt))

    async def lab(self, course_id: str, item_id: str) -> Instructions:
        """The instructions of a lab; no machine is started."""
        lab = compound(await self.user_id(), course_id, item_id)
        return instructions.lab(await self._asker.ask_checking_session(routes.LAB, id=lab))

    async def quiz(self, course_id: str, item_id: str) -> Quiz:
        """A quiz with the answers of its last submission; one or two requests, and a third where the grade is missing.

        They are GraphQL operations that read.  Nothing is begun: of a quiz that was not taken, or that is in progress,
        only that is known.
        """
        ids = {"courseId": course_id, "itemId": item_id}
        state = quizzes.state_of(await self._gateway.query(documents.QUERY_STATE, ids))
        feedback: Json = {}
        grading: Json = {}
        if quizzes.is_taken(state):
            feedback = await self._state(documents.FEEDBACK, ids)
            if quizzes.lacks_grade(state):
                grading = await self._state(documents.GRADING, ids)
        found = quizzes.quiz(state, feedback, grading)
        for kind in {one.type_name for one in found.questions if not documents.knows_part(one.type_name)}:
            self._note_unknown_question(kind)
        return found

    async def _state(self, operation: str, ids: Mapping[str, str]) -> Json:
        """The state in an operation's reply; an empty one when this part is refused."""
        try:
            return quizzes.state_of(await self._gateway.query(operation, ids))
        except NotSignedIn:
            raise
        except (NotAllowed, Gone, BadReply) as error:
            log.info("%s of %s: %s", operation, ids["itemId"], error)
            return {}

    def _note_unknown_question(self, type_name: str) -> None:
        name = type_name if as_identifier(type_name) else "without a name"
        what = f"the kind of question {name[:80]} is not known"
        self._transport.surprises.note("coursera", "quiz", what, status=200, content_type="application/json", body=b"")

    async def assets(self, ids: Iterable[str]) -> Mapping[str, Asset]:
        """Files by id, with one request for each fifty; ids that the platform does not know are absent.

        A batch that is refused because of one id is halved and requested again.
        """
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Asset] = {}
        for first in range(0, len(wanted), ASSETS_PER_REQUEST):
            found |= await self._some_assets(wanted[first : first + ASSETS_PER_REQUEST])
        return found

    def routes(self) -> Sequence[model.RouteState]:
        """The state of each route that was used so far.  No request is made."""
        return self._asker.routes()

    async def _some_assets(self, ids: Sequence[str]) -> Mapping[str, Asset]:
        found: dict[str, Asset] = {}
        pending = [ids] if ids else []
        for asked in count(1):
            if not pending:
                break
            some = pending.pop()
            try:
                found |= replies.assets(
                    await self._asker.ask(routes.ASSETS, ids=",".join(compound(one) for one in some))
                )
            except Gone:
                if asked > _SPLITS:
                    raise
                middle = len(some) // 2
                pending += [some[:middle], some[middle:]] if middle else []
        return found

    async def _parts(
        self, route: Route, course_id: str, item_id: str, wrapper_ids: Sequence[str] | None
    ) -> tuple[CourseAsset, ...]:
        """The wrappers of an item with one request; one by one if that route is gone and their ids are known."""
        try:
            return replies.course_assets(await self._asker.ask(route, id=compound(course_id, item_id)))
        except RouteGone:
            if wrapper_ids is None:
                raise
        found = [await self._asker.ask(routes.COURSE_ASSET, id=compound(one)) for one in wrapper_ids]
        return tuple(part for reply in found for part in replies.wrappers(reply))
