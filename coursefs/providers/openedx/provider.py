"""The provider of Open edX: translates replies of the client into model objects."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote, unquote, urljoin, urlsplit

import trio
from cachetools import LRUCache

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, RouteGone
from coursefs.model import (
    Course,
    Deadline,
    File,
    Identity,
    Item,
    Outline,
    ProvisionalFiles,
    Remote,
    RouteState,
    Source,
    Standing,
    Wanted,
)
from coursefs.pages.cleaning import link_target
from coursefs.providers.kit.fields import Json
from coursefs.providers.kit.fields import text as text_of
from coursefs.providers.kit.files import page_file
from coursefs.providers.kit.gathering import concerns_one_item, gathering
from coursefs.providers.kit.signed_urls import SignedReplies
from coursefs.providers.openedx.client import OpenEdxReader
from coursefs.providers.openedx.course_outline import Chapter
from coursefs.providers.openedx.extras import Extras
from coursefs.providers.openedx.keys import asset_path, course_id, course_meant, course_slug, course_url, key_of
from coursefs.providers.openedx.outline import HANDOUTS, UNIT, UPDATES, closed, outline
from coursefs.providers.openedx.replies import Access, Block, Blocks, Enrolment
from coursefs.providers.openedx.session import NoSession, Session, is_own
from coursefs.providers.openedx.tabs import TAB, TEXTBOOK, tab_items
from coursefs.providers.openedx.text_pages import TextPages
from coursefs.providers.openedx.unit_files import (
    Spoken,
    a_transcript,
    has_unsaid,
    is_untold_pdf,
    needs_page,
    units_of,
    url_of,
    with_pdf,
    with_spoken,
)
from coursefs.providers.openedx.unit_page import pdf_address
from coursefs.transport import is_loopback

#: concurrent requests for pages of units; few, because the platform renders each page anew
_PAGES_AT_ONCE = 4
#: how many courses' blocks are cached
_COURSES = 8
#: how many videos' transcript languages, and how many courses' chapters, are cached
_VIDEOS, _MOST_COURSES = 4096, 256
#: optional resources of a course, and seconds for which a missing one is not requested again
_ACCESS, _CHAPTERS = "access", "chapters"
_LACKING = 3600.0
_BEARER = (
    'the account asks for bearer tokens, which newer releases of Open edX refuse: set token_type = "jwt", and sign in'
    " again"
)
#: the prefix by which authors refer to an asset
_RAW = "/static/"


class OpenEdxProvider:
    """One account on an Open edX server (`coursefs.providers.base.Provider`).

    It also searches the catalogue and returns standings.  It only reads: `OpenEdxReader` has no method that changes
    anything.  `username` is the learner's user name; "": a request finds it.
    """

    def __init__(
        self, client: OpenEdxReader, session: Session, *, username: str, wanted: Wanted, expires: float | None = None
    ) -> None:
        self._client = client
        self._session = session
        self._base_url = session.base_url
        self._username = username
        self._pages = TextPages(session.base_url, wanted)
        self._wants_pictures = wanted.pictures
        self._expires = expires
        self._enrolments: Mapping[str, Enrolment] = {}  # last listed, by key
        self._limiter = trio.CapacityLimiter(_PAGES_AT_ONCE)
        self._blocks: SignedReplies[str, Blocks] = SignedReplies(self._ask_blocks, lambda _: None, size=_COURSES)
        self._extras = Extras(client, self._name, self._pages)
        self._spoken: SignedReplies[str, Spoken] = SignedReplies(self._ask_spoken, lambda _: None, size=_VIDEOS)
        self._missing: dict[str, float] = {}  # missing resources -> time of the last try (s)
        self._chapters: LRUCache[str, Sequence[Chapter]] = LRUCache(_MOST_COURSES)  # last listed

    async def whoami(self) -> Identity:
        """The learner's user name, which is unique on the server and serves as the id."""
        user = await self._client.whoami()
        self._username = user.username
        return Identity(user_id=user.username, name=user.name or user.username, expires=self._expires)

    async def courses(self) -> Sequence[Course]:
        """Every course in which the learner is enrolled now, also future and ended courses."""
        enrolments = await self._client.enrolments(await self._name())
        self._enrolments = {one.course_id: one for one in enrolments}
        if self._wants_pictures and not any(one.image for one in enrolments):  # only the list for apps has them
            try:
                shown = await self._extras.for_apps()
            except NotSignedIn:
                raise
            except CoursefsError:  # the courses are known; only their pictures are not
                shown = {}
            enrolments = tuple(
                replace(one, image=shown[one.course_id].image) if one.course_id in shown else one for one in enrolments
            )
        return [_course(one, self._base_url) for one in enrolments if one.is_active]

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:  # noqa: ARG002  there is none
        """The tree of a course, or a page that says why it is closed: one request for the access, one for each list.

        For a closed course the blocks are not requested: before its begin the server fails to make them; after the end
        of the access it would return all of them, although it shows none.
        """
        lacks_access = self._lacks(_ACCESS)
        try:
            access = self._expected(course) if lacks_access else await self._access(course)
        except RouteGone:
            lacks_access, access = True, self._expected(course)
        if not access.has_access:
            return closed(course, access)
        blocks = await self._blocks.get(course.key, fresh=True)
        if lacks_access and not self._lacks(_ACCESS):  # other routes answer: only this one is missing
            self._missing[_ACCESS] = time.monotonic()
        chapters = await self._chapters_of(course)
        found = outline(blocks, course, self._base_url, chapters=chapters, now_ns=time.time_ns())
        return replace(found, items=(*found.items, *tab_items(access.tabs, self._base_url)))

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these items.

        It makes one request for the course's blocks, one for each unit with texts, one for each video with listed
        transcripts, and one or two for handouts and updates.
        """
        asked = [item for item in items if item.locked is None]
        needs_blocks = any(item.type_name == UNIT for item in asked)
        blocks = await self._blocks_for(course) if needs_blocks else Blocks("", {})
        units = {} if isinstance(blocks, CoursefsError) else units_of(blocks, asked)
        pages: dict[str, str | CoursefsError] = {}
        spoken: dict[str, Spoken | CoursefsError] = {}
        own: dict[str, Sequence[File] | CoursefsError] = {}
        async with gathering(self._limiter) as requests:
            for item in asked:
                if item.key in units:
                    unit = units[item.key]
                    if needs_page(unit):
                        requests.ask(pages, item.key, partial(self._page, item.details["block"], unit))
                    for url in filter(None, map(a_transcript, unit)):
                        requests.ask(spoken, url, partial(self._spoken.get, url))
                elif item.type_name in {TAB, TEXTBOOK}:
                    requests.ask(pages, item.key, partial(self._client.page, item.details["url"]))
                elif item.key in {HANDOUTS, UPDATES}:
                    requests.ask(own, item.key, partial(self._extras.pages, course, item))

        async def found(item: Item) -> Sequence[File] | CoursefsError:
            if item.locked is not None:
                return [_locked(course, item, item.locked)]
            if item.key in own:
                return own[item.key]
            if item.type_name in {TAB, TEXTBOOK}:
                html = pages[item.key]
                return html if isinstance(html, CoursefsError) else await self._pages.tab(course, item, html)
            if isinstance(blocks, CoursefsError):
                return blocks
            if item.key in units:
                unit = [with_spoken(part, spoken.get(a_transcript(part))) for part in units[item.key]]
                return await self._unit(course, item, unit, pages.get(item.key, ""))
            return Gone("the platform no longer shows this unit to you")

        async def shown(item: Item) -> Sequence[File] | CoursefsError:
            try:
                return await found(item)
            except CoursefsError as error:  # its text cannot be rendered now
                return error

        return {item.key: await shown(item) for item in items}

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:
        """The URL of a video, a transcript or an asset.  Cookies are sent only for files on the server itself."""
        locator = remote.locator
        if locator.get("what") == "asset":
            return await self._asset(locator["path"], fresh=fresh)
        blocks = await self._blocks.get(course.key, fresh=fresh)
        block = blocks.blocks.get(locator.get("block", ""))
        url = url_of(block, locator).strip() if block is not None else ""
        if block is not None and is_untold_pdf(block):
            url = pdf_address(await self._client.unit_page(block.key), block.key)
        if not url:
            raise Gone(f"the platform no longer offers {remote.identity.rpartition('/')[2]} of this")
        if url.startswith(_RAW):  # an asset, in the author's notation
            return await self._asset(asset_path(course.key, unquote(url.removeprefix(_RAW))), fresh=fresh)
        absolute = self._absolute(url)
        if locator.get("what") == "transcript" or not is_own(self._base_url, absolute):
            return Source(absolute)  # without cookies
        return Source(absolute, headers=await self._asset_headers(fresh=fresh))

    async def _asset(self, path: str, *, fresh: bool) -> Source:
        url = f"{self._base_url}{quote(path, safe='/+:@')}"
        return Source(url, headers=await self._asset_headers(fresh=fresh))

    async def search(self, text: str, *, limit: int = 50) -> Sequence[Course]:
        """The matching courses of the server's catalogue; the platform does not rank them."""
        found = await self._client.search(text, limit)
        return [course for one in found if (course := _listed(one, self._base_url)) is not None]

    async def resolve(self, text: str) -> Sequence[Course]:
        """The course that an id, a slug or an address names; it is `hidden` if the learner is not enrolled in it."""
        key = course_meant(text)
        if not key:
            return ()
        own = [course for course in await self.courses() if course.key == key]
        if own:
            return own
        try:
            course = _listed(await self._client.course(key), self._base_url)
        except (Gone, RouteGone, NotAllowed):
            return ()  # of another server, or not visible
        return () if course is None else [replace(course, hidden=True)]

    async def standing(self, course: Course) -> Standing:
        """Dates and progress, with at most three requests; missing parts come from the enrolment and the blocks."""
        return await self._extras.standing(course, self._enrolments.get(course.key), self._blocks_for)

    async def due_dates(self, course: Course) -> Sequence[Deadline]:
        """The dates of a course, with one request; from its blocks where the server has no dates."""
        return await self._extras.deadlines(course, self._enrolments.get(course.key), self._blocks_for)

    def routes(self) -> Sequence[RouteState]:
        """The state of each route that was used so far."""
        return self._client.routes()

    def advice(self) -> Sequence[str]:
        """Advice on settings that newer servers do not support."""
        return [_BEARER] if self._session.has_bearer else []

    async def _chapters_of(self, course: Course) -> Sequence[Chapter]:
        """All chapters of a course, also the closed parts; those of the last reply when the request fails."""
        if self._lacks(_CHAPTERS):
            return self._chapters.get(course.key, ())
        try:
            found = await self._client.chapters(course.key)
        except RouteGone:
            self._missing[_CHAPTERS] = time.monotonic()  # the blocks just answered: only this route is missing
            return self._chapters.get(course.key, ())
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            return self._chapters.get(course.key, ())
        self._chapters[course.key] = found
        return found

    async def _unit(
        self, course: Course, item: Item, unit: Sequence[Block], html: str | CoursefsError
    ) -> Sequence[File] | CoursefsError:
        if isinstance(html, CoursefsError) and not has_unsaid(unit):
            html = ""  # only handouts of videos are missing
        if isinstance(html, CoursefsError) and not isinstance(html, (NotAllowed, Gone, NoSession)):
            return html  # a passing error: the known files stay
        if isinstance(html, str):
            unit = [with_pdf(part, html) for part in unit]
        files = await self._pages.unit(course, item, unit, html)
        # without a session for pages the other files are provisional: they replace no known file
        return ProvisionalFiles(files) if isinstance(html, NoSession) else files

    async def _page(self, usage_key: str, unit: Sequence[Block]) -> str:
        """The page of a unit; if the platform cannot render it, the pages of those parts that it can render."""
        try:
            return await self._client.unit_page(usage_key)
        except NoSession:
            raise
        except BadReply:
            found: list[str] = []
            for part in unit:
                if has_unsaid([part]) and part.key != usage_key:
                    try:
                        found.append(await self._client.unit_page(part.key))
                    except CoursefsError as error:
                        if not concerns_one_item(error):
                            raise
            if not found:
                raise
            return "\n".join(found)

    async def _access(self, course: Course) -> Access:
        """Whether the learner may see a course, from the server, else derived from the enrolment."""
        try:
            return await self._client.access(course.key)
        except RouteGone:
            raise
        except BadReply:
            return self._expected(course)

    def _expected(self, course: Course) -> Access:
        """The access to a course as derived from the enrolment: closed before its begin, else open."""
        enrolment = self._enrolments.get(course.key)
        begins = enrolment.starts_ns if enrolment else None
        if begins is None or begins <= time.time_ns():
            return Access(has_access=True)
        return Access(has_access=False, error_code="course_not_started", starts_ns=begins)

    def _lacks(self, resource: str) -> bool:
        """Whether this resource was found missing recently, while other routes answered."""
        return time.monotonic() - self._missing.get(resource, float("-inf")) < _LACKING

    async def _blocks_for(self, course: Course) -> Blocks | CoursefsError:
        """The blocks of a course, or the error of that course alone."""
        try:
            return await self._blocks.get(course.key)
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            return error

    async def _ask_spoken(self, url: str) -> Spoken:
        try:
            return Spoken(await self._client.spoken(url))
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            return Spoken(None)  # a retry soon would not help

    async def _ask_blocks(self, course_key: str) -> Blocks:
        return await self._client.blocks(course_key, await self._name())

    async def _name(self) -> str:
        if not self._username:
            self._username = (await self._client.whoami()).username
        return self._username

    async def _asset_headers(self, *, fresh: bool) -> Mapping[str, str]:
        """The cookies, for assets that only enrolled learners may read; {} for a sign-in that cannot have any."""
        try:
            return {"Cookie": await (self._session.living_cookies() if fresh else self._session.cookies())}
        except NotSignedIn:
            raise
        except (NotAllowed, BadReply):
            return {}

    def _absolute(self, url: str) -> str:
        """The absolute URL for a request, by https, which media hosts support even if the URL says http.

        Raises `BadReply` when a platform on another machine points to this machine.
        """
        try:
            absolute = urljoin(f"{self._base_url}/", url.strip())
            host = urlsplit(absolute).hostname or ""
        except ValueError:
            raise BadReply("the platform gave an address that is not valid") from None
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
        image=_image(enrolment.image, base_url),
    )


def _image(address: str, base_url: str) -> str | None:
    try:
        return link_target(urljoin(f"{base_url}/", address)) if address else None
    except ValueError:  # "http://["
        return None


def _listed(entry: Json, base_url: str) -> Course | None:
    """A course of the catalogue; None when it has no id."""
    key = key_of(entry, "course_id") or key_of(entry, "id")
    return Course(key, course_slug(key), text_of(entry, "name") or key, course_url(base_url, key)) if key else None


def _locked(course: Course, item: Item, reason: str) -> File:
    return page_file(course, item, "link", marker="locked", what=item.type_name, reason=f"Not open to you: {reason}.")
