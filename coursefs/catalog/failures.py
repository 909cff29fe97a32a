"""Catalogue failures: what an error of SQLite, or of an unreadable row, says about the database (pure)."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from coursefs.errors import CatalogueError, CoursefsError

P = ParamSpec("P")
R = TypeVar("R")


class Cause(enum.Enum):
    """What caused a failure of the catalogue."""

    DAMAGE = "damage"  # the file holds data that coursefs did not write
    DISK = "disk"  # full, read-only, failing, or locked by another process: it may pass
    VALUE = "value"  # SQLite cannot store the value


#: primary result codes (https://www.sqlite.org/rescode.html)
_OF_THE_DISK = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_SCHEMA,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_AUTH,
    }
)
_OF_A_VALUE = frozenset({sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE})
#: extended codes of `SQLITE_IOERR` that mean a damaged file, not a failing disk
_DAMAGED_IO = frozenset({sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS})


def cause_of(error: Exception) -> Cause | None:
    """The cause of an error that was raised while the catalogue was read or written; None: not the database."""
    if isinstance(error, (MemoryError, RecursionError)):
        return Cause.DISK
    if isinstance(error, (UnicodeEncodeError, OverflowError, sqlite3.ProgrammingError, sqlite3.InterfaceError)):
        return Cause.VALUE  # sqlite3 raises these while it binds parameters
    if not isinstance(error, sqlite3.Error):
        return None
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by sqlite3 itself: a stored text is not UTF-8
        return Cause.DAMAGE
    if code in _DAMAGED_IO:
        return Cause.DAMAGE
    primary = code & 0xFF
    if primary in _OF_THE_DISK:
        return Cause.DISK
    if primary in _OF_A_VALUE:
        return Cause.VALUE
    return Cause.DAMAGE  # our statements are correct, so "no such table" means that the schema is damaged


def reason_of(error: Exception) -> str:
    """The reason of a failure for a person: SQLite's own words, which name no stored data."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF == sqlite3.SQLITE_CONSTRAINT:
        return "it conflicts with existing entries"
    return str(error) if isinstance(error, sqlite3.Error) else type(error).__name__


class Recovers(Protocol):
    """The part of `Database` that `reading` and `writing` need."""

    def replace_damaged(self, error: Exception) -> CoursefsError:
        """Set a damaged database aside and start an empty one; return the error to raise."""

    def check_for_damage(self) -> CoursefsError | None:
        """Check the database, and replace it if it is damaged; return the error to raise then."""


class HasDatabase(Protocol):
    """An object with a database: the owner of decorated methods."""

    @property
    def _database(self) -> Recovers: ...


S = TypeVar("S", bound=HasDatabase)
Method = Callable[Concatenate[S, P], R]


def reading(method: Method[S, P, R]) -> Method[S, P, R]:
    """Decorate a method that reads: every error becomes a `CatalogueError`; an unreadable row counts as damage."""

    @wraps(method)
    def read(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except CoursefsError:
            raise
        except Exception as error:
            if cause_of(error) in {None, Cause.DAMAGE}:
                raise self._database.replace_damaged(error) from None
            raise CatalogueError(f"the catalogue cannot be read: {reason_of(error)}") from None

    return read


def writing(method: Method[S, P, R]) -> Method[S, P, R]:
    """Decorate a method that writes: errors of the database become `CatalogueError`; others pass unchanged."""

    @wraps(method)
    def write(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except CoursefsError:
            raise
        except Exception as error:
            if cause_of(error) is None:
                raise
            raise write_error(self._database, error) from None

    return write


def write_error(database: Recovers, error: Exception) -> CoursefsError:
    """The error to raise in place of one that a write raised."""
    if cause_of(error) is Cause.DAMAGE:
        return database.replace_damaged(error)
    if isinstance(error, sqlite3.IntegrityError):  # perhaps a damaged index: it lacks a row that the table has
        found = database.check_for_damage()
        if found is not None:
            return found
    return CatalogueError(f"the catalogue cannot be written: {reason_of(error)}")
