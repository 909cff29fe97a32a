"""What is due over all accounts, as the catalogue has it: nothing is requested."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coursefs.base.characters import one_line
from coursefs.base.due_times import is_plausible
from coursefs.catalog import Node, Place, Store
from coursefs.formats.calendars import CalendarEntry
from coursefs.library.stored_tree import StoredTree
from coursefs.model import Deadline

_NUMBER = re.compile(r"^\d+[ _]")


@dataclass(frozen=True, slots=True)
class Due:
    """Something that is due."""

    account: str
    course: str  # its title
    directory: str  # of the course, below the mount point
    title: str
    due_ns: int  # ns since 1970
    key: str | None  # of the section or item that is due; None: of neither
    url: str | None
    path: str | None  # of the section, or of the directory of the item, below the mount point
    course_key: str
    changed_ns: int  # when it became what it is, as far as is known (ns since 1970)

    def record(self) -> dict[str, Any]:
        """The object of `due --json`."""
        return {
            "account": self.account,
            "course": self.course,
            "directory": self.directory,
            "title": self.title,
            "due": datetime.fromtimestamp(self.due_ns // 10**9, UTC).isoformat(),
            "id": self.key,
            "url": self.url,
            "path": self.path,
        }

    def calendar_entry(self) -> CalendarEntry:
        """The same as an entry of a calendar."""
        return CalendarEntry(
            self.account, self.course_key, self.key, self.course, self.title, self.due_ns, self.changed_ns, self.url
        )


@dataclass(frozen=True, slots=True)
class DueList:
    """What is due, by time, and what is not known of it."""

    due: tuple[Due, ...]
    unknown: tuple[str, ...] = ()  # directories of courses whose dates were never asked for
    implausible: tuple[tuple[str, int], ...] = ()  # courses, and how many of their dates are none


def titled(store: Store, place: Place, deadlines: Sequence[Deadline]) -> list[Deadline]:
    """The deadlines of a course, with titles from the catalogue where they have none; "" where it has none, too."""
    items: dict[str, str] | None = None  # titles by key, read once: a reply may have thousands of keys
    found: list[Deadline] = []
    for one in deadlines:
        title = one.title
        if not title and one.key is not None:
            node = store.find(place, one.key)
            if node is not None and not node.is_gone:
                title = _NUMBER.sub("", node.wanted)
            else:
                if items is None:
                    items = {stored.item.key: stored.item.title for stored in store.items.of_course(place)}
                title = items.get(one.key, "")
        found.append(replace(one, title=title))
    return found


def known_due(tree: StoredTree, store: Store, from_ns: int, until_ns: int) -> DueList:
    """What is due from one moment to another in the courses that the tree shows."""
    found: list[Due] = []
    unknown: list[str] = []
    implausible: list[tuple[str, int]] = []
    for node, course in tree.courses():
        place, directory = Place(node.place.account, node.key), tree.path(node)
        if store.due_dates.asked_ns(place) is None:
            unknown.append(directory)
        changed_ns = dict(store.due_dates.with_changes(place))
        deadlines = list(changed_ns)
        good = [one for one in deadlines if is_plausible(one.due_ns)]
        if len(good) < len(deadlines):
            implausible.append((directory, len(deadlines) - len(good)))
        wanted = [one for one in good if from_ns <= one.due_ns <= until_ns]
        found += [
            Due(
                place.account,
                one_line(course.title),
                directory,
                one_line(one.title) or directory,
                one.due_ns,
                one.key,
                one.url,
                path,
                course.key,
                changed_ns[one],
            )
            for one, path in _with_paths(tree, store, place, wanted)
        ]
    found.sort(key=lambda one: (one.due_ns, one.directory, one.title))
    return DueList(tuple(found), tuple(unknown), tuple(implausible))


def _with_paths(
    tree: StoredTree, store: Store, place: Place, deadlines: Sequence[Deadline]
) -> Iterator[tuple[Deadline, str | None]]:
    """The deadlines with the paths of what is due."""
    directories = {stored.item.key: stored.directory for stored in store.items.of_course(place)} if deadlines else {}
    for one in deadlines:
        node: Node | None = None
        if one.key is not None:
            node = store.find(place, one.key) or store.node(directories.get(one.key, 0))
        yield one, None if node is None or node.is_gone else tree.path(node)


def stored_due(catalogue: Path, accounts: Sequence[str], from_ns: int, until_ns: int) -> DueList:
    """What is due, from a catalogue as it is now, whichever process has it open.

    Raises `CoursefsError` where no course of these accounts is known.
    """
    store = Store(catalogue, read_only=True)
    try:
        tree = StoredTree(store, accounts)
        tree.require_courses()
        return known_due(tree, store, from_ns, until_ns)
    finally:
        store.close()
