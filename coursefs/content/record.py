"""What the cache remembers over restarts: a SQLite database beside the data files.

A row is committed after the bytes it speaks of were written, so a killed process never leaves a row without its
bytes.  A power cut may (nothing is fsynced for each piece); that is what the checksums are for.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from coursefs.content.eviction import HEAD, TAIL
from coursefs.content.identity import Key
from coursefs.model import Version

log = logging.getLogger(__name__)

#: the first schema, and what each later one adds to the one before
_SCHEMAS = (
    """
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    identity TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT,
    modified_ns INTEGER,
    read_ns INTEGER NOT NULL,
    UNIQUE (account, identity)
) STRICT;
CREATE TABLE pieces (
    file INTEGER NOT NULL REFERENCES files ON DELETE CASCADE,
    "start" INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    crc32 INTEGER NOT NULL,
    PRIMARY KEY (file, "start")
) STRICT, WITHOUT ROWID;
""",
    """
ALTER TABLE files ADD COLUMN checked_ns INTEGER NOT NULL DEFAULT 0;
CREATE TABLE pins (
    account TEXT NOT NULL,
    identity TEXT NOT NULL,
    PRIMARY KEY (account, identity)
) STRICT, WITHOUT ROWID;
""",
)


@dataclass(slots=True)
class Row:
    """One remembered file."""

    id: int
    version: Version
    read_ns: int
    checked_ns: int  # when the platform last said that this is the version
    cached: int = 0  # bytes
    edges: int = 0  # of these, the bytes of pieces at its head and its tail


class Record:
    """The database.  Raises `sqlite3.Error` when the disk fails it.

    For one thread at a time, but for `pieces`, which waits for no write: it has a connection of its own.
    """

    def __init__(self, path: Path) -> None:
        """Open or create it; one that is damaged is renamed, with a warning, and begun anew."""
        try:
            self._database, self._reading = _open(path), _connect(path)
        except sqlite3.OperationalError:
            raise  # the disk is full or read-only: nothing is wrong with the record
        except sqlite3.DatabaseError as error:
            aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
            path.rename(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            log.warning("the record of the cache is damaged (%s); it is kept as %s, and a new one begun", error, aside)
            self._database, self._reading = _open(path), _connect(path)
        self._reading_turn = threading.Lock()

    def close(self) -> None:
        """Close it."""
        self._reading.close()
        self._database.close()

    def rows(self) -> dict[Key, Row]:
        """All files."""
        found = self._database.execute(
            'SELECT account, identity, id, size, etag, modified_ns, read_ns, checked_ns, sum("end" - "start"),'
            ' sum(("end" - "start") * ("start" < ? OR "end" > size - ?))'
            " FROM files LEFT JOIN pieces ON file = id GROUP BY id",
            (HEAD, TAIL),
        )
        return {
            Key(account, identity): Row(
                number, Version(size, etag, modified_ns), read_ns, checked_ns, cached or 0, edges or 0
            )
            for account, identity, number, size, etag, modified_ns, read_ns, checked_ns, cached, edges in found
        }

    def pins(self) -> set[Key]:
        """What is pinned, whether there is anything of it or not."""
        return {Key(*found) for found in self._database.execute("SELECT account, identity FROM pins")}

    def set_pinned(self, key: Key, pinned: bool) -> None:
        """Remember whether a content is pinned."""
        with self._database:
            if pinned:
                self._database.execute("INSERT OR IGNORE INTO pins VALUES (?, ?)", key)
            else:
                self._database.execute("DELETE FROM pins WHERE (account, identity) = (?, ?)", key)

    def add_file(self, key: Key, version: Version, now_ns: int) -> Row:
        """Remember a file, read and checked now, in place of one of this key that could not be removed."""
        with self._database:
            cursor = self._database.execute(
                "INSERT OR REPLACE INTO files (account, identity, size, etag, modified_ns, read_ns, checked_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*key, version.size, version.etag, version.modified_ns, now_ns, now_ns),
            )
        assert cursor.lastrowid is not None
        return Row(cursor.lastrowid, version, now_ns, now_ns)

    def remove_file(self, number: int) -> None:
        """Forget a file and its pieces."""
        with self._database:
            self._database.execute("DELETE FROM files WHERE id = ?", (number,))

    def set_times(self, rows: Iterable[Row]) -> None:
        """Remember when files were last read and checked."""
        with self._database:
            self._database.executemany(
                "UPDATE files SET read_ns = ?, checked_ns = ? WHERE id = ?",
                [(row.read_ns, row.checked_ns, row.id) for row in rows],
            )

    def pieces(self, number: int) -> list[tuple[int, int, int]]:
        """Start, end and CRC-32 of the pieces of a file, in order.  Any thread may ask."""
        with self._reading_turn:
            return self._reading.execute(
                'SELECT "start", "end", crc32 FROM pieces WHERE file = ? ORDER BY "start"', (number,)
            ).fetchall()

    def add_pieces(self, number: int, pieces: Iterable[tuple[int, int, int]]) -> None:
        """Remember pieces whose bytes have been written."""
        with self._database:
            self._database.executemany("INSERT INTO pieces VALUES (?, ?, ?, ?)", ((number, *each) for each in pieces))

    def remove_pieces(self, number: int, starts: Iterable[int]) -> None:
        """Forget pieces; their bytes may be overwritten only afterwards."""
        with self._database:
            self._database.executemany(
                'DELETE FROM pieces WHERE file = ? AND "start" = ?', ((number, start) for start in starts)
            )


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, check_same_thread=False)  # the store lets one thread in at a time


def _open(path: Path) -> sqlite3.Connection:
    database = _connect(path)
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in range(len(_SCHEMAS) + 1):
            raise sqlite3.DatabaseError(f"unknown version {version}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        for number, schema in enumerate(_SCHEMAS[version:], version + 1):
            database.executescript(f"BEGIN; {schema} PRAGMA user_version = {number}; COMMIT;")
        if database.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it does not hold together")
    except sqlite3.Error:
        database.close()
        raise
    return database
