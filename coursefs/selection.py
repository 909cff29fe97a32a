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
    found = {node.inode: node for node, course in courses if _names(course, node.name, text)}
    if not found:
        raise UsageError(f"no course is called {text}; see: coursefs courses list")
    if len(found) > 1:
        raise UsageError(f"{text} names more than one course; name it by its id: coursefs courses list")
    return next(iter(found.values()))


def _names(course: Course, directory: str, text: str) -> bool:
    if "://" in text:
        segments = [unquote(segment) for segment in urlsplit(text).path.split("/")]
        return course.slug in segments or course.key in segments
    plain = unicodedata.normalize("NFC", text).rstrip("/").rsplit("/", 1)[-1]
    return plain in {directory, course.slug, course.key} or text == course.key
