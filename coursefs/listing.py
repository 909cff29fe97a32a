"""The courses of all accounts as a list, for commands: asked for now, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import trio

from coursefs.catalog import News
from coursefs.errors import CoursefsError, NotAllowed, leaf
from coursefs.files import private_folder
from coursefs.library import Library, LibrarySettings, open_library
from coursefs.lock import FileLock
from coursefs.model import Course


@dataclass(frozen=True, slots=True)
class Listed:
    """A course, and where the mount shows it."""

    account: str
    course: Course
    directory: str | None  # its path below the mount point; None: never shown so far, or not at all

    def record(self) -> dict[str, Any]:
        """As `courses list --json` has it."""
        enrolled = self.course.enrolled_ns
        return {
            "account": self.account,
            "id": self.course.key,
            "slug": self.course.slug,
            "title": self.course.title,
            "directory": self.directory,
            "url": self.course.url,
            "enrolled": None if enrolled is None else datetime.fromtimestamp(enrolled / 1e9, UTC).isoformat(),
            "shown": not self.course.hidden,
        }


async def list_all(settings: LibrarySettings) -> tuple[list[Listed], list[str]]:
    """Every account's courses, and a line for each account whose platform could not be asked (listed as last seen).

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
        found[account] = [Listed(account, course, library.directory_of(account, course)) for course in courses]

    try:
        async with open_library(settings, contents=False, read_only=True) as library, trio.open_nursery() as nursery:
            for account in settings.accounts:
                nursery.start_soon(one, library, account.name)
    except BaseExceptionGroup as group:
        raise leaf(group) from None
    return [listed for account in settings.accounts for listed in found[account.name]], notes


async def update_all(settings: LibrarySettings, courses: Sequence[str]) -> list[News]:
    """Ask for the metadata of these courses (see `Library.update`) while no mount has the catalogue."""
    async with opened_by(settings, "update", contents=False) as library:
        return [news async for news in library.update(courses)]


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
