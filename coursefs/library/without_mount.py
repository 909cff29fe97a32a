"""Functions for commands without a mount: list, search and select courses, open the library, remove an account."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from coursefs.base.atomic_files import private_folder, usable_folder
from coursefs.base.lock import FileLock
from coursefs.catalog import Store
from coursefs.content import Cleared, open_cache
from coursefs.errors import UsageError, leaf
from coursefs.library.accounts import Factories
from coursefs.library.course_names import Candidate, names_to_type
from coursefs.library.course_selection import Chosen
from coursefs.library.library import Library, open_library
from coursefs.library.listing import STANDINGS_WITHIN, Listed, SearchHit
from coursefs.library.settings import LibrarySettings
from coursefs.library.variants import forget_variants

if TYPE_CHECKING:
    from coursefs.settings.config import Cache  # slow to import


async def list_all(
    settings: LibrarySettings,
    standing_of: Callable[[Listed], bool] = lambda _: False,
    *,
    within: float = STANDINGS_WITHIN,
    providers: Factories | None = None,
) -> tuple[list[Listed], list[str]]:
    """Every account's courses, from new requests, and a line for each failed account.  Nothing is written.

    Raises `NotSignedIn` when an account's sign-in has ended, and the error of an account that was never listed.  See
    `Courses.listed`.
    """
    notes: list[str] = []
    found: dict[str, list[Listed]] = {}

    async def one(library: Library, account: str) -> None:
        found[account], lines = await library.courses.listed(account, standing_of, within)
        notes.extend(lines)

    async with (
        _opened(settings, contents=False, read_only=True, providers=providers) as library,
        trio.open_nursery() as nursery,
    ):
        for account in settings.accounts:
            nursery.start_soon(one, library, account.name)
    rows = [listed for account in settings.accounts for listed in found[account.name]]
    candidates = [Candidate(row, row.course, (row.directory or "").rpartition("/")[2]) for row in rows]
    return [replace(row, name=name) for row, name in zip(rows, names_to_type(candidates), strict=True)], notes


async def search(
    settings: LibrarySettings,
    text: str,
    account: str | None,
    limit: int = 50,
    *,
    providers: Factories | None = None,
) -> list[SearchHit]:
    """Courses of the public catalogues that match these words: of this account's platform, or of all that have one.

    Raises `UsageError` for an unknown account, `CoursefsError` when no platform has a search.
    """
    if account is not None and account not in {one.name for one in settings.accounts}:
        raise UsageError(f"no account {account}; there is {', '.join(one.name for one in settings.accounts)}")
    async with _opened(settings, contents=False, read_only=True, providers=providers) as library:
        return await library.courses.search(text, account, limit)


async def choose(
    settings: LibrarySettings, courses: Sequence[str], *, shown: bool, providers: Factories | None = None
) -> list[Chosen]:
    """Show or hide these courses (see `Courses.choose`), while no mount has the catalogue open."""
    async with opened_by(settings, "courses", contents=False, providers=providers) as library:
        return await library.courses.choose(courses, shown=shown)


@asynccontextmanager
async def opened_by(
    settings: LibrarySettings, command: str, *, contents: bool = True, providers: Factories | None = None
) -> AsyncIterator[Library]:
    """Open the library for one command, while no mount has the catalogue (and the cache, with `contents`) open.

    Raises `CoursefsError`, whose message names the process that has them open.
    """

    def taken(holder: str) -> str:
        return f"the catalogue is in use by {holder}; try again when that is done"

    private_folder(settings.catalogue.parent)
    with _locked(settings.catalogue, command, taken):
        async with _opened(settings, contents=contents, read_only=False, providers=providers) as library:
            yield library


@asynccontextmanager
async def _opened(
    settings: LibrarySettings, *, contents: bool, read_only: bool, providers: Factories | None
) -> AsyncIterator[Library]:
    """An open library, without the groups in which its nursery raises: a command reports one error."""
    try:
        async with open_library(settings, contents=contents, read_only=read_only, providers=providers) as library:
            yield library
    except BaseExceptionGroup as group:
        raise leaf(group) from None


def forget_account(account: str, catalogue: Path, cache: Cache, cache_dir: Path) -> Cleared:
    """Remove an account's contents, also pinned ones, and its courses; returns what was dropped from the cache.

    Blocking.  Raises `CoursefsError` while a mount has the catalogue or the cache open; then nothing is dropped.
    """

    def taken(holder: str) -> str:
        return f"the catalogue is in use by {holder}; unmount first"

    private_folder(catalogue.parent)
    usable_folder(cache_dir)
    with _locked(catalogue, "logout", taken):
        dropped = trio.run(_forget_contents, account, cache, cache_dir)
        forget_variants(catalogue)
        if catalogue.exists():
            store = Store(catalogue)
            try:
                store.forget_account(account)
            finally:
                store.close()
    return dropped


async def _forget_contents(account: str, cache: Cache, cache_dir: Path) -> Cleared:
    async with open_cache(cache_dir, max_size=cache.max_size, min_free=cache.min_free) as maintenance:
        return await maintenance.forget(account)


def _locked(catalogue: Path, command: str, taken: Callable[[str], str]) -> FileLock:
    """The lock of the catalogue, taken by a command."""
    return FileLock(catalogue.with_name("lock"), holder=f"coursefs {command} (pid {os.getpid()})", taken=taken)
