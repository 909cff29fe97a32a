"""What the learner has done of each course, as its platform last said it: for course pages without a network."""

from __future__ import annotations

from collections.abc import Collection

from coursefs.catalog.database import Database
from coursefs.catalog.failures import reading, writing
from coursefs.catalog.node import Place
from coursefs.catalog.rows import FETCHED_TYPES, FINISHED_TYPES, checked


class Finished:
    """The tables of finished sections and items.  Made by `Store`, whose database and transactions it uses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @reading
    def of_course(self, place: Place) -> frozenset[str]:
        """The keys of the sections and items of a course that are done."""
        rows = self._database.execute(
            "SELECT key FROM finished WHERE account = ? AND course = ?", (place.account, place.course)
        )
        return frozenset(str(checked(row, FINISHED_TYPES)[0]) for row in rows)

    @reading
    def asked_ns(self, place: Place) -> int | None:
        """When it was last asked what is done of a course; None: never."""
        row = self._database.execute(
            "SELECT at_ns FROM finished_asked WHERE account = ? AND course = ?", (place.account, place.course)
        ).fetchone()
        return None if row is None else int(checked(row, FETCHED_TYPES)[0])

    @writing
    def replace(self, place: Place, keys: Collection[str], at_ns: int) -> bool:
        """Set what is done of a course, as it was asked at this time; return whether it has changed."""
        wanted = {key.encode(errors="replace").decode() for key in keys}
        has_changed = wanted != self.of_course(place)
        with self._database.transaction():
            if has_changed:
                self._database.write(
                    "DELETE FROM finished WHERE account = ? AND course = ?", (place.account, place.course)
                )
                self._database.write_many(
                    "INSERT INTO finished VALUES (?, ?, ?)",
                    [(place.account, place.course, key) for key in sorted(wanted)],
                )
            self._database.write(
                "INSERT OR REPLACE INTO finished_asked VALUES (?, ?, ?)", (place.account, place.course, at_ns)
            )
        return has_changed
