"""What the cache holds of which content: the record, and what of it is kept in memory."""

from __future__ import annotations

import time
from pathlib import Path

from coursefs.content.cachedfile import Piece
from coursefs.content.eviction import is_edge
from coursefs.content.identity import Key
from coursefs.content.record import Record, Row
from coursefs.model import Version


class Ledger:
    """Rows by key, their sums, and the pins.

    Looking and `confirm` wait for nothing and may be called from anywhere; everything else waits for the disk, is for
    one thread at a time, and raises `sqlite3.Error`.
    """

    def __init__(self, path: Path) -> None:
        self.record = Record(path)
        try:
            self._rows = self.record.rows()
            self._pins = self.record.pins()
        except BaseException:
            self.record.close()
            raise
        self._touched: set[Key] = set()
        self.used = sum(row.cached for row in self._rows.values())  # bytes
        self.edges = sum(row.edges for row in self._rows.values())  # bytes

    def close(self) -> None:
        """Save what is not saved yet, and close the record."""
        try:
            self.save_times()
        finally:
            self.record.close()

    def row(self, key: Key) -> Row | None:
        """What is recorded of a content."""
        return self._rows.get(key)

    def rows(self) -> list[tuple[Key, Row]]:
        """All that is recorded, as of now."""
        return list(self._rows.items())

    def version(self, key: Key) -> Version | None:
        """The version that is recorded of a content."""
        row = self._rows.get(key)
        return row.version if row else None

    def pins(self) -> list[Key]:
        """All that is pinned, whether there is anything of it or not."""
        return list(self._pins)

    def is_pinned(self, key: Key) -> bool:
        """Whether a content never leaves."""
        return key in self._pins

    def pin(self, key: Key, pinned: bool) -> None:
        """Pin a content, or unpin it.  Where that cannot be recorded it is not done."""
        self.record.set_pinned(key, pinned)
        self._pins = self._pins | {key} if pinned else self._pins - {key}

    def touch(self, key: Key, version: Version) -> None:
        """This version was read now."""
        row = self._rows.get(key)
        if row is not None and row.version == version:
            row.read_ns = time.time_ns()
            self._touched.add(key)

    def confirm(self, key: Key, version: Version) -> None:
        """The platform says now that this is the version."""
        row = self._rows.get(key)
        if row is not None and row.version == version:
            row.checked_ns = time.time_ns()
            self._touched.add(key)

    def save_times(self) -> None:
        """Record when files were read and confirmed."""
        rows = []
        while self._touched:
            row = self._rows.get(self._touched.pop())
            if row is not None:
                rows.append(row)
        if rows:
            self.record.set_times(rows)

    def add(self, key: Key, version: Version) -> Row:
        """Record a content, of which there is no row."""
        row = self._rows[key] = self.record.add_file(key, version, time.time_ns())
        return row

    def forget(self, key: Key) -> Row:
        """The row of a content, which is no longer looked up; `Record.remove_file` is to follow."""
        row = self._rows.pop(key)
        self.used -= row.cached
        self.edges -= row.edges
        return row

    def count(self, row: Row, piece: Piece, sign: int) -> None:
        """A piece came (1) or left (-1)."""
        edge = piece.size if is_edge(piece.start, piece.end, row.version.size) else 0
        row.cached += sign * piece.size
        row.edges += sign * edge
        self.used += sign * piece.size
        self.edges += sign * edge

    def lose_all(self, row: Row) -> None:
        """The bytes of a row are gone."""
        self.record.remove_pieces(row.id, [start for start, _, _ in self.record.pieces(row.id)])
        self.used -= row.cached
        self.edges -= row.edges
        row.cached = row.edges = 0
