"""The catalogue's database: one connection, which falls back to a copy in memory if the disk refuses writes.

Statements run on the event loop, so nothing here waits for a lock or a full disk. If a write fails because of the disk,
the database is copied into memory and the write is repeated there; later writes are recorded, and `save`, which the
owner calls from time to time, replays them on disk. A damaged database is set aside and replaced by an empty one, when
it is opened as well as later.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from coursefs.catalog import opening, schema
from coursefs.catalog.failures import Cause, cause_of, reason_of
from coursefs.catalog.opening import read_selections, write_selections
from coursefs.errors import CatalogueDamaged, CatalogueError, CoursefsError

log = logging.getLogger(__name__)

#: seconds between two checks of the whole database, which take long if it is large
_DAMAGE_CHECK_INTERVAL = 3600.0

Parameters = Sequence[object]


class Database:
    """One connection, made by `opened` or `copied`. `execute` is for statements that read."""

    execute: Callable[..., sqlite3.Cursor]

    def __init__(self, connection: sqlite3.Connection, path: Path | None, notice: str | None = None) -> None:
        """`path`: where the database is kept on disk; None: nowhere."""
        self._path = path
        self._disk: sqlite3.Connection | None = None  # of the file, while a copy in memory is used
        self._open_statements: list[tuple[str, Parameters, bool]] = []  # of the current transaction
        self._unsaved: list[tuple[str, Parameters, bool]] | None = None  # since the fallback to memory
        #: a message for the user about the state in which the database was found
        self.notice = notice
        #: called with the reason when writes stay in memory: `save` must be called until it returns True
        self.on_unsaved: Callable[[CoursefsError], None] = lambda _: None
        #: called when damage is found, before the database is set aside; may still read it
        self.on_damage: Callable[[], None] = lambda: None
        #: called after a damaged database was replaced by an empty one, before the error is raised
        self.on_reset: Callable[[CoursefsError], None] = lambda _: None
        self._no_check_before = float("-inf")  # monotonic s
        self._connections = 0  # that were used so far
        self._use(connection)

    @classmethod
    def opened(cls, path: Path, check_rows: Callable[[sqlite3.Connection], None]) -> Self:
        """Open the database at this path, or create it, and migrate its schema.

        A damaged or newer one is renamed to `….set-aside-<time>`; if the disk refuses writes, a copy in memory is used.
        Both are logged and give a `notice`. `check_rows` reads all rows of a small database, and raises if one is
        unreadable. Raises `CatalogueError` if the database exists and cannot be read.
        """
        opening.require_own(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            connection, reason = opening.open_checked(path, check_rows)
        except (OSError, sqlite3.Error) as error:
            return cls._without_disk(path, error)
        if connection is not None:
            return cls(connection, path)
        notice, selections = opening.set_aside(path, reason)
        log.warning("%s", notice)
        try:
            connection = opening.connect(path, opening.SHORT_LOCK_TIMEOUT)
            schema.migrate(connection)
            write_selections(connection, selections)
            return cls(connection, path, notice)
        except (OSError, sqlite3.Error) as error:
            return cls._without_disk(path, error)

    @classmethod
    def _without_disk(cls, path: Path, error: Exception) -> Self:
        """A copy in memory of a database on a disk that cannot be written."""
        memory = opening.in_memory()
        if path.exists() and path.stat().st_size:
            try:
                opening.copy(path, memory)
            except (OSError, sqlite3.Error):
                memory.close()
                raise CatalogueError(f"the catalogue {path} cannot be read: {opening.describe(error)}") from None
        schema.migrate(memory)
        notice = f"the catalogue cannot be written ({opening.describe(error)}); changes are kept in memory until it can"
        log.warning("%s", notice)
        database = cls(memory, path, notice)
        database._unsaved = []
        return database

    @classmethod
    def copied(cls, path: Path) -> Self:
        """A copy of the database in memory; an empty one if it is missing or unreadable."""
        opening.require_own(path)
        memory = opening.in_memory()
        try:
            if path.exists():
                opening.copy(path, memory)
        except (OSError, sqlite3.Error) as error:
            log.info("the catalogue cannot be read: %s", opening.describe(error))
            memory.close()
            memory = opening.in_memory()
        schema.migrate(memory)
        return cls(memory, None)

    def _use(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._connections += 1
        self.execute = connection.execute  # bound directly: a lookup costs little more than this call

    @property
    def is_unsaved(self) -> bool:
        """Whether something in memory is not on disk yet."""
        return self._unsaved is not None

    @property
    def changes(self) -> int:
        """The number of rows that this connection has changed."""
        return self._connection.total_changes

    @property
    def state(self) -> Hashable:
        """What differs as soon as a row has changed: for copies of rows that are valid until then.

        Not for those that were read inside a transaction, which may be rolled back.
        """
        return self._connections, self._connection.total_changes

    # -- writing -------------------------------------------------------------------------------------------------

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction

    def write(self, statement: str, parameters: Parameters = ()) -> None:
        """Execute a writing statement, inside a transaction."""
        self._write((statement, parameters, False))

    def write_many(self, statement: str, rows: Sequence[Parameters]) -> None:
        """Execute a writing statement once for each row, inside a transaction."""
        self._write((statement, rows, True))

    def _write(self, one: tuple[str, Parameters, bool]) -> None:
        self._open_statements.append(one)
        try:
            _execute_all(self._connection, [one])
        except sqlite3.Error as error:
            self._fall_back_to_memory(error)  # repeats this statement too

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group writes: all of them happen, or none. A nested one joins the outer one."""
        if self.in_transaction:
            yield
            return
        self._open_statements = []
        try:
            # IMMEDIATE takes the write lock now: a deferred transaction could fail with SQLITE_BUSY in its middle
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._fall_back_to_memory(error)
        try:
            yield
            try:
                self._connection.commit()
            except sqlite3.Error as error:
                self._fall_back_to_memory(error)
                self._connection.commit()
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.rollback()
            raise
        if self._unsaved is not None and self._disk is not None:
            self._unsaved += self._open_statements

    def _fall_back_to_memory(self, error: sqlite3.Error) -> None:
        """Copy the database into memory, and repeat there what the open transaction has done so far.

        Raises the error if the disk did not cause it, or if the copy in memory is already in use.
        """
        if cause_of(error) is not Cause.DISK or self._unsaved is not None or self._path is None:
            raise error
        with suppress(sqlite3.Error):
            self._connection.rollback()
        memory = opening.in_memory()
        try:
            opening.backup(self._connection, memory)
            memory.execute("BEGIN IMMEDIATE")
            _execute_all(memory, self._open_statements)
        except BaseException:
            memory.close()
            raise
        self._disk = self._connection
        self._unsaved = []
        self._use(memory)
        why = CatalogueError(f"cannot be written: {reason_of(error)}; changes are kept in memory until it can")
        log.warning("the catalogue %s", why)
        self.on_unsaved(why)

    def save(self) -> bool:
        """Write to disk what is only in memory; return whether all of it is on disk now. Does not wait for a lock."""
        if self._unsaved is None or self._path is None:
            return True
        if self.in_transaction:
            return False
        disk = self._disk
        try:
            if disk is None:
                disk = opening.connect(self._path, opening.SHORT_LOCK_TIMEOUT)
                opening.backup(self._connection, disk)
            else:
                disk.execute("BEGIN IMMEDIATE")
                _execute_all(disk, self._unsaved)
                disk.commit()
        except (OSError, sqlite3.Error) as error:
            log.debug("the catalogue still cannot be written: %s", opening.describe(error))
            if disk is not None:
                with suppress(sqlite3.Error):
                    disk.rollback()
            if disk is not None and disk is not self._disk:
                disk.close()
            if cause_of(error) in {Cause.DAMAGE, Cause.VALUE}:  # the file has changed since it was copied
                if self._disk is not None:
                    self._disk.close()
                    self._disk = None  # the next `save` writes the whole database
                with suppress(OSError):
                    log.warning("%s", opening.set_aside(self._path, "is damaged")[0])
            return False
        self._connection.close()
        self._disk, self._unsaved = None, None
        self._use(disk)
        log.info("the catalogue is saved on the disk again")
        return True

    # -- damage and end --------------------------------------------------------------------------------------------

    def replace_damaged(self, error: Exception) -> CoursefsError:
        """Set a damaged database aside and start an empty one; return the error to raise in place of this one.

        The course selection is copied to the new one as far as it is readable.
        """
        log.debug("the catalogue is damaged: %s", type(error).__name__)
        if self._path is None:  # a copy in memory: the process that writes the database will find the damage itself
            return CatalogueDamaged("the catalogue is damaged; the next mount replaces it")
        self.on_damage()
        selections = read_selections(self._connection)
        for connection in {self._connection, self._disk} - {None}:
            with suppress(sqlite3.Error):
                connection.close()  # type: ignore[union-attr]  # None was taken out
        self._disk, self._unsaved, self._open_statements = None, None, []
        try:
            self.notice, _ = opening.set_aside(self._path, "is damaged")
            connection = opening.connect(self._path, opening.SHORT_LOCK_TIMEOUT)
            schema.migrate(connection)
        except (OSError, sqlite3.Error) as failure:
            self.notice = f"the catalogue is damaged, and a new one cannot be written ({opening.describe(failure)})"
            connection = opening.in_memory()
            schema.migrate(connection)
            self._unsaved = []
        with suppress(sqlite3.Error):
            write_selections(connection, selections)
        self._use(connection)
        log.warning("%s", self.notice)
        why = CatalogueDamaged(self.notice)
        self.on_reset(why)
        if self._unsaved is not None:
            self.on_unsaved(why)
        return CatalogueDamaged("the catalogue was damaged and has been replaced; try again")

    def check_for_damage(self) -> CoursefsError | None:
        """Check for damage after a write that violated a constraint; return the error to raise if there is some."""
        if time.monotonic() < self._no_check_before:
            return None
        self._no_check_before = time.monotonic() + _DAMAGE_CHECK_INTERVAL
        try:
            (found,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
            return None if found == "ok" else self.replace_damaged(sqlite3.DatabaseError(found))
        except sqlite3.Error as error:
            return self.replace_damaged(error) if cause_of(error) is Cause.DAMAGE else None

    def close(self) -> None:
        """Close it, after a last attempt to save what is only in memory."""
        if not self.save():
            log.warning("what was fetched since the catalogue could not be written is lost")
        if self._disk is not None:
            self._disk.close()
        self._connection.close()


def _execute_all(connection: sqlite3.Connection, statements: Sequence[tuple[str, Any, bool]]) -> None:
    for statement, parameters, is_many in statements:
        (connection.executemany if is_many else connection.execute)(statement, parameters)
