"""The tree as readers see it: served from the store at once, refreshed behind their backs.

What was never asked for is asked for while the reader waits; what is old is served as it is while it is asked for
again.  Whoever wants the same thing at the same time waits for one request.  Between two awaits the store is only
ever changed as a whole, so a reader sees a directory before a refresh or after it, never in between.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import trio
from cachetools import LRUCache

from coursefs.catalog.courses import account_directory, course_changes
from coursefs.catalog.files import file_changes, unavailable
from coursefs.catalog.inode import ROOT
from coursefs.catalog.names import Layout
from coursefs.catalog.node import Node, Place, Step
from coursefs.catalog.outline import outline_changes
from coursefs.catalog.probes import is_probe
from coursefs.catalog.refresh import Changes
from coursefs.catalog.store import Store
from coursefs.errors import BadReply, CoursefsError, Gone, NotSignedIn
from coursefs.flight import Flights
from coursefs.model import Course, File, Kind
from coursefs.providers.base import Provider

log = logging.getLogger(__name__)

_SECOND = 1_000_000_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ages:
    """How old, in seconds, what was asked for may be before it is asked for again behind the reader's back."""

    courses: float = 3600.0
    outline: float = 6 * 3600.0
    files: float = 24 * 3600.0
    failed: float = 60.0  # after a failure, not before this
    broken_item: float = 600.0  # an item that could not be had by itself


@dataclass(frozen=True, slots=True)
class TreeAccount:
    """An account as the tree sees it."""

    name: str
    provider: Provider
    folder: str | None = None  # the directory that its courses lie in; None: the root


@dataclass(slots=True)
class _Troubles:
    """What went wrong lately, by what was asked for."""

    errors: dict[Place, tuple[float, CoursefsError]] = field(default_factory=dict)  # monotonic s, error

    def recent(self, place: Place, within: float) -> bool:
        at, _ = self.errors.get(place, (float("-inf"), None))
        return time.monotonic() - at < within


class Tree:
    """The directories of all accounts.  `on_change` hears of every refresh that changed something."""

    def __init__(
        self,
        store: Store,
        accounts: Sequence[TreeAccount],
        nursery: trio.Nursery,
        *,
        layout: Layout = Layout.TITLE,
        ages: Ages | None = None,
    ) -> None:
        self.store = store
        self._accounts = {account.name: account for account in accounts}
        self._layout = layout
        self._ages = ages or Ages()
        self._flights: Flights[tuple[Place, int], None] = Flights(nursery)
        self._troubles = _Troubles()
        #: until when (ns) nothing has to be asked for a directory's files; forgotten whenever something was
        self._settled: LRUCache[int, int] = LRUCache(1 << 16)
        self.on_change: Callable[[Changes], None] = lambda _: None
        self._directories = {
            account.name: account_directory(store, account.name, account.folder, layout, time.time_ns())
            for account in accounts
        }

    # -- reading -------------------------------------------------------------------------------------------------

    def node(self, inode: int) -> Node:
        """A node that was shown at some time.  Raises `Gone` for a number that never was given."""
        node = self.store.node(inode)
        if node is None:
            raise Gone("there is no such file")
        return node

    async def children(self, directory: Node) -> Sequence[Node]:
        """What a directory holds, by name.  Raises what kept it from being known when it never was."""
        await self._ready(directory)
        shown = self.store.children(directory.inode)
        if directory.inode == ROOT:  # accounts that the settings no longer have stay in the store, unseen
            return [node for node in shown if node.place.account in self._accounts]
        return shown

    async def child(self, directory: Node, name: str) -> Node | None:
        """The node of this name; None when a directory that is known does not have it."""
        node = self.store.child(directory.inode, name)
        if node is None and not is_probe(name):
            await self._ready(directory)
            node = self.store.child(directory.inode, name)
        if node is not None and directory.inode == ROOT and node.place.account not in self._accounts:
            return None
        return node

    def course(self, node: Node) -> Course:
        """The course that a node belongs to.  Raises `Gone` when the account no longer has it."""
        course = self.store.course(node.place)
        if course is None:
            raise Gone("the course is no longer among the enrolments")
        return course

    def trouble(self, account: str) -> CoursefsError | None:
        """What went wrong with this account last and has not gone well since; None when all is well."""
        errors = [found for place, found in self._troubles.errors.items() if place.account == account]
        return max(errors, key=lambda found: found[0])[1] if errors else None

    # -- freshness -------------------------------------------------------------------------------------------------

    async def _ready(self, directory: Node) -> None:
        """Return when there is something to serve; start a refresh when it is old."""
        place = directory.place
        match directory.kind:
            case Kind.ROOT:
                await self._root_ready()
            case Kind.ACCOUNT:
                await self._courses_ready(self._account(place))
            case Kind.COURSE:
                await self._outline_ready(directory)
                await self._files_ready(directory, Place(place.account, directory.key))
            case _:
                await self._files_ready(directory, place)

    async def _root_ready(self) -> None:
        """All accounts are known, or at least one of them.  A root of which nothing is known is an error."""
        if not self._accounts:
            raise NotSignedIn("no account: sign in with `coursefs login`")
        errors: list[CoursefsError] = []

        async def one(account: TreeAccount) -> None:
            try:
                await self._courses_ready(account)
            except CoursefsError as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            for account in self._accounts.values():
                if account.folder is None:
                    nursery.start_soon(one, account)
        if errors and len(errors) == len(self._accounts):
            raise errors[0]

    async def _courses_ready(self, account: TreeAccount) -> None:
        place = Place(account.name)
        await self._fresh(
            place, 0, self.store.fetched_ns(place), self._ages.courses, lambda: self.update_courses(account)
        )

    async def _outline_ready(self, directory: Node) -> None:
        place = Place(directory.place.account, directory.key)
        account = self._account(place)
        await self._fresh(
            place, 0, self.store.fetched_ns(place), self._ages.outline, lambda: self.update_outline(account, directory)
        )

    async def _files_ready(self, directory: Node, place: Place) -> None:
        now = time.time_ns()
        if now < self._settled.get(directory.inode, 0):
            return
        steps = self.store.steps(directory.inode)
        if any(step.fetched_ns is None for step in steps):
            await self._flights.join(
                (place, directory.inode), lambda: self._update_files(directory, place, self._due(directory, now))
            )
        elif due := self._due(directory, now):
            self._behind(place, directory.inode, lambda: self._update_files(directory, place, due))
        else:
            self._settled[directory.inode] = min(
                map(self._due_ns, steps), default=now + int(self._ages.files * _SECOND)
            )

    def _due_ns(self, step: Step) -> int:
        """When an item is to be asked for again."""
        age = self._ages.broken_item if step.error else self._ages.files
        return 0 if step.fetched_ns is None else step.fetched_ns + int(age * _SECOND)

    def _due(self, directory: Node, now_ns: int) -> list[Step]:
        """The items of a directory that are to be asked for now."""
        return [step for step in self.store.steps(directory.inode) if self._due_ns(step) < now_ns]

    async def _fresh(
        self, place: Place, inode: int, at_ns: int | None, age: float, update: Callable[[], Awaitable[None]]
    ) -> None:
        if at_ns is None:
            await self._flights.join((place, inode), update)
        elif time.time_ns() - at_ns > age * _SECOND:
            self._behind(place, inode, update)

    def _behind(self, place: Place, inode: int, update: Callable[[], Awaitable[None]]) -> None:
        """Refresh without anybody waiting; a failure is remembered, and not repeated too soon."""

        async def quietly() -> None:
            try:
                await update()
            except CoursefsError as error:
                log.info("what is known stays: %s", error)

        if not self._troubles.recent(place, self._ages.failed):
            self._flights.start((place, inode), quietly)

    # -- refreshing ------------------------------------------------------------------------------------------------

    async def update_courses(self, account: TreeAccount) -> None:
        """Ask for the account's courses now.  Raises what the provider raises; then what is known stays."""
        place = Place(account.name)
        courses = await self._asked(place, account.provider.courses)
        if not courses and self.store.courses(account.name):
            raise self._noted(place, BadReply(f"{account.name}: the platform lists no course where there were some"))
        now = time.time_ns()
        changes = course_changes(self.store, account.name, self._directories[account.name], courses, self._layout, now)
        with self.store.transaction():
            self.store.set_courses(account.name, courses)
            self.store.set_fetched(place, now)
            self._write(changes, now)
        self._tell(changes)

    async def update_outline(self, account: TreeAccount, directory: Node) -> None:
        """Ask for a course's outline now.  Raises what the provider raises; then what is known stays."""
        place = Place(account.name, directory.key)
        course = self.store.course(place)
        if course is None:
            raise Gone("the course is no longer among the enrolments")
        outline = await self._asked(place, lambda: account.provider.outline(course))
        if not outline.sections and not outline.items and self.store.of_place(place):
            raise self._noted(place, BadReply(f"{course.slug}: the platform lists nothing where there was a course"))
        now = time.time_ns()
        new = outline_changes(self.store, place, directory.inode, outline, self._layout, now)
        self._settled.clear()
        with self.store.transaction():
            self.store.set_steps(place, new.steps)
            self.store.set_fetched(place, now)
            self._write(new.changes, now)
        self._tell(new.changes)

    async def _update_files(self, directory: Node, place: Place, steps: Sequence[Step]) -> None:
        if not steps:
            return
        provider = self._account(place).provider
        course = self.store.course(place)
        if course is None:
            raise Gone("the course is no longer among the enrolments")
        replies = await self._asked(place, lambda: provider.files(course, [step.item for step in steps]))
        now = time.time_ns()
        files: dict[str, Sequence[File]] = {}
        states: list[tuple[Step, CoursefsError | None]] = []
        for step in steps:
            reply = replies.get(step.item.key, BadReply("the platform said nothing of it"))
            error = reply if isinstance(reply, CoursefsError) else None
            states.append((step, error))
            if not isinstance(reply, CoursefsError):
                files[step.item.key] = reply
            else:
                log.info("%s: %s", step.item.title, reply)
                if step.fetched_ns is None or step.error:  # nothing better was ever there
                    files[step.item.key] = [unavailable(step, reply)]
        changes = file_changes(self.store, place, directory.inode, files, self._layout, now)
        self._settled.pop(directory.inode, None)
        with self.store.transaction():
            for step, error in states:
                self.store.set_step_state(step, now, None if error is None else str(error))
            self._write(changes, now)
        self._tell(changes)

    def _write(self, changes: Changes, now_ns: int) -> None:
        """Write; directories that were shown before and list something else now have changed at this moment."""
        fresh = {node.inode for node in changes.added}
        listed = {
            node.parent
            for node in (
                *changes.added,
                *changes.gone,
                *(after for before, after in changes.changed if before.name != after.name),
            )
            if node.parent not in fresh
        }
        known = {inode for inode in listed if self.store.children(inode)}
        self.store.write(changes)
        for inode in known:
            self.store.touch(inode, now_ns)

    def _tell(self, changes: Changes) -> None:
        if changes:
            self.on_change(changes)

    async def _asked(self, place: Place, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            reply = await ask()
        except CoursefsError as error:
            raise self._noted(place, error) from None
        self._troubles.errors.pop(place, None)
        return reply

    def _noted(self, place: Place, error: CoursefsError) -> CoursefsError:
        self._troubles.errors[place] = (time.monotonic(), error)
        if isinstance(error, NotSignedIn):
            self._troubles.errors[Place(place.account)] = (time.monotonic(), error)
        return error

    def _account(self, place: Place) -> TreeAccount:
        account = self._accounts.get(place.account)
        if account is None:
            raise Gone(f"the account {place.account} is no longer in the settings")
        return account
