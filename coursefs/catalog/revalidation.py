"""Revalidation: what of the catalogue a caller waits for, and what is refreshed in the background.

A caller waits for the platform only for what was never fetched, or is known to be wrong.  Concurrent callers share one
request (single flight).  Age limits and the decision what is due are in `freshness`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping

import trio

from coursefs.base.crash_messages import log_unforeseen
from coursefs.base.foreground import background_work, is_background
from coursefs.base.single_flight import SingleFlight
from coursefs.base.supervisor import Tasks
from coursefs.catalog.freshness import CLOCK_TOLERANCE, SECOND, Ages, is_old
from coursefs.catalog.node import Node, Place, Space
from coursefs.catalog.refresher import Refresher, TreeAccount
from coursefs.catalog.store import Store
from coursefs.errors import CoursefsError, Gone
from coursefs.model import LEAVES_TRACES, Kind
from coursefs.providers.base import FEW

log = logging.getLogger(__name__)

#: ns; recheck a course's age at most once a minute. The check also records that the course is in use
_RECHECK_AFTER = 60 * SECOND
#: kinds of directories that contain only sections and files, no courses
_ITEM_DIRECTORIES = frozenset({Kind.MODULE, Kind.LESSON, Kind.FOLDER})
#: directories whose due time is cached
_MAX_FRESH = 1 << 17
#: due time of a directory that is made from the catalogue alone
_NEVER_DUE = 2**63 - 1
#: seconds that the root waits for an account that was never listed if it can show others
_ROOT_PATIENCE = 3.0


class Revalidation:
    """The age of each directory, and the requests that make it fresh.

    `accounts`: those that are shown, by name; `Tree` adds and removes.  Methods that fetch raise what the provider
    raises.  A cancelled caller does not cancel the request, which others may wait for.
    """

    def __init__(
        self, store: Store, refresher: Refresher, accounts: Mapping[str, TreeAccount], tasks: Tasks, ages: Ages
    ) -> None:
        self._store = store
        self._refresher = refresher
        self._accounts = accounts
        self.ages = ages
        self.calls: SingleFlight[tuple[Place, int], None] = SingleFlight(tasks)
        #: directory -> when it is due to be fetched again, ns since 1970; dropped at each refresh
        self._fresh_until: dict[int, int] = {}

    def forget(self, directory: int | None = None) -> None:
        """Forget when a directory is due, or when all are: the next look at it decides again."""
        if directory is None:
            self._fresh_until.clear()
        else:
            self._fresh_until.pop(directory, None)

    async def ensure_listed(self, directory: Node) -> None:
        """Return when there is something to serve; start a background refresh if it is old.

        Raises `Gone` for a directory of an account that is no longer shown: programs may still be in it.
        """
        if directory.space is Space.PAGE:  # the catalogue is all that it is made from
            return
        place = directory.place
        if directory.kind is not Kind.ROOT:
            self.account(place)
        match directory.kind:
            case Kind.ROOT:
                await self._ensure_root()
            case Kind.ACCOUNT:
                await self._ensure_courses(self.account(place))
            case Kind.COURSE:
                await self._ensure_course(directory)
            case _:
                await self._ensure_files(directory, place)

    async def _ensure_root(self) -> None:
        """Return when all accounts, or at least one of them, were listed; at once when the last one was signed out.

        Raises the first error if no account was ever listed.
        """
        accounts = [account for account in self._accounts.values() if account.folder is None]
        some_known = len(accounts) < len(self._accounts) or any(self._is_known(account) for account in accounts)
        errors: list[CoursefsError] = []

        async def one(account: TreeAccount) -> None:
            try:
                await self._ensure_courses(account)
            except CoursefsError as error:
                errors.append(error)

        # wait for accounts that were never listed, but only shortly if others can be shown
        with trio.move_on_after(_ROOT_PATIENCE if some_known else math.inf):
            async with trio.open_nursery() as nursery:
                for account in accounts:
                    nursery.start_soon(one, account)
        if errors and len(errors) == len(accounts) and not some_known:
            raise errors[0]

    def _is_known(self, account: TreeAccount) -> bool:
        return self._store.fetch_log.fetched_ns(Place(account.name)) is not None

    async def _ensure_courses(self, account: TreeAccount) -> None:
        place = Place(account.name)
        fetched_ns = self._store.fetch_log.fetched_ns(place)
        await self._revalidate(place, 0, fetched_ns, self.ages.courses, lambda: self._refresher.courses(account))

    async def _ensure_course(self, directory: Node) -> None:
        place = Place(directory.place.account, directory.key)
        account = self.account(place)
        fetched_ns = self._store.fetch_log.fetched_ns(place)
        await self._revalidate(
            place, 0, fetched_ns, self.ages.outline, lambda: self.refresh_outline(account, directory)
        )
        await self._ensure_files(directory, place)
        now = time.time_ns()
        fetched_ns = self._store.fetch_log.fetched_ns(place)
        if not is_background() and fetched_ns is not None and fetched_ns <= now + CLOCK_TOLERANCE:
            outline = fetched_ns + int(self.ages.outline * SECOND)
            files = self.ages.directory_due_ns(self._store.items.fetch_times(directory.inode), now)
            self._set_fresh_until(directory.inode, min(outline, files, now + _RECHECK_AFTER))

    def is_fresh(self, inode: int) -> bool:
        """Whether everything in a directory is known and fresh; always False for directories of courses."""
        due = self._fresh_until.get(inode)
        if due is None:
            node = self._store.node(inode)
            if node is None:
                raise Gone("there is no such file")
            if node.space is Space.PAGE:  # the catalogue is all that it is made from
                due = _NEVER_DUE
            elif node.kind not in _ITEM_DIRECTORIES or node.place.account not in self._accounts:
                return False
            else:
                due = self.ages.directory_due_ns(self._store.items.fetch_times(inode), time.time_ns())
            self._set_fresh_until(inode, due)
        return time.time_ns() < due

    def _set_fresh_until(self, inode: int, due_ns: int) -> int:
        if len(self._fresh_until) >= _MAX_FRESH:
            self._fresh_until.clear()  # tracking the least recently used one would cost each lookup more
        self._fresh_until[inode] = due_ns
        return due_ns

    async def _ensure_files(self, directory: Node, place: Place) -> None:
        if self.is_fresh(directory.inode):
            return
        now = time.time_ns()
        times = self._store.items.fetch_times(directory.inode)
        if self.ages.directory_due_ns(times, now) < now:
            # the modules of a course are known and can be shown before the files beside them are
            children = self._store.children(directory.inode)
            known = not times.never or any(node.item or directory.kind is Kind.COURSE for node in children)
            # 0: due for certain, see `_revalidate`
            known_times = [ns for ns in (times.oldest_ns, times.oldest_broken_ns) if ns is not None]
            oldest = 0 if times.never else min(known_times, default=now)

            async def refresh() -> None:
                await self.refresh_files(directory, place)

            await self._revalidate(place, directory.inode, oldest if known else None, 0.0, refresh)
            times = self._store.items.fetch_times(directory.inode)
            if self._refresher.provisional_items(directory.inode):
                self.refresh_in_background(place, -directory.inode, lambda: self.fetch_provisional(directory, place))
        due = self.ages.directory_due_ns(times, time.time_ns())
        if due < now and (pause := self._refresher.errors.pause(place, self.ages.failed)):
            due = now + int(pause * SECOND)
        if directory.kind in _ITEM_DIRECTORIES:
            self._set_fresh_until(directory.inode, due)

    async def _revalidate(
        self, place: Place, inode: int, fetched_ns: int | None, age: float, update: Callable[[], Awaitable[None]]
    ) -> None:
        """Fetch what was never fetched (None) while the caller waits; refresh old data in the background.

        Old means more than `age` seconds. With `fetched_ns` 0 the stored state is known to be outdated: the caller
        waits, and gets the old state if the fetch fails.
        """
        if fetched_ns is None:
            await self.calls.join((place, inode), update)
        elif fetched_ns == 0 and not self._refresher.errors.failed_lately(place, self.ages.failed):
            try:
                await self.calls.join((place, inode), update)
            except CoursefsError as error:
                log.info("the refresh failed, the old state stays: %s", error)
        elif is_old(fetched_ns, age, time.time_ns()):
            self.refresh_in_background(place, inode, update)

    def refresh_in_background(self, place: Place, inode: int, update: Callable[[], Awaitable[None]]) -> None:
        """Start a refresh without waiting; skip it if one failed lately."""

        async def refresh_or_log() -> None:
            try:
                await update()
            except CoursefsError as error:
                log.info("the refresh failed, the old state stays: %s", error)
            except Exception as error:
                log_unforeseen(log, "a refresh", error)

        if not self._refresher.errors.failed_lately(place, self.ages.failed):
            with background_work():
                self.calls.start((place, inode), refresh_or_log)

    async def refresh_outline(self, account: TreeAccount, directory: Node) -> None:
        """Fetch a course's outline."""
        self.forget()
        await self._refresher.outline(account, directory)
        self.forget()

    async def refresh_files(self, directory: Node, place: Place, *, all_known: bool = False) -> None:
        """Fetch the items of a directory that are due; `all_known`: and all that were ever fetched."""
        self.forget(directory.inode)
        now = time.time_ns()
        stored_items = [
            stored
            for stored in self._store.items.in_directory(directory.inode)
            if (all_known and stored.fetched_ns is not None) or self.ages.item_due_ns(stored, now) < now
        ]
        await self._refresher.files(self.account(place), directory, place, stored_items)

    async def list_without_traces(self, directory: Node) -> None:
        """Fetch the items of a directory that were never fetched, without those whose fetch a platform records.

        Nothing is asked again that failed lately.
        """
        place = Place(directory.place.account, directory.key) if directory.kind is Kind.COURSE else directory.place
        items = self._store.items.in_directory(directory.inode)
        silent = [stored for stored in items if LEAVES_TRACES not in stored.item.details]
        wanted = [stored for stored in silent if stored.fetched_ns is None]
        if len(silent) == len(items):
            await self.ensure_listed(directory)  # which also refreshes what is old
        elif wanted and not self._refresher.errors.failed_lately(place, self.ages.failed):
            self.forget(directory.inode)
            await self._refresher.files(self.account(place), directory, place, wanted)
            self.forget(directory.inode)

    async def fetch_provisional(self, directory: Node, place: Place) -> None:
        """Fetch the items with provisional files, a few at a time, until all have final ones."""
        while stored_items := self._refresher.provisional_items(directory.inode)[:FEW]:
            await self._refresher.files(self.account(place), directory, place, stored_items)

    def account(self, place: Place) -> TreeAccount:
        """The account of a place.  Raises `Gone` when it is no longer shown."""
        account = self._accounts.get(place.account)
        if account is None:
            raise Gone(f"the account {place.account} is no longer in the settings")
        return account
