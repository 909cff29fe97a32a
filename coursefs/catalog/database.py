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


def opened(path: Path) -> sqlite3.Connection:
    """A usable database at this path; one that is damaged or newer is renamed to `….set-aside-<time>`."""
    try:
        database = _connect(path)
        if schema.version_of(database) <= schema.VERSION:
            schema.migrate(database)
            return database
        reason = "was written by a newer coursefs"
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
    log.warning("the catalogue %s; it was set aside as %s and is made anew", reason, aside)
    database = _connect(path)
    schema.migrate(database)
    return database


def copied(path: Path) -> sqlite3.Connection:
    """The database at this path in memory; an empty one where there is none that this coursefs can read."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0)) as there:
            if schema.version_of(there) <= schema.VERSION:
                there.backup(copy)
    except sqlite3.DatabaseError as error:
        log.info("the catalogue cannot be read: %s", error)
        copy.close()
        copy = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(copy)
    return copy


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # fails where this is no database
    except BaseException:
        database.close()
        raise
    return database
