"""The file table: one `CachedFile` for each version of a content, shared by all its users.

`_table` guards the table and the counts of users.  It is never held while waiting for the disk, so opening a file never
waits for a write.  `CachedFile.handles` is held while its data file is opened or closed.  Order of locks:
`CacheStore._changes`, then `_table` or `handles`, never both of these.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from coursefs.base.safe_open import NotOurs
from coursefs.content.cache_folder import CacheFolder
from coursefs.content.cached_file import CachedFile, Piece, RecentPieces
from coursefs.content.data_file import DataFile
from coursefs.content.identity import Key, data_name
from coursefs.content.index import Index
from coursefs.content.index_database import IndexRow
from coursefs.model import Version


class FileTable:
    """The cached files in `folder`, with the pieces that the index has of them.  Safe to call from several threads.

    `warn` is called with errors of the disk that cost only the cache.
    """

    def __init__(self, folder: CacheFolder, index: Index, warn: Callable[[Exception], None]) -> None:
        self._folder = folder
        self._index = index
        self._warn = warn
        self._recent = RecentPieces()
        self._table = threading.Lock()
        self._files: dict[tuple[Key, Version], CachedFile] = {}

    @property
    def known(self) -> Mapping[tuple[Key, Version], CachedFile]:
        """The files that were used so far."""
        return self._files

    def file(self, key: Key, version: Version, *, users: int = 0) -> CachedFile:
        """The file of this version; counts `users` more users of it."""
        while True:
            row = self._index.row(key)
            number = row.id if row is not None and row.version == version else None
            pieces: list[Piece] = []
            # Without `_table`, because it waits for the disk.  At worst two threads read the same pieces.
            if number is not None and (key, version) not in self._files:
                try:
                    found = self._index.database.pieces(number)
                    read_ns = row.read_ns if row else 0
                    pieces = [Piece(*each, read_ns=read_ns) for each in found]
                except Exception as error:  # perhaps a damaged index: the next write finds that, and repairs it
                    self._warn(error)
            with self._table:
                file = self._files.get((key, version))
                # The pieces were read without the lock: where the row was replaced meanwhile they are of another one,
                # and the loop begins again.
                if file is None and self._index.row(key) is row:
                    data = DataFile(self._folder, data_name(key, version))
                    file = CachedFile(key, version, data, number, pieces, self._recent)
                    self._files[key, version] = file
                if file is not None:
                    file.users += users
                    return file

    def acquire(self, key: Key, version: Version) -> tuple[CachedFile, OSError | None]:
        """The file of this version, with its data file open if anything is cached; `release` must follow.

        The second value is the error where the cached bytes are lost: the data file is missing or not ours.
        """
        file = self.file(key, version, users=1)
        with file.handles:
            if file.present.spans:  # else there may be no data file yet: the first write creates it
                try:
                    file.data.open()
                except (FileNotFoundError, NotOurs) as error:
                    return file, error
                except OSError as error:  # the bytes may still be there: read from the server for now
                    self._warn(error)
        return file, None

    def release(self, file: CachedFile) -> bool:
        """Count one user less; returns whether that was the last one, after which the data file is closed."""
        with self._table:
            file.users -= 1
            is_idle = file.users == 0
            if is_idle and file.row is None and not file.stale:  # nothing of it was ever cached
                del self._files[file.key, file.version]
        with file.handles:
            if not file.users:  # again: another thread may have begun to use it since
                file.data.close()
        return is_idle

    @contextmanager
    def opened(self, file: CachedFile) -> Iterator[bool]:
        """Keep the data file open inside the context; deletes it at the end when nothing of it is cached or used.

        Gives whether it exists.  A file that is not ours under its name is deleted.
        """
        with self._table:
            file.users += 1
        try:
            with file.handles:
                try:
                    file.data.open()
                except FileNotFoundError:
                    is_there = False
                except NotOurs:
                    is_there = False
                    file.data.remove()
                else:
                    is_there = True
            yield is_there
        finally:
            with self._table:
                file.users -= 1
            with file.handles:
                if not file.users:
                    file.data.close()
                    if not file.present.spans:
                        file.data.remove()

    def add_row(self, key: Key, version: Version) -> IndexRow:
        """Add a version to the index, whose content has no row."""
        row = self._index.add(key, version)
        with self._table:
            file = self._files.get((key, version))
            if file is not None:
                file.row = row.id
        return row

    def forget(self, key: Key) -> IndexRow:
        """Remove a content from memory and return its row; `IndexDatabase.remove_file` must follow.

        In one step under `_table`: a thread that finds the file stale must not find its version in the index any more.
        """
        with self._table:
            row = self._index.forget(key)
            file = self._files.pop((key, row.version), None)
        if file is not None:
            file.mark_stale()
        return row

    def discard(self, file: CachedFile) -> None:
        """Remove a file that has no row: nothing of this version will be cached."""
        with self._table:
            del self._files[file.key, file.version]
        file.mark_stale()
        file.data.remove()

    def lose_all(self) -> None:
        """Forget all pieces, because the folder or the index is lost.

        Files in use stay in the table: their bytes are fetched and cached again.
        """
        with self._table:
            for place, file in list(self._files.items()):
                file.forget(file.pieces())
                file.forgotten, file.row = [], None
                if not file.users:
                    del self._files[place]

    def close(self) -> None:
        """Close all data files.  No other thread may use them any more."""
        for file in self._files.values():
            if file.users:
                self._index.touch(file.key, file.version)
            file.data.close()
