"""Lists of courses: those of an account with the learner's standing, and results of a catalogue search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import trio

from coursefs.catalog import Place, Store, Tree
from coursefs.errors import CoursefsError, NotAllowed, named
from coursefs.library.course_selection import CourseSelection
from coursefs.model import About, Course, Standing
from coursefs.providers.base import Grades, Provider, Searches

#: how many standings are requested at a time
_COURSES_AT_ONCE = 3
#: seconds for all standings of an account, unless the caller has less patience
STANDINGS_WITHIN = 180.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A course in a list, and its path in the mount."""

    account: str
    course: Course
    directory: str | None  # its path below the mount point; None: never shown so far, or hidden
    is_shown: bool  # whether it is shown, or will be when a mount lists the enrolments
    standing: Standing | None = None  # of the learner, if requested and received
    name: str = ""  # what to type for it, among all that are listed

    def record(self) -> dict[str, Any]:
        """The object of `courses list --json`."""
        standing = self.standing
        about = standing.about if standing else None
        return {
            "account": self.account,
            "id": self.course.key,
            "slug": self.course.slug,
            "title": self.course.title,
            "directory": self.directory,
            "name": self.name or self.course.slug,
            "url": self.course.url,
            "enrolled": _time(self.course.enrolled_ns),
            "shown": self.is_shown,
            "progress": standing and standing.done,
            "grade": standing and standing.grade,
            "passed": standing and standing.passed,
            "starts": standing and _time(standing.starts_ns),
            "ends": standing and _time(standing.ends_ns),
            "deadlines": standing
            and [
                {"title": one.title, "due": _time(one.due_ns), "id": one.key, "url": one.url}
                for one in standing.deadlines
            ],
            "instructors": standing and list(standing.instructors),
            "partners": about and list(about.partners),
            "level": about and (about.level or None),
            "length": about and (about.length or None),
            "description": about and (about.description or None),
            "image": about and about.image_url,
        }


def _time(ns: int | None) -> str | None:
    """A time in UTC as RFC 3339; None also for one outside of the calendar."""
    try:
        return None if ns is None else datetime.fromtimestamp(ns / 1e9, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A course of a public catalogue, found by a search."""

    account: str
    course: Course

    #: the names of the columns of `row`
    COLUMNS: ClassVar[tuple[str, ...]] = ("course", "slug", "level", "length", "rating", "by", "address", "account")

    def row(self) -> tuple[str, ...]:
        """The line of `courses search`."""
        about = self.course.about or About()
        rating = "" if about.rating is None else f"{about.rating:.1f}"
        if rating and about.ratings is not None:
            rating = f"{rating} ({about.ratings})"
        by = ", ".join(about.partners)
        course = self.course
        return (course.title, course.slug, about.level, about.length, rating, by, course.url or "", self.account)


async def listed(
    account: str,
    provider: Provider,
    store: Store,
    tree: Tree,
    selection: CourseSelection,
    standing_of: Callable[[Listed], bool],
    within: float,
) -> tuple[list[Listed], list[str]]:
    """An account's courses, and a line for each failed request; if listing fails, the courses are as last seen.

    `standing_of` returns whether to request the learner's standing in a course, if the platform has it.  Standings that
    take longer than `within` seconds are left out, with a line.
    Raises `NotAllowed` when the platform refuses the account, and any error of an account that was never listed.
    """
    notes: list[str] = []
    courses: Sequence[Course]
    try:
        courses = await provider.courses()
    except NotAllowed:
        raise
    except CoursefsError as error:
        if store.fetch_log.fetched_ns(Place(account)) is None:
            raise
        notes.append(f"{named(account, error)}; as last seen")
        courses = store.enrolments.courses(account)
    rows = [
        Listed(account, course, tree.directory_of(account, course), selection.shows(account, course))
        for course in selection.with_added(account, courses)
    ]
    rows, trouble = await _with_standing(provider, rows, standing_of, within)
    return rows, [*notes, *(named(account, line) for line in trouble)]


async def _with_standing(
    provider: Provider, rows: Sequence[Listed], standing_of: Callable[[Listed], bool], within: float
) -> tuple[list[Listed], list[str]]:
    """The courses with their standings, and lines that say why others are missing."""
    wanted = [row for row in rows if not row.course.hidden and standing_of(row)]
    if not wanted or not isinstance(provider, Grades):
        return list(rows), []
    grades = provider
    found: dict[str, Standing] = {}
    errors: list[CoursefsError] = []
    limiter = trio.CapacityLimiter(_COURSES_AT_ONCE)

    async def one(course: Course) -> None:
        async with limiter:
            try:
                found[course.key] = await grades.standing(course)
            except CoursefsError as error:
                errors.append(error)

    with trio.move_on_after(within):
        async with trio.open_nursery() as nursery:
            for row in wanted:
                nursery.start_soon(one, row.course)
    missing = len({row.course.key for row in wanted} - found.keys())
    why = str(errors[0]) if errors else f"no answer within {within:.0f} s"
    notes = [f"your progress in {missing} of {len(wanted)} courses is unknown: {why}"] if missing else []
    return [replace(row, standing=found.get(row.course.key)) for row in rows], notes


async def searched(providers: Mapping[str, Provider], text: str, limit: int) -> list[SearchHit]:
    """Search the public catalogues of these accounts' platforms, for `limit` courses on each.

    Raises `CoursefsError` when none of the platforms has a search, and the errors of a search.
    """
    able = [(name, provider) for name, provider in providers.items() if isinstance(provider, Searches)]
    if not able:
        raise CoursefsError(f"{', '.join(providers)}: has no public catalogue to search")
    return [
        SearchHit(name, course)
        for name, provider in able
        for course in (await provider.search(text, limit=limit))[:limit]
    ]
