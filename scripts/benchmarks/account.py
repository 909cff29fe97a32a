"""A large account that exists in the catalogue alone: by itself two hundred courses with fifty thousand files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from coursefs.catalog import Layout, Node, Place, Store
from coursefs.catalog.difference import Changes
from coursefs.catalog.node import ROOT, Space, StoredItem, candidates, locator_of
from coursefs.catalog.page_nodes import Generated, PageNodes
from coursefs.library.settings import AccountSource, shape_of
from coursefs.model import Course, Item, Kind, Remote, Wanted

COURSES, MODULES, LESSONS, STEPS = 200, 5, 5, 4
#: of a step, and of the last step of a lesson: a lecture with its texts, and a reading
FILES_OF_STEP = (
    ((Kind.VIDEO, ".mp4"), (Kind.SUBTITLE, ".en.srt"), (Kind.TRANSCRIPT, ".en.txt")),
    ((Kind.READING, ".html"),),
)
FILES_OF_COURSE = MODULES * LESSONS * 10
FILES = COURSES * FILES_OF_COURSE


def make(catalogue: Path, account: str, number_of_courses: int = COURSES, *, pages: bool = True) -> None:
    """Write the catalogue of an account all of which was listed a moment ago."""
    store = Store(catalogue)
    now = time.time_ns()
    courses = [
        Course(f"c{number:03d}", f"course-{number}", f"Course {number:03d}") for number in range(number_of_courses)
    ]
    try:
        with store.transaction():
            shape = shape_of(Layout.TITLE, Wanted(), AccountSource(account, "coursera", {}, {}))
            store.set_fingerprint(account, shape, None)
            store.enrolments.set_courses(account, courses)
            store.fetch_log.set_fetched(Place(account), now)
            for course in courses:
                _write(store, account, course, now)
        if pages:
            page_nodes = PageNodes(store, lambda _: None, Generated(pages=True))
            with store.transaction():
                for node in store.courses_by_use():
                    page_nodes.ensure(node)  # as when its outline was listed
    finally:
        store.close()


def _write(store: Store, account: str, course: Course, now: int) -> None:
    place = Place(account, course.key)
    top = _node(Place(account), course.key, Kind.COURSE, ROOT, course.title, now)
    nodes, steps = [top], []
    for module in range(1, MODULES + 1):
        middle = _node(place, f"module/{module}", Kind.MODULE, top.inode, f"{module:02d} Module", now)
        nodes.append(middle)
        for lesson in range(1, LESSONS + 1):
            key = f"lesson/{module}/{lesson}"
            low = _node(place, key, Kind.LESSON, middle.inode, f"{lesson:02d} Lesson", now)
            nodes.append(low)
            for position in range(1, STEPS + 1):
                item = Item(f"item/{module}/{lesson}/{position}", "Step", "step", position, "lecture")
                stem = f"{position:02d} Step"
                steps.append(StoredItem(place, low.inode, stem, stem, item, now))
                nodes.extend(_files(place, low.inode, item, stem, now))
    store.fetch_log.set_fetched(place, now)
    store.items.replace(place, steps)
    store.write(Changes(added=tuple(nodes)))


def _files(place: Place, directory: int, item: Item, stem: str, now: int) -> Iterator[Node]:
    """The files of a step: ten in a lesson."""
    for kind, extension in FILES_OF_STEP[item.position == STEPS]:
        key = f"{item.key}/{kind.value}"
        yield _node(place, key, kind, directory, f"{stem}{extension}", now, item.key)


def _node(place: Place, key: str, kind: Kind, parent: int, name: str, now: int, item: str = "") -> Node:
    number = next(candidates(place.account, place.course, key))
    if not item:
        return Node(number, parent, name, name, place, key, kind, now)
    remote = Remote(f"{place.course}/{key}", {"route": "video", "course": place.course, "item": key})
    return Node(
        inode=number,
        parent=parent,
        name=name,
        wanted=name,
        place=place,
        key=key,
        kind=kind,
        mtime_ns=now,
        item=item,
        url=f"https://www.example.org/learn/{place.course}/{key}",
        mime_type="video/mp4",
        size=12_345_678,
        etag='"0123456789abcdef"',
        identity=remote.identity,
        locator=locator_of(remote),
        space=Space.FILE,
    )
