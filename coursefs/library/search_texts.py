"""Searching in the index of a catalogue, and deleting it, from any process."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from coursefs.errors import CoursefsError, UsageError
from coursefs.search import FoundText, IndexMissing, find, forget, index_path, terms

__all__ = ["FoundText", "IndexMissing", "forget_index", "require_terms", "search_texts"]


def require_terms(text: str) -> None:
    """Raise `UsageError` for a search without any letter or digit."""
    if not terms(text):
        raise UsageError("search for words: at least one letter or digit")


def search_texts(
    catalogue: Path, text: str, accounts: Sequence[str], course: str | None = None, limit: int = 20
) -> list[FoundText]:
    """The sentences and titles that have all of these words, the best first.  Blocking.

    `course`: the path of the only course to look in.  Raises `UsageError` for a search without words, `IndexMissing`
    where there is no index that can be read, and `CoursefsError`.
    """
    require_terms(text)
    try:
        return find(index_path(catalogue), text, accounts, course, limit)
    except sqlite3.Error as error:
        raise CoursefsError(f"the search index cannot be read: {error}") from None


def forget_index(catalogue: Path) -> None:
    """Delete the search index of a catalogue that no process has open.  Raises `CoursefsError`."""
    path = index_path(catalogue)
    try:
        forget(path)
    except OSError as error:
        raise CoursefsError(f"{path}: {error.strerror}") from None
