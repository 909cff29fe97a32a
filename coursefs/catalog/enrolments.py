"""The courses of accounts: as the platforms list them, what is shown and what was added, and when they were used."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress

from coursefs.catalog.choice import Choice
from coursefs.catalog.node import Place
from coursefs.catalog.rows import sound
from coursefs.model import Course

_COURSE = "key, slug, title, url, enrolled_ns, hidden, mark"


class Enrolments:
    """Made by `Store`, whose database and transactions these are."""

    def __init__(self, database: sqlite3.Connection, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        self._database = database
        self._transaction = transaction

    def courses(self, account: str) -> list[Course]:
        """An account's courses as last seen, in the platform's order."""
        rows = self._database.execute(f"SELECT {_COURSE} FROM course WHERE account = ? ORDER BY rank", (account,))
        return [_course(row) for row in rows]

    def course(self, place: Place) -> Course | None:
        """One course of an account."""
        row = self._database.execute(
            f"SELECT {_COURSE} FROM course WHERE account = ? AND key = ?",
            (place.account, place.course),
        ).fetchone()
        return None if row is None else _course(row)

    def set_courses(self, account: str, courses: Sequence[Course]) -> None:
        """Replace what is known of an account's courses."""
        with self._transaction():
            self._database.execute("DELETE FROM course WHERE account = ?", (account,))
            self._database.executemany(
                "INSERT OR IGNORE INTO course VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        account,
                        one.key,
                        sound(one.slug),
                        sound(one.title),
                        sound(one.url),
                        one.enrolled_ns,
                        one.hidden,
                        rank,
                        sound(one.mark),
                    )
                    for rank, one in enumerate(courses)
                ],
            )

    def choice(self, account: str) -> Choice:
        """Which of an account's courses are shown."""
        rows = self._database.execute("SELECT course, shown FROM choice WHERE account = ?", (account,))
        named = {course: bool(shown) for course, shown in rows}
        return Choice(named.pop("", True), named)

    def set_choice(self, account: str, choice: Choice) -> None:
        """Replace what was chosen."""
        with self._transaction():
            self._database.execute("DELETE FROM choice WHERE account = ?", (account,))
            self._database.executemany(
                "INSERT INTO choice VALUES (?, ?, ?)",
                [(account, course, shown) for course, shown in {**choice.named, "": choice.others}.items()],
            )

    def added(self, account: str) -> list[Course]:
        """The courses that were added by hand, enrolled or not."""
        rows = self._database.execute("SELECT key, slug, title, url FROM added WHERE account = ?", (account,))
        return [Course(*row) for row in rows]

    def add(self, account: str, course: Course) -> None:
        """Keep a course among the account's, whether the platform lists it there or not."""
        with self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO added VALUES (?, ?, ?, ?, ?)",
                (account, course.key, sound(course.slug), sound(course.title), sound(course.url)),
            )

    def set_used(self, place: Place, at_ns: int) -> None:
        """Somebody looked into a course."""
        with suppress(sqlite3.OperationalError), self._transaction():  # a full disk must not end a listing
            self._database.execute("INSERT OR REPLACE INTO used VALUES (?, ?, ?)", (place.account, place.course, at_ns))

    def forget(self, account: str) -> None:
        """Drop what is known of an account's courses, and what was chosen of them."""
        with self._transaction():
            for table in ("course", "choice", "added", "used"):
                self._database.execute(f"DELETE FROM {table} WHERE account = ?", (account,))


def _course(row: tuple[str, str, str, str | None, int | None, int, str | None]) -> Course:
    key, slug, title, url, enrolled_ns, hidden, mark = row
    return Course(key, slug, title, url, enrolled_ns, bool(hidden), mark)
