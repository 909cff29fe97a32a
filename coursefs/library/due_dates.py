"""Asking for due dates: when a person updates, and slowly in the background of a mount."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import trio

from coursefs.base.foreground import background_work
from coursefs.catalog import IndexingDelays, Node, Place, Store, Tree
from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, NotSignedIn, Unreachable
from coursefs.library.due_list import titled
from coursefs.model import Deadline
from coursefs.providers import checking
from coursefs.providers.base import Grades, Provider, Schedules

log = logging.getLogger(__name__)

#: ns after which the dates of a course are asked for again in the background
_KEPT_NS = 24 * 3600 * 10**9


class DueDateRefresher:
    """Asks the platforms for due dates, and stores them.

    `idle(seconds)` returns when there was no foreground request for so long: user requests go first.  `on_change` is
    called with a course whose dates have changed.
    """

    def __init__(
        self,
        store: Store,
        tree: Tree,
        providers: Mapping[str, Provider],
        idle: Callable[[float], Awaitable[None]],
        delays: IndexingDelays | None = None,
    ) -> None:
        self._store = store
        self._tree = tree
        self._providers = providers
        self._idle = idle
        self._delays = delays or IndexingDelays()
        self.on_change: Callable[[Node], None] = lambda _: None

    async def ask(self, course: Node) -> Sequence[Deadline] | None:
        """The due dates of a course, from a new request, which are stored; None: its platform has none.

        Raises the errors of the request, after which the known dates stay.
        """
        place = Place(course.place.account, course.key)
        provider = self._providers.get(place.account)
        if provider is None:
            raise Gone("its account was removed meanwhile")
        if isinstance(provider, Schedules):
            said = checking.deadlines(await provider.due_dates(self._tree.refresher.course(place)))
        elif isinstance(provider, Grades):
            said = checking.deadlines((await provider.standing(self._tree.refresher.course(place))).deadlines)
            if not said and self._store.due_dates.of_course(place):
                # A standing leaves out what was refused: this may be an error as well as a course without dates.
                raise BadReply("the platform says no dates any more")
        else:
            self._keep(course, place, ())
            return None
        found = titled(self._store, place, said)
        self._keep(course, place, [one for one in found if one.title])
        return found

    async def update(self, course: Node) -> None:
        """Ask for the due dates of a course; what fails is logged, and the known dates stay."""
        try:
            await self.ask(course)
        except CoursefsError as error:
            log.info("%s: its due dates are not known: %s", course.name, error)

    def _keep(self, course: Node, place: Place, deadlines: Sequence[Deadline]) -> None:
        if self._store.due_dates.replace(place, deadlines, time.time_ns()):
            self.on_change(course)

    async def run(self) -> None:
        """Ask for the dates of every course once a day, until cancelled."""
        await trio.sleep(self._delays.first)
        while True:
            with background_work():
                await self._round()
            await trio.sleep(self._delays.again)

    async def _round(self) -> None:
        """One round over all courses; an account that cannot be reached is left out until the next one."""
        lost: set[str] = set()
        for course in self._store.courses_by_use():
            place = Place(course.place.account, course.key)
            if place.account in lost or not self._is_old(place):
                continue
            await self._idle(self._delays.quiet)
            try:
                await self.ask(course)
            except CoursefsError as error:
                log.info("%s: its due dates are not known: %s", course.name, error)
                if isinstance(error, (NotSignedIn, Unreachable, NoAnswer)):
                    lost.add(place.account)
            await trio.sleep(self._delays.pause)

    def _is_old(self, place: Place) -> bool:
        """Whether the outline of a course is known, and its dates were not asked for since a day."""
        if self._store.fetch_log.fetched_ns(place) is None:
            return False
        asked = self._store.due_dates.asked_ns(place)
        return asked is None or not 0 <= time.time_ns() - asked < _KEPT_NS
