"""The cache index: which pieces of which version of which file are cached.

A SQLite database beside the data files (`index_database`), and a copy of its rows in memory.  The order of writes makes
it crash-safe: a row is committed after its bytes were written, and deleted before its bytes are overwritten or freed.
So a process that is killed between any two steps never leaves a row without its bytes; bytes without a row are removed
at the next start.  A power cut may leave such a row, because nothing is fsynced for each piece; the checksums find
that.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from coursefs.content.cached_file import Piece
from coursefs.content.identity import Key
from coursefs.content.index_database import IndexDatabase, IndexRow, is_edge
from coursefs.model import Version


class Index:
    """The rows of the database in memory, by key, with their sums and the pins.

    Methods that only look, and `confirm` and `touch`, never wait and may be called from any thread: they rely on
    single operations of a `dict` or an `OrderedDict` being atomic.  Everything else waits for the disk, needs the
    store's lock, and raises `sqlite3.Error`, or any exception where the database is damaged (`is_damage`).
    """

    def __init__(self) -> None:
        """An empty index in memory, until `begin`."""
        self.changes = 0  # counts pieces that come and go
        self._touched: set[Key] = set()
        self._pins: set[Key] = set()
        self._load(IndexDatabase(None))

    def begin(self, path: Path) -> None:
        """Load the database at `path`, which is created where it is missing; pins that are in memory are added to it.

        Raises `OSError`, `sqlite3.Error`, and any exception where the database is damaged; then nothing has changed.
        """
        pins = self._pins
        self._load(IndexDatabase(path), old=self.database)
        for key in pins - self._pins:
            self.pin(key, True)

    def end(self) -> None:
        """Close the database, whatever state it is in, and be empty; only the pins stay, in memory."""
        pins = self._pins
        with suppress(Exception):
            self.database.close()
        self._load(IndexDatabase(None))
        self._pins = pins

    def _load(self, database: IndexDatabase, *, old: IndexDatabase | None = None) -> None:
        """Use this database from now on; where it cannot be read in full, close it, raise, and keep the old one."""
        try:
            rows, pins = database.rows(), database.pins()  # may raise, so before anything is assigned
        except BaseException:
            database.close()
            raise
        used, edges = sum(row.cached for row in rows.values()), sum(row.edges for row in rows.values())
        self.database, self._rows, self._pins = database, rows, pins
        #: keys, the least recently read first
        self._by_read = OrderedDict.fromkeys(sorted(rows, key=lambda key: rows[key].read_ns))
        self.used, self.edges = used, edges  # bytes
        self.changes += 1
        self._touched.clear()
        if old is not None:
            old.close()

    def close(self) -> None:
        """Save the times that are not saved yet, and close the database."""
        try:
            self.save_times()
        finally:
            self.database.close()

    def row(self, key: Key) -> IndexRow | None:
        """The row of a content; None: nothing of it is known."""
        return self._rows.get(key)

    def rows(self) -> list[tuple[Key, IndexRow]]:
        """A copy of all rows."""
        return list(self._rows.items())

    def by_read(self) -> list[Key]:
        """A copy of all keys, the least recently read first."""
        return list(self._by_read)

    def version(self, key: Key) -> Version | None:
        """The recorded version of a content; None: there is none."""
        row = self._rows.get(key)
        return row.version if row else None

    def pins(self) -> list[Key]:
        """All pinned contents, also those with nothing cached."""
        return list(self._pins)

    def is_pinned(self, key: Key) -> bool:
        """Whether a content is exempt from eviction."""
        return key in self._pins

    def pin(self, key: Key, pinned: bool) -> None:
        """Pin or unpin a content: in the database first, so that memory never promises more than a restart keeps."""
        self.database.set_pinned(key, pinned)
        self._pins = self._pins | {key} if pinned else self._pins - {key}  # a new set: others may iterate over the old

    def touch(self, key: Key, version: Version) -> None:
        """Note that this version was read now; `save_times` writes it."""
        row = self._rows.get(key)
        if row is not None and row.version == version:
            row.read_ns = time.time_ns()
            self._touched.add(key)
            with suppress(KeyError):  # another thread has removed it since
                self._by_read.move_to_end(key)

    def confirm(self, key: Key, version: Version) -> None:
        """Note that the platform confirmed this version now; `save_times` writes it."""
        row = self._rows.get(key)
        if row is not None and row.version == version:
            row.checked_ns = time.time_ns()
            self._touched.add(key)

    def save_times(self) -> None:
        """Write when files were read and confirmed, for all files since the last call."""
        rows = []
        while self._touched:
            row = self._rows.get(self._touched.pop())
            if row is not None:
                rows.append(row)
        if rows:
            self.database.set_times(rows)

    def add(self, key: Key, version: Version) -> IndexRow:
        """Add a row for a content that has none."""
        row = self._rows[key] = self.database.add_file(key, version, time.time_ns())
        self._by_read.pop(key, None)
        self._by_read[key] = None
        return row

    def forget(self, key: Key) -> IndexRow:
        """Remove the row of a content from memory and return it; `IndexDatabase.remove_file` must follow."""
        row = self._rows.pop(key)
        self._by_read.pop(key, None)
        self.changes += 1
        self.used -= row.cached
        self.edges -= row.edges
        return row

    def count(self, row: IndexRow, piece: Piece, sign: int) -> None:
        """Count a piece that was added (`sign` 1) or removed (-1)."""
        self.changes += 1
        edge = piece.size if is_edge(piece.start, piece.end, row.version.size) else 0
        row.cached += sign * piece.size
        row.edges += sign * edge
        self.used += sign * piece.size
        self.edges += sign * edge

    def lose_all(self, row: IndexRow) -> None:
        """Delete all pieces of a row, whose bytes are lost."""
        self.database.remove_pieces(row.id, [start for start, _, _ in self.database.pieces(row.id)])
        self.changes += 1
        self.used -= row.cached
        self.edges -= row.edges
        row.cached = row.edges = 0
