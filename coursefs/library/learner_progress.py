"""The learner in a course: what is done, asked for when it is read and kept for some minutes; and what is due."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import trio

from coursefs.catalog import Node, Place, Store
from coursefs.errors import BadReply, Gone, NotAllowed, NotSignedIn
from coursefs.model import Course, CourseProgress, Kind, Standing
from coursefs.providers.base import Provider, Tracks

log = logging.getLogger(__name__)

T = TypeVar("T")

#: seconds for which an answer is used again
_KEPT = 300.0


class LearnerProgress:
    """The learner's progress in courses, sections and steps.

    `clock` is a monotonic clock in seconds.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        store: Store,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self._providers = providers
        self._store = store
        self._clock = clock
        self._kept: dict[Place, tuple[float, CourseProgress | None]] = {}
        self._locks: dict[Place, trio.Lock] = {}

    async def of(self, node: Node) -> float | None:
        """The part of a node that is done, 0 to 1; None when the platform does not say it.

        Of a lecture that is not done, its video has the part that was watched.  Raises `NotSignedIn` and the errors of
        the network.
        """
        provider = self._providers.get(node.place.account)
        course = self._course(node)
        if course is None or not isinstance(provider, Tracks):
            return None
        progress = await self._progress(provider, Place(node.place.account, course.key), course)
        if progress is None:
            return None
        if node.kind is Kind.COURSE:
            return progress.done
        key = node.item or node.key
        done = progress.parts.get(key)
        if done is None and node.item and progress.lists_items:
            done = 0.0
        if node.kind is Kind.VIDEO and node.item and not done:
            watched = await _unless_refused(lambda: provider.watched(course, node.item))
            return done if watched is None else watched
        return done

    async def finished(self, course: Node) -> frozenset[str]:
        """The keys of the sections and items of a course that are done; none if the platform does not say it.

        Raises `NotSignedIn` and the errors of the network.
        """
        provider, found = self._providers.get(course.place.account), self._course(course)
        if found is None or not isinstance(provider, Tracks):
            return frozenset()
        progress = await self._progress(provider, Place(course.place.account, found.key), found)
        return frozenset(key for key, done in progress.parts.items() if done >= 1) if progress else frozenset()

    def _course(self, node: Node) -> Course | None:
        key = node.key if node.kind is Kind.COURSE else node.place.course
        return self._store.enrolments.course(Place(node.place.account, key)) if key else None

    async def _progress(self, provider: Tracks, place: Place, course: Course) -> CourseProgress | None:
        """The answer for a course: the kept one, or that of one request for all who ask now."""
        async with self._locks.setdefault(place, trio.Lock()):
            at, kept = self._kept.get(place, (-_KEPT, None))
            if self._clock() - at < _KEPT:
                return kept
            found = await _unless_refused(lambda: provider.progress(course))
            self._kept[place] = (self._clock(), found)
            return found


def due_modules(store: Store, course: Node, standing: Standing, now_ns: int, until_ns: int) -> list[Node]:
    """The directories right below a course in which something is due from now until a moment, in the order of the tree.

    A deadline of an item counts for the module that it is in. One that belongs to nothing that is known is left out.
    """
    place = Place(course.place.account, course.key)
    directories = {stored.item.key: stored.directory for stored in store.items.of_course(place)}
    found: dict[int, Node] = {}
    for deadline in standing.deadlines:
        if deadline.key is None or not now_ns <= deadline.due_ns <= until_ns:
            continue
        node = store.find(place, deadline.key) or store.node(directories.get(deadline.key, 0))
        while node is not None and node.parent not in {course.inode, node.inode}:
            node = store.node(node.parent)
        if node is not None and node.is_directory and not node.is_gone and node.parent == course.inode:
            found[node.inode] = node
    return sorted(found.values(), key=lambda node: node.name)


async def _unless_refused(ask: Callable[[], Awaitable[T | None]]) -> T | None:
    """The answer; None when the platform refuses it or does not have it."""
    try:
        return await ask()
    except NotSignedIn:
        raise
    except (NotAllowed, Gone, BadReply) as error:
        log.info("progress: %s", error)
        return None
