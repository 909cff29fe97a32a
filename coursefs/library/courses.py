"""The courses of a library's accounts: which there are and are shown, what is new, and how far the learner is."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing

from coursefs.catalog import News, Node, Store, Tree
from coursefs.library.accounts import updated
from coursefs.library.course_selection import Chosen, CourseSelection
from coursefs.library.due_dates import DueDateRefresher
from coursefs.library.files import Files
from coursefs.library.learner_progress import LearnerProgress, due_modules
from coursefs.library.listing import STANDINGS_WITHIN, Listed, SearchHit, listed, searched
from coursefs.library.live_pages import LivePages
from coursefs.library.settings import LibrarySettings
from coursefs.library.versions import Versions
from coursefs.model import Course
from coursefs.providers.base import Provider


class Courses:
    """The courses of a library's accounts.  An account is given by its name, a course as the node of its directory."""

    def __init__(
        self,
        tree: Tree,
        store: Store,
        providers: Mapping[str, Provider],
        versions: Versions,
        files: Files,
        due_dates: DueDateRefresher,
        settings: Callable[[], LibrarySettings],
        settled: Callable[[], Awaitable[None]],
        pages: LivePages,
    ) -> None:
        """`providers`: by account; `settings` returns the present ones; `settled`: see `Library.on_change`."""
        self._tree = tree
        self._store = store
        self._providers = providers
        self._versions = versions
        self._files = files
        self._due_dates = due_dates
        self._settings = settings
        self._settled = settled
        self._selection = CourseSelection(store, tree)
        self._progress = LearnerProgress(providers, store)
        self._pages = pages

    @property
    def accounts(self) -> Sequence[str]:
        """The names of the accounts, in the order of the settings."""
        return [account.name for account in self._settings().accounts]

    @property
    def pages(self) -> LivePages:
        """What open course pages ask for."""
        return self._pages

    # -- what there is -----------------------------------------------------------------------------------------------

    def known(self, account: str) -> list[Course]:
        """The account's courses as last seen."""
        return self._store.enrolments.courses(account)

    async def refresh(self, account: str) -> list[Course]:
        """The account's courses, from a new request."""
        await self._tree.update_courses(account)
        return self.known(account)

    async def update(self, courses: Sequence[str]) -> AsyncIterator[News]:
        """Update the metadata now, and yield the news: first of the enrolments, then course by course.

        The due dates of each course are asked for as well; that they are refused is no failure.  `courses` are named as
        in `select`, and keep their order.  Raises `UsageError` for a text that names no course, and at the end the
        first error of an account or a course.
        """
        self._versions.note_update()
        select, due = lambda: self.select(courses), self._due_dates.update
        async with aclosing(updated(self._tree, self.accounts, select, due)) as found:
            async for news in found:
                await self._settled()
                yield news

    async def listed(
        self, account: str, standing_of: Callable[[Listed], bool], within: float = STANDINGS_WITHIN
    ) -> tuple[list[Listed], list[str]]:
        """The account's courses with standings, from new requests, and lines for failures: see `listing.listed`."""
        provider = self._providers[account]
        return await listed(account, provider, self._store, self._tree, self._selection, standing_of, within)

    async def search(self, text: str, account: str | None, limit: int = 50) -> list[SearchHit]:
        """The courses of public catalogues that match these words: of one account's platform, or (None) of all.

        At most `limit` of each.
        """
        wanted = {name: provider for name, provider in self._providers.items() if account in {None, name}}
        return await searched(wanted, text, limit)

    # -- what is shown -----------------------------------------------------------------------------------------------

    async def choose(self, courses: Sequence[str], *, shown: bool) -> list[Chosen]:
        """Show or hide these courses in the tree: see `CourseSelection.choose`."""
        return await self._selection.choose(courses, shown=shown)

    def select(self, courses: Sequence[str], *, prefixes: bool = True) -> list[Node]:
        """The directories of the courses that these texts name: see `CourseSelection.directories`."""
        return self._selection.directories(courses, prefixes=prefixes)

    # -- the learner -------------------------------------------------------------------------------------------------

    async def progress(self, node: Node) -> float | None:
        """The part of a course, section or step that the learner has done: see `LearnerProgress.of`."""
        return await self._progress.of(node)

    async def finished(self, course: Node) -> frozenset[str]:
        """The sections and items of a course that the learner has done: see `LearnerProgress.finished`."""
        return await self._progress.finished(course)

    async def due(self, course: Node, until_ns: int) -> list[Node] | None:
        """The modules of a course in which something is due until a moment; None: its platform has no deadlines.

        Raises the errors of asking for them.
        """
        await self._files.children(course.inode)  # the modules must be known
        deadlines = await self._due_dates.ask(course)
        return None if deadlines is None else due_modules(self._store, course, deadlines, time.time_ns(), until_ns)
