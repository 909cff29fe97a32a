"""The catalogue's database file: opened, brought up to date, and set aside when it cannot be used."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from coursefs.catalog import schema

log = logging.getLogger(__name__)

#: bytes of a database that are looked through whenever it is opened, which takes a tenth of a second at most; a larger
#: one only when the process before has not closed it, as after a crash or a power cut
_CHECKED = 8 * 2**20


def opened(path: Path) -> tuple[sqlite3.Connection, str | None]:
    """A usable database at this path, and what a person has to know of it.

    One that is damaged or newer is renamed to `….set-aside-<time>`, which is logged too.
    """
    try:
        database = _connect(path)
        try:
            reason = _not_ours(database)
            if reason is None:
                schema.migrate(database)
                return database, None
        except BaseException:
            database.close()
            raise
        database.close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, no space, no permission: not the database's fault
            raise
        reason = "is damaged"
    aside = path.with_name(f"{path.name}.set-aside-{time.strftime('%Y%m%d-%H%M%S')}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    notice = f"the catalogue {reason}; it was set aside as {aside} and is made anew"
    log.warning("%s", notice)
    database = _connect(path)
    schema.migrate(database)
    return database, notice


def copied(path: Path) -> sqlite3.Connection:
    """The database at this path in memory; an empty one where there is none that this coursefs can read."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0)) as there:
            if _not_ours(there) is None:
                there.backup(copy)
                _require_sound(copy, path)
    except sqlite3.DatabaseError as error:
        log.info("the catalogue cannot be read: %s", error)
        copy.close()
        copy = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(copy)
    return copy


def _connect(path: Path) -> sqlite3.Connection:
    log_path = path.with_name(f"{path.name}-wal")
    was_closed = not (log_path.exists() and log_path.stat().st_size)
    database = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # fails where this is no database
        _require_sound(database, path, also_large=not was_closed)
    except BaseException:
        database.close()
        raise
    return database


def _not_ours(database: sqlite3.Connection) -> str | None:
    """Why this is no catalogue that this coursefs can use; None when it is one, or empty."""
    version = schema.version_of(database)
    if version > schema.VERSION:
        return "was written by a newer coursefs"
    if version == 0 and database.execute("SELECT 1 FROM sqlite_schema").fetchone():
        return "is a database of something else"
    return None


def _require_sound(database: sqlite3.Connection, path: Path, *, also_large: bool = False) -> None:
    """Raise `sqlite3.DatabaseError` when something in the database is damaged, as far as that is looked for."""
    if also_large or path.stat().st_size <= _CHECKED:
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
