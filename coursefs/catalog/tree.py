"""The tree: directories served from the store at once, and refreshed in the background when they are old.

What a caller waits for, and when a directory is asked for again, is in `revalidation`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

from coursefs.base.supervisor import Tasks
from coursefs.catalog import news
from coursefs.catalog.freshness import Ages
from coursefs.catalog.markdown_twins import MarkdownTwins
from coursefs.catalog.names import Layout, is_probe
from coursefs.catalog.news import News
from coursefs.catalog.node import ROOT, Node, Place, Space, StoredItem
from coursefs.catalog.packed_listing import PackedListing
from coursefs.catalog.page_nodes import Generated
from coursefs.catalog.refresher import Refresher, TreeAccount
from coursefs.catalog.revalidation import Revalidation
from coursefs.catalog.store import Store
from coursefs.errors import CatalogueError, CoursefsError, Gone
from coursefs.model import Course, Kind
from coursefs.providers.base import Provider

log = logging.getLogger(__name__)


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
        generated: Generated | None = None,
        readings: Sequence[str] = ("html",),
    ) -> None:
        """`readings`: the formats of readings; with "md" there is Markdown beside each page."""
        self.store = store
        twins = MarkdownTwins(store) if "md" in readings else None
        self.refresher = Refresher(store, accounts, layout, twins, generated=generated)
        self._accounts = {account.name: account for account in accounts}
        self._revalidation = Revalidation(store, self.refresher, self._accounts, tasks, ages or Ages())

    def set_provider(self, account: str, provider: Provider) -> None:
        """Use another provider for this account from now on, and forget the failures of the old one."""
        self._accounts[account] = replace(self._accounts[account], provider=provider)
        self.refresher.set_provider(self._accounts[account])

    @property
    def ages(self) -> Ages:
        """The ages from which metadata are old; can be set."""
        return self._revalidation.ages

    @ages.setter
    def ages(self, ages: Ages) -> None:
        self._revalidation.ages = ages

    @property
    def accounts(self) -> Sequence[TreeAccount]:
        """The accounts that are shown, in the order of the settings."""
        return list(self._accounts.values())

    def hide_accounts(self, accounts: Collection[str]) -> None:
        """Take accounts out of the tree at once; what is stored of them stays."""
        for name in accounts:
            self._accounts.pop(name, None)
        self._revalidation.forget()
        self.refresher.hide(accounts)

    def show_accounts(self, accounts: Sequence[TreeAccount]) -> None:
        """Show more accounts from now on; makes no request."""
        self._accounts |= {one.name: one for one in accounts}
        self._revalidation.forget()
        self.refresher.show(accounts)

    def check_sign_in(self, account: str) -> None:
        """List an account's courses in the background, because something else has refused its sign-in."""
        known = self._accounts.get(account)
        if known is not None:
            self._revalidation.refresh_in_background(Place(account), 0, lambda: self.refresher.courses(known))

    # -- reading -------------------------------------------------------------------------------------------------

    def node(self, inode: int) -> Node:
        """The node with this inode number, gone ones included. Raises `Gone` for an unknown number."""
        node = self.store.node(inode)
        if node is None:
            raise Gone("there is no such file")
        return node

    async def children(self, directory: Node) -> Sequence[Node]:
        """The nodes of a directory, by name. Raises the error of the fetch if the directory was never fetched."""
        await self._revalidation.ensure_listed(directory)
        if directory.kind is Kind.COURSE:
            self.refresher.pages.ensure(directory)
        shown = self.store.children(directory.inode)
        if not shown:
            self.node(directory.inode)  # raises `Gone` if the catalogue was replaced: the directory is not empty
        if directory.inode == ROOT:  # the store keeps accounts that are no longer in the settings
            return [node for node in shown if self._is_shown(node)]
        return shown

    async def current(self, directory: Node) -> Sequence[Node]:
        """The nodes of a directory after old listings were fetched again; the old ones if that fails.

        Raises the error of the fetch if the directory was never fetched.
        """
        await self._revalidation.ensure_listed(directory)
        for place in self._listings_of(directory):
            await self._revalidation.calls.wait((place, 0))
            await self._revalidation.calls.wait((place, directory.inode))
        return await self.children(directory)

    def outdated(self, directory: Node) -> list[tuple[str, CoursefsError]]:
        """The accounts whose part of a directory could not be refreshed just now, with the errors."""
        failed = [
            place
            for place in self._listings_of(directory)
            if self.refresher.errors.failed_lately(place, self._revalidation.ages.failed)
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
            await self._revalidation.ensure_listed(directory)
            if directory.kind is Kind.COURSE:
                self.refresher.pages.ensure(directory)
            node = self.store.child(directory.inode, name) or self._former(directory.inode, name)
        if node is not None and directory.inode == ROOT and not self._is_shown(node):
            return None
        return node

    def _is_shown(self, node: Node) -> bool:
        """Whether something in the root is of an account that is in the settings, or ours."""
        return node.place.account in self._accounts or node.space is Space.PAGE

    def _former(self, directory: int, name: str) -> Node | None:
        """The page in place of a file that had this name until a moment ago."""
        inode = self.refresher.former_names.get((directory, name))
        node = None if inode is None else self.store.node(inode)
        return node if node is not None and node.is_refused and node.parent == directory else None

    def known_listing(self, inode: int) -> PackedListing | None:
        """The entries of a fresh directory; None if `children` must be called."""
        return self.store.packed_listing(inode) if self._revalidation.is_fresh(inode) else None

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

    async def refuse(self, node: Node, error: CoursefsError) -> Node | None:
        """See `Refresher.refuse`; the directory may be due earlier afterwards."""
        page = await self.refresher.refuse(node, error)
        self._revalidation.forget(node.parent)
        return page

    # -- updates on request ------------------------------------------------------------------------------------------

    async def update_courses(self, account: str) -> News:
        """Fetch an account's courses now, and return what changed."""
        before = news.courses(self.store, account)
        place = Place(account)
        await self._revalidation.calls.join((place, 0), lambda: self.refresher.courses(self._accounts[account]))
        return news.compare(account, before, news.courses(self.store, account))

    async def update_course(self, directory: Node) -> News:
        """Fetch a course's outline and all files that were ever fetched now, and return what changed."""
        place = Place(directory.place.account, directory.key)
        account = self._revalidation.account(place)
        before = news.course(self.store, place)
        is_first = self.store.fetch_log.fetched_ns(place) is None
        await self._revalidation.calls.join((place, 0), lambda: self._revalidation.refresh_outline(account, directory))
        looked_at = {stored.directory for stored in self.store.items.of_course(place) if stored.fetched_ns is not None}
        for inode in sorted(looked_at):
            lesson = self.node(inode)
            await self._revalidation.calls.join(
                (place, inode),
                lambda lesson=lesson: self._revalidation.refresh_files(lesson, place, all_known=True),  # type: ignore[misc]
            )
        found = news.compare(self.store.path_of(directory), before, news.course(self.store, place))
        return replace(found, is_first=is_first)

    async def fetch_all(self, directory: Node) -> None:
        """Make a directory complete: fetch what is due, and the final files in place of provisional ones."""
        await self._revalidation.ensure_listed(directory)
        place = Place(directory.place.account, directory.key) if directory.kind is Kind.COURSE else directory.place
        if self.refresher.provisional_items(directory.inode):
            await self._revalidation.calls.join(
                (place, -directory.inode), lambda: self._revalidation.fetch_provisional(directory, place)
            )

    async def list_without_traces(self, directory: Node) -> None:
        """Fetch what was never fetched of a directory, without what a platform would record as the learner's visit."""
        await self._revalidation.list_without_traces(directory)

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
            await self.refresher.files(self._revalidation.account(stored.place), directory, stored.place, [stored])

        await self._revalidation.calls.join((stored.place, directory.inode), refresh)

    def reset(self) -> None:
        """Forget cached state after the store was replaced by an empty one, and create the root's entries."""
        self._revalidation.forget()
        self.refresher.reset()
