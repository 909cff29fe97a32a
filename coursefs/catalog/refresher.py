"""Refreshes: fetch courses, outlines or files from a platform, and write the difference to the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import trio
from cachetools import LRUCache

from coursefs.base.crash_messages import log_unforeseen
from coursefs.catalog.course_nodes import account_directory, course_changes, folder_changes
from coursefs.catalog.difference import Changes
from coursefs.catalog.file_nodes import file_changes, refusal, unavailable
from coursefs.catalog.loss_guard import LossGuard
from coursefs.catalog.markdown_twins import MarkdownTwins
from coursefs.catalog.names import Layout
from coursefs.catalog.node import Node, Place, Space, StoredItem
from coursefs.catalog.outline_nodes import is_same, outline_changes
from coursefs.catalog.page_nodes import Generated, PageNodes
from coursefs.catalog.refresh_errors import RefreshErrors
from coursefs.catalog.refused_files import Probe, is_another_served, still_refused
from coursefs.catalog.store import Store
from coursefs.errors import (
    BadReply,
    CatalogueError,
    CoursefsError,
    Gone,
    RefusedByServer,
)
from coursefs.model import Course, File, Kind, Outline, ProvisionalFiles, Section
from coursefs.providers import checking
from coursefs.providers.base import Provider

log = logging.getLogger(__name__)

T = TypeVar("T")

#: refused files that are probed at the same time
_PROBES_AT_ONCE = 8
#: former names of refused files that are remembered
_FORMER_NAMES = 4096


@dataclass(frozen=True, slots=True)
class TreeAccount:
    """An account as the tree sees it."""

    name: str
    provider: Provider
    folder: str | None = None  # the directory that contains its courses; None: the root


class Refresher:
    """Refreshes the store; a refusal, an error or an empty reply leaves known content as it is.

    Methods raise what the provider raises. There is no await between the check of a reply and the last write, so a
    reader sees a directory before a refresh or after it, never in between. A cancelled refresh has written nothing.
    """

    def __init__(
        self,
        store: Store,
        accounts: Sequence[TreeAccount],
        layout: Layout,
        twins: MarkdownTwins | None = None,
        *,
        generated: Generated | None = None,
    ) -> None:
        """`twins`: makes the Markdown of readings; None: there is none."""
        self._store = store
        self._twins = twins
        self._layout = layout
        self.errors = RefreshErrors()
        self._accounts = {one.name: one for one in accounts}
        #: another object whenever an account comes or becomes another user's: a reply to the former one is not used
        self._tenures = {one.name: object() for one in accounts}
        self._guard = LossGuard(store)
        self._provisional: dict[int, set[str]] = {}  # directory -> keys of its items with provisional files
        self._directories = {one.name: account_directory(store, one.name, one.folder) for one in accounts}
        generated = replace(generated or Generated(), shows=layout is Layout.MEDIA_CENTER)
        self.pages = PageNodes(store, self._notify, generated)
        #: called with the difference of every refresh that changed something
        self.on_change: Callable[[Changes], None] = lambda _: None
        #: asks the server of some bytes for their current version; None: no request is possible
        self.probe: Probe | None = None
        self._probe_limit = trio.CapacityLimiter(_PROBES_AT_ONCE)
        #: (directory, name) of files before a page replaced them: programs that have just listed them use the old name
        self.former_names: LRUCache[tuple[int, str], int] = LRUCache(_FORMER_NAMES)

    def settle(self) -> None:
        """Give the root the form that the settings ask for; makes no request."""
        now = time.time_ns()
        self._notify(self._store.hide_other_accounts(self._accounts))
        for account in self._accounts.values():
            with self._store.transaction():
                folder = folder_changes(self._store, account.name, account.folder, self._layout, now)
                self._write(folder, now)
                courses = self._course_changes(account.name, now)
                self._write(courses, now)
            self._notify(folder)
            self._notify(courses)
        self.pages.settle()

    def set_provider(self, account: TreeAccount) -> None:
        """Use another provider of the same user from now on, and forget the failures of the old one."""
        self._accounts[account.name] = account
        self._guard.forget(account.name)
        self.errors.clear(account.name)

    def hide(self, accounts: Collection[str]) -> None:
        """Take these accounts out of the tree; replies to requests that are made for them are not used."""
        for name in accounts:
            self._accounts.pop(name, None)
            self._tenures.pop(name, None)
            self._guard.forget(name)
            self.errors.forget(name)
        self._notify(self._store.hide_other_accounts(self._accounts))

    def show(self, accounts: Sequence[TreeAccount]) -> None:
        """Show these accounts besides the others, from what is stored; makes no request."""
        for one in accounts:
            self._accounts[one.name] = one
            self._tenures[one.name] = object()
            self._directories[one.name] = account_directory(self._store, one.name, one.folder)
        self.settle()

    def reset(self) -> None:
        """Forget the errors of a store that was replaced by an empty one, and give the root its form."""
        self.errors.clear()
        self._provisional.clear()
        self.settle()

    def arrange(self, account: str) -> None:
        """Show the selected courses of an account; makes no request."""
        with self._store.transaction():
            known, added = self._store.enrolments.courses(account), self._store.enrolments.added(account)
            if missing := _missing(added, known):
                self._store.enrolments.set_courses(account, [*known, *missing])
            news = self._arrange(account, time.time_ns())
        self._notify(news)

    def _arrange(self, account: str, now_ns: int) -> Changes:
        return self._write(self._course_changes(account, now_ns), now_ns)

    def _course_changes(self, account: str, now_ns: int) -> Changes:
        courses, directory = self._store.enrolments.courses(account), self._directories[account]
        return course_changes(self._store, account, directory, courses, self._layout, now_ns)

    async def courses(self, account: TreeAccount) -> None:
        """Fetch an account's courses now."""
        place = Place(account.name)
        known = self._store.enrolments.courses(account.name)

        async def ask() -> list[Course]:
            return checking.courses(await account.provider.courses(), known)

        tenure = self._tenures.get(account.name)
        courses = await self._fetch(account, place, ask)
        added = self._store.enrolments.added(account.name)
        if not courses and _missing(self._store.enrolments.courses(account.name), added):
            raise self.errors.remember(
                place, BadReply(f"{account.name}: the platform lists no courses any more; the old ones are kept")
            )
        await self._guarded(account, place, self._guard.courses(account.name, account.provider, courses))
        self._require(account, tenure)
        courses += _missing(added, courses)
        now = time.time_ns()
        with self._transaction(place):
            if courses != self._store.enrolments.courses(account.name):
                self._store.enrolments.set_courses(account.name, courses)
            self._store.fetch_log.set_fetched(place, now)
            news = self._arrange(account.name, now)
        self._notify(news)

    async def outline(self, account: TreeAccount, directory: Node) -> None:
        """Fetch a course's outline now; a reply of "not modified" only updates its age."""
        place = Place(account.name, directory.key)
        course = self.course(place)
        tag = self._store.fetch_log.tag(place)
        known = [stored.item for stored in self._store.items.of_course(place)]

        async def ask() -> Outline | None:
            return checking.outline(await account.provider.outline(course, tag=tag), known)

        tenure = self._tenures.get(account.name)
        outline = await self._fetch(account, place, ask)
        now = time.time_ns()
        if outline is None:
            self._store.fetch_log.set_fetched(place, now, tag)
            self.pages.ensure(directory)
            return
        if self._has_lost_all(place, outline):
            raise self.errors.remember(
                place,
                BadReply(f"{course.slug}: the platform lists nothing in the course any more; it is kept"),
            )
        guarded = self._guard.outline(account.name, account.provider, place, outline, course.slug)
        await self._guarded(account, place, guarded)
        self._require(account, tenure)
        new = outline_changes(self._store, place, directory.inode, outline, self._layout, now)
        with self._transaction(place):
            if _by_key(new.stored_items) != _by_key(self._store.items.of_course(place)):
                self._store.items.replace(place, new.stored_items)
            self._store.fetch_log.set_fetched(place, now, outline.tag)
            news = self._write(new.changes, now)
        self._notify(news)
        self.pages.arrange(directory)

    def _has_lost_all(self, place: Place, outline: Outline) -> bool:
        """Whether an outline is empty although the course had items, or sections."""
        if outline.items or any(_holds_items(section) for section in outline.sections):
            return False
        return bool(self._store.items.count(place) or (not outline.sections and self._has_nodes(place)))

    def _has_nodes(self, place: Place) -> bool:
        return any(node.space is not Space.PAGE for node in self._store.of_place(place))

    async def files(
        self, account: TreeAccount, directory: Node, place: Place, stored_items: Sequence[StoredItem]
    ) -> None:
        """Fetch the files of these items of a directory now."""
        if not stored_items:
            return
        course = self.course(place)
        items = [stored.item for stored in stored_items]

        async def ask() -> Mapping[str, Sequence[File] | CoursefsError]:
            return checking.files(await account.provider.files(course, items), items)

        tenure = self._tenures.get(account.name)
        replies = await self._fetch(account, place, ask)
        guarded = self._guard.files(account.name, account.provider, course, stored_items, replies)
        doubted = await self._guarded(account, place, guarded)
        self.errors.note_doubts(place, stored_items, doubted)
        replies = {**replies, **doubted}
        refused = await still_refused(self._store, self.probe, self._probe_limit, place, course, replies)
        if self._twins is not None:
            replies = await self._twins.added(course, directory, stored_items, replies)
        self._require(account, tenure)
        now = time.time_ns()
        files: dict[str, Sequence[File]] = {}
        states: list[tuple[StoredItem, str | None]] = []
        # an item that was moved, renamed, unlocked or edited during the request is another one now: it is fetched again
        today = {stored.item.key: stored for stored in self._store.items.in_directory(directory.inode)}
        shown = {node.item for node in self._store.children(directory.inode) if not node.is_notice}
        for stored in (one for one in stored_items if one.item.key in today and is_same(one, today[one.item.key])):
            reply = replies[stored.item.key]
            if self._note_provisional(directory.inode, stored, reply) and stored.item.key in shown:
                states.append((stored, None))  # the files that are shown are final, or as good
                continue
            if not isinstance(reply, CoursefsError):
                again = next((refused[file.key][1] for file in reply if file.key in refused), None)
                states.append((stored, again))
                files[stored.item.key] = reply
                continue
            log.info("%s: %s", stored.item.title, reply)
            states.append((stored, str(reply)))
            if stored.item.key not in shown:  # no files were ever shown: say why
                files[stored.item.key] = [unavailable(stored, reply)]
        pages = {key: page for key, (page, _) in refused.items()}
        changes = file_changes(self._store, place, directory.inode, files, self._layout, now, pages)
        # the first files in a course's directory are part of its first listing: its mtime must not change for them
        is_first = directory.kind is Kind.COURSE and all(stored.fetched_ns is None for stored in today.values())
        with self._transaction(place):
            for stored, error in states:
                self._store.items.set_state(stored, now, error)
            news = self._write(changes, now, unchanged=directory.inode if is_first else None)
        self._notify(news)
        if (course_directory := self._store.find(Place(place.account), place.course)) is not None:
            self.pages.follow(course_directory, changes)

    async def refuse(self, node: Node, error: CoursefsError) -> Node | None:
        """Replace a refused file by a page that says so; None if the refusal is not certain.

        A file whose version is known is replaced only if another file of its kind is served at the same time. Raises
        `NotSignedIn` if it is the sign-in that is refused, and the error that prevents the check of that.
        """
        account = self._accounts.get(node.place.account)
        if account is None:
            return None
        await self._guarded(account, node.place, self._guard.prove(account.name, account.provider))
        if node.version is not None and not await is_another_served(
            self._store, self.probe, self.course(node.place), node
        ):
            return None
        today = self._store.node(node.inode)
        if today is None or today.is_gone or (today.identity, today.version) != (node.identity, node.version):
            return today
        changes, now = refusal(self._store, today, str(error)), time.time_ns()
        with self._store.transaction():
            news = self._write(changes, now)
            if isinstance(error, RefusedByServer):  # fetch it again soon: the server may refuse everything for a while
                for stored in self._store.items.of_course(today.place):
                    if stored.item.key == today.item and stored.fetched_ns is not None:
                        self._store.items.set_state(stored, now, str(error))
        self.former_names[today.parent, today.name] = today.inode
        self._notify(news)
        return self._store.node(node.inode)

    def provisional_items(self, directory: int) -> list[StoredItem]:
        """The items of a directory that have only provisional files and can be fetched."""
        keys = self._provisional.get(directory, ())
        return [stored for stored in self._store.items.in_directory(directory) if stored.item.key in keys]

    def _note_provisional(self, directory: int, stored: StoredItem, reply: Sequence[File] | CoursefsError) -> bool:
        """Whether a reply is provisional. Recorded once: a second provisional reply in a row counts as final."""
        keys = self._provisional.setdefault(directory, set())
        was_one, is_one = stored.item.key in keys, isinstance(reply, ProvisionalFiles)
        if is_one and not was_one:
            keys.add(stored.item.key)
        else:
            keys.discard(stored.item.key)
        return is_one

    def trouble(self, account: str) -> CoursefsError | None:
        """The last failure of an account since its last success; None if there is none."""
        return self.errors.of_account(account)

    def course(self, place: Place) -> Course:
        """The course of a place. Raises `Gone` if the account no longer has it."""
        course = self._store.enrolments.course(place)
        if course is None:
            raise Gone("the course is no longer among the enrolments")
        return course

    async def _guarded(self, account: TreeAccount, place: Place, guarded: Awaitable[T]) -> T:
        """The result of a check by the loss guard. Raises, and records, why a reply is not believed."""
        try:
            return await guarded
        except CoursefsError as error:
            raise self._remembered(account, place, error) from None

    def _write(self, changes: Changes, now_ns: int, *, unchanged: int | None = None) -> Changes:
        """Write the difference; directories that were listed before and have changed get the mtime `now_ns`.

        `unchanged` is a directory that keeps its mtime. Returns what the kernel must be told. It knows nothing yet of a
        directory's first listing, and invalidating names that it has just looked up would drop pages that are being
        read.  What is generated for a directory is there before its first listing.
        """
        fresh = {node.inode for node in changes.added}
        renamed = (after for before, after in changes.changed if before.name != after.name)
        listed = {node.parent for node in (*changes.added, *changes.gone, *renamed)} - fresh
        known = {inode for inode in listed if any(node.space is not Space.PAGE for node in self._store.children(inode))}
        self._store.write(changes)
        for inode in known - {unchanged}:
            self._store.touch(inode, now_ns)
        return replace(changes, added=tuple(node for node in changes.added if node.parent in known))

    def _notify(self, changes: Changes) -> None:
        if changes:
            self.on_change(changes)

    def _require(self, account: TreeAccount, tenure: object) -> None:
        """Raise `Gone` when an account was taken out of the tree, or became another user's, during a request."""
        if tenure is None or self._tenures.get(account.name) is not tenure:
            raise Gone(f"the account {account.name} is no longer in the settings")

    def _remembered(self, account: TreeAccount, place: Place, error: CoursefsError) -> CoursefsError:
        """Record the failure of a request, unless the sign-in that it was made with was replaced meanwhile."""
        return self.errors.remember(place, error) if self._accounts.get(account.name) == account else error

    async def _fetch(self, account: TreeAccount, place: Place, ask: Callable[[], Awaitable[T]]) -> T:
        tenure = self._tenures.get(account.name)
        try:
            reply = await ask()
        except CoursefsError as error:
            raise self._remembered(account, place, error) from None
        except Exception as error:
            log_unforeseen(log, f"asking {place.account}", error)
            raise self.errors.remember(place, BadReply(f"{place.account}: the answer was not understood")) from None
        self._require(account, tenure)
        self.errors.succeeded(place)
        return reply

    @contextmanager
    def _transaction(self, place: Place) -> Iterator[None]:
        """A transaction; a failure is recorded, so that the place is not fetched at once again for nothing."""
        try:
            with self._store.transaction():
                yield
        except CatalogueError as error:
            raise self.errors.remember(place, error) from None


def _missing(some: Sequence[Course], courses: Sequence[Course]) -> list[Course]:
    """Those of `some` that are not among `courses`."""
    keys = {course.key for course in courses}
    return [course for course in some if course.key not in keys]


def _holds_items(section: Section) -> bool:
    return bool(section.items) or any(_holds_items(inner) for inner in section.sections)


def _by_key(stored_items: Sequence[StoredItem]) -> dict[str, StoredItem]:
    return {stored.item.key: stored for stored in stored_items}
