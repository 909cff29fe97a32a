"""Which course somebody means: by its directory's name, its slug, its id or its URL (pure)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from coursefs.catalog.node import Node
from coursefs.errors import UsageError
from coursefs.model import Course


def select(courses: Iterable[tuple[Node, Course]], text: str) -> Node:
    """The one course that `text` names.  Raises `UsageError` when it names none, or more than one."""
    found = {node.inode: node for node, course in courses if names(course, node.name, text)}
    if not found:
        raise UsageError(f"no course is called {text}; see: coursefs courses list")
    if len(found) > 1:
        raise UsageError(f"{text} names more than one course; name it by its id: coursefs courses list")
    return next(iter(found.values()))


def names(course: Course, directory: str, text: str) -> bool:
    """Whether `text` is a course's directory, slug, id, or the URL of one of its pages."""
    if "://" in text:
        return _is_page_of(course, text)
    plain = unicodedata.normalize("NFC", text).rstrip("/").rsplit("/", 1)[-1]
    return plain in {directory, course.slug, course.key} or text == course.key


def _is_page_of(course: Course, url: str) -> bool:
    segments, own = _segments(url), _segments(course.url or "")
    if not _end(segments, course.slug) and not _end(segments, course.key):
        return False
    # a programme may have the slug of a course: where the course's own address is known, the way to it counts too
    depth = _end(own, course.slug)
    return segments[:depth] == own[:depth]


def _end(segments: list[str], name: str) -> int:
    """How many segments there are up to the end of a slug or an id (which may have slashes); 0: it is not there."""
    parts = name.split("/")
    starts = range(len(segments) - len(parts) + 1)
    return next((start + len(parts) for start in starts if segments[start : start + len(parts)] == parts), 0)


def _segments(url: str) -> list[str]:
    try:
        return unquote(urlsplit(url).path).split("/")
    except ValueError:
        return []
