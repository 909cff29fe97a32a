"""Checks of what a provider returns, made once at the boundary (pure).

A provider may be code of another project, and it repeats what a platform says.  The layers above rely on these
guarantees: the types of `coursefs.model`, text that UTF-8 and SQLite can store, numbers in range, and keys that are
unique among the sections of a course, among its items, and among its files.

A bad value costs as little as possible.  A bad optional field is dropped.  A bad item or course is replaced by the
known one; if none is known, it alone is dropped.  A value without a usable key is always dropped, because it cannot be
told apart from others.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from coursefs.errors import BadReply, CoursefsError
from coursefs.model import (
    Course,
    Deadline,
    File,
    Identity,
    Item,
    Kind,
    Outline,
    Page,
    Placement,
    ProvisionalFiles,
    Remote,
    Section,
    Source,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

#: limits in characters: of a key, by which the store looks things up; of a title or slug, of which names keep 255
#: bytes; of a URL
_KEY, _TITLE, _URL = 1024, 4096, 16384
#: largest size of a file in bytes: a larger one is no real size, and sums of sizes must fit into 64 bits
_MOST_BYTES = 1 << 50
#: limit of a time in ns before or after 1970 (the year 2262): it must fit into 64 bits
_MOST_NS = (1 << 63) - 1
#: due dates of one course
_MOST_DEADLINES = 2_000
_MOST_POSITION = 10**9
#: longest duration of an item, in seconds (a year): a larger one is no real duration
_MOST_SECONDS = 366 * 86400.0
#: how deep sections may nest: a real course is not deeper, and the length of a path is limited
_DEPTH = 24
_SECTIONS = frozenset({Kind.MODULE, Kind.LESSON, Kind.FOLDER})
_FILES = frozenset(Kind) - _SECTIONS - {Kind.ROOT, Kind.ACCOUNT, Kind.COURSE}


#: control characters: the catalogue separates keys with them, and no key needs one
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search


class _Bad(Exception):
    """A value of the wrong type or out of range."""


def courses(reply: object, known: Iterable[Course] = ()) -> list[Course]:
    """The checked result of `Provider.courses`.  Raises `BadReply` when it is no sequence."""
    before = {course.key: course for course in known}
    found = _each(_sequence(reply, "courses"), _course, before, "course")
    # a picture that an answer leaves out is no news: it may be on a list that could not be asked for
    return [
        replace(one, image=before[one.key].image) if one.image is None and one.key in before else one for one in found
    ]


def outline(reply: object, known: Iterable[Item] = ()) -> Outline | None:
    """The checked result of `Provider.outline`.  Raises `BadReply` when it is no outline."""
    if reply is None:
        return None
    if not isinstance(reply, Outline):
        raise BadReply("the outline of the course is not valid")
    before = {item.key: item for item in known}
    sections, items = _level(reply.sections, reply.items, before, 0)
    return _unique(Outline(sections, items, _optional(reply.tag, _TITLE)))


def files(reply: object, items: Sequence[Item]) -> dict[str, Sequence[File] | CoursefsError]:
    """The checked result of `Provider.files`, by item key.  Raises `BadReply` when it is no mapping."""
    if not isinstance(reply, Mapping):
        raise BadReply("the files of the course are not valid")
    seen: set[str] = set()
    found: dict[str, Sequence[File] | CoursefsError] = {}
    for item in items:
        answer = _files(reply.get(item.key))
        if not isinstance(answer, CoursefsError):
            keys = {file.key for file in answer}
            if not seen.isdisjoint(keys):
                answer = BadReply("the platform gives it a file with the key of another item's file")
            seen |= keys
        found[item.key] = answer
    return found


def identity(reply: object) -> Identity:
    """The checked result of `Provider.whoami`.  Raises `BadReply`."""
    try:
        if not isinstance(reply, Identity):
            raise _Bad
        expires = reply.expires
        is_number = isinstance(expires, (int, float)) and not isinstance(expires, bool)
        return Identity(_key(reply.user_id), _optional(reply.name, _TITLE), expires if is_number else None)
    except Exception:
        raise BadReply("the platform does not say which user this is") from None


def source(reply: object) -> Source:
    """The checked result of `Provider.source`.  Raises `BadReply`."""
    try:
        if not isinstance(reply, Source):
            raise _Bad
        headers = {_line(name): _line(value) for name, value in _mapping(reply.headers).items()}
        expires = reply.expires
        if expires is not None and (isinstance(expires, bool) or not isinstance(expires, (int, float))):
            raise _Bad
        return Source(_line(reply.url), headers, expires, reply.once is True, reply.guarded is True)
    except Exception:
        raise BadReply("the platform gives no usable address of the file") from None


def _unique(outline: Outline) -> Outline:
    """The outline without repeated keys: the first section or item of each key stays."""
    seen: dict[str, set[str]] = {"section": set(), "item": set()}
    bad = 0

    def is_first(kind: str, key: str) -> bool:
        nonlocal bad
        is_new = key not in seen[kind]
        seen[kind].add(key)
        bad += not is_new
        return is_new

    def items(level: Sequence[Item]) -> tuple[Item, ...]:
        return tuple(item for item in level if is_first("item", item.key))

    def sections(level: Sequence[Section]) -> Iterator[Section]:
        for one in level:
            if is_first("section", one.key):
                yield replace(one, sections=tuple(sections(one.sections)), items=items(one.items))

    found = replace(outline, sections=tuple(sections(outline.sections)), items=items(outline.items))
    if bad:
        log.info("a section or an item has the key of another one (%d of them)", bad)
    return found


def _each(values: Iterable[object], check: Callable[[Any], T], known: Mapping[str, T], what: str) -> list[T]:
    """The valid values, or the known ones in place of bad ones; each key once."""
    kept: dict[str, T] = {}
    bad = 0
    for value in values:
        key = getattr(value, "key", None)
        try:
            good = check(value)
        except Exception:  # such as AttributeError: the object is a provider's own
            bad += 1
            if not isinstance(key, str) or key not in known:
                continue
            good = known[key]  # a bad reply must not remove what is known
        kept.setdefault(getattr(good, "key"), good)  # noqa: B009  # only the caller knows the type
    if bad:
        log.info("a %s is not what it should be (%d of them)", what, bad)
    return list(kept.values())


def _course(course: Course) -> Course:
    return Course(
        _key(course.key),
        _text(course.slug, _TITLE),
        _text(course.title, _TITLE),
        _optional(course.url, _URL),
        _number(course.enrolled_ns, _MOST_NS),
        course.hidden is True,
        _optional(course.mark, _TITLE),
        _optional(course.image, _URL),
    )


def _level(
    sections: object, items: object, known: Mapping[str, Item], depth: int
) -> tuple[tuple[Section, ...], tuple[Item, ...]]:
    good_items = _each(_sequence(items, "items"), _item, known, "item")
    if depth >= _DEPTH:
        return (), tuple(good_items)
    good: list[Section] = []
    for section in _sequence(sections, "sections"):
        try:
            good.append(_section(section, known, depth))
        except Exception:  # as above
            log.info("a section is not what it should be")
    return tuple(good), tuple(good_items)


def _section(section: Any, known: Mapping[str, Item], depth: int) -> Section:
    """A section with its valid parts.  It is never dropped for a bad part, because its good items would be lost too."""
    key = _key(section.key)
    kind = section.kind if isinstance(section.kind, Kind) and section.kind in _SECTIONS else Kind.FOLDER
    below, within = (one if isinstance(one, (tuple, list)) else () for one in (section.sections, section.items))
    inner, items = _level(below, within, known, depth + 1)
    title, slug = _optional(section.title, _TITLE) or "", _optional(section.slug, _TITLE) or ""
    position = _number(section.position, _MOST_POSITION)
    return Section(key, kind, title, slug, position, _optional(section.url, _URL), inner, items)


def _item(item: Item) -> Item:
    return Item(
        _key(item.key),
        _text(item.title, _TITLE),
        _text(item.slug, _TITLE),
        _number(item.position, _MOST_POSITION),
        _text(item.type_name, _TITLE),
        _optional(item.url, _URL),
        _optional(item.locked, _TITLE),
        {_text(name, _TITLE): _text(value, _URL * 64) for name, value in _mapping(item.details).items()},
        _seconds(item.duration),
    )


def _files(reply: object) -> Sequence[File] | CoursefsError:
    if reply is None:
        return BadReply("the platform says nothing about it")
    if isinstance(reply, CoursefsError):
        return reply
    try:
        good = [_file(file) for file in _sequence(reply, "files")]
    except Exception:
        # all files or none: a missing file would count as removed by the platform
        return BadReply("what the platform says about it cannot be used")
    unique = {file.key: file for file in good}
    return ProvisionalFiles(unique.values()) if isinstance(reply, ProvisionalFiles) else tuple(unique.values())


def _file(file: object) -> File:
    if not isinstance(file, File) or file.kind not in _FILES or not isinstance(file.placement, Placement):
        raise _Bad
    size = _number(file.size, _MOST_BYTES)
    body: Remote | Page
    if isinstance(file.body, Remote):
        locator = {_text(name, _TITLE): _text(value, _URL) for name, value in _mapping(file.body.locator).items()}
        body = Remote(_key(file.body.identity), locator)
    elif isinstance(file.body, Page) and isinstance(file.body.html, str):
        body = Page(_stored(file.body.html))
    else:
        raise _Bad
    return replace(
        file,
        key=_key(file.key),
        title=_text(file.title, _TITLE),
        extension=_text(file.extension, _TITLE),
        mime_type=_text(file.mime_type, _TITLE),
        body=body,
        url=_optional(file.url, _URL),
        modified_ns=_number(file.modified_ns, _MOST_NS),
        size=size if size is not None and size >= 0 else None,
    )


def deadlines(reply: object) -> tuple[Deadline, ...]:
    """The checked result of `Schedules.due_dates`, by time; a time that does not fit into 64 bits is the nearest.

    Raises `BadReply` for more than any course has: each is looked up and stored on the event loop.
    """

    def one(value: object) -> Deadline:
        if not isinstance(value, Deadline) or not isinstance(value.due_ns, int) or isinstance(value.due_ns, bool):
            raise _Bad
        due_ns = max(-_MOST_NS, min(value.due_ns, _MOST_NS))
        key = None if value.key is None else _key(value.key)
        return Deadline(_text(value.title, _TITLE), due_ns, key, _optional(value.url, _URL))

    values = _sequence(reply, "deadlines")
    if len(values) > _MOST_DEADLINES:
        raise BadReply("the platform says more due dates than any course has")
    good: list[Deadline] = []
    for value in values:
        try:
            good.append(one(value))
        except _Bad:
            log.info("a deadline of the platform is not valid, and is left out")
    return tuple(sorted(good, key=lambda one: (one.due_ns, one.title)))


def _sequence(value: object, what: str) -> Sequence[object]:
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes, Mapping)):
        raise BadReply(f"the {what} of the platform are not valid")
    return list(value)


def _mapping(value: object) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise _Bad
    return value


def _key(value: object) -> str:
    """A valid key, unchanged: a corrected key could be that of something else.  Raises `_Bad`."""
    if not isinstance(value, str) or not value or len(value) > _KEY or value != _stored(value) or _CONTROL(value):
        raise _Bad
    return value


def _text(value: object, most: int) -> str:
    if not isinstance(value, str):
        raise _Bad
    return _stored(value[:most])


def _optional(value: object, most: int) -> str | None:
    return _stored(value[:most]) if isinstance(value, str) else None


def _line(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or value != _stored(value):
        raise _Bad
    return value


def _stored(text: str) -> str:
    """Text that UTF-8 and SQLite can store: without lone surrogates, which JSON may contain, and without NUL."""
    return text.encode(errors="replace").decode().replace("\0", "")


def _seconds(value: object) -> float | None:
    """A duration; None for what cannot be one."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value <= _MOST_SECONDS else None  # type: ignore[operator,arg-type]  # as said


def _number(value: object, most: int) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and -most <= value <= most else None  # type: ignore[operator,return-value]  # as said
