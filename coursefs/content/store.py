"""The cache store: the cached bytes on disk and their index.  `CacheFolder` says which files there are.

How a byte gets here: `OpenFile._save` → `put`: evict → data file → index commit → `CachedFile.add`; only then readers
are woken.  How it leaves: `_drop`: `CachedFile.forget` → index commit → data file.  A process that is killed between
any two of these steps leaves at most bytes without a row, which the next start removes (`Recovery._sweep`).

Locks.  `_changes` guards the index, the quota, the recovery and all changes of data files; it is held while waiting for
the disk.  `FileTable._table` guards the table of files and their users, `CachedFile.handles` the opening and closing of
a data file, `CachedFile._lock` the pieces of a file.  They are taken in this order, `_table` and `handles` never
together; `_table` and `_lock` are never held while waiting for the disk.  `acquire` and `read` take no `_changes`, so
they never wait for a write, unless they find damage.  What may be called from the event loop stands in a section below.

A cache that cannot be used (its folder was deleted, its disk fails) caches nothing.  A later `put` tries to create it
anew, at most every ten seconds.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from coursefs.base.safe_open import NotOurs
from coursefs.content.cache_folder import CacheFolder, spool_name
from coursefs.content.cached_file import CachedFile, Piece
from coursefs.content.data_file import SpoolFile, running_checksums
from coursefs.content.identity import Key, data_name
from coursefs.content.index import Index
from coursefs.content.index_database import IndexRow, is_damage
from coursefs.content.quota import Quota, QuotaExceeded
from coursefs.content.ranges import Ranges
from coursefs.content.recovery import Recovery
from coursefs.model import Version

log = logging.getLogger(__name__)


class CacheStore:
    """The cache of one directory, which it owns from its creation until `close`.  Safe to call from several threads."""

    def __init__(self, directory: Path, *, max_size: int, min_free: int, required: bool = True) -> None:
        """Take the directory; creates it where it is missing.

        `max_size`: the most bytes to cache; `min_free`: bytes of the disk to leave free.  Raises `CoursefsError` while
        another process has the directory, and `OSError` or `sqlite3.Error` where it cannot be used; with
        `required=False` these two are only logged, and nothing is cached.
        """
        self._changes = threading.Lock()
        self._folder = CacheFolder(directory)
        self.index = Index()
        self._recovery = Recovery(self._folder, self.index)
        self._files = self._recovery.files
        self.quota = Quota(self._folder, self.index, max_size=max_size, min_free=min_free)
        try:
            self._recovery.begin()
        except BaseException as error:
            if required or not isinstance(error, OSError | sqlite3.Error):
                self.index.database.close()
                raise
            self._recovery.start_without(error)

    @property
    def notice(self) -> str | None:
        """A message that the directory could not be used at the start; None: it could."""
        return self._recovery.notice

    @property
    def trouble(self) -> Exception | None:
        """Why nothing can be cached; None: it can, as far as is known."""
        return self._recovery.trouble

    def close(self) -> None:
        """Release the directory.  No other thread may use the store any more."""
        with self._changes:
            self._files.close()
            try:
                self.index.close()
            except Exception as error:
                self._recovery.warn(error)
            finally:
                self._folder.release()

    # For the event loop: no disk, no lock

    def version(self, key: Key) -> Version | None:
        """The recorded version of a content; None: there is none."""
        return self.index.version(key)

    def cached_bytes(self, key: Key) -> int:
        """How many bytes of a content are cached."""
        row = self.index.row(key)
        return row.cached if row else 0

    def totals(self) -> tuple[int, int]:
        """How many bytes of how many files are cached."""
        sizes = [row.cached for _, row in self.index.rows() if row.cached]
        return sum(sizes), len(sizes)

    # Waits for the disk, but for no write

    def acquire(self, key: Key, version: Version) -> CachedFile:
        """The cached file of this version, with one user more; `release` must follow.  Drops pieces that are lost."""
        file, lost = self._files.acquire(key, version)
        if lost is not None and (dropped := self.drop(file, file.pieces())):
            log.warning(
                "%d pieces of a cached file are lost and will be fetched again: %s", len(dropped), lost.strerror
            )
        return file

    def read(self, file: CachedFile, start: int, end: int) -> memoryview | None:
        """The bytes, or None when they are not all cached (any more).  Drops damaged pieces."""
        data, damaged = file.read(start, end, time.time_ns())
        if damaged:
            self.drop_damaged(file, damaged)
        return data

    def recheck(self, file: CachedFile) -> None:
        """Drop all pieces of an open file that was deleted or replaced: its bytes are lost when it is closed."""
        if file.data.is_open and not file.data.is_in_place():
            self.drop_damaged(file, file.pieces())

    # Changes: with `_changes`

    def set_version(self, key: Key, version: Version) -> None:
        """Record the current version of a content, confirmed now; drops the pieces of another version."""
        with self._changes, self._recovery.tolerated():
            self._recorded(key, version)
            self.index.confirm(key, version)

    def pin(self, key: Key, pinned: bool) -> None:
        """Pin or unpin a content.  Raises `OSError`, `sqlite3.Error`."""
        with self._changes:
            self._recovery.require_folder()
            with self._recovery.repaired():
                self.index.pin(key, pinned)

    def release(self, file: CachedFile, *, was_read: bool = True) -> None:
        """Count one user of the file less; `was_read`: it counts as read now, for the order of eviction."""
        if self._files.release(file) and was_read:
            self.index.touch(file.key, file.version)

    def drop(self, file: CachedFile, pieces: Iterable[Piece]) -> list[Piece]:
        """Drop pieces; returns those that were still cached."""
        with self._changes, self._recovery.tolerated():
            return self._drop(file, pieces)
        return []

    def drop_damaged(self, file: CachedFile, pieces: Iterable[Piece]) -> list[Piece]:
        """Drop pieces whose bytes are damaged, and log it; returns those that were still cached."""
        dropped = self.drop(file, pieces)
        if dropped:
            log.warning("%d pieces of a cached file are damaged and will be fetched again", len(dropped))
        return dropped

    def put(self, file: CachedFile, start: int, data: memoryview) -> None:
        """Write these bytes, which begin at `start`: when this returns they survive the end of the process.

        Raises `QuotaExceeded` when they cannot be cached.  Ignores bytes of a stale version, and those that are cached
        already.
        """
        with self._changes:
            if file.stale:
                return
            pieces = []
            with self._recovery.caching():
                if file.forgotten:
                    self._drop(file, [])  # their rows could not be deleted before: first, or the new rows would clash
                self._evict_for(len(data))
                row = self._recorded(file.key, file.version)
                self._make_ready(file, row)
                now_ns = time.time_ns()
                # Only gaps: two requests may bring the same bytes, and pieces must not overlap.
                for gap in file.present.missing(start, start + len(data)):
                    part = data[gap.start - start : gap.end - start]
                    file.data.write(gap.start, part)
                    running = running_checksums(part)
                    pieces.append(Piece(gap.start, gap.end, running[-1], now_ns, running))
                # After the bytes were written, and before `add` lets threads read them: where the commit fails nothing
                # has changed.
                self.index.database.add_pieces(row.id, [(piece.start, piece.end, piece.crc32) for piece in pieces])
                self.index.save_times()
                for piece in pieces:
                    file.add(piece)
                    self.index.count(row, piece, 1)

    def discard(self, file: CachedFile) -> None:
        """Mark a version as stale and delete its bytes: the server has another one.  Later `put`s are ignored."""
        with self._changes:
            if file.stale:
                return
            with self._recovery.tolerated():
                if self.version(file.key) == file.version:
                    self._remove(file.key)
                else:
                    self._files.discard(file)

    def clear(self, key: Key) -> int:
        """Drop all bytes of a content, which may be open; returns how many.  Raises `OSError`, `sqlite3.Error`."""
        with self._changes, self._recovery.repaired():
            row = self.index.row(key)
            if row is None or not row.cached:
                return 0
            file = self._files.file(key, row.version)
            try:
                dropped = self._drop(file, file.pieces())
            except sqlite3.Error as error:
                if is_damage(error):
                    raise
                # On a full disk SQLite cannot write the deletion either.  So here the bytes go first, against the usual
                # order: a crash in between leaves rows without bytes, whose checksums do not match.
                with self._files.opened(file) as is_there:
                    if is_there:
                        file.data.empty()
                dropped = self._drop(file, [])
            return sum(piece.size for piece in dropped)

    def forget(self, key: Key) -> None:
        """Delete a content with its row in the index.  Raises `OSError`, `sqlite3.Error`."""
        with self._changes, self._recovery.repaired():
            self._remove(key)

    def spool_file(self) -> SpoolFile:
        """A new spool file, for a body whose version is known only at its end.  Creates nothing on disk yet."""
        return SpoolFile(self._folder, spool_name(time.time_ns()))

    def append(self, spool_file: SpoolFile, data: memoryview) -> None:
        """Write the next bytes of a spool file.  Raises `QuotaExceeded`."""
        with self._changes, self._recovery.caching():
            self._evict_for(len(data))
            spool_file.append(data)
            self.quota.spooled += len(data)

    def adopt(self, spool_file: SpoolFile, key: Key, version: Version) -> None:
        """Turn a spool file into the data file of a version, whose whole content it is.

        Where that version is in use or partly cached already, the spool file is deleted instead.
        """
        with self._changes:
            self.quota.spooled -= spool_file.size
            is_moved = False
            with self._recovery.tolerated():
                self._recovery.require_folder()
                row = self._recorded(key, version)
                known = self._files.known.get((key, version))
                if not row.cached and (known is None or not known.users):
                    spool_file.move(data_name(key, version))
                    is_moved = True
                    self._add_spooled(spool_file, key, version, row)
            if not is_moved:
                with self._recovery.tolerated():
                    spool_file.remove()

    def remove_spool_file(self, spool_file: SpoolFile) -> None:
        """Delete a spool file."""
        with self._changes, self._recovery.tolerated():
            self.quota.spooled -= spool_file.size
            spool_file.remove()

    # With `_changes` held

    def _recorded(self, key: Key, version: Version) -> IndexRow:
        """The row of a version; created where there is none, in place of the row of another version."""
        row = self.index.row(key)
        if row is None or row.version != version:
            if row is not None:
                self._remove(key)
            row = self._files.add_row(key, version)
        return row

    def _add_spooled(self, spool_file: SpoolFile, key: Key, version: Version, row: IndexRow) -> None:
        """Add the pieces of a spool file that was renamed to a data file."""
        self.index.database.add_pieces(row.id, spool_file.pieces)
        file = self._files.file(key, version)
        with file.handles:
            if file.users:  # acquired since the check in `adopt`, when there was no file to open
                file.data.reopen()
        now_ns = time.time_ns()
        for start, end, crc32 in spool_file.pieces:
            piece = Piece(start, end, crc32, now_ns)
            if not file.present.covers(start, end):
                file.add(piece)
            self.index.count(row, piece, 1)

    def _make_ready(self, file: CachedFile, row: IndexRow) -> None:
        """Open the data file for writing.  A missing or replaced file is created anew, and its pieces are forgotten.

        Forgotten first: a new file reads as zeros where the index still had pieces.
        """
        with file.handles:
            file.row = row.id
            if file.data.is_open and not file.data.is_in_place():
                lost = "was deleted or replaced"
            else:
                lost = None
                try:
                    file.data.open()
                except (FileNotFoundError, NotOurs) as error:
                    lost = _words(error)
        if lost is not None:
            if self._forget(file, file.pieces()):
                log.warning("a cached file is lost and will be fetched again: it %s", lost)
            with file.handles:
                file.data.reopen()

    def _remove(self, key: Key) -> None:
        """Delete a file: first in memory, then in the index, then on disk (the order of every removal)."""
        row = self._files.forget(key)
        self.index.database.remove_file(row.id)
        self._folder.remove(data_name(key, row.version))

    def _drop(self, file: CachedFile, pieces: Iterable[Piece]) -> list[Piece]:
        """Drop pieces: first in memory, then in the index, then on disk; returns those that were still cached.

        In memory first, because that counts up the generation: a thread that reads these bytes at the moment discards
        what it has read.  Where the index cannot be written the bytes stay on disk, and count, until the next call.
        """
        leaving = self._forget(file, pieces)
        if not leaving:
            return []
        with self._files.opened(file) as is_there:
            spans = Ranges.of((piece.start, piece.end) for piece in leaving)
            if not is_there:
                leaving += self._forget(file, file.pieces())
            # Without hole punching in this file system the whole file has to go to free any of it.
            elif not file.present.spans or not all(file.data.release_blocks(*span) for span in spans):
                leaving += self._forget(file, file.pieces())
                file.data.empty()
        return leaving

    def _forget(self, file: CachedFile, pieces: Iterable[Piece]) -> list[Piece]:
        """Forget pieces in memory and in the index; returns those whose bytes may be freed now."""
        file.forgotten += file.forget(pieces)
        row = self.index.row(file.key)
        if file.row is None or file.stale or row is None:
            return []
        leaving = file.forgotten
        if leaving:
            self.index.database.remove_pieces(file.row, [piece.start for piece in leaving])
        for piece in leaving:
            self.index.count(row, piece, -1)
        file.forgotten = []
        return leaving

    def _evict_for(self, incoming: int) -> None:
        """Evict until `incoming` bytes fit.  Raises `QuotaExceeded`."""
        wanted = self.quota.to_evict(incoming)
        if not wanted:
            return
        for candidate in self.quota.victims(self._files.known, wanted):
            row = self.index.row(candidate.key)
            if row is not None and wanted > 0:
                file = self._files.file(candidate.key, row.version)
                pieces = self.quota.pieces_of(candidate, file, wanted)
                wanted -= sum(piece.size for piece in self._drop(file, pieces))
        if self.quota.excess(incoming):
            raise QuotaExceeded("its limits leave no room")


def _words(error: OSError) -> str:
    """What happened to a file, for the log."""
    return "was deleted" if isinstance(error, FileNotFoundError) else error.strerror or "cannot be opened"
