"""Asking how a learner stands.  Nothing here writes: asking for progress makes none."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

import trio

from coursefs.errors import CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.model import Outline, Standing
from coursefs.providers.coursera import catalogue, routes, standing
from coursefs.providers.coursera.public_catalogue import Ask
from coursefs.providers.coursera.routes import compound
from coursefs.providers.coursera.standing import (
    CourseGrade,
    CourseSession,
    DeadlineSettings,
    ModulesDone,
    Parts,
    Period,
    Progress,
)
from coursefs.providers.gathering import gathering

log = logging.getLogger(__name__)

T = TypeVar("T")

#: requests under way at once; few, so that nobody who reads waits for them
_REQUESTS = 5


class Learner:
    """`CourseraClient.learner`.  Raises what the client raises; the platform answers for its own learner alone.

    `user_id` gives the learner's id.  Each method is None, or empty, where the platform says nothing.
    """

    def __init__(self, ask: Ask, user_id: Callable[[], Awaitable[str]]) -> None:
        self._ask = ask
        self._user_id = user_id
        self._limiter = trio.CapacityLimiter(_REQUESTS)

    async def progress(self, course_id: str, slug: str) -> Progress | None:
        """What of a course is done."""
        user = await self._user_id()
        ids = {"id": compound(user, course_id), "user_id": user, "slug": slug}
        return standing.progress(await self._ask(routes.PROGRESS, **ids))

    async def modules_done(self, course_id: str) -> ModulesDone:
        """Which modules are completed and passed."""
        user = await self._user_id()
        return standing.modules_done(await self._ask(routes.MODULES_DONE, id=compound(user, course_id)))

    async def session(self, course_id: str) -> CourseSession | None:
        """When the session that the learner is in begins and ends."""
        user = await self._user_id()
        ids = {"id": compound(user, course_id), "user_id": user, "course_id": course_id}
        return standing.session(await self._ask(routes.SESSION, **ids))

    async def deadlines(self, course_id: str) -> DeadlineSettings | None:
        """When the modules of a course are due."""
        ids = {"user_id": await self._user_id(), "course_id": course_id}
        return standing.deadlines(await self._ask(routes.DEADLINES, **ids))

    async def schedule(self, course_id: str) -> Sequence[Period]:
        """The weeks of a course."""
        return standing.schedule(await self._ask(routes.SCHEDULE, course_id=course_id))

    async def grade(self, course_id: str) -> CourseGrade | None:
        """The grade in a course; a route of 2015, which today's platform answers with 405."""
        return standing.grade(await self._ask(routes.GRADES, course_id=course_id))

    async def instructors(self, course_id: str, slug: str) -> Sequence[str]:
        """The names of those who teach a course, in its order."""
        with suppress(Gone):
            for course in catalogue.courses(await self._ask(routes.COURSE, slug=slug)):
                if course.instructors:
                    return course.instructors
        return standing.instructors(await self._ask(routes.INSTRUCTOR_NOTES, course_id=course_id))

    async def standing(self, course_id: str, slug: str, outline: Callable[[], Awaitable[Outline | None]]) -> Standing:
        """All of it together.

        `outline` gives the tree of the course; it is asked for where the names of modules, or the number of items, are
        wanted.  What the platform refuses or no longer has is left out; raises what stands against the whole network.
        """
        parts = await self._parts(course_id, slug)
        tree: dict[str, object] = {}
        if standing.needs_outline(parts):
            async with gathering(self._limiter) as requests:
                requests.ask(tree, "outline", partial(_tried, outline))
        return standing.standing(parts, _of(tree, "outline", Outline) or Outline(()))

    async def _parts(self, course_id: str, slug: str) -> Parts:
        await self._user_id()  # once for all
        found: dict[str, object] = {}
        async with gathering(self._limiter) as requests:
            requests.ask(found, "progress", partial(_tried, partial(self.progress, course_id, slug)))
            requests.ask(found, "session", partial(_tried, partial(self.session, course_id)))
            requests.ask(found, "deadlines", partial(_tried, partial(self.deadlines, course_id)))
            requests.ask(found, "grade", partial(_tried, partial(self.grade, course_id)))
            requests.ask(found, "instructors", partial(_tried, partial(self.instructors, course_id, slug)))
        deadlines = _of(found, "deadlines", DeadlineSettings)
        if deadlines is None or not deadlines.modules:
            async with gathering(self._limiter) as requests:
                requests.ask(found, "schedule", partial(_tried, partial(self.schedule, course_id)))
        return Parts(
            progress=_of(found, "progress", Progress),
            session=_of(found, "session", CourseSession),
            deadlines=deadlines,
            schedule=_of(found, "schedule", tuple) or (),
            grade=_of(found, "grade", CourseGrade),
            instructors=_of(found, "instructors", tuple) or (),
        )


async def _tried(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer; a route that says «not authorized» to this learner says nothing of the sign-in as such."""
    try:
        return await ask()
    except NotSignedIn as error:
        raise NotAllowed(str(error)) from None


def _of(found: Mapping[str, object], name: str, kind: type[T]) -> T | None:
    """What was found of this kind; why it was not goes to the log."""
    value = found.get(name)
    if isinstance(value, CoursefsError):
        log.debug("%s: %s", name, value)
    return value if isinstance(value, kind) else None
