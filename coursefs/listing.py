"""The courses of all accounts as a list, for commands: asked for now, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import trio

from coursefs.choosing import Chosen
from coursefs.errors import CoursefsError, NotAllowed, UsageError, leaf
from coursefs.files import private_folder
from coursefs.library import Library, LibrarySettings, open_library
from coursefs.lock import FileLock
from coursefs.model import Course, Standing
from coursefs.providers.base import Grades, Provider, Searches

#: courses of an account whose standing is asked for at a time, and seconds that all of them may take
_COURSES_AT_ONCE = 3
_STANDINGS_WITHIN = 180.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A course, and where the mount shows it."""

    account: str
    course: Course
    directory: str | None  # its path below the mount point; None: never shown so far, or not at all
    is_shown: bool  # whether it is, or will be as soon as a mount asks for the enrolments
    standing: Standing | None = None  # how the learner stands in it, where that was asked for and could be had

    def record(self) -> dict[str, Any]:
        """As `courses list --json` has it."""
        standing = self.standing
        return {
            "account": self.account,
            "id": self.course.key,
            "slug": self.course.slug,
            "title": self.course.title,
            "directory": self.directory,
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
        }


def _time(ns: int | None) -> str | None:
    """A time as RFC 3339 has it, in UTC; None as well for one that no calendar has."""
    try:
        return None if ns is None else datetime.fromtimestamp(ns / 1e9, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """A course of a public catalogue."""

    account: str
    course: Course


async def list_all(
    settings: LibrarySettings, standing_of: Callable[[Listed], bool] = lambda _: False
) -> tuple[list[Listed], list[str]]:
    """Every account's courses, and a line for each account whose platform could not be asked (listed as last seen).

    With `standing_of` it is asked how the learner stands in these courses, where the platform says that; what cannot
    be had within three minutes is left out, and said in a line.
    Raises `NotSignedIn` when an account's sign-in has ended, and whatever kept an account that was never listed from
    being listed.
    """
    notes: list[str] = []
    found: dict[str, list[Listed]] = {}

    async def one(library: Library, account: str) -> None:
        courses: Sequence[Course]
        try:
            courses = await library.providers[account].courses()
        except NotAllowed:
            raise
        except CoursefsError as error:
            if not library.known(account):
                raise
            notes.append(f"{account}: {error}; as last seen")
            courses = library.courses(account)
        rows = [
            Listed(account, course, library.directory_of(account, course), library.choosing.shows(account, course))
            for course in library.choosing.with_added(account, courses)
        ]
        found[account], trouble = await _with_standing(library.providers[account], rows, standing_of)
        notes.extend(f"{account}: {line}" for line in trouble)

    try:
        async with open_library(settings, contents=False, read_only=True) as library, trio.open_nursery() as nursery:
            for account in settings.accounts:
                nursery.start_soon(one, library, account.name)
    except BaseExceptionGroup as group:
        raise leaf(group) from None
    return [listed for account in settings.accounts for listed in found[account.name]], notes


async def _with_standing(
    provider: Provider, rows: Sequence[Listed], standing_of: Callable[[Listed], bool]
) -> tuple[list[Listed], list[str]]:
    """The courses with the standings that could be had, and why the others could not."""
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

    with trio.move_on_after(_STANDINGS_WITHIN):
        async with trio.open_nursery() as nursery:
            for row in wanted:
                nursery.start_soon(one, row.course)
    missing = len({row.course.key for row in wanted} - found.keys())
    why = str(errors[0]) if errors else f"no answer within {_STANDINGS_WITHIN:.0f} s"
    notes = [f"how you stand in {missing} of {len(wanted)} courses is not known: {why}"] if missing else []
    return [replace(row, standing=found.get(row.course.key)) for row in rows], notes


async def search(settings: LibrarySettings, text: str, account: str | None) -> list[Found]:
    """Courses of the public catalogues that fit these words: of this account's platform, or of all that have one.

    Raises `UsageError` for an account that is not there, `CoursefsError` when no platform can be searched.
    """
    if account is not None and account not in {one.name for one in settings.accounts}:
        raise UsageError(f"no account {account}; there is {', '.join(one.name for one in settings.accounts)}")
    try:
        async with open_library(settings, contents=False, read_only=True) as library:
            wanted = [name for name in library.providers if account in {None, name}]
            able = [(name, one) for name in wanted if isinstance(one := library.providers[name], Searches)]
            if not able:
                raise CoursefsError(f"{', '.join(wanted)}: there is no public catalogue to be searched")
            return [Found(name, course) for name, provider in able for course in await provider.search(text)]
    except BaseExceptionGroup as group:
        raise leaf(group) from None


async def choose(settings: LibrarySettings, courses: Sequence[str], *, shown: bool) -> list[Chosen]:
    """Show these courses, or no longer show them (see `Choosing.choose`), while no mount has the catalogue."""
    async with opened_by(settings, "courses", contents=False) as library:
        return await library.choosing.choose(courses, shown=shown)


@asynccontextmanager
async def opened_by(settings: LibrarySettings, command: str, *, contents: bool = True) -> AsyncIterator[Library]:
    """The library for a command alone, while no mount has the catalogue (and the cache, with `contents`).

    Raises `CoursefsError` that says who has them.
    """
    catalogue = settings.catalogue
    private_folder(catalogue.parent)
    with FileLock(catalogue.with_name("lock"), holder=f"coursefs {command} (pid {os.getpid()})", taken=_taken):
        try:
            async with open_library(settings, contents=contents) as library:
                yield library
        except BaseExceptionGroup as group:
            raise leaf(group) from None


def _taken(holder: str) -> str:
    return f"the catalogue is in use by {holder}; try again when that is done"
