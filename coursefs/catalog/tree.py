"""The tree: directories served from the store at once, and refreshed in the background when they are old.

A caller waits for the platform only for what was never fetched, or is known to be wrong. Concurrent callers share one
request (single flight). Age limits and the decision what is due are in `freshness`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace

import trio

from coursefs.base.crash_messages import log_unforeseen
from coursefs.base.foreground import background_work, is_background
from coursefs.base.single_flight import SingleFlight
from coursefs.base.supervisor import Tasks
from coursefs.catalog import news
from coursefs.catalog.freshness import CLOCK_TOLERANCE, SECOND, Ages, is_old
from coursefs.catalog.names import Layout, is_probe
from coursefs.catalog.news import News
from coursefs.catalog.node import ROOT, Node, Place, StoredItem
from coursefs.catalog.refresher import Refresher, TreeAccount
from coursefs.catalog.store import Store
from coursefs.errors import CatalogueError, CoursefsError, Gone
from coursefs.model import Course, Kind
from coursefs.providers.base import FEW, Provider

log = logging.getLogger(__name__)

#: ns; recheck a course's age at most once a minute. The check also records that the course is in use
_RECHECK_AFTER = 60 * SECOND
#: kinds of directories that contain only sections and files, no courses
_ITEM_DIRECTORIES = frozenset({Kind.MODULE, Kind.LESSON, Kind.FOLDER})
#: directories whose due time is cached
_MAX_FRESH = 1 << 16
#: seconds that the root waits for an account that was never listed if it can show others
_ROOT_PATIENCE = 3.0


class Tree:
    """The directories of all accounts.

    Methods that fetch raise what the provider raises. A cancelled caller does not cancel the request, which others may
    wait for.
    """

    def __init__(
        self,
        store: Store,
        accounts: Sequence[TreeAccount],
        tasks: Tasks,
        *,
        layout: Layout = Layout.TITLE,
        ages: Ages | None = None,
    ) -> None:
        self.store = store
        self.refresher = Refresher(store, accounts, layout)
        self._accounts = {account.name: account for account in accounts}
        self.ages = ages or Ages()
        self._calls: SingleFlight[tuple[Place, int], None] = SingleFlight(tasks)
        #: directory -> when it is due to be fetched again, ns since 1970; dropped at each refresh
        self._fresh_until: dict[int, int] = {}

    def set_provider(self, account: str, provider: Provider) -> None:
        """Use another provider for this account from now on, and forget the failures of the old one."""
        self._accounts[account] = replace(self._accounts[account], provider=provider)
        self.refresher.set_provider(self._accounts[account])

    @property
    def accounts(self) -> Sequence[TreeAccount]:
        """The accounts that are shown, in the order of the settings."""
        return list(self._accounts.values())

    def hide_accounts(self, accounts: Collection[str]) -> None:
        """Take accounts out of the tree at once; what is stored of them stays."""
        for name in accounts:
            self._accounts.pop(name, None)
        self._fresh_until.clear()
        self.refresher.hide(accounts)

    def show_accounts(self, accounts: Sequence[TreeAccount]) -> None:
        """Show more accounts from now on; makes no request."""
        self._accounts |= {one.name: one for one in accounts}
        self._fresh_until.clear()
        self.refresher.show(accounts)

    def check_sign_in(self, account: str) -> None:
        """List an account's courses in the background, because something else has refused its sign-in."""
        known = self._accounts.get(account)
        if known is not None:
            self._refresh_in_background(Place(account), 0, lambda: self.refresher.courses(known))

    # -- reading -------------------------------------------------------------------------------------------------

    def node(self, inode: int) -> Node:
        """The node with this inode number, gone ones included. Raises `Gone` for an unknown number."""
        node = self.store.node(inode)
        if node is None:
            raise Gone("there is no such file")
        return node

    async def children(self, directory: Node) -> Sequence[Node]:
        """The nodes of a directory, by name. Raises the error of the fetch if the directory was never fetched."""
        await self._ensure_listed(directory)
        shown = self.store.children(directory.inode)
        if not shown:
            self.node(directory.inode)  # raises `Gone` if the catalogue was replaced: the directory is not empty
        if directory.inode == ROOT:  # the store keeps accounts that are no longer in the settings
            return [node for node in shown if node.place.account in self._accounts]
        return shown

    async def current(self, directory: Node) -> Sequence[Node]:
        """The nodes of a directory after old listings were fetched again; the old ones if that fails.

        Raises the error of the fetch if the directory was never fetched.
        """
        await self._ensure_listed(directory)
        for place in self._listings_of(directory):
            await self._calls.wait((place, 0))
            await self._calls.wait((place, directory.inode))
        return await self.children(directory)

    def outdated(self, directory: Node) -> list[tuple[str, CoursefsError]]:
        """The accounts whose part of a directory could not be refreshed just now, with the errors."""
        failed = [
            place
            for place in self._listings_of(directory)
            if self.refresher.errors.failed_lately(place, self.ages.failed)
        ]
        errors = ((place.account, self.refresher.errors.error(place)) for place in failed)
        return [(account, error) for account, error in errors if error is not None]

    def _listings_of(self, directory: Node) -> list[Place]:
        """The places whose listings a directory shows."""
        match directory.kind:
            case Kind.ROOT:
                return [Place(account.name) for account in self._accounts.values() if account.folder is None]
            case Kind.COURSE:
                return [Place(directory.place.account, directory.key)]
            case _:
                return [directory.place]

    async def child(self, directory: Node, name: str) -> Node | None:
        """The node with this name; None if the directory does not have it."""
        node = self.store.child(directory.inode, name)
        if node is None and not is_probe(name):
            await self._ensure_listed(directory)
            node = self.store.child(directory.inode, name) or self._former(directory.inode, name)
        if node is not None and directory.inode == ROOT and node.place.account not in self._accounts:
            return None
        return node

    def _former(self, directory: int, name: str) -> Node | None:
        """The page in place of a file that had this name until a moment ago."""
        inode = self.refresher.former_names.get((directory, name))
        node = None if inode is None else self.store.node(inode)
        return node if node is not None and node.is_refused and node.parent == directory else None

    def known_children(self, inode: int) -> Sequence[Node] | None:
        """The nodes of a fresh directory; None if `children` must be called."""
        return self.store.children(inode) if self._is_fresh(inode) else None

    def known_child(self, inode: int, name: str) -> Node | None:
        """The node with this name, without a request; None if `child` must be called."""
        return None if inode == ROOT else self.store.child(inode, name)

    def course(self, node: Node) -> Course:
        """The course that a node belongs to. Raises `Gone` if the account no longer has it."""
        return self.refresher.course(node.place)

    def directory_of(self, account: str, course: Course) -> str | None:
        """The path of a course below the root; None if it is not shown."""
        node = self.store.find(Place(account), course.key)
        if node is None or node.is_gone:
            return None
        return self.store.path_of(node)

    # -- freshness -------------------------------------------------------------------------------------------------

    async def _ensure_listed(self, directory: Node) -> None:
        """Return when there is something to serve; start a background refresh if it is old.

        Raises `Gone` for a directory of an account that is no longer shown: programs may still be in it.
        """
        place = directory.place
        if directory.kind is not Kind.ROOT:
            self._account(place)
        match directory.kind:
            case Kind.ROOT:
                await self._ensure_root()
            case Kind.ACCOUNT:
                await self._ensure_courses(self._account(place))
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
        return self.store.fetch_log.fetched_ns(Place(account.name)) is not None

    async def _ensure_courses(self, account: TreeAccount) -> None:
        place = Place(account.name)
        fetched_ns = self.store.fetch_log.fetched_ns(place)
        await self._revalidate(place, 0, fetched_ns, self.ages.courses, lambda: self.refresher.courses(account))

    async def _ensure_course(self, directory: Node) -> None:
        place = Place(directory.place.account, directory.key)
        account = self._account(place)
        fetched_ns = self.store.fetch_log.fetched_ns(place)
        await self._revalidate(
            place, 0, fetched_ns, self.ages.outline, lambda: self._refresh_outline(account, directory)
        )
        await self._ensure_files(directory, place)
        now = time.time_ns()
        fetched_ns = self.store.fetch_log.fetched_ns(place)
        if not is_background() and fetched_ns is not None and fetched_ns <= now + CLOCK_TOLERANCE:
            outline = fetched_ns + int(self.ages.outline * SECOND)
            files = self.ages.directory_due_ns(self.store.items.fetch_times(directory.inode), now)
            self._set_fresh_until(directory.inode, min(outline, files, now + _RECHECK_AFTER))

    def _is_fresh(self, inode: int) -> bool:
        """Whether everything in a directory is known and fresh; always False for directories of courses."""
        due = self._fresh_until.get(inode)
        if due is None:
            node = self.node(inode)
            if node.kind not in _ITEM_DIRECTORIES or node.place.account not in self._accounts:
                return False
            due = self._set_fresh_until(
                inode, self.ages.directory_due_ns(self.store.items.fetch_times(inode), time.time_ns())
            )
        return time.time_ns() < due

    def _set_fresh_until(self, inode: int, due_ns: int) -> int:
        if len(self._fresh_until) >= _MAX_FRESH:
            self._fresh_until.clear()  # tracking the least recently used one would cost each lookup more
        self._fresh_until[inode] = due_ns
        return due_ns

    async def _ensure_files(self, directory: Node, place: Place) -> None:
        if self._is_fresh(directory.inode):
            return
        now = time.time_ns()
        times = self.store.items.fetch_times(directory.inode)
        if self.ages.directory_due_ns(times, now) < now:
            # the modules of a course are known and can be shown before the files beside them are
            children = self.store.children(directory.inode)
            known = not times.never or any(node.item or directory.kind is Kind.COURSE for node in children)
            # 0: due for certain, see `_revalidate`
            known_times = [ns for ns in (times.oldest_ns, times.oldest_broken_ns) if ns is not None]
            oldest = 0 if times.never else min(known_times, default=now)

            async def refresh() -> None:
                await self._refresh_files(directory, place)

            await self._revalidate(place, directory.inode, oldest if known else None, 0.0, refresh)
            times = self.store.items.fetch_times(directory.inode)
            if self.refresher.provisional_items(directory.inode):
                self._refresh_in_background(place, -directory.inode, lambda: self._fetch_provisional(directory, place))
        due = self.ages.directory_due_ns(times, time.time_ns())
        if due < now and self.refresher.errors.failed_lately(place, self.ages.failed):
            due = now + int(self.ages.failed * SECOND)
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
            await self._calls.join((place, inode), update)
        elif fetched_ns == 0 and not self.refresher.errors.failed_lately(place, self.ages.failed):
            try:
                await self._calls.join((place, inode), update)
            except CoursefsError as error:
                log.info("the refresh failed, the old state stays: %s", error)
        elif is_old(fetched_ns, age, time.time_ns()):
            self._refresh_in_background(place, inode, update)

    def _refresh_in_background(self, place: Place, inode: int, update: Callable[[], Awaitable[None]]) -> None:
        """Start a refresh without waiting; skip it if one failed lately."""

        async def refresh_or_log() -> None:
            try:
                await update()
            except CoursefsError as error:
                log.info("the refresh failed, the old state stays: %s", error)
            except Exception as error:
                log_unforeseen(log, "a refresh", error)

        if not self.refresher.errors.failed_lately(place, self.ages.failed):
            with background_work():
                self._calls.start((place, inode), refresh_or_log)

    async def _refresh_outline(self, account: TreeAccount, directory: Node) -> None:
        self._fresh_until.clear()
        await self.refresher.outline(account, directory)
        self._fresh_until.clear()

    async def _refresh_files(self, directory: Node, place: Place, *, all_known: bool = False) -> None:
        self._fresh_until.pop(directory.inode, None)
        now = time.time_ns()
        stored_items = [
            stored
            for stored in self.store.items.in_directory(directory.inode)
            if (all_known and stored.fetched_ns is not None) or self.ages.item_due_ns(stored, now) < now
        ]
        await self.refresher.files(self._account(place), directory, place, stored_items)

    async def refuse(self, node: Node, error: CoursefsError) -> Node | None:
        """See `Refresher.refuse`; the directory may be due earlier afterwards."""
        page = await self.refresher.refuse(node, error)
        self._fresh_until.pop(node.parent, None)
        return page

    # -- updates on request ------------------------------------------------------------------------------------------

    async def update_courses(self, account: str) -> News:
        """Fetch an account's courses now, and return what changed."""
        before = news.courses(self.store, account)
        place = Place(account)
        await self._calls.join((place, 0), lambda: self.refresher.courses(self._accounts[account]))
        return news.compare(account, before, news.courses(self.store, account))

    async def update_course(self, directory: Node) -> News:
        """Fetch a course's outline and all files that were ever fetched now, and return what changed."""
        place = Place(directory.place.account, directory.key)
        account = self._account(place)
        before = news.course(self.store, place)
        is_first = self.store.fetch_log.fetched_ns(place) is None
        await self._calls.join((place, 0), lambda: self._refresh_outline(account, directory))
        looked_at = {stored.directory for stored in self.store.items.of_course(place) if stored.fetched_ns is not None}
        for inode in sorted(looked_at):
            lesson = self.node(inode)
            await self._calls.join(
                (place, inode),
                lambda lesson=lesson: self._refresh_files(lesson, place, all_known=True),  # type: ignore[misc]
            )
        found = news.compare(self.store.path_of(directory), before, news.course(self.store, place))
        return replace(found, is_first=is_first)

    async def fetch_all(self, directory: Node) -> None:
        """Make a directory complete: fetch what is due, and the final files in place of provisional ones."""
        await self._ensure_listed(directory)
        place = Place(directory.place.account, directory.key) if directory.kind is Kind.COURSE else directory.place
        if self.refresher.provisional_items(directory.inode):
            await self._calls.join((place, -directory.inode), lambda: self._fetch_provisional(directory, place))

    async def page(self, node: Node) -> bytes:
        """The bytes of a page that coursefs wrote; if it is damaged on disk, its item is fetched again.

        Raises the error of that fetch, and `CatalogueError` if the item no longer has the page.
        """
        page = self.store.page(node.inode)
        if page is not None:
            return page
        log.warning("%s: the page is damaged on this disk and is fetched again", node.name)
        self.store.distrust_page(node)
        for _ in range(2):  # the first `join` may only join a refresh of other items that was in progress
            for stored in self.store.items.of_course(node.place):
                if stored.item.key == node.item:
                    await self._ask_again(self.node(stored.directory), stored)
            page = self.store.page(node.inode)
            if page is not None:
                return page
        raise CatalogueError("the page is damaged on this disk, and the platform no longer has it")

    async def _ask_again(self, directory: Node, stored: StoredItem) -> None:
        async def refresh() -> None:
            await self.refresher.files(self._account(stored.place), directory, stored.place, [stored])

        await self._calls.join((stored.place, directory.inode), refresh)

    def reset(self) -> None:
        """Forget cached state after the store was replaced by an empty one, and create the root's entries."""
        self._fresh_until.clear()
        self.refresher.reset()

    async def _fetch_provisional(self, directory: Node, place: Place) -> None:
        """Fetch the items with provisional files, a few at a time, until all have final ones."""
        while stored_items := self.refresher.provisional_items(directory.inode)[:FEW]:
            await self.refresher.files(self._account(place), directory, place, stored_items)

    def _account(self, place: Place) -> TreeAccount:
        account = self._accounts.get(place.account)
        if account is None:
            raise Gone(f"the account {place.account} is no longer in the settings")
        return account
