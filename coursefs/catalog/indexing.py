"""Background indexing: fetches item details and sizes slowly, before a user asks for them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import trio

from coursefs.base.foreground import background_work
from coursefs.catalog.node import Node, Place
from coursefs.catalog.sizes import Sizes
from coursefs.catalog.store import Store
from coursefs.catalog.tree import Tree
from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, Unreachable
from coursefs.model import LEAVES_TRACES, Kind

log = logging.getLogger(__name__)


#: consecutive failed directories after which the course is given up, and failed courses after which the round ends
_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class IndexingDelays:
    """The pauses of background indexing, in seconds."""

    first: float = 60.0  # after the mount: the user looks around first
    pause: float = 3.0  # between two directories, for each request that the first may have made
    quiet: float = 2.0  # without a foreground request, before the next directory
    again: float = 3600.0  # after a complete round
    failed: float = 300.0  # after a failure of an account or of the network


@dataclass(frozen=True, slots=True)
class IndexingProgress:
    """The number of directories that are indexed, and of all that are known so far."""

    state: str  # "off", "waiting", "filling", "done"
    done: int = 0
    total: int = 0
    paused: bool = False  # now, because a program waits for an answer, or has just had one


class Indexer:
    """Fetches one directory after the other; the most recently used course comes first.

    `idle(seconds)` returns when there was no foreground request for so long: user requests go first.
    """

    def __init__(
        self,
        tree: Tree,
        sizes: Sizes,
        store: Store,
        idle: Callable[[float], Awaitable[None]],
        delays: IndexingDelays | None = None,
    ) -> None:
        self._tree = tree
        self._sizes = sizes
        self._store = store
        self._idle = idle
        self._delays = delays or IndexingDelays()
        self._failures = 0  # in a row, of one course
        self.progress = IndexingProgress("off")

    async def run(self) -> None:
        """Index until cancelled."""
        self.progress = IndexingProgress("waiting")
        await trio.sleep(self._delays.first)
        while True:
            try:
                with background_work():
                    await self._all()
                wait = self._delays.again
                self.progress = IndexingProgress("done", self.progress.total, self.progress.total)
            except CoursefsError as error:
                log.info("indexing pauses: %s", error)
                wait = self._delays.failed
                self.progress = IndexingProgress("waiting", self.progress.done, self.progress.total)
            await trio.sleep(wait)

    async def _all(self) -> None:
        """One round over all courses. A failing account or course does not stop the others.

        Raises the error of a failed account at the end, so that the next round comes soon.
        """
        done, total = 0, self._store.count_sections()
        given_up = 0  # courses in a row
        lost: dict[str, CoursefsError] = {}
        for course in self._store.courses_by_use():
            if course.place.account in lost:
                continue
            place = Place(course.place.account, course.key)
            was_known = self._store.fetch_log.fetched_ns(place) is not None
            self._failures = 0
            try:
                await self._step(course)
                if not was_known:
                    total = self._store.count_sections()
                directories = [node for node in self._store.of_place(place) if node.is_directory and not node.item]
                was_opened = self._store.enrolments.was_used(place)
                for directory in sorted(directories, key=lambda node: node.kind is not Kind.MODULE):
                    if not was_opened and self._leaves_traces(directory):
                        continue
                    self.progress = IndexingProgress("filling", done, max(total, done + 1))
                    await self._step(directory)
                    done += 1
                given_up = 0
            except (NotSignedIn, Unreachable) as error:
                lost[place.account] = error
            except CoursefsError as error:
                log.info("%s: indexing continues with the next course: %s", course.name, error)
                given_up += 1
                if given_up >= _MOST_FAILURES:
                    raise
        if lost:
            raise next(iter(lost.values()))
        self.progress = IndexingProgress("filling", done, done)

    async def _step(self, directory: Node) -> None:
        """Index one directory. A failure that concerns only this directory is logged."""
        self.progress = replace(self.progress, paused=True)
        await self._idle(self._delays.quiet)
        self.progress = replace(self.progress, paused=False)
        unknown = sum(stored.fetched_ns is None for stored in self._store.items.in_directory(directory.inode))
        try:
            await self._tree.fetch_all(directory)
            unknown += await self._probe_sizes(directory)
            self._failures = 0
        except CoursefsError as error:
            log.debug("%s: %s", directory.name, error)
            self._failures += 1
            if isinstance(error, (NotSignedIn, Unreachable)) or self._failures >= _MOST_FAILURES:
                raise
        await trio.sleep(self._delays.pause * min(unknown, 10))

    def _leaves_traces(self, directory: Node) -> bool:
        """Whether fetching its files is recorded on the platform: only a user may cause that."""
        return any(LEAVES_TRACES in stored.item.details for stored in self._store.items.in_directory(directory.inode))

    async def _probe_sizes(self, directory: Node) -> int:
        """Probe the unknown sizes of a directory's files; return how many there were."""
        nodes = [node for node in self._store.children(directory.inode) if node.identity and node.size is None]
        for node in nodes[:1]:
            try:
                await self._sizes.exact(node)  # probes all siblings as well
            except NotSignedIn:
                raise
            except (NotAllowed, Gone, BadReply) as error:
                log.debug("%s: %s", node.name, error)  # concerns this file alone
        return len(nodes)
