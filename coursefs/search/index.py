"""The search index: a SQLite database beside the catalogue, with the words of each document (FTS5) and its sentences.

One process at a time writes it: the one that has the catalogue, through its builder.  Others read it.  It holds nothing
that is not in the catalogue or in the cache, so it may be deleted at any time; a damaged one is.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from coursefs.search.documents import SearchDocument
from coursefs.search.folding import words
from coursefs.search.texts import Sentence

#: the version of the tables; an index of another one is built again
_VERSION = 1
_SCHEMA = f"""
CREATE TABLE document (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    course TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    title TEXT NOT NULL,
    directory TEXT NOT NULL,
    lecture TEXT NOT NULL,
    path TEXT NOT NULL,
    media TEXT,
    item TEXT NOT NULL,
    sentences BLOB,                        -- compressed JSON: pairs of time and text
    UNIQUE (account, course, key)
);
-- without the text itself: the sentences have it
CREATE VIRTUAL TABLE word USING fts5(title, text, content='', tokenize="unicode61 categories 'L* N* M* Co'");
INSERT INTO word (word, rank) VALUES ('rank', 'bm25(8.0, 1.0)');
PRAGMA user_version = {_VERSION};
"""
_COLUMNS = "account, course, key, version, title, directory, lecture, path, media, item, sentences"
#: seconds to wait for a reader, or for the writer
_LOCK_TIMEOUT = 10.0
#: bytes up to which an index is checked whenever it is opened; damage of a larger one shows when it is used
_CHECKED = 8 * 2**20
_PARTS = ("", "-journal", "-wal", "-shm")


class IndexMissing(Exception):
    """There is no index that can be read: none was built, or it is damaged."""


class SearchIndexDamaged(sqlite3.DatabaseError):
    """The index, open for writing, does not hold what was written."""


def index_path(catalogue: Path) -> Path:
    """The index of a catalogue."""
    return catalogue.with_name("search.sqlite")


def forget(path: Path) -> None:
    """Delete an index.  Nothing may be writing it.  Raises `OSError`."""
    for suffix in _PARTS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class SearchIndex:
    """The index, open for writing.

    Its methods raise `SearchIndexDamaged` where it is, and another `sqlite3.Error` where the disk fails.
    """

    def __init__(self, path: Path) -> None:
        """Open it, or create it; an index that is damaged, or of another version, is replaced by an empty one."""
        try:
            self._database = _writable(path)
        except sqlite3.DatabaseError as error:
            if is_trouble_of_disk(error):
                raise
            forget(path)
            self._database = _writable(path)

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def known(self) -> dict[tuple[str, str, str], tuple[int, str]]:
        """Number and version of each document, by account, course and key."""
        with _damage():
            rows = self._database.execute("SELECT account, course, key, id, version FROM document").fetchall()
        return {(account, course, key): (number, version) for account, course, key, number, version in rows}

    def change(self, gone: Iterable[int], new: Iterable[tuple[SearchDocument, Sequence[Sentence]]]) -> None:
        """Remove documents and add others, in one transaction."""
        with _damage(), self._database:
            for number in gone:
                self._remove(number)
                self._database.execute("PRAGMA application_id = 1")
            for document, sentences in new:
                self._add(document, sentences)

    @property
    def is_untidy(self) -> bool:
        """Whether words of documents that were removed may still be on the disk."""
        with _damage():
            return bool(self._database.execute("PRAGMA application_id").fetchone()[0])

    def tidy(self) -> None:
        """Write the words anew, in one piece: those that were removed leave the disk, and queries are quicker."""
        with _damage(), self._database:
            self._database.execute("INSERT INTO word (word) VALUES ('optimize')")
            self._database.execute("PRAGMA application_id = 0")

    def _remove(self, number: int) -> None:
        row = self._database.execute("SELECT title, sentences FROM document WHERE id = ?", (number,)).fetchone()
        if row is None:
            return
        try:
            sentences = unpacked(row[1])
        except (ValueError, zlib.error) as error:
            raise SearchIndexDamaged(str(error)) from None
        title, text = words(row[0]), words("\n".join(one.text for one in sentences))
        self._database.execute(
            "INSERT INTO word (word, rowid, title, text) VALUES ('delete', ?, ?, ?)", (number, title, text)
        )
        self._database.execute("DELETE FROM document WHERE id = ?", (number,))

    def _add(self, document: SearchDocument, sentences: Sequence[Sentence]) -> None:
        cursor = self._database.execute(
            f"INSERT INTO document ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                document.account,
                document.course,
                document.key,
                document.version,
                document.title,
                document.directory,
                document.lecture,
                document.path,
                document.media,
                document.item,
                packed(sentences),
            ),
        )
        text = words("\n".join(one.text for one in sentences))
        self._database.execute(
            "INSERT INTO word (rowid, title, text) VALUES (?, ?, ?)", (cursor.lastrowid, words(document.title), text)
        )


@contextmanager
def _damage() -> Iterator[None]:
    """Tell damage of the index from other troubles, and from those of other databases."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if is_trouble_of_disk(error):
            raise
        raise SearchIndexDamaged(str(error)) from None


def packed(sentences: Sequence[Sentence]) -> bytes | None:
    """Sentences as the database has them; None for none."""
    if not sentences:
        return None
    return zlib.compress(json.dumps([[one.at, one.text] for one in sentences], ensure_ascii=False).encode(), 1)


def unpacked(data: bytes | None) -> list[Sentence]:
    """The sentences of a row.  Raises `ValueError` or `zlib.error` for what is damaged."""
    if data is None:
        return []
    match json.loads(zlib.decompress(data)):
        case [*rows]:
            return [_sentence(row) for row in rows]
    raise ValueError("it is no list")


def _sentence(row: object) -> Sentence:
    match row:
        case [int() | float() | None as at, str() as text]:
            return Sentence(text, at)
    raise ValueError("it is no sentence")


def is_trouble_of_disk(error: sqlite3.Error) -> bool:
    """Whether an error lies with the disk or another process, and not with what the database holds."""
    troubles = {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM),
    }
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in troubles


def is_locked(error: sqlite3.Error) -> bool:
    """Whether another process has the database for itself, for longer than one waits."""
    locks = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in locks


def readable(path: Path) -> sqlite3.Connection:
    """A connection that reads the index.

    Raises `IndexMissing` where there is none of this version, and `sqlite3.OperationalError` while it is locked.
    """
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_LOCK_TIMEOUT)
    except sqlite3.Error as error:
        raise IndexMissing(str(error)) from None
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            return connection
    except sqlite3.Error as error:
        if is_locked(error):
            connection.close()
            raise
    connection.close()
    raise IndexMissing("it is not readable")


def _writable(path: Path) -> sqlite3.Connection:
    with suppress(FileExistsError):  # before SQLite makes it readable for others
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=_LOCK_TIMEOUT)
    try:
        connection.execute("PRAGMA secure_delete = ON")  # what is removed leaves the disk
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        elif version != _VERSION:
            raise sqlite3.DatabaseError("it is of another version")
        elif path.stat().st_size <= _CHECKED and connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it is damaged")
    except BaseException:
        connection.close()
        raise
    return connection
