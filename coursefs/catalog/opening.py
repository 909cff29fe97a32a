"""Opening the database file of the catalogue: check it, copy it into memory, or set it aside if it is damaged.

The course selection is copied from a damaged catalogue; everything else can be fetched again.
"""

from __future__ import annotations

import itertools
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from coursefs.catalog import schema
from coursefs.catalog.failures import Cause, cause_of, reason_of
from coursefs.errors import CoursefsError

log = logging.getLogger(__name__)


Row = tuple[object, ...]

#: column types of the tables with the course selection
_CHOICE = (str, str, int)
_ADDED = (str, str, str, str, str)


@dataclass(frozen=True, slots=True)
class SavedSelections:
    """The course selection as rows of the tables `choice` and `added`."""

    choice: Sequence[Row] = ()
    added: Sequence[Row] = ()


def read_selections(connection: sqlite3.Connection) -> SavedSelections:
    """The rows of the course selection that are readable in a database that may be damaged."""
    return SavedSelections(
        tuple(_rows(connection, "SELECT account, course, shown FROM choice", _CHOICE)),
        tuple(_rows(connection, "SELECT account, key, slug, title, url FROM added", _ADDED)),
    )


def write_selections(connection: sqlite3.Connection, selections: SavedSelections) -> None:
    """Write the course selection into a new database."""
    connection.executemany("INSERT OR IGNORE INTO choice VALUES (?, ?, ?)", selections.choice)
    connection.executemany("INSERT OR IGNORE INTO added VALUES (?, ?, ?, ?, ?)", selections.added)


def _rows(connection: sqlite3.Connection, statement: str, types: tuple[type, ...]) -> Iterator[Row]:
    """The rows up to the first unreadable one, without those that have a wrong type."""
    with suppress(sqlite3.Error, ValueError):
        for row in connection.execute(statement):
            if all(value is None or type(value) is kind for value, kind in zip(row, types, strict=True)):
                yield row


#: bytes; a database up to this size is checked at each opening, in a tenth of a second at most. A larger one is checked
#: only if it was not closed, as after a crash or a power cut
_ALWAYS_CHECKED = 8 * 2**20
#: suffixes of a database's files: the database, its write-ahead log, the log's index, and the rollback journal
_PARTS = ("", "-wal", "-shm", "-journal")
#: seconds to wait for another process's lock: when it is opened, and in a statement on the event loop
_LOCK_TIMEOUT = 5.0
SHORT_LOCK_TIMEOUT = 0.01


class _Connection(sqlite3.Connection):
    """A connection that survives the truncation of the log's index.

    SQLite maps the index (`-shm`) into memory, so that a program that truncates the file ends the process with SIGBUS
    at the next statement. Before each statement its size is compared: an index that was cut is emptied and gets its
    size back, and SQLite builds it anew from the log. Not inside a transaction, where SQLite would take the emptied
    index for one without pages, and write what does not fit together: there the process had better end.
    """

    _index = ""  # its path
    _descriptor: int | None = None  # of the index; None: it is not watched
    _size: int  # the largest that was seen

    def watch_index(self, path: Path) -> None:
        """Compare the index of this database, which is mapped by now, before statements from here on."""
        index = f"{path}-shm"
        with suppress(FileNotFoundError):  # a file system without shared memory has none
            # By O_PATH: closing any other descriptor would drop the locks that SQLite has on it (see `require_own`).
            self._descriptor = os.open(index, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._index, self._size = index, os.fstat(self._descriptor).st_size

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if self._descriptor is not None and not self.in_transaction:
            self._restore_index(self._descriptor)
        return super().execute(sql, parameters)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._restore_index(descriptor)  # the log is written into the database now
            os.close(descriptor)
        super().close()

    def _restore_index(self, descriptor: int) -> None:
        try:  # no context manager, and no path: a walk comes here thousands of times
            size = os.fstat(descriptor).st_size
            if size >= self._size:
                self._size = size
                return
            mapped = f"/proc/self/fd/{descriptor}"  # whatever has its name by now; not opened: see above
            os.truncate(mapped, 0)
            os.truncate(mapped, self._size)
            log.warning("another program has truncated %s; it is rebuilt", self._index)
        except OSError:
            pass


def require_own(path: Path) -> None:
    """Raise `CoursefsError` if a database file is a link, no regular file, or another user's; narrow their modes.

    SQLite follows links, so this is checked before. The files are not opened here: POSIX locks belong to the process,
    and closing a second descriptor of a database would drop the locks that SQLite holds on it
    (https://www.sqlite.org/howtocorrupt.html).
    """
    for suffix in _PARTS:
        part = path.with_name(path.name + suffix)
        try:
            status = part.lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CoursefsError(f"{part}: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a regular file"
            raise CoursefsError(f"{part}: is {kind}; coursefs does not touch it: move it away")
        if status.st_uid != os.geteuid():
            raise CoursefsError(f"{part}: belongs to another user (uid {status.st_uid}); coursefs does not touch it")
        if status.st_mode & 0o077:
            with suppress(PermissionError):  # FAT has no modes
                part.chmod(0o600)


def _create_empty(path: Path) -> None:
    """Create an empty database file with mode 0600; SQLite gives its log the same mode. Raises `OSError`."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _free_name(wanted: Path) -> Path:
    """The name itself, or with a number if it is taken: databases that were set aside earlier are kept."""
    for number in itertools.count(1):
        name = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if not any(os.path.lexists(f"{name}{suffix}") for suffix in _PARTS):
            return name
    raise AssertionError


def backup(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy one database over another. Raises `sqlite3.OperationalError` if either is locked.

    `Connection.backup` alone would retry for ever, on the event loop.
    """

    def give_up_if_locked(status: int, _left: int, _total: int) -> None:
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            locked = sqlite3.OperationalError("database is locked")
            locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise locked

    source.backup(target, progress=give_up_if_locked)


def in_memory() -> sqlite3.Connection:
    """An empty database in memory."""
    return sqlite3.connect(":memory:", isolation_level=None)


def describe(error: Exception) -> str:
    """The reason of an error, for a person."""
    return str(error.strerror) if isinstance(error, OSError) else reason_of(error)


def open_checked(path: Path, check_rows: Callable[[sqlite3.Connection], None]) -> tuple[sqlite3.Connection | None, str]:
    """The database at this path and "", or None and the reason why it cannot be used.

    Raises `OSError` and `sqlite3.Error` if the disk is the cause.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = connect(path)
        is_small = path.stat().st_size <= _ALWAYS_CHECKED
        reason = _why_unusable(connection)
        if reason is None:
            schema.migrate(connection)
            if is_small:
                check_rows(connection)
            connection.execute(f"PRAGMA busy_timeout = {int(1000 * SHORT_LOCK_TIMEOUT)}")
            return connection, ""
    except Exception as error:
        if connection is not None:
            connection.close()
        if isinstance(error, OSError) or cause_of(error) is Cause.DISK:
            raise
        log.debug("the catalogue is damaged: %s", type(error).__name__)
        return None, "is damaged"
    connection.close()
    return None, reason


def set_aside(path: Path, reason: str) -> tuple[str, SavedSelections]:
    """Rename the database; return the message for the user, and the readable rows of the course selection."""
    aside = _free_name(path.with_name(f"{path.name}.set-aside-{time.strftime('%Y%m%d-%H%M%S')}"))
    for suffix in _PARTS:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    selections = SavedSelections()
    has_log = aside.with_name(f"{aside.name}-wal").exists()
    with suppress(OSError, sqlite3.Error), closing(_to_read(aside, is_unchanging=not has_log)) as there:
        selections = read_selections(there)
    return f"the catalogue {reason}; it was set aside as {aside} and replaced by a new one", selections


def _to_read(path: Path, *, is_unchanging: bool = False) -> sqlite3.Connection:
    # without `immutable` SQLite makes a -shm file beside the database, which a full or read-only disk refuses
    options = "?immutable=1" if is_unchanging else "?mode=ro"
    return sqlite3.connect(f"file:{quote(str(path))}{options}", uri=True, timeout=_LOCK_TIMEOUT)


def copy(path: Path, memory: sqlite3.Connection) -> None:
    """Copy a sound database of this schema version or older; `memory` stays empty for any other.

    Raises `OSError` and `sqlite3.Error`.
    """
    try:
        with closing(_to_read(path)) as there:
            if _why_unusable(there) is None:
                backup(there, memory)
    except sqlite3.Error as error:
        log_path = path.with_name(f"{path.name}-wal")
        if cause_of(error) is not Cause.DISK or (log_path.exists() and log_path.stat().st_size):
            raise
        with closing(_to_read(path, is_unchanging=True)) as there:
            if _why_unusable(there) is None:
                backup(there, memory)
    _require_sound(memory, path)


def connect(path: Path, lock_timeout: float = _LOCK_TIMEOUT) -> sqlite3.Connection:
    """Open or create the database at this path, in WAL mode. Raises `sqlite3.Error`, also for damage that is found."""
    _create_empty(path)
    log_path = path.with_name(f"{path.name}-wal")
    was_closed = not (log_path.exists() and log_path.stat().st_size)
    connection = sqlite3.connect(path, isolation_level=None, timeout=lock_timeout, factory=_Connection)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # fails where this is no database
        connection.watch_index(path)
        _require_sound(connection, path, also_large=not was_closed)
    except BaseException:
        connection.close()
        raise
    return connection


def _why_unusable(connection: sqlite3.Connection) -> str | None:
    """Why this is not a catalogue that this coursefs can use; None if it is one, or empty."""
    version = schema.version_of(connection)
    if version > schema.VERSION:
        return "was written by a newer coursefs"
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        return "is a database of another program"
    return None


def _require_sound(connection: sqlite3.Connection, path: Path, *, also_large: bool = False) -> None:
    """Raise `sqlite3.DatabaseError` if a check finds damage."""
    is_small = path.stat().st_size <= _ALWAYS_CHECKED
    if also_large or is_small:
        # only `integrity_check` compares indexes with tables, which takes several times as long
        check = "integrity_check" if is_small else "quick_check"
        (found,) = connection.execute(f"PRAGMA {check}(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
