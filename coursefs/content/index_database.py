"""The database of the cache index: its tables, its transactions, and what of its errors means damage.

A SQLite database beside the data files.  `index.Index` has a copy of its rows in memory, and says in which order rows
and bytes are written.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from coursefs.content.identity import Key
from coursefs.model import Version

log = logging.getLogger(__name__)


#: bytes; no piece that was ever written is larger
_LARGEST_PIECE = 16 * 2**20
#: bytes at the start and at the end of every file that players, scanners and thumbnailers read again and again
HEAD = 2**20
TAIL = 2**20

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
class IndexRow:
    """A file in the index, in one version.  Times in ns since 1970."""

    id: int
    version: Version
    read_ns: int  # last read
    checked_ns: int  # when the platform last confirmed the version
    cached: int = 0  # bytes
    edges: int = 0  # of these, the bytes of pieces at its head and its tail


def is_edge(start: int, end: int, size: int) -> bool:
    """Whether a piece belongs to the head or the tail of a file of `size` bytes (pure)."""
    return start < HEAD or end > size - TAIL


class IndexDamaged(Exception):
    """The database holds something that was never written to it."""


#: SQLite's error codes that lie with the disk or with other users of the file, not with what the database holds
_TROUBLES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)


def is_damage(error: Exception) -> bool:
    """Whether an error of a call here means that the database is damaged, and not the disk full or failing.

    A damaged text column has no SQLite code: it comes as an `OperationalError` ("Could not decode …") or a
    `UnicodeDecodeError`; a damaged number as some `ValueError`.
    """
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            return isinstance(error, sqlite3.OperationalError) and "decode" in str(error)
        return code & 0xFF not in _TROUBLES
    return isinstance(error, (IndexDamaged, ValueError, TypeError, ArithmeticError))


class IndexDatabase:
    """The SQLite database.  Raises `sqlite3.Error` when the disk fails, and any exception where it is damaged.

    For one thread at a time (the store's lock), but for `pieces`: it has its own connection and lock, so that opening
    a file never waits for a write.  Each method is one transaction.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or create the database; None: one in memory, while the cache folder cannot be used."""
        self._reading_lock = threading.Lock()
        if path is None:
            self._database = self._reading = _open(":memory:")
            return
        self._database = _open(path)
        try:
            self._reading = _connect(path)
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close both connections."""
        with self._reading_lock:
            self._reading.close()
        self._database.close()

    def rows(self) -> dict[Key, IndexRow]:
        """All files.  Raises `IndexDamaged`."""
        self._require_sound_pieces()
        found = self._database.execute(
            'SELECT account, identity, id, size, etag, modified_ns, read_ns, checked_ns, sum("end" - "start"),'
            ' sum(("end" - "start") * ("start" < ? OR "end" > size - ?))'
            " FROM files LEFT JOIN pieces ON file = id GROUP BY id",
            (HEAD, TAIL),
        )
        now_ns = time.time_ns()
        rows = {}
        for account, identity, number, size, etag, modified_ns, read_ns, checked_ns, cached, edges in found:
            if size < 0 or not 0 <= (modified_ns or 0) < 2**63:
                raise IndexDamaged("a file cannot have such a size or date")
            # A time in the future (the clock was wrong) would keep the file from eviction and revalidation until then.
            read_ns, checked_ns = min(read_ns, now_ns), checked_ns if checked_ns <= now_ns else 0  # noqa: PLW2901
            version = Version(size, etag, modified_ns)
            rows[Key(account, identity)] = IndexRow(number, version, read_ns, checked_ns, cached or 0, edges or 0)
        return rows

    def pins(self) -> set[Key]:
        """All pinned contents, also those with nothing cached."""
        return {Key(*found) for found in self._database.execute("SELECT account, identity FROM pins")}

    def set_pinned(self, key: Key, pinned: bool) -> None:
        """Record whether a content is pinned."""
        with self._database:
            if pinned:
                self._database.execute("INSERT OR IGNORE INTO pins VALUES (?, ?)", key)
            else:
                self._database.execute("DELETE FROM pins WHERE (account, identity) = (?, ?)", key)

    def add_file(self, key: Key, version: Version, now_ns: int) -> IndexRow:
        """Insert a file, read and confirmed now; replaces a row of this key that could not be deleted before."""
        with self._database:
            cursor = self._database.execute(
                "INSERT OR REPLACE INTO files (account, identity, size, etag, modified_ns, read_ns, checked_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*key, version.size, version.etag, version.modified_ns, now_ns, now_ns),
            )
        assert cursor.lastrowid is not None
        return IndexRow(cursor.lastrowid, version, now_ns, now_ns)

    def remove_file(self, number: int) -> None:
        """Delete a file and its pieces."""
        with self._database:
            self._database.execute("DELETE FROM files WHERE id = ?", (number,))

    def set_times(self, rows: Iterable[IndexRow]) -> None:
        """Update when files were last read and confirmed."""
        with self._database:
            self._database.executemany(
                "UPDATE files SET read_ns = ?, checked_ns = ? WHERE id = ?",
                [(row.read_ns, row.checked_ns, row.id) for row in rows],
            )

    def pieces(self, number: int) -> list[tuple[int, int, int]]:
        """Start, end and CRC-32 of the pieces of a file, in order.  For any thread."""
        with self._reading_lock:
            return self._reading.execute(
                'SELECT "start", "end", crc32 FROM pieces WHERE file = ? ORDER BY "start"', (number,)
            ).fetchall()

    def add_pieces(self, number: int, pieces: Iterable[tuple[int, int, int]]) -> None:
        """Insert pieces.  Their bytes must have been written before."""
        with self._database:
            self._database.executemany("INSERT INTO pieces VALUES (?, ?, ?, ?)", ((number, *each) for each in pieces))

    def remove_pieces(self, number: int, starts: Iterable[int]) -> None:
        """Delete pieces.  Their bytes may be overwritten or freed only afterwards."""
        with self._database:
            self._database.executemany(
                'DELETE FROM pieces WHERE file = ? AND "start" = ?', ((number, start) for start in starts)
            )

    def _require_sound_pieces(self) -> None:
        """Raise `IndexDamaged` where pieces overlap, end beyond their file, or are larger than `_LARGEST_PIECE`."""
        wrong = self._database.execute(
            "SELECT count(*) FROM ("
            'SELECT "start", "end", crc32, size, lead("start") OVER (PARTITION BY file ORDER BY "start") AS next'
            " FROM pieces LEFT JOIN files ON id = file)"
            ' WHERE "start" < 0 OR "end" <= "start" OR "end" > "start" + ? OR size IS NULL OR "end" > size'
            ' OR next < "end" OR crc32 NOT BETWEEN 0 AND 4294967295',
            (_LARGEST_PIECE,),
        ).fetchone()[0]
        if wrong:
            raise IndexDamaged(f"{wrong} pieces are impossible")


def _connect(path: Path | str) -> sqlite3.Connection:
    if isinstance(path, Path):
        # By default SQLite maps the index of its write-ahead log (`-shm`) into memory: a cleaner that truncates that
        # file would end the process with SIGBUS.  The folder's lock keeps other processes out anyway.
        path = f"file:{quote(str(path))}?vfs=unix-excl"
    return sqlite3.connect(path, uri=True, check_same_thread=False)  # the store lets one thread in at a time


def _open(path: Path | str) -> sqlite3.Connection:
    database = _connect(path)
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in range(len(_SCHEMAS) + 1):
            raise IndexDamaged(f"unknown version {version}")
        # With a write-ahead log and NORMAL a commit does not wait for the disk.  A power cut may undo the last commits,
        # but leaves a consistent database.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")  # for ON DELETE CASCADE; SQLite's default is off
        # Each schema is one transaction with its number: a killed process leaves all of it or nothing.
        for number, schema in enumerate(_SCHEMAS[version:], version + 1):
            database.executescript(f"BEGIN; {schema} PRAGMA user_version = {number}; COMMIT;")
        if database.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise IndexDamaged("SQLite's own check fails")
    except BaseException:
        database.close()
        raise
    return database


def set_aside(path: Path, error: Exception) -> None:
    """Rename a damaged database, so that a new one can be created; older ones are deleted.  Raises `OSError`."""
    for older in path.parent.glob(f"{path.name}.damaged-*"):
        older.unlink()
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    path.rename(aside)
    # SQLite would replay the log of the damaged database into a new one of the same name.
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    log.warning("the cache index is damaged (%s); it is kept as %s, and a new one is created", error, aside)
