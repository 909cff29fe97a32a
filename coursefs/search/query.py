"""Queries: the documents that have all terms, and in them the sentences that have most of them."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coursefs.search.folding import Term, compared, expression, places, terms
from coursefs.search.index import IndexMissing, is_trouble_of_disk, readable, unpacked
from coursefs.search.texts import Sentence

#: sentences of one document that are shown
_MOST_OF_ONE = 3
#: documents that have a term, up to which SQLite ranks: it counts all of them first
_MOST_RANKED = 1000
#: documents that are looked into, besides as many as are wanted
_LOOKED_INTO = 20


@dataclass(frozen=True, slots=True)
class FoundText:
    """A sentence or a title with what was searched."""

    account: str
    course: str  # the path of its directory
    lecture: str  # path below the course; "" for the course itself
    path: str  # of the text, or of what has the title
    media: str | None  # path of the recording; None: there is none
    at: float | None  # seconds from the beginning of the recording
    text: str  # the sentence, or the title
    is_title: bool

    def record(self) -> dict[str, Any]:
        """The object of `search --json`."""
        return {
            "account": self.account,
            "course": self.course,
            "lecture": self.lecture,
            "path": self.path,
            "media": self.media,
            "time": self.at,
            "text": self.text,
            "is_title": self.is_title,
        }


def find(
    path: Path, text: str, accounts: Collection[str], course: str | None = None, limit: int = 20
) -> list[FoundText]:
    """At most `limit` hits, the best first.  Blocks, for some milliseconds.

    `course`: the path of the only course to look in.  Raises `IndexMissing` where there is no index, or a damaged one.
    """
    searched = terms(text)
    if not searched:
        return []
    with closing(readable(path)) as index:
        try:
            index.execute("BEGIN")  # one state of the index for all statements: the builder may be writing
            return _found(index, searched, accounts, course, limit)
        except sqlite3.Error as error:
            if is_trouble_of_disk(error):
                raise
            raise IndexMissing(str(error)) from None


def _found(
    index: sqlite3.Connection, searched: Sequence[Term], accounts: Collection[str], course: str | None, limit: int
) -> list[FoundText]:
    found: list[tuple[int, FoundText]] = []
    seen: set[tuple[str, str, str, str]] = set()
    for number in _documents(index, searched, accounts, course, limit + _LOOKED_INTO):
        account, directory, lecture, path, media, title, sentences = index.execute(
            "SELECT account, directory, lecture, path, media, title, sentences FROM document WHERE id = ?", (number,)
        ).fetchone()
        try:
            said = unpacked(sentences)
        except (ValueError, zlib.error) as error:
            raise IndexMissing(str(error)) from None
        for missing, one in _of_document(title, said, searched):
            is_title = one is _TITLE
            shown = FoundText(
                account, directory, lecture, path, media, one.at, title if is_title else one.text, is_title
            )
            place = (account, directory, lecture, shown.text)
            if place not in seen:  # a title is in the document of each language
                seen.add(place)
                found.append((missing, shown))
    found.sort(key=lambda pair: pair[0])
    return [one for _, one in found[:limit]]


def _documents(
    index: sqlite3.Connection, searched: Sequence[Term], accounts: Collection[str], course: str | None, limit: int
) -> list[int]:
    """The numbers of documents that have all terms: those with a title that has them, then the others.

    They are in the order of their rank; where a term is in too many of them, in that of the tree.
    """
    where = f"account IN ({', '.join('?' * len(accounts))})" + (" AND directory = ?" if course is not None else "")
    values = (*accounts, *([course] if course is not None else []), limit)
    is_rare = all(_count(index, expression([term])) <= _MOST_RANKED for term in searched)
    whole = expression(searched)
    found: dict[int, None] = {}
    for match in (f"{{title}} : ({whole})", whole):
        rows = index.execute(
            "SELECT word.rowid FROM word CROSS JOIN document ON document.id = word.rowid"
            f" WHERE word MATCH ? AND {where} ORDER BY {'rank' if is_rare else 'word.rowid'} LIMIT ?",
            (match, *values),
        )
        found |= dict.fromkeys(number for (number,) in rows)
    return list(found)[:limit]


def _count(index: sqlite3.Connection, match: str) -> int:
    """How many documents an expression has, counted up to a few more than are ranked."""
    statement = "SELECT count(*) FROM (SELECT 1 FROM word WHERE word MATCH ? LIMIT ?)"
    return int(index.execute(statement, (match, _MOST_RANKED + 1)).fetchone()[0])


#: stands for the title of a document
_TITLE = Sentence("")


def _of_document(title: str, sentences: Sequence[Sentence], searched: Sequence[Term]) -> Iterator[tuple[int, Sentence]]:
    """The title if it has all terms, and the sentences with most of them, in their order; the title if none has any.

    Each comes with the number of terms that it lacks.
    """
    lacks = len(searched) - _score(title, searched)[0]
    if not lacks:
        yield 0, _TITLE
    scored = [(_score(one.text, searched), -number) for number, one in enumerate(sentences)]
    best = sorted((one for one in scored if one[0][0]), reverse=True)[:_MOST_OF_ONE]
    if not best:
        if lacks:
            yield lacks, _TITLE
        return
    most = best[0][0][0]
    for number in sorted(-number for (of_them, _), number in best if of_them == most):
        yield len(searched) - most, sentences[number]


def _score(text: str, searched: Sequence[Term]) -> tuple[int, int]:
    """How many of the terms a text has, and how often."""
    plain = compared(text)
    counts = [places(term, plain) for term in searched]
    return sum(count > 0 for count in counts), sum(counts)
