"""Requests for a course besides its units: handouts, updates, and the learner's standing.

Requests that are known to fail with 404 are not made: the routes for apps for a course that is not shown to apps, the
progress on a site that has switched it off, and any request for a course that has not begun.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import trio

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, RouteGone
from coursefs.model import Course, Deadline, File, Item, Standing
from coursefs.providers.kit.gathering import concerns_one_item
from coursefs.providers.kit.signed_urls import SignedReplies
from coursefs.providers.openedx import standing as standings
from coursefs.providers.openedx.client import OpenEdxReader
from coursefs.providers.openedx.outline import HANDOUTS, UPDATES
from coursefs.providers.openedx.replies import Blocks, CourseDate, Enrolment, Home, Update
from coursefs.providers.openedx.text_pages import TextPages

#: how many courses' home pages are cached
_COURSES = 8
#: after so many courses in a row without progress the site counts as one that has switched it off
_SWITCHED_OFF = 2


class Extras:
    """The handouts, updates and standings of one account's courses.  `username` returns the learner's user name."""

    def __init__(self, client: OpenEdxReader, username: Callable[[], Awaitable[str]], pages: TextPages) -> None:
        self._client = client
        self._pages = pages
        self._username = username
        self._home: SignedReplies[str, Home] = SignedReplies(client.home, lambda _: None, size=_COURSES)
        self._apps: SignedReplies[str, Mapping[str, Enrolment]] = SignedReplies(
            self._ask_for_apps, lambda _: None, size=1
        )
        self._asking_progress = trio.Lock()
        self._progress_missing = 0  # courses in a row without progress

    async def pages(self, course: Course, item: Item) -> Sequence[File]:
        """The files of the handouts, or of the updates.

        Every learner can read the handouts and the newest update; all updates only in a course that is shown to apps.
        """
        if item.key == UPDATES and course.key in await self.for_apps():
            return await self._pages.updates(course, item, await self._client.updates(course.key))
        try:
            home = await self._home.get(course.key)
        except NotSignedIn:
            raise
        except NotAllowed:
            return []
        except BadReply:
            if item.key == HANDOUTS and course.key in await self.for_apps():
                return await self._pages.handouts(course, item, await self._client.handouts(course.key))
            raise
        if item.key == HANDOUTS:
            return await self._pages.handouts(course, item, home.handouts)
        return await self._pages.updates(course, item, [Update("", home.welcome)])

    async def for_apps(self) -> Mapping[str, Enrolment]:
        """The courses that are shown to apps, by their ids; none when the server does not list them."""
        try:
            return await self._apps.get("")
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            self._apps.keep("", {})  # no request again for each course
            return {}

    async def standing(
        self,
        course: Course,
        enrolment: Enrolment | None,
        blocks_of: Callable[[Course], Awaitable[Blocks | CoursefsError]],
    ) -> Standing:
        """Dates and progress, with at most three requests; missing parts are taken from the enrolment and the blocks.

        For a course that has not begun no request is made, because the server would give neither.  `blocks_of` returns
        a course's blocks, or the error that prevents it.
        """
        begins = enrolment.starts_ns if enrolment else None
        dates: Sequence[CourseDate] = ()
        progress: object = None
        due: Sequence[Deadline] = ()
        if begins is None or begins <= time.time_ns():
            try:
                dates = await self._client.dates(course.key)
                progress = await self._progress(course)
            except (NotAllowed, Gone) as error:  # the course is closed
                if isinstance(error, NotSignedIn):
                    raise
            except BadReply:
                blocks = await blocks_of(course)
                due = () if isinstance(blocks, CoursefsError) else standings.due_blocks(blocks)
                progress = await self._progress(course)
        found = standings.standing(dates, progress, due)
        if enrolment is None:
            return found
        # in a self-paced course the first date is the day of the enrolment
        starts = found.starts_ns if begins is None else begins
        return replace(found, starts_ns=starts, ends_ns=enrolment.ends_ns if found.ends_ns is None else found.ends_ns)

    async def deadlines(
        self,
        course: Course,
        enrolment: Enrolment | None,
        blocks_of: Callable[[Course], Awaitable[Blocks | CoursefsError]],
    ) -> Sequence[Deadline]:
        """The deadlines alone, with one request; `blocks_of` as for `standing`.  Raises the errors of the requests."""
        if enrolment is not None and enrolment.starts_ns is not None and enrolment.starts_ns > time.time_ns():
            return ()
        try:
            return standings.standing(await self._client.dates(course.key), None).deadlines
        except BadReply:
            blocks = await blocks_of(course)
            if isinstance(blocks, CoursefsError):
                raise blocks from None
            return standings.standing((), None, standings.due_blocks(blocks)).deadlines

    async def _progress(self, course: Course) -> object:
        """The server's reply on the learner's progress; None when it has none, as on sites without this page."""
        async with self._asking_progress:
            if self._progress_missing >= _SWITCHED_OFF:
                return None
            try:
                found: object = await self._client.progress(course.key)
            except (Gone, RouteGone):
                self._progress_missing += 1
                return None
            except CoursefsError as error:
                if not concerns_one_item(error):
                    raise
                return None
            self._progress_missing = 0
            return found

    async def _ask_for_apps(self, _: str) -> Mapping[str, Enrolment]:
        return await self._client.for_apps(await self._username())
