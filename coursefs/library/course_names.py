"""How a text names a course (pure): exactly, or by the beginning of a title; and what to type for a course.

Exactly are: the directory, the title in whatever capitals, the slug, the id, and the URL of one of its pages.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import unquote, urlsplit

from coursefs.errors import UsageError
from coursefs.model import Course

#: how many courses a message names
_MOST_NAMED = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """A course that a text may name; `of` is what the caller wants to have of it."""

    of: T
    course: Course
    directory: str  # the name of its directory; "": it has none


def named(candidates: Iterable[Candidate[T]], text: str, *, prefixes: bool = True) -> list[Candidate[T]]:
    """The courses that a text names; with `prefixes`, if there is none, those whose titles begin with it."""
    every = list(candidates)
    found = [one for one in every if names(one.course, one.directory, text)]
    folded = _folded(text)
    if found or not folded or "://" in text:
        return found
    found = [one for one in every if folded in _titles(one)]
    if found or not prefixes:
        return found
    return [one for one in every if any(title.startswith(folded) for title in _titles(one))]


def names(course: Course, directory: str, text: str) -> bool:
    """Whether `text` is a course's directory, slug, id, or the URL of one of its pages."""
    if "://" in text:
        return _is_page_of(course, text)
    plain = unicodedata.normalize("NFC", text).rstrip("/").rsplit("/", 1)[-1]
    return plain in {directory, course.slug, course.key} or text == course.key


def unknown(candidates: Iterable[Candidate[T]], text: str, command: str) -> UsageError:
    """The error for a text that names no course, with what may have been meant; `command` lists the courses."""
    meant = _meant(list(candidates), text)
    guess = f"; did you mean {' or '.join(meant)}?" if meant else ";"
    return UsageError(f"no course is called {text}{guess} see: {command}")


def ambiguous(found: Sequence[Candidate[T]], text: str, command: str) -> UsageError:
    """The error for a text that names more than one course, with what to type instead."""
    shown = [f"{one.course.title} ({name})" for one, name in zip(found, names_to_type(found), strict=True)]
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    listed = ", ".join(shown[:_MOST_NAMED])
    return UsageError(f"{text} names more than one course; name it by its id: {listed}{more}; see: {command}")


def names_to_type(candidates: Sequence[Candidate[T]]) -> list[str]:
    """For each course what names it alone: its slug, or its id where another one is called by the same word."""
    uses = Counter(word for one in candidates for word in {one.course.slug, one.course.key, one.directory})
    return [one.course.slug if uses[one.course.slug] == 1 else one.course.key for one in candidates]


def _meant(candidates: Sequence[Candidate[T]], text: str) -> list[str]:
    """The names that are like a text that names nothing."""
    folded = _folded(text)
    if not folded or "://" in text:
        return []
    by_title = {title: one.directory or one.course.title for one in candidates for title in _titles(one)}
    within = [name for title, name in by_title.items() if len(folded) > 2 and folded in title]
    known = {one.course.slug: one.course.slug for one in candidates} | by_title
    near = [known[name] for name in difflib.get_close_matches(folded, known, n=_MOST_NAMED)]
    return list(dict.fromkeys([*within, *near]))[: _MOST_NAMED if within else 1]


def _titles(one: Candidate[T]) -> set[str]:
    return {_folded(one.course.title), _folded(one.directory)} - {""}


def _folded(text: str) -> str:
    """A title in which capitals, blanks and the way in which Unicode writes a letter do not count."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _is_page_of(course: Course, url: str) -> bool:
    segments, own = _segments(url), _segments(course.url or "")
    if not _end(segments, course.slug) and not _end(segments, course.key):
        return False
    # a programme may share a course's slug: if the course's own address is known, its path must match too
    depth = _end(own, course.slug)
    return segments[:depth] == own[:depth]


def _end(segments: list[str], name: str) -> int:
    """The number of segments up to the end of a slug or an id, which may contain slashes; 0: it is not among them."""
    parts = name.split("/")
    starts = range(len(segments) - len(parts) + 1)
    return next((start + len(parts) for start in starts if segments[start : start + len(parts)] == parts), 0)


def _segments(url: str) -> list[str]:
    try:
        return unquote(urlsplit(url).path).split("/")
    except ValueError:
        return []
