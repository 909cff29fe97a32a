"""What the files of course pages contain, from what the catalogue knows (pure, but for the store that is read)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from coursefs.base.due_times import is_plausible
from coursefs.catalog import Node, Place, Store
from coursefs.catalog import page_nodes as names
from coursefs.catalog.node import Space, StoredItem, digest_of
from coursefs.formats.calendars import CalendarEntry, calendar
from coursefs.formats.media_center import SEASON_FILE
from coursefs.formats.notes import NoteFacts, transcript_note
from coursefs.formats.subtitles import subrip, webvtt
from coursefs.library import media_files
from coursefs.model import LEAVES_TRACES, Deadline, Kind
from coursefs.pages import course_page as pages

_NUMBER = re.compile(r"^(\d+)[ _](?=.)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LANGUAGE = re.compile(r"\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\.[a-z0-9]+$")
#: what an item may be beside its main file: nothing that a reading loads, and nothing of coursefs
_SHOWN = frozenset(Kind) - {Kind.IMAGE, Kind.PAGE, Kind.FOLDER}


@dataclass(frozen=True, slots=True)
class PageSource:
    """What a page is made from: a function that may run in a thread, and whether all that it shows was asked for."""

    make: Callable[[], bytes]
    is_complete: bool = True


class PageSources:
    """What pages are made from, as the catalogue has it now; a course is read once, for all of its pages."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._courses: dict[Place, pages.CoursePage] = {}

    def of(self, node: Node) -> PageSource:
        """What the overview or a file of a course page is made from; for what is made of captions see `of_captions`."""
        store, place = self._store, node.place
        if node.key in {names.SCRIPT, names.STYLE}:
            return PageSource(lambda: pages.assets()[node.key])
        if place == names.NOWHERE:
            return _of_overview(store, node.key)
        course = store.find(Place(place.account), place.course)
        if course is None:
            return PageSource(lambda: b"")
        was_asked = store.due_dates.asked_ns(place) is not None
        if node.key == names.PROGRESS:
            return PageSource(partial(pages.progress_js, progress(store, place)), was_asked)
        if node.key == names.DEADLINES:
            return PageSource(partial(calendar, _title(store, course), entries(store, course)), was_asked)
        if place not in self._courses:
            self._courses[place] = course_page(store, course)
        shown = self._courses[place]
        return PageSource(self._of_course(node, shown), not shown.is_partial)

    def _of_course(self, node: Node, shown: pages.CoursePage) -> Callable[[], bytes]:
        if node.key == names.INDEX:
            return partial(pages.index_html, shown)
        if node.key.endswith(".nfo") or node.key.startswith((f"{SEASON_FILE}/", names.EPISODE)):
            return partial(media_files.nfo, shown, node.key)
        folder = self._store.node(node.parent)
        return partial(_playlist, shown, node.key, "" if folder is None else folder.name)


def _playlist(course: pages.CoursePage, key: str, folder: str) -> bytes:
    """The playlist of a course, or of one of its modules, which is in this folder."""
    if key == names.PLAYLIST:
        return pages.playlist(course)
    wanted = key.removeprefix(f"{names.PLAYLIST}/")
    module = next((section for section in course.sections if section.key == wanted), None)
    return b"" if module is None else pages.playlist(module, folder)


def _of_overview(store: Store, key: str) -> PageSource:
    courses = sorted(store.courses_by_use(), key=store.path_of)
    places = [Place(course.place.account, course.key) for course in courses]
    if key == names.INDEX:
        return PageSource(
            partial(pages.overview_html, overview(store, courses)),
            all(store.fetch_log.fetched_ns(place) is not None for place in places),
        )
    were_asked = all(store.due_dates.asked_ns(place) is not None for place in places)
    if key == names.DEADLINES:
        due = [entry for course in courses for entry in entries(store, course)]
        return PageSource(partial(calendar, "Courses", due), were_asked)
    return PageSource(partial(pages.progress_js, _progress_of_all(store, courses)), were_asked)


def of_captions(store: Store, node: Node, text: bytes) -> Callable[[], bytes]:
    """The function that makes a file of captions: a script of cues, subtitles in the other format, or a note."""
    prefix, _, key = node.key.partition("/")
    match f"{prefix}/":
        case names.SRT:
            return lambda: subrip(text) or b""
        case names.VTT:
            return lambda: webvtt(text) or b"WEBVTT\n"
        case names.NOTE:
            facts = _facts(store, node, key)
            return partial(_note, text, facts)
        case _:
            return partial(_cues, key, text)


def size_of_cues(captions: int) -> int:
    """The size of the script with the cues of captions of so many bytes: it is known before they are fetched.

    Times are shorter in it than in captions, and a character is at most doubled, but for rare ones.
    """
    return 2 * captions + 1024


def _cues(key: str, captions: bytes) -> bytes:
    """The script with the cues of captions, with blanks at its end; without the last cues if it were too long."""
    size, text = size_of_cues(len(captions)), captions
    script = pages.cues_js(key, text)
    while len(script) > size and text:
        text = text[: len(text) * 3 // 4]
        script = pages.cues_js(key, text)
    return script.ljust(size)


def _note(captions: bytes, facts: NoteFacts) -> bytes:
    return (transcript_note(captions, facts) or "").encode()


def _facts(store: Store, note: Node, captions: str) -> NoteFacts:
    """What the front matter of a note of captions says."""
    found = store.find(note.place, captions, Space.FILE)
    item = next(
        (one.item for one in store.items.in_directory(note.parent) if found and one.item.key == found.item), None
    )
    course = store.find(Place(note.place.account), note.place.course)
    if found is None or item is None or course is None:
        return NoteFacts("")
    module = found
    while module.parent not in {course.inode, module.inode} and (above := store.node(module.parent)) is not None:
        module = above
    title = _NUMBER.sub("", module.wanted) if module.is_directory else ""
    return NoteFacts(item.title, _title(store, course), title, item.url, item.duration)


def unstored(node: Node, page: bytes) -> Node:
    """The node of a page that is shown once, and is not kept."""
    return replace(node, size=len(page), etag=digest_of(page))


def entries(store: Store, course: Node) -> list[CalendarEntry]:
    """What is due in a course, for a calendar."""
    place = Place(course.place.account, course.key)
    return [
        CalendarEntry(
            place.account, place.course, one.key, _title(store, course), one.title, one.due_ns, changed_ns, one.url
        )
        for one, changed_ns in store.due_dates.with_changes(place)
    ]


def _title(store: Store, course: Node) -> str:
    known = store.enrolments.course(Place(course.place.account, course.key))
    return course.wanted if known is None else known.title


def progress(store: Store, place: Place) -> pages.PageProgress:
    """What is done of a course, and what is due."""
    done = store.finished.of_course(place)
    return pages.PageProgress(
        dict.fromkeys(sorted(done), 1.0), _due(store.due_dates.of_course(place)), _fraction(store, place, done)
    )


def _progress_of_all(store: Store, courses: Sequence[Node]) -> pages.PageProgress:
    done: dict[str, float] = {}
    due: list[pages.PageDeadline] = []
    for course in courses:
        place = Place(course.place.account, course.key)
        due += _due(store.due_dates.of_course(place), key_of(place))
        if (fraction := _fraction(store, place, store.finished.of_course(place))) is not None:
            done[key_of(place)] = fraction
    return pages.PageProgress(done, tuple(sorted(due, key=lambda one: (one.due_ns, one.course or "", one.title))))


def _fraction(store: Store, place: Place, done: frozenset[str]) -> float | None:
    """The fraction of a course's items that are done; None if nothing is, which may mean that it is not known."""
    items = [stored.item.key for stored in store.items.of_course(place)] if done else []
    finished = sum(key in done for key in items)
    return finished / len(items) if finished else None


def _due(deadlines: Sequence[Deadline], course: str | None = None) -> tuple[pages.PageDeadline, ...]:
    return tuple(
        pages.PageDeadline(one.title, one.due_ns, one.key, course) for one in deadlines if is_plausible(one.due_ns)
    )


def key_of(place: Place) -> str:
    """The key of a course over all accounts."""
    return f"{place.account}/{place.course}"


def overview(store: Store, shown: Sequence[Node]) -> pages.CoursesOverview:
    """These courses, in this order."""
    accounts = {node.place.account for node in shown}
    courses = []
    for node in shown:
        place = Place(node.place.account, node.key)
        listed = store.fetch_log.fetched_ns(place) is not None
        courses.append(
            pages.OverviewCourse(
                key_of(place),
                _title(store, node),
                store.path_of(node),
                store.items.count(place) if listed else None,
                _account(store, node) if len(accounts) > 1 else "",
            )
        )
    return pages.CoursesOverview(courses=tuple(courses), deadlines=names.DEADLINES)


def _account(store: Store, course: Node) -> str:
    """What an account is called: as its folder, if it has one."""
    folder = store.node(course.parent)
    return course.place.account if folder is None or folder.kind is Kind.ROOT else folder.name


def course_page(store: Store, course: Node) -> pages.CoursePage:
    """A course, as far as it was listed."""
    place = Place(course.place.account, course.key)
    known = store.enrolments.course(place)
    # a reading as Markdown says what its page says
    nodes = [node for node in store.of_place(place) if node.space not in {Space.PAGE, Space.MARKDOWN}]
    directories: defaultdict[int, list[Node]] = defaultdict(list)
    files: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        if node.is_directory and not node.item:
            directories[node.parent].append(node)
        elif not node.is_directory and node.kind in _SHOWN:
            files[node.item].append(node)
    items: defaultdict[int, list[StoredItem]] = defaultdict(list)
    is_partial, left = False, Counter[int]()
    for stored in store.items.of_course(place):
        items[stored.directory].append(stored)
        if stored.fetched_ns is None:
            # what leaves traces on the platform is not asked for by a page
            if LEAVES_TRACES in stored.item.details:
                left[stored.directory] += stored.item.locked is None
            else:
                is_partial = True

    def items_in(directory: int, path: str) -> tuple[pages.PageItem, ...]:
        return tuple(
            _item(stored, [node for node in files[stored.item.key] if node.parent == directory], path)
            for stored in sorted(items[directory], key=lambda one: (_last(one.item.position), one.stem))
        )

    def sections_in(directory: int, path: str) -> tuple[pages.PageSection, ...]:
        found = sorted(directories.pop(directory, ()), key=lambda node: (_last(_position(node)), node.name))
        return tuple(
            pages.PageSection(
                node.key,
                _NUMBER.sub("", node.wanted),
                node.kind,
                _position(node),
                node.url,
                sections_in(node.inode, f"{path}{node.name}/"),
                items_in(node.inode, f"{path}{node.name}/"),
                left[node.inode],
            )
            for node in found
        )

    return pages.CoursePage(
        key_of(place),
        _title(store, course),
        course.url,
        sections_in(course.inode, ""),
        items_in(course.inode, ""),
        overview="../" * (store.path_of(course).count("/") + 1) + names.INDEX,
        playlist=names.PLAYLIST,
        deadlines=names.DEADLINES,
        is_partial=is_partial,
        image=None if known is None else known.image,
    )


def _last(position: int | None) -> float:
    return float("inf") if position is None else position


def _position(section: Node) -> int | None:
    number = _NUMBER.match(section.wanted)
    return None if number is None else int(number[1])


#: the order of the files of an item: what is played or read comes first
_ORDER = (Kind.VIDEO, Kind.AUDIO, Kind.READING, Kind.LINK, Kind.SUBTITLE, Kind.TRANSCRIPT, Kind.ATTACHMENT)
_RANKS: Mapping[Kind, int] = {kind: rank for rank, kind in enumerate(_ORDER)}


#: what an item is whose first file is of this kind; a page that leads to the web says it in its name: "(quiz).html"
_LABELS = {Kind.VIDEO: "Lecture", Kind.AUDIO: "Recording", Kind.READING: "Reading"}
_MARKED = re.compile(r"\((?!locked|not available|unavailable)([^()]+)\)\.html$")


def _item(stored: StoredItem, files: Sequence[Node], path: str) -> pages.PageItem:
    item = stored.item
    in_order = sorted(files, key=lambda node: (_RANKS.get(node.kind, len(_ORDER)), node.name))
    return pages.PageItem(
        item.key,
        item.title,
        _label(item.type_name, in_order),
        item.position,
        item.locked,
        item.url,
        item.duration,
        files=tuple(_file(node, stored.stem, path) for node in in_order),
    )


def _label(type_name: str, files: Sequence[Node]) -> str:
    """What an item is, for a person: by its first file, which is in every platform's words the same."""
    first = files[0] if files else None
    if first is not None and first.kind in _LABELS:
        return _LABELS[first.kind]
    marked = _MARKED.search(first.name) if first is not None and first.kind is Kind.LINK else None
    return _CAMEL.sub(" ", type_name if marked is None else marked[1]).replace("_", " ").capitalize()


def _file(node: Node, stem: str, path: str) -> pages.PageFile:
    said = _LANGUAGE.search(node.name) if node.kind in {Kind.SUBTITLE, Kind.TRANSCRIPT} else None
    title = node.name.removeprefix(stem).rpartition(".")[0].strip(" -_()")
    return pages.PageFile(
        node.key,
        path + node.name,
        node.kind,
        node.mime_type or "",
        "" if said else title,
        said[1] if said else None,
        f"{names.FOLDER}/{names.cues_name(node)}" if node.kind is Kind.SUBTITLE and node.space is Space.FILE else None,
    )
