"""The tree as readers see it: served from the store at once, refreshed behind their backs.

What was never asked for is asked for while the reader waits; what is old is served as it is while it is asked for
again.  Whoever wants the same thing at the same time waits for one request.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import trio

from coursefs.catalog import news
from coursefs.catalog.inode import ROOT
from coursefs.catalog.names import Layout
from coursefs.catalog.news import News
from coursefs.catalog.node import Node, Place, Step
from coursefs.catalog.probes import is_probe
from coursefs.catalog.renewal import Renewal, TreeAccount
from coursefs.catalog.store import Asked, Store
from coursefs.errors import CoursefsError, Gone, NotSignedIn
from coursefs.flight import Flights
from coursefs.foreground import behind, is_behind
from coursefs.model import Course, Kind
from coursefs.providers.base import FEW, Provider

log = logging.getLogger(__name__)

_SECOND = 1_000_000_000
#: ns by which a stored time may lie ahead of the clock before the clock is held to have been wrong
_AHEAD = 60 * _SECOND
#: ns after which it is looked again whether a course has to be asked for: who looks into it is noted then, too
_LOOKED_AT = 60 * _SECOND
#: directories that list sections and files alone
_OF_FILES = frozenset({Kind.MODULE, Kind.LESSON, Kind.FOLDER})
#: directories of which it is remembered until when nothing has to be asked
_MOST_SETTLED = 1 << 16
#: seconds that the root waits for an account that was never listed, when it has others to show
_FOR_ANOTHER = 3.0


@dataclass(frozen=True, slots=True)
class Ages:
    """How old, in seconds, what was asked for may be before it is asked for again behind the reader's back."""

    courses: float = 3600.0
    outline: float = 6 * 3600.0
    files: float = 24 * 3600.0
    failed: float = 60.0  # after a failure, not before this
    broken_item: float = 600.0  # an item that could not be had by itself


class Tree:
    """The directories of all accounts."""

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
        self.renewal = Renewal(store, accounts, layout)
        self._accounts = {account.name: account for account in accounts}
        self.ages = ages or Ages()
        self._flights: Flights[tuple[Place, int], None] = Flights(nursery)
        #: until when (ns) nothing has to be asked for a directory's files; forgotten whenever something was
        self._settled: dict[int, int] = {}

    def set_provider(self, account: str, provider: Provider) -> None:
        """Ask this account's platform through another provider from now on, also where the last one failed."""
        self._accounts[account] = replace(self._accounts[account], provider=provider)
        self.renewal.forgive(account)

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

    async def current(self, directory: Node) -> Sequence[Node]:
        """What a directory holds now: what is old is asked for again first, and as it was where that fails.

        Raises what kept it from being known when it never was.
        """
        await self._ready(directory)
        for place in self._asked_of(directory):
            await self._flights.wait((place, 0))
            await self._flights.wait((place, directory.inode))
        return await self.children(directory)

    def outdated(self, directory: Node) -> list[tuple[str, CoursefsError]]:
        """The accounts of which what a directory holds could not be asked for again just now, and why."""
        failed = [place for place in self._asked_of(directory) if self.renewal.failed_lately(place, self.ages.failed)]
        errors = ((place.account, self.renewal.error(place)) for place in failed)
        return [(account, error) for account, error in errors if error is not None]

    def _asked_of(self, directory: Node) -> list[Place]:
        """Of which places it is asked what a directory holds."""
        match directory.kind:
            case Kind.ROOT:
                return [Place(account.name) for account in self._accounts.values() if account.folder is None]
            case Kind.COURSE:
                return [Place(directory.place.account, directory.key)]
            case _:
                return [directory.place]

    async def child(self, directory: Node, name: str) -> Node | None:
        """The node of this name; None when a directory that is known does not have it."""
        node = self.store.child(directory.inode, name)
        if node is None and not is_probe(name):
            await self._ready(directory)
            node = self.store.child(directory.inode, name)
        if node is not None and directory.inode == ROOT and node.place.account not in self._accounts:
            return None
        return node

    def known_children(self, inode: int) -> Sequence[Node] | None:
        """What a directory holds, where nothing has to be asked for it; None: `children` knows more."""
        return self.store.children(inode) if self._is_settled(inode) else None

    def known_child(self, inode: int, name: str) -> Node | None:
        """The node of this name, where it is known; None: `child` knows more."""
        return None if inode == ROOT else self.store.child(inode, name)

    def course(self, node: Node) -> Course:
        """The course that a node belongs to.  Raises `Gone` when the account no longer has it."""
        return self.renewal.course(node.place)

    def directory_of(self, account: str, course: Course) -> str | None:
        """Where a course is shown: its path below the root; None while it is not."""
        node = self.store.find(Place(account), course.key)
        if node is None or node.is_gone:
            return None
        parent = self.store.node(node.parent)
        return node.name if parent is None or parent.inode == ROOT else f"{parent.name}/{node.name}"

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
                await self._course_ready(directory)
            case _:
                await self._files_ready(directory, place)

    async def _root_ready(self) -> None:
        """All accounts are known, or at least one of them.  A root of which nothing is known is an error."""
        if not self._accounts:
            raise NotSignedIn("no account: sign in with `coursefs login`")
        asked = [account for account in self._accounts.values() if account.folder is None]
        some_known = len(asked) < len(self._accounts) or any(self._is_known(account) for account in asked)
        errors: list[CoursefsError] = []

        async def one(account: TreeAccount) -> None:
            try:
                await self._courses_ready(account)
            except CoursefsError as error:
                errors.append(error)

        # one that was never listed is waited for; where others are known, not for long
        with trio.move_on_after(_FOR_ANOTHER if some_known else math.inf):
            async with trio.open_nursery() as nursery:
                for account in asked:
                    nursery.start_soon(one, account)
        if errors and len(errors) == len(asked) and not some_known:
            raise errors[0]

    def _is_known(self, account: TreeAccount) -> bool:
        return self.store.fetched_ns(Place(account.name)) is not None

    async def _courses_ready(self, account: TreeAccount) -> None:
        place = Place(account.name)
        asked_ns = self.store.fetched_ns(place)
        await self._fresh(place, 0, asked_ns, self.ages.courses, lambda: self.renewal.courses(account))

    async def _course_ready(self, directory: Node) -> None:
        place = Place(directory.place.account, directory.key)
        account = self._account(place)
        asked_ns = self.store.fetched_ns(place)
        await self._fresh(place, 0, asked_ns, self.ages.outline, lambda: self._renew_outline(account, directory))
        await self._files_ready(directory, place)
        now = time.time_ns()
        asked_ns = self.store.fetched_ns(place)
        if not is_behind() and asked_ns is not None and asked_ns <= now + _AHEAD:
            outline = asked_ns + int(self.ages.outline * _SECOND)
            files = self._all_due_ns(self.store.asked(directory.inode))
            self._settle(directory.inode, min(outline, files, now + _LOOKED_AT))

    def _is_settled(self, inode: int) -> bool:
        """Whether all that a directory lists is known and fresh; never where that is courses."""
        due = self._settled.get(inode)
        if due is None:
            if self.node(inode).kind not in _OF_FILES:
                return False
            due = self._settle(inode, self._all_due_ns(self.store.asked(inode)))
        return time.time_ns() < due

    def _settle(self, inode: int, due_ns: int) -> int:
        if len(self._settled) >= _MOST_SETTLED:
            self._settled.clear()  # to tell which were asked for last would cost every look more than it saves
        self._settled[inode] = due_ns
        return due_ns

    async def _files_ready(self, directory: Node, place: Place) -> None:
        if self._is_settled(directory.inode):
            return
        now = time.time_ns()
        asked = self.store.asked(directory.inode)
        if self._all_due_ns(asked) < now:
            # of a course the modules are known: what lies beside them is no reason to keep them back
            children = self.store.children(directory.inode)
            known = not asked.never or any(node.item or directory.kind is Kind.COURSE for node in children)
            # 0: it is known to be otherwise by now
            times = [ns for ns in (asked.oldest_ns, asked.oldest_broken_ns) if ns is not None]
            oldest = 0 if asked.never else min(times, default=now)

            async def renew() -> None:
                await self._renew_files(directory, place)

            await self._fresh(place, directory.inode, oldest if known else None, 0.0, renew)
            asked = self.store.asked(directory.inode)
            if self.renewal.sketches(directory.inode):
                self._behind(place, -directory.inode, lambda: self._complete(directory, place))
        due = self._all_due_ns(asked)
        if due < now and self.renewal.failed_lately(place, self.ages.failed):
            due = now + int(self.ages.failed * _SECOND)
        if directory.kind in _OF_FILES:
            self._settle(directory.inode, due)

    def _all_due_ns(self, asked: Asked) -> int:
        """When the first item of a directory is to be asked for again."""
        now = time.time_ns()
        if asked.never or (asked.newest_ns or 0) > now + _AHEAD:
            return 0
        files = (now if asked.oldest_ns is None else asked.oldest_ns) + int(self.ages.files * _SECOND)
        if asked.oldest_broken_ns is None:
            return files
        return min(files, asked.oldest_broken_ns + int(self.ages.broken_item * _SECOND))

    def _due_ns(self, step: Step) -> int:
        """When an item is to be asked for again."""
        age = self.ages.broken_item if step.error else self.ages.files
        if step.fetched_ns is None or step.fetched_ns > time.time_ns() + _AHEAD:
            return 0
        return step.fetched_ns + int(age * _SECOND)

    async def _fresh(
        self, place: Place, inode: int, asked_ns: int | None, age: float, update: Callable[[], Awaitable[None]]
    ) -> None:
        """Update while the reader waits what was never asked for (None), behind its back what is older than `age`.

        What is known to be otherwise by now (0) is waited for too, but served as it was where that fails.
        """
        if asked_ns is None:
            await self._flights.join((place, inode), update)
        elif asked_ns == 0 and not self.renewal.failed_lately(place, self.ages.failed):
            try:
                await self._flights.join((place, inode), update)
            except CoursefsError as error:
                log.info("what is known stays: %s", error)
        elif not -_AHEAD <= time.time_ns() - asked_ns <= age * _SECOND:
            self._behind(place, inode, update)

    def _behind(self, place: Place, inode: int, update: Callable[[], Awaitable[None]]) -> None:
        """Refresh without anybody waiting; a failure is remembered, and not repeated too soon."""

        async def quietly() -> None:
            try:
                await update()
            except CoursefsError as error:
                log.info("what is known stays: %s", error)
            except Exception:
                log.exception("a refresh failed unexpectedly")

        if not self.renewal.failed_lately(place, self.ages.failed):
            with behind():
                self._flights.start((place, inode), quietly)

    async def _renew_outline(self, account: TreeAccount, directory: Node) -> None:
        self._settled.clear()
        await self.renewal.outline(account, directory)
        self._settled.clear()

    async def _renew_files(self, directory: Node, place: Place, *, all_known: bool = False) -> None:
        self._settled.pop(directory.inode, None)
        now = time.time_ns()
        steps = [
            step
            for step in self.store.steps(directory.inode)
            if (all_known and step.fetched_ns is not None) or self._due_ns(step) < now
        ]
        await self.renewal.files(self._account(place), directory, place, steps)

    # -- asking on purpose -------------------------------------------------------------------------------------------

    async def update_courses(self, account: str) -> News:
        """Ask for an account's courses now, and say what is new.  Raises what the provider raises."""
        before = news.courses(self.store, account)
        place = Place(account)
        await self._flights.join((place, 0), lambda: self.renewal.courses(self._accounts[account]))
        return news.compare(account, before, news.courses(self.store, account))

    async def update_course(self, directory: Node) -> News:
        """Ask for the outline of a course and for the files of every lesson that was ever looked at, now."""
        place = Place(directory.place.account, directory.key)
        account = self._account(place)
        before = news.course(self.store, place)
        await self._flights.join((place, 0), lambda: self._renew_outline(account, directory))
        looked_at = {step.directory for step in self.store.steps_of(place) if step.fetched_ns is not None}
        for inode in sorted(looked_at):
            lesson = self.node(inode)
            await self._flights.join(
                (place, inode),
                lambda lesson=lesson: self._renew_files(lesson, place, all_known=True),  # type: ignore[misc]
            )
        return news.compare(directory.name, before, news.course(self.store, place))

    async def learn(self, directory: Node) -> None:
        """See to it that a directory is known, all of it; nothing is asked for what is fresh."""
        await self._ready(directory)
        place = Place(directory.place.account, directory.key) if directory.kind is Kind.COURSE else directory.place
        if self.renewal.sketches(directory.inode):
            await self._flights.join((place, -directory.inode), lambda: self._complete(directory, place))

    async def _complete(self, directory: Node, place: Place) -> None:
        """Ask for the items of which there is only a sketch, a few at a time."""
        while steps := self.renewal.sketches(directory.inode)[:FEW]:
            await self.renewal.files(self._account(place), directory, place, steps)

    def _account(self, place: Place) -> TreeAccount:
        account = self._accounts.get(place.account)
        if account is None:
            raise Gone(f"the account {place.account} is no longer in the settings")
        return account
