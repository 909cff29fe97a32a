"""Enrolments: the courses of each account as last listed, the course selection, and when each course was last used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from coursefs.catalog.database import Database
from coursefs.catalog.failures import reading, writing
from coursefs.catalog.node import Place
from coursefs.catalog.rows import ADDED_TYPES, COURSE_TYPES, SELECTION_TYPES, checked, storable
from coursefs.model import Course


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """The course selection of an account: courses selected by name, and the default for all others."""

    others: bool = True  # whether courses that are not named are shown, later enrolments included
    named: Mapping[str, bool] = field(default_factory=dict)  # by course key: whether it is shown

    def shows(self, course: Course) -> bool:
        """Whether a course is shown; a hidden one never is."""
        return not course.hidden and self.named.get(course.key, self.others)

    def including(self, keys: Iterable[str], *, shown: bool) -> SelectionRule:
        """The rule after these courses were shown or hidden by name."""
        return SelectionRule(self.others, {**self.named, **dict.fromkeys(keys, shown)})


_COURSE = "key, slug, title, url, enrolled_ns, hidden, mark, image"


class Enrolments:
    """The tables of courses and their selection. Made by `Store`, whose database and transactions it uses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @reading
    def courses(self, account: str) -> list[Course]:
        """An account's courses as last listed, in the platform's order."""
        rows = self._database.execute(f"SELECT {_COURSE} FROM course WHERE account = ? ORDER BY rank", (account,))
        return [_course(row) for row in rows]

    @reading
    def course(self, place: Place) -> Course | None:
        """One course of an account, or None."""
        row = self._database.execute(
            f"SELECT {_COURSE} FROM course WHERE account = ? AND key = ?",
            (place.account, place.course),
        ).fetchone()
        return None if row is None else _course(row)

    @writing
    def set_courses(self, account: str, courses: Sequence[Course]) -> None:
        """Replace the list of an account's courses."""
        with self._database.transaction():
            self._database.write("DELETE FROM course WHERE account = ?", (account,))
            self._database.write_many(
                "INSERT OR IGNORE INTO course VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        account,
                        one.key,
                        storable(one.slug),
                        storable(one.title),
                        storable(one.url),
                        one.enrolled_ns,
                        one.hidden,
                        rank,
                        storable(one.mark),
                        storable(one.image),
                    )
                    for rank, one in enumerate(courses)
                ],
            )

    @reading
    def selection_rule(self, account: str) -> SelectionRule:
        """The selection rule of an account."""
        rows = self._database.execute("SELECT course, shown FROM choice WHERE account = ?", (account,))
        named = {course: bool(shown) for course, shown in (checked(row, SELECTION_TYPES) for row in rows)}
        return SelectionRule(named.pop("", True), named)

    @writing
    def set_selection_rule(self, account: str, rule: SelectionRule) -> None:
        """Replace the selection rule of an account."""
        with self._database.transaction():
            self._database.write("DELETE FROM choice WHERE account = ?", (account,))
            self._database.write_many(
                "INSERT INTO choice VALUES (?, ?, ?)",
                [(account, course, shown) for course, shown in {**rule.named, "": rule.others}.items()],
            )

    @reading
    def added(self, account: str) -> list[Course]:
        """The courses that the user added by name, enrolled or not."""
        rows = self._database.execute("SELECT key, slug, title, url FROM added WHERE account = ?", (account,))
        return [Course(*checked(row, ADDED_TYPES)) for row in rows]

    @writing
    def add(self, account: str, course: Course) -> None:
        """Add a course to the account, whether or not the platform lists it."""
        with self._database.transaction():
            self._database.write(
                "INSERT OR REPLACE INTO added VALUES (?, ?, ?, ?, ?)",
                (account, course.key, storable(course.slug), storable(course.title), storable(course.url)),
            )

    @writing
    def copy_selection(self, account: str, other: Enrolments) -> None:
        """Take over the course selection of an account from another catalogue."""
        with self._database.transaction():
            self.set_selection_rule(account, other.selection_rule(account))
            self._database.write("DELETE FROM added WHERE account = ?", (account,))
            for course in other.added(account):
                self.add(account, course)

    @writing
    def set_used(self, place: Place, at_ns: int) -> None:
        """Record that a course was opened."""
        with self._database.transaction():
            self._database.write("INSERT OR REPLACE INTO used VALUES (?, ?, ?)", (place.account, place.course, at_ns))

    @reading
    def was_used(self, place: Place) -> bool:
        """Whether a course was ever opened."""
        row = self._database.execute(
            "SELECT 1 FROM used WHERE account = ? AND course = ?", (place.account, place.course)
        ).fetchone()
        return row is not None

    @writing
    def forget(self, account: str) -> None:
        """Delete an account's courses and their selection."""
        with self._database.transaction():
            for table in ("course", "choice", "added", "used"):
                self._database.write(f"DELETE FROM {table} WHERE account = ?", (account,))


def _course(row: tuple[str, str, str, str | None, int | None, int, str | None]) -> Course:
    key, slug, title, url, enrolled_ns, hidden, mark, image = checked(row, COURSE_TYPES)
    return Course(key, slug, title, url, enrolled_ns, bool(hidden), mark, image)
