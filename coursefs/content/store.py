"""The cache on disk: what is kept, what leaves, and what survives.

    <directory>/CACHEDIR.TAG     so that backups leave it out
    <directory>/lock             held while a process uses the directory
    <directory>/v1/record.sqlite which pieces of which version of which content there are
    <directory>/v1/ab/abcd…      the bytes: a sparse file for each content and version

Blocking, and safe to call from several threads.  Whatever changes what is kept holds `_changes`, also while it waits
for the disk; `acquire` and `read` do not, and so wait for no write.  Only attributes that say so may be looked at from
the event loop.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from coursefs.content.cachedfile import CachedFile, Piece
from coursefs.content.checksum import checksum
from coursefs.content.datafile import DataFile
from coursefs.content.draft import Draft
from coursefs.content.files import Files
from coursefs.content.identity import Key, data_name
from coursefs.content.ledger import Ledger
from coursefs.content.ranges import Ranges
from coursefs.content.record import Row
from coursefs.content.room import Room
from coursefs.lock import FileLock
from coursefs.model import Version

log = logging.getLogger(__name__)

_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# The content cache of coursefs; see https://bford.info/cachedir/\n"
)
#: seconds: a full disk is no reason to fill the log
_BETWEEN_WARNINGS = 600.0


class NoRoom(Exception):
    """The bytes cannot be kept: the limits leave no room, or the disk fails."""


class Store:
    """Owns the cache directory from its creation until `close`."""

    def __init__(self, directory: Path, *, max_size: int, min_free: int) -> None:
        """Take the directory, creating it where needed.

        `max_size`: the most bytes to keep; `min_free`: bytes of the disk to leave free.  Raises `CoursefsError` while
        another process has it, and `OSError` or `sqlite3.Error` where it cannot be used.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._place = directory / "v1"
        self._changes = threading.Lock()
        self._directory_lock = FileLock(
            directory / "lock",
            holder=f"pid {os.getpid()}",
            taken=lambda holder: f"the cache {directory} is in use by another mount ({holder})",
        )
        self._warned_at: float | None = None
        try:
            (directory / "CACHEDIR.TAG").write_text(_TAG, encoding="ascii")
            self._place.mkdir(mode=0o700, exist_ok=True)
            self.ledger = Ledger(self._place / "record.sqlite")
            self._files = Files(self._place, self.ledger, self._warn)
            self.room = Room(self._place, self.ledger, max_size=max_size, min_free=min_free)
            self._sweep()
        except BaseException:
            self._directory_lock.release()
            raise

    def close(self) -> None:
        """Give the directory back.  Nobody may be using the store any more."""
        with self._changes:
            self._files.close()
            try:
                self.ledger.close()
            except sqlite3.Error as error:
                self._warn(error)
            finally:
                self._directory_lock.release()

    # What the event loop may ask: no disk, no lock

    def version(self, key: Key) -> Version | None:
        """The version that is recorded of a content."""
        return self.ledger.version(key)

    def cached_bytes(self, key: Key) -> int:
        """How many bytes of a content are cached."""
        row = self.ledger.row(key)
        return row.cached if row else 0

    def totals(self) -> tuple[int, int]:
        """Bytes and files in the cache."""
        sizes = [row.cached for _, row in self.ledger.rows() if row.cached]
        return sum(sizes), len(sizes)

    # What waits for the disk, but for no write

    def acquire(self, key: Key, version: Version) -> CachedFile:
        """The cached pieces of this version, to be given back by `release`."""
        return self._files.acquire(key, version)

    def read(self, file: CachedFile, start: int, end: int) -> memoryview | None:
        """The bytes, or None when they are not all cached (any more).  Damaged pieces are forgotten."""
        data, damaged = file.read(start, end, time.time_ns())
        if damaged:
            self.drop_damaged(file, damaged)
        return data

    # What changes something

    def note(self, key: Key, version: Version) -> None:
        """Record that this is the version of a content now; pieces of another one are dropped."""
        with self._changes:
            try:
                self._recorded(key, version)
                self.ledger.confirm(key, version)
            except (OSError, sqlite3.Error) as error:
                self._warn(error)

    def pin(self, key: Key, pinned: bool) -> None:
        """Pin or unpin a content.  Raises `sqlite3.Error`."""
        with self._changes:
            self.ledger.pin(key, pinned)

    def release(self, file: CachedFile, *, was_read: bool = True) -> None:
        """This user of the file is done; `was_read` by somebody, for whom it is to be kept."""
        if self._files.release(file) and was_read:
            self.ledger.touch(file.key, file.version)

    def drop(self, file: CachedFile, pieces: Iterable[Piece]) -> list[Piece]:
        """Forget pieces; returns those that were still there."""
        with self._changes:
            try:
                return self._drop(file, pieces)
            except (OSError, sqlite3.Error) as error:
                self._warn(error)
                return []

    def drop_damaged(self, file: CachedFile, pieces: Iterable[Piece]) -> list[Piece]:
        """Forget pieces whose bytes are not right; returns those that were still believed in."""
        dropped = self.drop(file, pieces)
        if dropped:
            log.warning("%d pieces of a cached file are damaged and will be fetched again", len(dropped))
        return dropped

    def put(self, file: CachedFile, start: int, data: memoryview) -> None:
        """Keep these bytes: when this returns they survive the end of the process.

        Raises `NoRoom` when they cannot be kept.  Bytes of a version that is gone are quietly left out.
        """
        with self._changes:
            if file.dead:
                return
            try:
                if file.forgotten:
                    self._drop(file, [])
                self._make_room(len(data))
                row = self._recorded(file.key, file.version)
                with file.handles:
                    file.row = row.id
                    file.data.open()
                now_ns = time.time_ns()
                pieces = []
                for gap in file.present.missing(start, start + len(data)):
                    part = data[gap.start - start : gap.end - start]
                    file.data.write(gap.start, part)
                    pieces.append(Piece(gap.start, gap.end, checksum(part), checked=True, read_ns=now_ns))
                self.ledger.record.add_pieces(row.id, [(piece.start, piece.end, piece.crc32) for piece in pieces])
                self.ledger.save_times()
            except (OSError, sqlite3.Error) as error:
                self._warn(error)
                raise NoRoom from error
            except NoRoom as error:
                self._warn(error)
                raise
            for piece in pieces:
                file.add(piece)
                self.ledger.count(row, piece, 1)

    def discard(self, file: CachedFile) -> None:
        """The platform no longer has this version: nothing of it is cached, and nothing will be."""
        with self._changes:
            if file.dead:
                return
            try:
                if self.version(file.key) == file.version:
                    self._remove(file.key)
                else:
                    self._files.discard(file)
            except (OSError, sqlite3.Error) as error:
                self._warn(error)

    def clear(self, key: Key) -> int:
        """Drop all bytes of a content, which may be open; how many they were.  Raises `OSError`, `sqlite3.Error`."""
        with self._changes:
            row = self.ledger.row(key)
            if row is None or not row.cached:
                return 0
            file = self._files.file(key, row.version)
            try:
                dropped = self._drop(file, file.pieces())
            except sqlite3.Error:  # a full disk has no room to record it either, before the bytes are gone
                with self._files.opened(file):
                    file.data.empty()
                dropped = self._drop(file, [])
            return sum(piece.size for piece in dropped)

    def forget(self, key: Key) -> None:
        """Forget that a content was ever here.  Raises `OSError`, `sqlite3.Error`."""
        with self._changes:
            self._remove(key)

    def draft(self) -> Draft:
        """A file for a body whose version is not known before it has come to its end."""
        return Draft(self._place / f"draft-{time.time_ns()}")

    def append(self, draft: Draft, data: memoryview) -> None:
        """Write the next bytes of a draft.  Raises `NoRoom`."""
        with self._changes:
            try:
                self._make_room(len(data))
                draft.append(data)
            except (OSError, NoRoom) as error:
                self._warn(error)
                raise NoRoom from error
            self.room.drafted += len(data)

    def keep(self, draft: Draft, key: Key, version: Version) -> None:
        """The draft is the whole content, in this version.  Without effect where that version is in use already."""
        with self._changes:
            self.room.drafted -= draft.size
            try:
                row = self._recorded(key, version)
                known = self._files.known.get((key, version))
                if row.cached or (known is not None and known.users):
                    draft.remove()
                    return
                draft.move(self._files.path(key, version))
                self.ledger.record.add_pieces(row.id, draft.pieces)
                file = self._files.file(key, version)
                with file.handles:
                    if file.users:  # since a moment ago
                        file.data.open()
                now_ns = time.time_ns()
                for start, end, crc32 in draft.pieces:
                    piece = Piece(start, end, crc32, checked=True, read_ns=now_ns)
                    if not file.present.covers(start, end):
                        file.add(piece)
                    self.ledger.count(row, piece, 1)
            except (OSError, sqlite3.Error) as error:
                self._warn(error)
                draft.remove()

    def give_up(self, draft: Draft) -> None:
        """The draft is of no use."""
        with self._changes:
            self.room.drafted -= draft.size
            draft.remove()

    # With `_changes` held

    def _recorded(self, key: Key, version: Version) -> Row:
        row = self.ledger.row(key)
        if row is None or row.version != version:
            if row is not None:
                self._remove(key)
            row = self._files.record(key, version)
        return row

    def _remove(self, key: Key) -> None:
        """Forget a file: on record before on the disk."""
        row = self._files.forget(key)
        self.ledger.record.remove_file(row.id)
        DataFile(self._files.path(key, row.version)).remove()

    def _drop(self, file: CachedFile, pieces: Iterable[Piece]) -> list[Piece]:
        """Forget pieces, first in memory, then on record, then on the disk; returns those that were still there.

        Where the record cannot be written they stay on the disk, and count, until the next call for this file.
        """
        leaving = self._forget(file, pieces)
        if not leaving:
            return []
        with self._files.opened(file):
            spans = Ranges.of((piece.start, piece.end) for piece in leaving)
            if not file.present.spans or not all(file.data.release_blocks(*span) for span in spans):
                leaving += self._forget(file, file.pieces())
                file.data.empty()
        return leaving

    def _forget(self, file: CachedFile, pieces: Iterable[Piece]) -> list[Piece]:
        file.forgotten += file.forget(pieces)
        row = self.ledger.row(file.key)
        if file.row is None or file.dead or row is None:
            return []
        leaving = file.forgotten
        if leaving:
            self.ledger.record.remove_pieces(file.row, [piece.start for piece in leaving])
        for piece in leaving:
            self.ledger.count(row, piece, -1)
        file.forgotten = []
        return leaving

    def _make_room(self, incoming: int) -> None:
        wanted = self.room.wanted(incoming)
        if not wanted:
            return
        for candidate in self.room.leaving(self._files.known, wanted):
            row = self.ledger.row(candidate.key)
            if row is not None and wanted > 0:
                file = self._files.file(candidate.key, row.version)
                pieces = self.room.part_of(candidate, file, wanted)
                wanted -= sum(piece.size for piece in self._drop(file, pieces))
        if self.room.excess(incoming):
            raise NoRoom("its limits leave no room")

    def _warn(self, error: Exception) -> None:
        now = time.monotonic()
        if self._warned_at is None or now - self._warned_at > _BETWEEN_WARNINGS:
            log.warning("the cache cannot keep what is read (%s); reading goes on without it", error)
            self._warned_at = now

    def _sweep(self) -> None:
        """Remove data files that no row speaks of, and rows' pieces whose data file is gone."""
        names = {data_name(key, row.version): row for key, row in self.ledger.rows()}
        found = set()
        for path in self._place.rglob("*"):
            if path.name in names:
                found.add(path.name)
            elif path.is_file() and not path.name.startswith("record.sqlite"):
                path.unlink()
        for name, row in names.items():
            if row.cached and name not in found:
                self.ledger.lose_all(row)
