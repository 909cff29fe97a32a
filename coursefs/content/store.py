"""The cache on disk: what is kept, what leaves, and what survives.

    <directory>/CACHEDIR.TAG     so that backups leave it out
    <directory>/lock             held while a process uses the directory
    <directory>/v1/record.sqlite which pieces of which version of which content there are
    <directory>/v1/ab/abcd…      the bytes: a sparse file for each content and version

Blocking, and safe to call from several threads: everything that changes anything holds one lock.  Only attributes
that say so may be looked at from the event loop.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from coursefs.content.cachedfile import CachedFile, Piece
from coursefs.content.datafile import DataFile
from coursefs.content.draft import Draft
from coursefs.content.eviction import Candidate, choose, excess
from coursefs.content.identity import Key, data_name
from coursefs.content.ranges import Ranges
from coursefs.content.record import Record, Row
from coursefs.lock import FileLock
from coursefs.model import Version

log = logging.getLogger(__name__)

_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# The content cache of coursefs; see https://bford.info/cachedir/\n"
)
#: when room is made, it is made for a while: a 64th of the cache, at most this many bytes
_MOST_SPARE = 64 * 2**20
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
        self.max_size = max_size
        self._min_free = min_free
        self._place = directory / "v1"
        self._lock = threading.Lock()
        self._directory_lock = FileLock(
            directory / "lock",
            holder=f"pid {os.getpid()}",
            taken=lambda holder: f"the cache {directory} is in use by another mount ({holder})",
        )
        self._files: dict[tuple[Key, Version], CachedFile] = {}
        self._touched: set[Key] = set()
        self._drafted = 0
        self._warned_at: float | None = None
        try:
            (directory / "CACHEDIR.TAG").write_text(_TAG, encoding="ascii")
            self._place.mkdir(mode=0o700, exist_ok=True)
            self._record = Record(self._place / "record.sqlite")
            self._rows = self._record.rows()
            self._used = sum(row.cached for row in self._rows.values())
            self._sweep()
        except BaseException:
            self._directory_lock.release()
            raise

    def close(self) -> None:
        """Give the directory back.  Nobody may be using the store any more."""
        with self._lock:
            for file in self._files.values():
                if file.users:
                    self._touch(file)
                file.data.close()
            try:
                self._save_reads()
                self._record.close()
            except sqlite3.Error as error:
                self._warn(error)
            finally:
                self._directory_lock.release()

    # What the event loop may ask: no disk, no lock

    def version(self, key: Key) -> Version | None:
        """The version that is recorded of a content."""
        row = self._rows.get(key)
        return row.version if row else None

    def cached_bytes(self, key: Key) -> int:
        """How many bytes of a content are cached."""
        row = self._rows.get(key)
        return row.cached if row else 0

    def totals(self) -> tuple[int, int]:
        """Bytes and files in the cache."""
        sizes = [row.cached for row in list(self._rows.values()) if row.cached]
        return sum(sizes), len(sizes)

    # What waits for the disk

    def note(self, key: Key, version: Version) -> None:
        """Record that this is the version of a content now; pieces of another one are dropped."""
        with self._lock:
            try:
                self._recorded(key, version)
            except (OSError, sqlite3.Error) as error:
                self._warn(error)

    def acquire(self, key: Key, version: Version) -> CachedFile:
        """The cached pieces of this version, to be given back by `release`."""
        with self._lock:
            file = self._file(key, version)
            file.users += 1
            try:
                file.data.open()
                self._save_reads()
            except (OSError, sqlite3.Error) as error:  # served without the cache, then
                self._warn(error)
            return file

    def release(self, file: CachedFile) -> None:
        """This user of the file is done."""
        with self._lock:
            file.users -= 1
            if file.users:
                return
            file.data.close()
            self._touch(file)
            if file.row is None and not file.dead:  # the path of a dead one may belong to a successor
                del self._files[file.key, file.version]
                file.data.remove()

    def read(self, file: CachedFile, start: int, end: int) -> memoryview | None:
        """The bytes, or None when they are not all cached (any more).  Damaged pieces are forgotten."""
        data, damaged = file.read(start, end, time.time_ns())
        if damaged:
            log.warning("%d pieces of a cached file are damaged and will be fetched again", len(damaged))
            with self._lock:
                try:
                    self._drop(file, damaged)
                except (OSError, sqlite3.Error) as error:
                    self._warn(error)
        return data

    def put(self, file: CachedFile, start: int, data: memoryview) -> None:
        """Keep these bytes: when this returns they survive the end of the process.

        Raises `NoRoom` when they cannot be kept.  Bytes of a version that is gone are quietly left out.
        """
        with self._lock:
            if file.dead:
                return
            try:
                self._make_room(len(data))
                file.row = row = self._recorded(file.key, file.version).id
                now_ns = time.time_ns()
                pieces = []
                for gap in file.present.missing(start, start + len(data)):
                    part = data[gap.start - start : gap.end - start]
                    file.data.write(gap.start, part)
                    pieces.append(Piece(gap.start, gap.end, zlib.crc32(part), checked=True, read_ns=now_ns))
                self._record.add_pieces(row, [(piece.start, piece.end, piece.crc32) for piece in pieces])
            except (OSError, sqlite3.Error) as error:
                self._warn(error)
                raise NoRoom from error
            except NoRoom as error:
                self._warn(error)
                raise
            for piece in pieces:
                file.add(piece)
                self._count(self._rows[file.key], piece.size)

    def discard(self, file: CachedFile) -> None:
        """The platform no longer has this version: nothing of it is cached, and nothing will be."""
        with self._lock:
            if file.dead:
                return
            try:
                if self.version(file.key) == file.version:
                    self._remove(file.key)
                else:
                    del self._files[file.key, file.version]
                    file.end_life()
                    file.data.remove()
            except (OSError, sqlite3.Error) as error:
                self._warn(error)

    def draft(self) -> Draft:
        """A file for a body whose version is not known before it has come to its end."""
        return Draft(self._place / f"draft-{time.time_ns()}")

    def append(self, draft: Draft, data: memoryview) -> None:
        """Write the next bytes of a draft.  Raises `NoRoom`."""
        with self._lock:
            try:
                self._make_room(len(data))
                draft.append(data)
            except (OSError, NoRoom) as error:
                self._warn(error)
                raise NoRoom from error
            self._drafted += len(data)

    def keep(self, draft: Draft, key: Key, version: Version) -> None:
        """The draft is the whole content, in this version.  Without effect where that version is in use already."""
        with self._lock:
            self._drafted -= draft.size
            try:
                row = self._recorded(key, version)
                known = self._files.get((key, version))
                if row.cached or (known is not None and known.users):
                    draft.remove()
                    return
                self._files.pop((key, version), None)
                draft.move(self._path(key, version))
                self._record.add_pieces(row.id, draft.pieces)
                self._count(row, draft.size)
            except (OSError, sqlite3.Error) as error:
                self._warn(error)
                draft.remove()

    def give_up(self, draft: Draft) -> None:
        """The draft is of no use."""
        with self._lock:
            self._drafted -= draft.size
            draft.remove()

    # With the lock held

    def _path(self, key: Key, version: Version) -> Path:
        name = data_name(key, version)
        return self._place / name[:2] / name

    def _file(self, key: Key, version: Version) -> CachedFile:
        file = self._files.get((key, version))
        if file is None:
            row = self._rows.get(key)
            number: int | None = None
            pieces: list[Piece] = []
            if row is not None and row.version == version:
                number = row.id
                try:
                    pieces = [Piece(*each, checked=False, read_ns=row.read_ns) for each in self._record.pieces(row.id)]
                except sqlite3.Error as error:
                    self._warn(error)
            file = CachedFile(key, version, DataFile(self._path(key, version)), number, pieces)
            self._files[key, version] = file
        return file

    def _recorded(self, key: Key, version: Version) -> Row:
        row = self._rows.get(key)
        if row is None or row.version != version:
            if row is not None:
                self._remove(key)
            row = self._rows[key] = self._record.add_file(key, version, time.time_ns())
            file = self._files.get((key, version))
            if file is not None:
                file.row = row.id
        return row

    def _remove(self, key: Key) -> None:
        """Forget a file: its row first, so that whoever sees that it is dead no longer finds its version either."""
        row = self._rows.pop(key)
        self._count(row, -row.cached)
        file = self._files.pop((key, row.version), None)
        if file is not None:
            file.end_life()
        self._record.remove_file(row.id)
        DataFile(self._path(key, row.version)).remove()

    def _drop(self, file: CachedFile, pieces: Iterable[Piece]) -> None:
        """Forget pieces, first in memory, then on record, then on the disk."""
        leaving = self._forget(file, pieces)
        if not leaving:
            return
        file.data.open()
        for span in Ranges.of((piece.start, piece.end) for piece in leaving):
            if not file.data.release_blocks(*span):
                self._forget(file, file.pieces())
                file.data.empty()
                break
        if not file.users:
            file.data.close()
            if not file.present.spans:
                file.data.remove()

    def _forget(self, file: CachedFile, pieces: Iterable[Piece]) -> list[Piece]:
        leaving = file.forget(pieces)
        if file.row is None or file.dead:
            return []
        self._count(self._rows[file.key], -sum(piece.size for piece in leaving))
        self._record.remove_pieces(file.row, [piece.start for piece in leaving])
        return leaving

    def _make_room(self, incoming: int) -> None:
        wanted = self._excess(incoming)
        if not wanted:
            return
        wanted = max(wanted, min(self.max_size // 64, _MOST_SPARE))
        for candidate in choose(self._candidates(), wanted):
            file = self._file(candidate.key, self._rows[candidate.key].version)
            leaving: list[Piece] = []
            for piece in reversed(file.pieces()):  # of a whole file, the end first: its head is asked for most
                if wanted <= 0:
                    break
                if candidate.start in {None, piece.start}:
                    leaving.append(piece)
                    wanted -= piece.size
            self._drop(file, leaving)
        if self._excess(incoming):
            raise NoRoom("its limits leave no room")

    def _excess(self, incoming: int) -> int:
        disk = os.statvfs(self._place)
        return excess(
            used=self._used + self._drafted,
            incoming=incoming,
            max_size=self.max_size,
            free=disk.f_bavail * disk.f_frsize,
            min_free=self._min_free,
        )

    def _candidates(self) -> Iterator[Candidate]:
        for key, row in self._rows.items():
            file = self._files.get((key, row.version))
            if file is None or not file.users:
                if row.cached:
                    yield Candidate(key, None, row.cached, row.read_ns)
                continue
            wanted = Ranges.of(list(file.wanted))
            for piece in file.pieces():
                if wanted.missing(piece.start, piece.end) == ((piece.start, piece.end),):
                    yield Candidate(key, piece.start, piece.size, piece.read_ns)

    def _count(self, row: Row, size: int) -> None:
        row.cached += size
        self._used += size

    def _touch(self, file: CachedFile) -> None:
        row = self._rows.get(file.key)
        if row is not None and row.version == file.version:
            row.read_ns = time.time_ns()
            self._touched.add(file.key)

    def _save_reads(self) -> None:
        while self._touched:
            row = self._rows.get(self._touched.pop())
            if row is not None:
                self._record.set_read(row.id, row.read_ns)

    def _warn(self, error: Exception) -> None:
        now = time.monotonic()
        if self._warned_at is None or now - self._warned_at > _BETWEEN_WARNINGS:
            log.warning("the cache cannot keep what is read (%s); reading goes on without it", error)
            self._warned_at = now

    def _sweep(self) -> None:
        """Remove data files that no row speaks of, and rows' pieces whose data file is gone."""
        names = {data_name(key, row.version): row for key, row in self._rows.items()}
        found = set()
        for path in self._place.rglob("*"):
            if path.name in names:
                found.add(path.name)
            elif path.is_file() and not path.name.startswith("record.sqlite"):
                path.unlink()
        for name, row in names.items():
            if row.cached and name not in found:
                self._record.remove_pieces(row.id, [start for start, _, _ in self._record.pieces(row.id)])
                self._count(row, -row.cached)
