"""What the cache remembers over restarts: a SQLite database beside the data files.

A row is committed after the bytes it speaks of were written, so a killed process never leaves a row without its
bytes.  A power cut may (nothing is fsynced for each piece); that is what the checksums are for.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from coursefs.content.identity import Key
from coursefs.model import Version

log = logging.getLogger(__name__)

_SCHEMA_VERSION = 1
_SCHEMA = """
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
"""


@dataclass(slots=True)
class Row:
    """One remembered file."""

    id: int
    version: Version
    read_ns: int
    cached: int  # bytes


class Record:
    """The database.  For one thread at a time; raises `sqlite3.Error` when the disk fails it."""

    def __init__(self, path: Path) -> None:
        """Open or create it; one that is damaged is renamed, with a warning, and begun anew."""
        try:
            self._database = _open(path)
        except sqlite3.OperationalError:
            raise  # the disk is full or read-only: nothing is wrong with the record
        except sqlite3.DatabaseError as error:
            aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
            path.rename(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            log.warning("the record of the cache is damaged (%s); it is kept as %s, and a new one begun", error, aside)
            self._database = _open(path)

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def rows(self) -> dict[Key, Row]:
        """All files."""
        found = self._database.execute(
            'SELECT account, identity, id, size, etag, modified_ns, read_ns, sum("end" - "start")'
            " FROM files LEFT JOIN pieces ON file = id GROUP BY id"
        )
        return {
            Key(account, identity): Row(number, Version(size, etag, modified_ns), read_ns, cached or 0)
            for account, identity, number, size, etag, modified_ns, read_ns, cached in found
        }

    def add_file(self, key: Key, version: Version, read_ns: int) -> Row:
        """Remember a file; there is none of this key."""
        with self._database:
            cursor = self._database.execute(
                "INSERT INTO files (account, identity, size, etag, modified_ns, read_ns) VALUES (?, ?, ?, ?, ?, ?)",
                (*key, version.size, version.etag, version.modified_ns, read_ns),
            )
        assert cursor.lastrowid is not None
        return Row(cursor.lastrowid, version, read_ns, 0)

    def remove_file(self, number: int) -> None:
        """Forget a file and its pieces."""
        with self._database:
            self._database.execute("DELETE FROM files WHERE id = ?", (number,))

    def set_read(self, number: int, read_ns: int) -> None:
        """Remember when a file was last read."""
        with self._database:
            self._database.execute("UPDATE files SET read_ns = ? WHERE id = ?", (read_ns, number))

    def pieces(self, number: int) -> list[tuple[int, int, int]]:
        """Start, end and CRC-32 of the pieces of a file, in order."""
        return self._database.execute(
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


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False)  # the store lets one thread in at a time
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, _SCHEMA_VERSION}:
            raise sqlite3.DatabaseError(f"unknown version {version}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        if version == 0:
            database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;")
        if database.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it does not hold together")
    except sqlite3.Error:
        database.close()
        raise
    return database
