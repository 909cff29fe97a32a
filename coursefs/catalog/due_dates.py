"""Due dates: what is due in each course, as its platform last said it, and when it was asked."""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.catalog.database import Database
from coursefs.catalog.failures import reading, writing
from coursefs.catalog.node import Place
from coursefs.catalog.rows import DEADLINE_TYPES, FETCHED_TYPES, checked, storable
from coursefs.model import Deadline


class DueDates:
    """The tables of deadlines. Made by `Store`, whose database and transactions it uses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_course(self, place: Place) -> list[Deadline]:
        """The deadlines of a course, by time."""
        return [deadline for deadline, _ in self.with_changes(place)]

    @reading
    def with_changes(self, place: Place) -> list[tuple[Deadline, int]]:
        """The deadlines of a course, by time, and when each became what it is (ns since 1970)."""
        rows = self._database.execute(
            "SELECT title, due_ns, key, url, changed_ns FROM deadline WHERE account = ? AND course = ? ORDER BY rank",
            (place.account, place.course),
        )
        return [(Deadline(*row[:-1]), row[-1]) for row in (checked(row, DEADLINE_TYPES) for row in rows)]

    @reading
    def asked_ns(self, place: Place) -> int | None:
        """When the deadlines of a course were last asked for; None: never."""
        row = self._database.execute(
            "SELECT at_ns FROM deadlines_asked WHERE account = ? AND course = ?", (place.account, place.course)
        ).fetchone()
        return None if row is None else int(checked(row, FETCHED_TYPES)[0])

    @writing
    def replace(self, place: Place, deadlines: Sequence[Deadline], at_ns: int) -> bool:
        """Set the deadlines of a course, as they were asked for at this time; return whether they have changed."""
        known = self.with_changes(place)
        has_changed = list(deadlines) != [deadline for deadline, _ in known]
        changed_ns = dict(known)
        with self._database.transaction():
            if has_changed:
                self._database.write(
                    "DELETE FROM deadline WHERE account = ? AND course = ?", (place.account, place.course)
                )
                self._database.write_many(
                    "INSERT INTO deadline VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        (
                            *(place.account, place.course, rank),
                            *(storable(one.title), one.due_ns, one.key, storable(one.url)),
                            changed_ns.get(one, at_ns),
                        )
                        for rank, one in enumerate(deadlines)
                    ],
                )
            self._database.write(
                "INSERT OR REPLACE INTO deadlines_asked VALUES (?, ?, ?)", (place.account, place.course, at_ns)
            )
        return has_changed
