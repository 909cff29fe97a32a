"""Asking a platform anew, and writing what is different."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from coursefs.catalog.courses import account_directory, course_changes, folder_changes
from coursefs.catalog.files import file_changes, is_stand_in, unavailable
from coursefs.catalog.names import Layout, is_sound
from coursefs.catalog.node import Node, Place, Step
from coursefs.catalog.outline import outline_changes
from coursefs.catalog.refresh import Changes
from coursefs.catalog.store import Store
from coursefs.errors import BadReply, CoursefsError, Gone, NotSignedIn
from coursefs.model import Course, File, Kind, Outline, Section, Sketch
from coursefs.providers.base import Provider

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TreeAccount:
    """An account as the tree sees it."""

    name: str
    provider: Provider
    folder: str | None = None  # the directory that its courses lie in; None: the root


class Renewal:
    """Refreshes the store; what a platform refuses, or answers with nothing, leaves what is known as it is.

    Every method raises what the provider raises.  Between the answer and the last write there is no await, so a
    reader sees a directory before a refresh or after it, never in between.
    """

    def __init__(self, store: Store, accounts: Sequence[TreeAccount], layout: Layout) -> None:
        self._store = store
        self._layout = layout
        self._errors: dict[Place, tuple[float, CoursefsError]] = {}  # monotonic s, error
        self._accounts = accounts
        self._sketches: dict[int, set[str]] = {}  # directory -> keys of its items
        self._directories = {one.name: account_directory(store, one.name, one.folder) for one in accounts}
        #: hears of every refresh that changed something
        self.on_change: Callable[[Changes], None] = lambda _: None

    def settle(self) -> None:
        """Bring the root into the form that the settings ask for now, without asking anybody."""
        now = time.time_ns()
        self._store.hide_other_accounts(account.name for account in self._accounts)
        for account in self._accounts:
            with self._store.transaction():
                self._write(folder_changes(self._store, account.name, account.folder, self._layout, now), now)
                self._arrange(account.name, now)

    def arrange(self, account: str) -> None:
        """Show what is chosen of the account's courses now, without asking anybody."""
        with self._store.transaction():
            known, added = self._store.enrolments.courses(account), self._store.enrolments.added(account)
            if missing := _missing(added, known):
                self._store.enrolments.set_courses(account, [*known, *missing])
            news = self._arrange(account, time.time_ns())
        self._tell(news)

    def _arrange(self, account: str, now_ns: int) -> Changes:
        courses, directory = self._store.enrolments.courses(account), self._directories[account]
        return self._write(course_changes(self._store, account, directory, courses, self._layout, now_ns), now_ns)

    async def courses(self, account: TreeAccount) -> None:
        """Ask for the account's courses now."""
        place = Place(account.name)
        courses = [one for one in await self._asked(place, account.provider.courses) if is_sound(one.key)]
        added = self._store.enrolments.added(account.name)
        if not courses and _missing(self._store.enrolments.courses(account.name), added):
            raise self._noted(place, BadReply(f"{account.name}: the platform lists no course where there were some"))
        courses += _missing(added, courses)
        now = time.time_ns()
        with self._store.transaction():
            if courses != self._store.enrolments.courses(account.name):
                self._store.enrolments.set_courses(account.name, courses)
            self._store.set_fetched(place, now)
            news = self._arrange(account.name, now)
        self._tell(news)

    async def outline(self, account: TreeAccount, directory: Node) -> None:
        """Ask for a course's outline now, unless the platform says that it is still the same."""
        place = Place(account.name, directory.key)
        course = self.course(place)
        tag = self._store.tag(place)
        outline = await self._asked(place, lambda: account.provider.outline(course, tag=tag))
        now = time.time_ns()
        if outline is None:
            self._store.set_fetched(place, now, tag)
            return
        if self._has_lost_all(place, outline):
            raise self._noted(place, BadReply(f"{course.slug}: the platform lists nothing where there was a course"))
        new = outline_changes(self._store, place, directory.inode, outline, self._layout, now)
        with self._store.transaction():
            if _by_key(new.steps) != _by_key(self._store.steps_of(place)):
                self._store.set_steps(place, new.steps)
            self._store.set_fetched(place, now, outline.tag)
            news = self._write(new.changes, now)
        self._tell(news)

    def _has_lost_all(self, place: Place, outline: Outline) -> bool:
        """Whether there is nothing left where there was something: no item of many, or nothing at all."""
        if outline.items or any(_holds_items(section) for section in outline.sections):
            return False
        return bool(self._store.steps_of(place) or (not outline.sections and self._store.of_place(place)))

    async def files(self, account: TreeAccount, directory: Node, place: Place, steps: Sequence[Step]) -> None:
        """Ask for the files of some of a directory's items now."""
        if not steps:
            return
        course = self.course(place)
        items = [step.item for step in steps]
        replies = await self._asked(place, lambda: account.provider.files(course, items))
        now = time.time_ns()
        files: dict[str, Sequence[File]] = {}
        states: list[tuple[Step, str | None]] = []
        # an item that was moved, renamed or unlocked in the meantime is another one now, and asked for again
        today = {step.item.key: step for step in self._store.steps(directory.inode)}
        shown = {node.item for node in self._store.children(directory.inode) if not is_stand_in(node.key)}
        for step in (step for step in steps if _same(step, today.get(step.item.key))):
            reply = replies.get(step.item.key, BadReply("the platform said nothing of it"))
            if self._sketch(directory.inode, step, reply) and step.item.key in shown:
                states.append((step, None))  # what is shown is known better, or no worse
                continue
            if not isinstance(reply, CoursefsError):
                states.append((step, None))
                files[step.item.key] = reply
                continue
            log.info("%s: %s", step.item.title, reply)
            states.append((step, str(reply)))
            if step.item.key not in shown:  # nothing better was ever there
                files[step.item.key] = [unavailable(step, reply)]
        changes = file_changes(self._store, place, directory.inode, files, self._layout, now)
        # what lies beside a course's modules belongs to the first listing of its directory, and comes with it
        is_first = directory.kind is Kind.COURSE and all(step.fetched_ns is None for step in today.values())
        with self._store.transaction():
            for step, error in states:
                self._store.set_step_state(step, now, error)
            news = self._write(changes, now, unchanged=directory.inode if is_first else None)
        self._tell(news)

    def sketches(self, directory: int) -> list[Step]:
        """The items of a directory of which no more is known than what can be expected, and which can be asked for."""
        keys = self._sketches.get(directory, ())
        return [step for step in self._store.steps(directory) if step.item.key in keys]

    def _sketch(self, directory: int, step: Step, reply: Sequence[File] | CoursefsError) -> bool:
        """Whether a reply is only a sketch.  It is remembered, once: a second one in a row is all there is."""
        keys = self._sketches.setdefault(directory, set())
        was_one, is_one = step.item.key in keys, isinstance(reply, Sketch)
        if is_one and not was_one:
            keys.add(step.item.key)
        else:
            keys.discard(step.item.key)
        return is_one

    def course(self, place: Place) -> Course:
        """The course of a place.  Raises `Gone` when the account no longer has it."""
        course = self._store.enrolments.course(place)
        if course is None:
            raise Gone("the course is no longer among the enrolments")
        return course

    def forgive(self, account: str) -> None:
        """What went wrong with this account may go well now."""
        self._errors = {place: found for place, found in self._errors.items() if place.account != account}

    def trouble(self, account: str) -> CoursefsError | None:
        """What went wrong with this account last and has not gone well since; None when all is well."""
        errors = [found for place, found in self._errors.items() if place.account == account]
        return max(errors, key=lambda found: found[0])[1] if errors else None

    def error(self, place: Place) -> CoursefsError | None:
        """What went wrong when this place was asked last; None when it went well."""
        return self._errors.get(place, (0.0, None))[1]

    def failed_lately(self, place: Place, within: float) -> bool:
        """Whether asking this place went wrong within so many seconds."""
        at, _ = self._errors.get(place, (float("-inf"), None))
        return time.monotonic() - at < within

    def _write(self, changes: Changes, now_ns: int, *, unchanged: int | None = None) -> Changes:
        """Write; directories that were shown before and list something else now have changed at this moment.

        `unchanged` is a directory that has not, whatever it lists now.

        Returns what the kernel has to be told.  Of a directory's first listing it knows nothing yet, and telling it of
        names that it has just learned would make it drop the pages that are being read.
        """
        fresh = {node.inode for node in changes.added}
        renamed = (after for before, after in changes.changed if before.name != after.name)
        listed = {node.parent for node in (*changes.added, *changes.gone, *renamed)} - fresh
        known = {inode for inode in listed if self._store.children(inode)}
        self._store.write(changes)
        for inode in known - {unchanged}:
            self._store.touch(inode, now_ns)
        return replace(changes, added=tuple(node for node in changes.added if node.parent in known))

    def _tell(self, changes: Changes) -> None:
        if changes:
            self.on_change(changes)

    async def _asked(self, place: Place, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            reply = await ask()
        except CoursefsError as error:
            raise self._noted(place, error) from None
        except Exception:
            log.exception("asking %s failed unexpectedly", place.account)
            raise self._noted(place, BadReply(f"{place.account}: the answer was not understood")) from None
        self._errors.pop(place, None)
        self._errors = {
            known: found
            for known, found in self._errors.items()
            # any answer shows that the sign-in is accepted; the list of courses, that all is well
            if known.account != place.account or (place.course and not isinstance(found[1], NotSignedIn))
        }
        return reply

    def _noted(self, place: Place, error: CoursefsError) -> CoursefsError:
        found = (time.monotonic(), error)
        self._errors[place] = found
        if isinstance(error, NotSignedIn):
            self._errors[replace(place, course="")] = found
        return error


def _missing(some: Sequence[Course], courses: Sequence[Course]) -> list[Course]:
    """Those of some courses that are not among these."""
    keys = {course.key for course in courses}
    return [course for course in some if course.key not in keys]


def _holds_items(section: Section) -> bool:
    return bool(section.items) or any(_holds_items(inner) for inner in section.sections)


def _by_key(steps: Sequence[Step]) -> dict[str, Step]:
    return {step.item.key: step for step in steps}


def _same(asked: Step, today: Step | None) -> bool:
    return today is not None and (asked.stem, asked.item.locked, asked.item.type_name) == (
        today.stem,
        today.item.locked,
        today.item.type_name,
    )
