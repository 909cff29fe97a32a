"""What the learner has done of each course, as its platform last said it: for course pages without a network."""

from __future__ import annotations

from collections.abc import Collection

from coursefs.catalog.database import Database
from coursefs.catalog.failures import reading, writing
from coursefs.catalog.node import Place
from coursefs.catalog.rows import FINISHED_TYPES, checked


class Finished:
    """The table of finished sections and items.  Made by `Store`, whose database and transactions it uses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @reading
    def of_course(self, place: Place) -> frozenset[str]:
        """The keys of the sections and items of a course that are done."""
        rows = self._database.execute(
            "SELECT key FROM finished WHERE account = ? AND course = ?", (place.account, place.course)
        )
        return frozenset(str(checked(row, FINISHED_TYPES)[0]) for row in rows)

    @writing
    def replace(self, place: Place, keys: Collection[str]) -> bool:
        """Set what is done of a course; return whether it has changed."""
        wanted = {key.encode(errors="replace").decode() for key in keys}
        if wanted == self.of_course(place):
            return False
        with self._database.transaction():
            self._database.write("DELETE FROM finished WHERE account = ? AND course = ?", (place.account, place.course))
            self._database.write_many(
                "INSERT INTO finished VALUES (?, ?, ?)", [(place.account, place.course, key) for key in sorted(wanted)]
            )
        return True
