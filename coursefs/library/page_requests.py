"""What the platforms are asked when a file of a course page is opened, within the patience of a reader.

A look at a directory, and the size of a page, cost no request.  What is not answered in time goes on, and the page is
made again when the answer is there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import trio

from coursefs.base.single_flight import SingleFlight
from coursefs.base.supervisor import Tasks
from coursefs.catalog import Node, Place, Store
from coursefs.catalog import page_nodes as names
from coursefs.errors import CoursefsError
from coursefs.model import LEAVES_TRACES

log = logging.getLogger(__name__)

#: seconds that a reader waits
_PATIENCE = 3.0
#: ns for which it is not asked again what is done: a backup reads the page as well
_KEPT_NS = 15 * 60 * 10**9
#: directories that are listed at once
_AT_ONCE = 4


class PageRequests:
    """Asks for what the pages of a course show: the files of its items, what is due, and what is done.

    `list_directory(node)` lists what leaves no traces in a directory, `finished(course)` asks what the learner has
    done, `ask_due(course)` asks for due dates; the answers are stored.  `tasks` has the requests, which a reader that
    is cancelled does not end.
    """

    def __init__(
        self,
        store: Store,
        list_directory: Callable[[Node], Awaitable[None]],
        finished: Callable[[Node], Awaitable[frozenset[str]]],
        ask_due: Callable[[Node], Awaitable[None]],
        tasks: Tasks,
    ) -> None:
        self._store = store
        self._list_directory = list_directory
        self._finished = finished
        self._ask_due = ask_due
        self._calls: SingleFlight[tuple[str, int], None] = SingleFlight(tasks)

    async def before(self, node: Node) -> None:
        """Ask for what a page that is opened shows and was never asked for, and wait some seconds for the answer."""
        course = self._store.find(Place(node.place.account), node.place.course) if node.place.course else None
        if course is None:
            return
        with trio.move_on_after(_PATIENCE):
            match node.key:
                case names.SCRIPT | names.STYLE:
                    return
                case names.PROGRESS:
                    await self._calls.join(("progress", course.inode), lambda: self._ask_progress(course))
                case names.DEADLINES:
                    await self._ask_due_once(course)
                case key if key == names.INDEX or key.startswith(names.PLAYLIST):
                    await self._calls.join(("files", course.inode), lambda: self._list(course))

    async def _ask_due_once(self, course: Node) -> None:
        if self._store.due_dates.asked_ns(Place(course.place.account, course.key)) is None:
            await self._calls.join(("due", course.inode), lambda: self._ask_due(course))

    async def _ask_progress(self, course: Node) -> None:
        await self._ask_due_once(course)
        place, now = Place(course.place.account, course.key), time.time_ns()
        asked = self._store.finished.asked_ns(place)
        if asked is not None and 0 <= now - asked < _KEPT_NS:
            return
        try:
            self._store.finished.replace(place, await self._finished(course), now)
        except CoursefsError as error:
            log.debug("%s: what is done is not known: %s", course.name, error)

    async def _list(self, course: Node) -> None:
        """List what was never listed of a course; not what a platform would record."""
        limit = trio.CapacityLimiter(_AT_ONCE)

        async def one(directory: Node) -> None:
            async with limit:
                try:
                    await self._list_directory(directory)
                except CoursefsError as error:
                    log.debug("%s: a part of it is not known: %s", course.name, error)

        items = self._store.items.of_course(Place(course.place.account, course.key))
        inodes = {one.directory for one in items if one.fetched_ns is None and LEAVES_TRACES not in one.item.details}
        async with trio.open_nursery() as nursery:
            for inode in sorted(inodes):
                if (directory := self._store.node(inode)) is not None:
                    nursery.start_soon(one, directory)
