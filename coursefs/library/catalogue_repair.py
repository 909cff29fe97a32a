"""Repair of the catalogue in an open library: a damaged one is built anew, a failed write is repeated."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import trio

from coursefs.base.supervisor import Tasks
from coursefs.catalog import Node, Place, Store, Tree
from coursefs.catalog.difference import Changes
from coursefs.errors import CatalogueDamaged, CatalogueError, CoursefsError, named
from coursefs.library.settings import LibrarySettings, shape_of

log = logging.getLogger(__name__)

#: seconds until a failed write to the catalogue is repeated: the first time, and at most
_SAVED_AFTER, _SAVED_AFTER_MOST = 1.0, 60.0


class CatalogueRepair:
    """Repairs the catalogue when its store says that it is damaged or cannot be written.

    `report(what, error)` is called with each error, for the status, and `over(what)` when all is written again.
    """

    def __init__(
        self,
        store: Store,
        tree: Tree,
        tasks: Tasks,
        settings: Callable[[], LibrarySettings],
        report: Callable[[str, CoursefsError], None],
        over: Callable[[str], None],
    ) -> None:
        self._store = store
        self._tree = tree
        self._tasks = tasks
        self._settings = settings
        self._report = report
        self._over = over
        self._is_saving = False
        store.on_reset = self._catalogue_reset
        store.on_unsaved(self._note_unsaved)
        self.note_shapes()

    def note_use(self, course: Node) -> None:
        """Record that a course was opened now: background indexing begins with the most recently used one."""
        try:
            self._store.enrolments.set_used(Place(course.place.account, course.key), time.time_ns())
        except CatalogueDamaged:
            raise  # the catalogue was reset: the course is unknown now
        except CatalogueError as error:
            log.debug("when the course was used is not noted: %s", error)

    def note_shapes(self) -> None:
        """Record which settings and which user each account's tree is made with; other ones have it asked for anew."""
        settings = self._settings()
        for one in settings.accounts:
            shape = shape_of(settings.layout, settings.wanted, one)
            self._store.set_fingerprint(one.name, shape, one.secrets.get("user_id"))

    def _catalogue_reset(self, shown: Sequence[Node], why: CoursefsError) -> None:
        """The catalogue was damaged and is empty now: create the account directories, and list the courses again."""
        self._report("catalogue", why)
        self.note_shapes()
        self._tree.reset()
        with suppress(CoursefsError):  # the library is closing: no task can start
            self._tasks.start_soon(self._ask_for_all, shown, name="ask for all courses")

    async def _ask_for_all(self, shown: Sequence[Node]) -> None:
        # the kernel still caches directories that the catalogue has lost: make it look them up from the root
        self._tree.refresher.on_change(Changes(gone=tuple(shown)))
        for account in self._settings().accounts:
            try:
                await self._tree.update_courses(account.name)
            except CoursefsError as error:
                log.info("%s", named(account.name, error))

    def _note_unsaved(self, why: CoursefsError) -> None:
        """The catalogue cannot be written: report it, and write the changes as soon as possible."""
        self._report("catalogue", why)
        if not self._is_saving:
            with suppress(CoursefsError):  # the library is closing: no task can start
                self._tasks.start_soon(self._save_catalogue, name="save the catalogue")
                self._is_saving = True

    async def _save_catalogue(self) -> None:
        pause = _SAVED_AFTER
        try:
            await trio.sleep(pause)
            while not self._store.save():
                pause = min(2 * pause, _SAVED_AFTER_MOST)
                await trio.sleep(pause)
            self._over("catalogue")
        finally:
            self._is_saving = False
