"""Requests for the learner's standing: progress, grades, deadlines.  They change nothing on the platform."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

import trio

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.model import CourseProgress, Deadline, Outline, Standing
from coursefs.providers.coursera import catalogue, routes, standing
from coursefs.providers.coursera.catalogue import CatalogueCourse
from coursefs.providers.coursera.public_catalogue import Ask
from coursefs.providers.coursera.routes import compound
from coursefs.providers.coursera.standing import (
    CourseGrade,
    CourseraProgress,
    CourseSession,
    DeadlineSettings,
    ModulesDone,
    Parts,
    Period,
)
from coursefs.providers.kit.gathering import gathering

log = logging.getLogger(__name__)

T = TypeVar("T")

#: concurrent requests; few, so that reads do not wait for them
_REQUESTS = 5


class Learner:
    """`CourseraClient.learner`: the standing of the signed-in learner.  Raises the client's errors.

    `user_id` returns the learner's id.  A method returns None or an empty value when the platform gives none.
    """

    def __init__(self, ask: Ask, user_id: Callable[[], Awaitable[str]]) -> None:
        self._ask = ask
        self._user_id = user_id
        self._limiter = trio.CapacityLimiter(_REQUESTS)

    async def progress(self, course_id: str, slug: str) -> CourseraProgress | None:
        """The progress in a course."""
        user = await self._user_id()
        ids = {"id": compound(user, course_id), "user_id": user, "slug": slug}
        return standing.progress(await self._ask(routes.PROGRESS, **ids))

    async def course_progress(self, course_id: str, slug: str) -> CourseProgress:
        """The progress by the keys of sections and items; a refusal is an error of this route alone."""
        return standing.course_progress(await _tried(partial(self.progress, course_id, slug)))

    async def place(self, course_id: str, video_id: str) -> float | None:
        """The place in a lecture's video, in seconds."""
        user = await self._user_id()

        async def ask() -> float | None:
            return standing.place(await self._ask(routes.PLACE, id=compound(user, course_id, video_id)))

        return await _tried(ask)

    async def modules_done(self, course_id: str) -> ModulesDone:
        """The modules that are completed, and those that are passed."""
        user = await self._user_id()
        return standing.modules_done(await self._ask(routes.MODULES_DONE, id=compound(user, course_id)))

    async def session(self, course_id: str) -> CourseSession | None:
        """The session of the course that the learner is in: its begin and end."""
        user = await self._user_id()
        ids = {"id": compound(user, course_id), "user_id": user, "course_id": course_id}
        return standing.session(await self._ask(routes.SESSION, **ids))

    async def deadlines(self, course_id: str) -> DeadlineSettings | None:
        """The deadlines of the modules of a course."""
        ids = {"user_id": await self._user_id(), "course_id": course_id}
        return standing.deadlines(await self._ask(routes.DEADLINES, **ids))

    async def schedule(self, course_id: str) -> Sequence[Period]:
        """The weeks of a course."""
        return standing.schedule(await self._ask(routes.SCHEDULE, course_id=course_id))

    async def grade(self, course_id: str) -> CourseGrade | None:
        """The grade in a course, by a route of 2015; today's platform answers 405."""
        return standing.grade(await self._ask(routes.GRADES, course_id=course_id))

    async def instructors(self, course_id: str, slug: str) -> Sequence[str]:
        """The names of a course's instructors, in its order."""
        return (await self._described(course_id, slug)).instructors

    async def _described(self, course_id: str, slug: str) -> CatalogueCourse:
        """A course of the public catalogue with its instructors, for which an older route may be asked."""
        found = CatalogueCourse("", slug, "", "")
        with suppress(Gone):
            for course in catalogue.courses(await self._ask(routes.COURSE, slug=slug)):
                if course.instructors:
                    return course
                found = course
        try:
            notes = await self._ask(routes.INSTRUCTOR_NOTES, course_id=course_id)
        except (NotAllowed, Gone, BadReply):
            if not found.id:
                raise
            return found
        return replace(found, instructors=standing.instructors(notes))

    async def standing(self, course_id: str, slug: str, outline: Callable[[], Awaitable[Outline | None]]) -> Standing:
        """The standing in a course, from all of these.

        `outline` returns the tree of the course; it is called when the names of modules or the number of items are
        needed.  A part that the platform refuses or no longer has is left out.  Raises an error of the whole account or
        of the network.
        """
        parts = await self._parts(course_id, slug)
        tree: dict[str, object] = {}
        if standing.needs_outline(parts):
            async with gathering(self._limiter) as requests:
                requests.ask(tree, "outline", partial(_tried, outline))
        return standing.standing(parts, _of(tree, "outline", Outline) or Outline(()))

    async def due(self, course_id: str) -> tuple[Deadline, ...]:
        """The deadlines of a course, with one request, and two more where the learner has none of their own.

        Raises the errors of the requests: where a part is refused or broken, it is not known that there are no
        deadlines.  A part that the platform does not have (`Gone`) has none.
        """
        await self._user_id()
        found: dict[str, object] = {}
        async with gathering(self._limiter) as requests:
            requests.ask(found, "deadlines", partial(_tried, partial(self.deadlines, course_id)))
        deadlines = _of(found, "deadlines", DeadlineSettings)
        if deadlines is None or not deadlines.modules:
            async with gathering(self._limiter) as requests:
                requests.ask(found, "session", partial(_tried, partial(self.session, course_id)))
                requests.ask(found, "schedule", partial(_tried, partial(self.schedule, course_id)))
        due = standing.due(
            Parts(
                session=_of(found, "session", CourseSession),
                deadlines=deadlines,
                schedule=_of(found, "schedule", tuple) or (),
            )
        )
        errors = [one for one in found.values() if isinstance(one, CoursefsError) and not isinstance(one, Gone)]
        if errors and not due:
            raise errors[0]
        return due

    async def _parts(self, course_id: str, slug: str) -> Parts:
        await self._user_id()  # once, before the concurrent requests that need it
        found: dict[str, object] = {}
        async with gathering(self._limiter) as requests:
            requests.ask(found, "progress", partial(_tried, partial(self.progress, course_id, slug)))
            requests.ask(found, "session", partial(_tried, partial(self.session, course_id)))
            requests.ask(found, "deadlines", partial(_tried, partial(self.deadlines, course_id)))
            requests.ask(found, "grade", partial(_tried, partial(self.grade, course_id)))
            requests.ask(found, "course", partial(_tried, partial(self._described, course_id, slug)))
        deadlines = _of(found, "deadlines", DeadlineSettings)
        if deadlines is None or not deadlines.modules:
            async with gathering(self._limiter) as requests:
                requests.ask(found, "schedule", partial(_tried, partial(self.schedule, course_id)))
        course = _of(found, "course", CatalogueCourse)
        return Parts(
            progress=_of(found, "progress", CourseraProgress),
            session=_of(found, "session", CourseSession),
            deadlines=deadlines,
            schedule=_of(found, "schedule", tuple) or (),
            grade=_of(found, "grade", CourseGrade),
            instructors=course.instructors if course else (),
            about=course.about if course and course.id else None,
        )


async def _tried(ask: Callable[[], Awaitable[T]]) -> T:
    """The reply; «not authorized» for one of these routes is a refusal of it, not the end of the sign-in."""
    try:
        return await ask()
    except NotSignedIn as error:
        raise NotAllowed(str(error)) from None


def _of(found: Mapping[str, object], name: str, kind: type[T]) -> T | None:
    """The result of this type; None for an error, which is logged."""
    value = found.get(name)
    if isinstance(value, CoursefsError):
        log.debug("%s: %s", name, value)
    return value if isinstance(value, kind) else None
