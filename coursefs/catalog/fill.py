"""Filling the catalogue in the background: item details and sizes, slowly, before anybody asks for them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from coursefs.catalog.node import Node, Place
from coursefs.catalog.sizes import Sizes
from coursefs.catalog.store import Store
from coursefs.catalog.tree import Tree
from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, Unreachable
from coursefs.foreground import behind
from coursefs.model import Kind

log = logging.getLogger(__name__)


#: failures in a row after which it is not one directory's fault, but its course's; and so of courses
_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly, in seconds."""

    first: float = 60.0  # after the mount: by then somebody has looked around
    pause: float = 3.0  # between one directory and the next, for each request that it may have cost
    quiet: float = 2.0  # without a foreground request, before the next step
    again: float = 3600.0  # after everything is known
    failed: float = 300.0  # after a failure that concerns the account or the network


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: directories that are known with the sizes of their files, of all that there are so far."""

    state: str  # "off", "waiting", "filling", "done"
    done: int = 0
    total: int = 0


class Fill:
    """Looks into one directory after the other, as a reader would; the course that was used last comes first.

    `idle(seconds)` returns when no foreground request was made for so long: whatever a user asks for goes first.
    """

    def __init__(
        self, tree: Tree, sizes: Sizes, store: Store, idle: Callable[[float], Awaitable[None]], pace: Pace | None = None
    ) -> None:
        self._tree = tree
        self._sizes = sizes
        self._store = store
        self._idle = idle
        self._pace = pace or Pace()
        self._failures = 0  # in a row, of one course
        self.progress = Progress("off")

    async def run(self) -> None:
        """Fill until cancelled."""
        self.progress = Progress("waiting")
        await trio.sleep(self._pace.first)
        while True:
            try:
                with behind():
                    await self._all()
                wait = self._pace.again
                self.progress = Progress("done", self.progress.total, self.progress.total)
            except CoursefsError as error:
                log.info("filling pauses: %s", error)
                wait = self._pace.failed
                self.progress = Progress("waiting", self.progress.done, self.progress.total)
            await trio.sleep(wait)

    async def _all(self) -> None:
        """One round.  An account that cannot be asked, or a course that is refused, keeps no other from its turn.

        Raises at the end what kept an account from being asked, so that this comes again soon.
        """
        done, total = 0, self._store.count_sections()
        given_up = 0  # courses in a row
        lost: dict[str, CoursefsError] = {}
        for course in self._store.by_use():
            if course.place.account in lost:
                continue
            place = Place(course.place.account, course.key)
            was_known = self._store.fetched_ns(place) is not None
            self._failures = 0
            try:
                await self._step(course)
                if not was_known:
                    total = self._store.count_sections()
                directories = [node for node in self._store.of_place(place) if node.is_directory and not node.item]
                for directory in sorted(directories, key=lambda node: node.kind is not Kind.MODULE):
                    self.progress = Progress("filling", done, max(total, done + 1))
                    await self._step(directory)
                    done += 1
                given_up = 0
            except (NotSignedIn, Unreachable) as error:
                lost[place.account] = error
            except CoursefsError as error:
                log.info("%s: filling goes on without it: %s", course.name, error)
                given_up += 1
                if given_up >= _MOST_FAILURES:
                    raise
        if lost:
            raise next(iter(lost.values()))
        self.progress = Progress("filling", done, done)

    async def _step(self, directory: Node) -> None:
        """Learn one directory.  What fails for it alone is left to whoever looks at it."""
        await self._idle(self._pace.quiet)
        unknown = sum(step.fetched_ns is None for step in self._store.steps(directory.inode))
        try:
            await self._tree.learn(directory)
            unknown += await self._learn_sizes(directory)
            self._failures = 0
        except CoursefsError as error:
            log.debug("%s: %s", directory.name, error)
            self._failures += 1
            if isinstance(error, (NotSignedIn, Unreachable)) or self._failures >= _MOST_FAILURES:
                raise
        await trio.sleep(self._pace.pause * min(unknown, 10))

    async def _learn_sizes(self, directory: Node) -> int:
        """Ask for the sizes of a directory's files, where they are not known; how many that were."""
        nodes = [node for node in self._store.children(directory.inode) if node.identity and node.size is None]
        for node in nodes[:1]:
            try:
                await self._sizes.exact(node)  # asks for all siblings in the same go
            except NotSignedIn:
                raise
            except (NotAllowed, Gone, BadReply) as error:
                log.debug("%s: %s", node.name, error)  # it says nothing of any other file
        return len(nodes)
