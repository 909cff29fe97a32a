"""Open edX as a provider: replies of the client in, model objects out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote, urljoin, urlsplit

import trio

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, RouteGone
from coursefs.model import Course, Deadline, File, Identity, Item, Outline, Remote, Route, Source, Standing, Wanted
from coursefs.providers.fields import Json
from coursefs.providers.fields import text as text_of
from coursefs.providers.gathering import concerns_one_item, gathering
from coursefs.providers.link_files import page_file
from coursefs.providers.openedx import choice
from coursefs.providers.openedx import standing as standings
from coursefs.providers.openedx.client import OpenEdxReader
from coursefs.providers.openedx.course_pages import handout_files, update_files
from coursefs.providers.openedx.keys import course_id, course_meant, course_slug, course_url, key_of
from coursefs.providers.openedx.outline import HANDOUTS, UNIT, UPDATES, closed, outline, parts
from coursefs.providers.openedx.replies import Access, Block, Blocks, CourseDate, Enrolment, Update
from coursefs.providers.openedx.session import Session, is_own
from coursefs.providers.openedx.unit_files import needs_page, unit_files
from coursefs.providers.signed import SignedReplies
from coursefs.transport import is_loopback

#: pages of units that are asked for at once: the platform makes each of them anew
_PAGES_AT_ONCE = 4
#: courses whose blocks are kept in memory
_COURSES = 8


class OpenEdxProvider:
    """One account on an Open edX server (`coursefs.providers.base.Provider`).

    It can search the catalogue and tell how the learner stands, and it only reads: `OpenEdxReader` has nothing that
    changes anything.  `username` is the platform's name for the learner, "" where it is to be asked for.
    """

    def __init__(
        self, client: OpenEdxReader, session: Session, *, username: str, wanted: Wanted, expires: float | None = None
    ) -> None:
        self._client = client
        self._session = session
        self._base_url = session.base_url
        self._username = username
        self._wanted = wanted
        self._expires = expires
        self._enrolments: Mapping[str, Enrolment] = {}  # as they were listed last, by key
        self._limiter = trio.CapacityLimiter(_PAGES_AT_ONCE)
        self._blocks: SignedReplies[str, Blocks] = SignedReplies(self._ask_blocks, lambda _: None, size=_COURSES)

    async def whoami(self) -> Identity:
        """The learner's user name, which stands for an id: nobody else can have it."""
        user = await self._client.whoami()
        self._username = user.username
        return Identity(user_id=user.username, name=user.name or user.username, expires=self._expires)

    async def courses(self) -> Sequence[Course]:
        """Every course that the learner is enrolled in now, begun or not, ended or not."""
        enrolments = await self._client.enrolments(await self._name())
        self._enrolments = {one.course_id: one for one in enrolments}
        return [_course(one, self._base_url) for one in enrolments if one.is_active]

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:  # noqa: ARG002  there is none
        """The tree of a course, with one request; of one that the learner may not see, why."""
        try:
            blocks = await self._blocks.get(course.key, fresh=True)
        except NotSignedIn:
            raise
        except (NotAllowed, Gone):
            closed_outline = await self._why_closed(course)
            if closed_outline is None:
                raise
            return closed_outline
        return outline(blocks, course, self._base_url)

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these items: one request for the course's blocks, and one for each unit that has texts."""
        asked = [item for item in items if item.locked is None]
        needs_blocks = any(item.type_name == UNIT for item in asked)
        blocks = await self._blocks_for(course) if needs_blocks else Blocks("", {})
        units = {} if isinstance(blocks, CoursefsError) else _units(blocks, asked)
        pages: dict[str, str | CoursefsError] = {}
        handouts: dict[str, str | CoursefsError] = {}
        updates: dict[str, Sequence[Update] | CoursefsError] = {}
        async with gathering(self._limiter) as requests:
            for item in asked:
                if item.key in units and needs_page(units[item.key]):
                    requests.ask(pages, item.key, partial(self._page, item.details["block"], units[item.key]))
                elif item.key == HANDOUTS:
                    requests.ask(handouts, item.key, partial(self._client.handouts, course.key))
                elif item.key == UPDATES:
                    requests.ask(updates, item.key, partial(self._client.updates, course.key))

        def found(item: Item) -> Sequence[File] | CoursefsError:
            if item.locked is not None:
                return [_locked(course, item, item.locked)]
            if item.key in handouts or item.key in updates:
                return self._own_pages(course, item, handouts.get(item.key), updates.get(item.key))
            if isinstance(blocks, CoursefsError):
                return blocks
            if item.key in units:
                return self._unit(course, item, units[item.key], pages.get(item.key, ""))
            return Gone("the platform no longer shows this unit to you")

        return {item.key: found(item) for item in items}

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:
        """Where a video, a transcript or a file is.  Only files on the server itself are asked for with cookies."""
        locator = remote.locator
        if locator.get("what") == "asset":
            url = f"{self._base_url}{quote(locator['path'], safe='/+:@')}"
            return Source(url, headers=await self._asset_headers())
        blocks = await self._blocks.get(course.key, fresh=fresh)
        block = blocks.blocks.get(locator.get("block", ""))
        url = _url_of(block, locator) if block is not None else ""
        if not url:
            raise Gone(f"the platform no longer offers {remote.identity.rpartition('/')[2]} of this")
        absolute = self._absolute(url)
        return Source(absolute, headers=await self._asset_headers() if is_own(self._base_url, absolute) else {})

    async def search(self, text: str, *, limit: int = 50) -> Sequence[Course]:
        """Courses of the server's catalogue, as many as fit; the platform gives no order of fitness."""
        found = await self._client.search(text, limit)
        return [course for one in found if (course := _listed(one, self._base_url)) is not None]

    async def resolve(self, text: str) -> Sequence[Course]:
        """The course that an id, a slug or an address names; one that the learner is not enrolled in is `hidden`."""
        key = course_meant(text)
        if not key:
            return ()
        own = [course for course in await self.courses() if course.key == key]
        if own:
            return own
        try:
            course = _listed(await self._client.course(key), self._base_url)
        except (Gone, RouteGone, NotAllowed):
            return ()  # of another server, or for nobody to see
        return () if course is None else [replace(course, hidden=True)]

    async def standing(self, course: Course) -> Standing:
        """Dates and progress; where the server tells no dates, what the enrolment and the blocks say of them."""
        dates: Sequence[CourseDate] = ()
        progress: object = None
        due: Sequence[Deadline] = ()
        try:
            dates = await self._client.dates(course.key)
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            blocks = await self._blocks_for(course)
            due = () if isinstance(blocks, CoursefsError) else standings.due_blocks(blocks)
        try:
            progress = await self._client.progress(course.key)
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
        found = standings.standing(dates, progress, due)
        enrolment = self._enrolments.get(course.key)
        if enrolment is None:
            return found
        starts = enrolment.starts_ns if found.starts_ns is None else found.starts_ns
        return replace(found, starts_ns=starts, ends_ns=enrolment.ends_ns if found.ends_ns is None else found.ends_ns)

    def routes(self) -> Sequence[Route]:
        """The ways that were used to ask."""
        return self._client.routes()

    def _own_pages(
        self,
        course: Course,
        item: Item,
        handouts: str | CoursefsError | None,
        updates: Sequence[Update] | CoursefsError | None,
    ) -> Sequence[File] | CoursefsError:
        """The files of the handouts, or of the updates."""
        if isinstance(handouts, NotAllowed) or isinstance(updates, NotAllowed):
            return []
        if isinstance(handouts, CoursefsError):
            return handouts
        if isinstance(updates, CoursefsError):
            return updates
        if handouts is not None:
            return handout_files(course, item, handouts, self._base_url)
        return update_files(course, item, updates or (), self._base_url)

    def _unit(
        self, course: Course, item: Item, unit: Sequence[Block], html: str | CoursefsError
    ) -> Sequence[File] | CoursefsError:
        if isinstance(html, CoursefsError) and not isinstance(html, (NotAllowed, Gone)):
            return html  # it may be better next time, and until then what is known stays
        return unit_files(course, item, unit, html=html, base_url=self._base_url, wanted=self._wanted)

    async def _page(self, usage_key: str, unit: Sequence[Block]) -> str:
        """The page of a unit; where the platform cannot make it, those of its parts that it can make."""
        try:
            return await self._client.unit_page(usage_key)
        except BadReply:
            found: list[str] = []
            for part in unit:
                if needs_page([part]) and part.key != usage_key:
                    try:
                        found.append(await self._client.unit_page(part.key))
                    except CoursefsError as error:
                        if not concerns_one_item(error):
                            raise
            if not found:
                raise
            return "\n".join(found)

    async def _why_closed(self, course: Course) -> Outline | None:
        """A course that says why it is not shown; None where the platform does not say."""
        try:
            access = await self._client.access(course.key)
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            enrolment = self._enrolments.get(course.key)
            begins = enrolment.starts_ns if enrolment else None
            if begins is None or begins <= time.time_ns():
                return None
            access = Access(has_access=False, error_code="course_not_started", starts_ns=begins)
        return None if access.has_access else closed(course, access)

    async def _blocks_for(self, course: Course) -> Blocks | CoursefsError:
        """The blocks of a course, or why they cannot be had."""
        try:
            return await self._blocks.get(course.key)
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            return error

    async def _ask_blocks(self, course_key: str) -> Blocks:
        return await self._client.blocks(course_key, await self._name())

    async def _name(self) -> str:
        if not self._username:
            self._username = (await self._client.whoami()).username
        return self._username

    async def _asset_headers(self) -> Mapping[str, str]:
        """The cookies, for files that only the enrolled may have; the others are had without."""
        try:
            return {"Cookie": await self._session.cookies()}
        except NotSignedIn:
            raise
        except (NotAllowed, BadReply):
            return {}

    def _absolute(self, url: str) -> str:
        """The URL as it can be asked for: absolute, and by https, which media hosts speak even where it says http.

        Raises `BadReply` where a platform on another machine points to this one.
        """
        try:
            absolute = urljoin(f"{self._base_url}/", url.strip())
            host = urlsplit(absolute).hostname or ""
        except ValueError:
            raise BadReply("the platform gave an address that is none") from None
        if is_loopback(host):
            if not is_loopback(urlsplit(self._base_url).hostname or ""):
                raise BadReply("the platform gave an address on this machine")
            return absolute
        return f"https{absolute[4:]}" if absolute.lower().startswith("http://") else absolute


def _course(enrolment: Enrolment, base_url: str) -> Course:
    key = enrolment.course_id
    named = course_id(key)
    return Course(
        key=key,
        slug=course_slug(key),
        title=enrolment.name or (named.number if named else key),
        url=course_url(base_url, key),
        enrolled_ns=enrolment.created_ns,
        mark=named.run if named else None,
    )


def _listed(entry: Json, base_url: str) -> Course | None:
    """A course of the catalogue; None where it has no id."""
    key = key_of(entry, "course_id") or key_of(entry, "id")
    return Course(key, course_slug(key), text_of(entry, "name") or key, course_url(base_url, key)) if key else None


def _units(blocks: Blocks, items: Sequence[Item]) -> dict[str, Sequence[Block]]:
    """The parts of those of the items that are units which are still there."""
    there = ((item.key, blocks.blocks.get(item.details.get("block", ""))) for item in items if item.type_name == UNIT)
    return {key: parts(blocks, block) for key, block in there if block is not None}


def _locked(course: Course, item: Item, reason: str) -> File:
    return page_file(course, item, "link", marker="locked", what=item.type_name, reason=f"Not open to you: {reason}.")


def _url_of(block: Block, locator: Mapping[str, str]) -> str:
    """The URL of what a locator says; "" where the block has no such thing (any more)."""
    match locator.get("what"):
        case "video" if block.video is not None:
            return choice.video_url(block.video, locator["profile"])
        case "transcript" if block.video is not None:
            return block.video.transcripts.get(locator["language"], "")
        case "pdf" | "audio":
            return block.file_url
        case _:
            return ""
