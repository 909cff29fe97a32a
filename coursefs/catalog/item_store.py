"""Item rows and fetch times: what each course lists, and when each listing was last fetched."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from coursefs.catalog.database import Database
from coursefs.catalog.failures import reading, writing
from coursefs.catalog.freshness import FetchTimes
from coursefs.catalog.node import Place, StoredItem
from coursefs.catalog.rows import (
    FETCH_TIMES_TYPES,
    FETCHED_TYPES,
    ITEM_COLUMNS,
    LISTED_TYPES,
    REPLACE_ITEM,
    checked,
    row_of_item,
    stored_item_of,
)

#: directories whose fetch times are in memory; a few hundred bytes each
_MOST_FETCH_TIMES = 4096
#: directories that are read one by one: all of a large course take milliseconds
_FEW = 8
_FETCH_TIMES = (
    "SELECT count(*), count(fetched_ns), min(CASE WHEN error IS NULL THEN fetched_ns END),"
    " min(CASE WHEN error IS NOT NULL THEN fetched_ns END), max(fetched_ns), directory FROM step WHERE "
)
_OF_DIRECTORY = f"{_FETCH_TIMES} directory = ? AND NOT is_gone"
_OF_ITS_COURSE = (
    f"{_FETCH_TIMES} (account, course) = (SELECT account, course FROM step WHERE directory = ? LIMIT 1)"
    " AND NOT is_gone GROUP BY directory"
)


class ItemStore:
    """The items of courses (table `step`). Made by `Store`, whose database and transactions it uses."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: by directory; valid as long as the database is in `_state`
        self._fetch_times: dict[int, FetchTimes] = {}
        self._state: Hashable = None

    @reading
    def in_directory(self, directory: int) -> list[StoredItem]:
        """The items whose files are in this directory, by position."""
        rows = self._database.execute(
            f"SELECT {ITEM_COLUMNS} FROM step WHERE directory = ? AND NOT is_gone ORDER BY position, key", (directory,)
        )
        return [stored_item_of(row) for row in rows]

    @reading
    def fetch_times(self, directory: int) -> FetchTimes:
        """When the items of a directory were fetched, without reading their rows.

        A walk asks for one directory after the other: after `_FEW` of them all directories of a course are read at
        once, as long as nothing changes.
        """
        database = self._database
        if database.in_transaction:
            return _times_of(database.execute(_OF_DIRECTORY, (directory,)).fetchone())
        if self._state != database.state:
            self._state, self._fetch_times = database.state, {}
        if directory not in self._fetch_times:
            if len(self._fetch_times) > _MOST_FETCH_TIMES:
                self._fetch_times.clear()
            if len(self._fetch_times) < _FEW:
                times = _times_of(database.execute(_OF_DIRECTORY, (directory,)).fetchone())
                self._fetch_times[directory] = times
                return times
            rows = database.execute(_OF_ITS_COURSE, (directory,))
            self._fetch_times |= {directory: _NO_ITEMS, **{int(row[5]): _times_of(row) for row in rows}}
        return self._fetch_times[directory]

    @reading
    def of_course(self, place: Place, *, gone: bool = False) -> list[StoredItem]:
        """All items of a course, or with `gone` those that it no longer lists, as they last were."""
        rows = self._database.execute(
            f"SELECT {ITEM_COLUMNS} FROM step WHERE account = ? AND course = ? AND is_gone = ?"
            " ORDER BY directory, position, key",
            (place.account, place.course, gone),
        )
        return [stored_item_of(row) for row in rows]

    @reading
    def count(self, place: Place) -> int:
        """The number of items that a course lists."""
        row = self._database.execute(
            "SELECT count(*) FROM step WHERE account = ? AND course = ? AND NOT is_gone", (place.account, place.course)
        ).fetchone()
        return int(row[0])

    @writing
    def replace(self, place: Place, stored_items: Sequence[StoredItem]) -> None:
        """Set the items of a course; others that it had are marked as gone."""
        with self._database.transaction():
            self._database.write(
                "UPDATE step SET is_gone = 1 WHERE account = ? AND course = ?", (place.account, place.course)
            )
            self._database.write_many(REPLACE_ITEM, [row_of_item(stored) for stored in stored_items])

    @writing
    def set_state(self, stored: StoredItem, fetched_ns: int | None, error: str | None) -> None:
        """Record when an item's files were last fetched, and the error of that, if any."""
        with self._database.transaction():
            self._database.write(
                "UPDATE step SET fetched_ns = ?, error = ? WHERE account = ? AND course = ? AND key = ?",
                (fetched_ns, error, stored.place.account, stored.place.course, stored.item.key),
            )


def _times_of(row: tuple[object, ...]) -> FetchTimes:
    items, fetched, oldest_ns, oldest_broken_ns, newest_ns, _ = checked(row, FETCH_TIMES_TYPES)
    return FetchTimes(items, items - fetched, oldest_ns, oldest_broken_ns, newest_ns)


#: of a directory without items
_NO_ITEMS = FetchTimes(0, 0, None, None, None)


class FetchLog:
    """When the listing of each place was last fetched (table `fetched`). Made by `Store`, as `ItemStore` is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @reading
    def fetched_ns(self, place: Place) -> int | None:
        """When the outline of a course, or the course list of an account, was last fetched; None: never."""
        row = self._database.execute(
            "SELECT at_ns FROM fetched WHERE account = ? AND course = ?", (place.account, place.course)
        ).fetchone()
        return None if row is None else int(checked(row, FETCHED_TYPES)[0])

    @reading
    def tag(self, place: Place) -> str | None:
        """The platform's version tag (ETag) of the outline that was last fetched; None if it gave none."""
        row = self._database.execute(
            "SELECT tag FROM fetched WHERE account = ? AND course = ?", (place.account, place.course)
        ).fetchone()
        return None if row is None or row[0] is None else str(row[0])

    @writing
    def set_fetched(self, place: Place, at_ns: int, tag: str | None = None) -> None:
        """Record that a place was fetched at this time. Clears the doubt."""
        with self._database.transaction():
            self._database.write(
                "INSERT OR REPLACE INTO fetched (account, course, at_ns, tag) VALUES (?, ?, ?, ?)",
                (place.account, place.course, at_ns, tag),
            )

    def doubted_since(self, place: Place, now_ns: int) -> int:
        """Record that a reply for this place is doubted; return since when, without a good one in between."""
        with self._database.transaction():
            self._database.write(
                "UPDATE fetched SET doubted_ns = min(coalesce(doubted_ns, ?), ?) WHERE account = ? AND course = ?",
                (now_ns, now_ns, place.account, place.course),
            )
        return self._doubted_ns(place, now_ns)

    @reading
    def _doubted_ns(self, place: Place, now_ns: int) -> int:
        row = self._database.execute(
            "SELECT doubted_ns FROM fetched WHERE account = ? AND course = ?", (place.account, place.course)
        ).fetchone()
        return now_ns if row is None or row[0] is None else int(row[0])

    @reading
    def accounts(self) -> set[str]:
        """The accounts whose courses were ever listed."""
        rows = self._database.execute("SELECT account FROM fetched WHERE course = ''")
        return {checked(row, LISTED_TYPES)[0] for row in rows}
