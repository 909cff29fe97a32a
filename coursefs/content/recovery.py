"""Recovery: what happens when the cache folder or the index is lost, damaged or unusable.

Either it is created again, or files are read without a cache; the log says which, at most every ten minutes.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from coursefs.content.cache_folder import CacheFolder
from coursefs.content.file_table import FileTable
from coursefs.content.identity import data_name
from coursefs.content.index import Index
from coursefs.content.index_database import is_damage, set_aside
from coursefs.content.quota import QuotaExceeded
from coursefs.errors import CoursefsError

log = logging.getLogger(__name__)

#: seconds: a full disk is no reason to fill the log
_BETWEEN_WARNINGS = 600.0
#: seconds after which a cache that could not be used is tried again
_BETWEEN_TRIALS = 10.0


class Recovery:
    """Keeps the cache folder and the index usable, or knows why they are not.

    Every method but `warn` needs the store's lock.
    """

    def __init__(self, folder: CacheFolder, index: Index) -> None:
        self.files = FileTable(folder, index, self.warn)
        self.notice: str | None = None  # for a person: that the folder could not be used at the start
        self.trouble: Exception | None = None  # why nothing can be cached; None: it can, as far as is known
        self._folder = folder
        self._index = index
        self._warned_at: float | None = None
        self._tried_at = time.monotonic()

    def start_without(self, error: Exception) -> None:
        """Go on without a cache after this error of `begin`; `require_folder` tries again later."""
        self.trouble = error
        self._warned_at = self._tried_at
        self.notice = f"the cache {self._folder.directory} cannot be used ({error}); files are read without it"
        log.warning("%s", self.notice)

    def warn(self, error: Exception) -> None:
        """Log an error that costs only the cache; at most one line every `_BETWEEN_WARNINGS` seconds."""
        now = time.monotonic()
        if self._warned_at is None or now - self._warned_at > _BETWEEN_WARNINGS:
            log.warning("the cache cannot keep what is read (%s); reading goes on without it", error)
            self._warned_at = now

    @contextmanager
    def caching(self) -> Iterator[None]:
        """For writing bytes to the cache.  Raises `QuotaExceeded` where they cannot be cached, whatever the reason."""
        try:
            self.require_folder()
            with self.repaired():
                yield
        except (OSError, sqlite3.Error, QuotaExceeded, CoursefsError) as error:
            self.trouble = error
            self.warn(error)
            raise QuotaExceeded from error
        self.trouble = None

    @contextmanager
    def tolerated(self) -> Iterator[None]:
        """What fails inside is a warning."""
        try:
            with self.repaired():
                yield
        except (OSError, sqlite3.Error, CoursefsError) as error:
            self.warn(error)

    @contextmanager
    def repaired(self) -> Iterator[None]:
        """Where an error inside means that the index is damaged, set it aside and create a new one.

        Raises that error all the same, as a `sqlite3.DatabaseError`: what was done inside is lost.
        """
        try:
            yield
        except QuotaExceeded:
            raise
        except Exception as error:
            if not is_damage(error):
                raise
            self._stop()
            set_aside(self._folder.index_path, error)
            self.begin()
            raise sqlite3.DatabaseError(f"the cache index is damaged: {error}") from error

    def require_folder(self) -> None:
        """Check that the folder is in place, and create it anew where it is not.

        Raises `CoursefsError`, `OSError` or `sqlite3.Error` where that fails, and for some seconds after it failed.
        """
        if self._folder.is_in_place():
            return
        now = time.monotonic()
        if self._folder.is_taken:
            log.warning("the cache %s was deleted or moved; it is created again", self._folder.directory)
            self._stop()
        elif now - self._tried_at < _BETWEEN_TRIALS:
            raise self.trouble or FileNotFoundError(f"the cache {self._folder.directory} cannot be used")
        self._tried_at = now
        self.begin()

    def begin(self) -> None:
        """Take the folder and load its index; a damaged index is set aside.

        Raises `CoursefsError`, `OSError` or `sqlite3.Error`; then the folder is released again.
        """
        self._folder.take()
        try:
            try:
                self._load()
            except Exception as error:
                if isinstance(error, (OSError, sqlite3.Error, CoursefsError)) and not is_damage(error):
                    raise
                self._index.end()
                set_aside(self._folder.index_path, error)
                self._load()
        except BaseException:
            self._stop()
            raise

    def _load(self) -> None:
        """Load the index in the folder, or create one."""
        self._index.begin(self._folder.index_path)
        self._folder.remember()
        for (key, version), file in list(self.files.known.items()):
            row = self._index.row(key)
            if row is not None and row.version == version and row.cached and file.users:
                # A reader has the file of the old folder open, which is another one than this row describes.
                self._index.lose_all(row)
        self._sweep()

    def _stop(self) -> None:
        """Cache nothing from now on, and take nothing for cached."""
        self._index.end()
        self.files.lose_all()
        self._folder.release()

    def _sweep(self) -> None:
        """Delete data files without a row, spool files, and rows whose data file is missing.

        The name of a data file depends on its version.  So a row without its file may also be a damaged row, with a
        version that never existed.
        """
        names = {data_name(key, row.version): (key, row) for key, row in self._index.rows()}
        found = self._folder.sweep(names.keys())
        for name, (key, row) in names.items():
            if row.cached and name not in found:
                self.files.forget(key)
                self._index.database.remove_file(row.id)
