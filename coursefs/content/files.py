"""The cached files of a directory: one for each version of a content, whoever uses it.

`_table` guards which there are and how many use each; it is never held over disk work, so that whoever begins to use
a file waits for no write.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from coursefs.content.cachedfile import CachedFile, Piece
from coursefs.content.datafile import DataFile
from coursefs.content.identity import Key, data_name
from coursefs.content.ledger import Ledger
from coursefs.content.record import Row
from coursefs.model import Version


class Files:
    """Files in `place`, made of what the ledger says; safe to call from several threads.

    `warn` is told of an error of the disk that can be lived with.
    """

    def __init__(self, place: Path, ledger: Ledger, warn: Callable[[Exception], None]) -> None:
        self._place = place
        self._ledger = ledger
        self._warn = warn
        self._table = threading.Lock()
        self._files: dict[tuple[Key, Version], CachedFile] = {}

    @property
    def known(self) -> Mapping[tuple[Key, Version], CachedFile]:
        """Those that have been asked for so far."""
        return self._files

    def path(self, key: Key, version: Version) -> Path:
        """Where the bytes of a version lie."""
        name = data_name(key, version)
        return self._place / name[:2] / name

    def file(self, key: Key, version: Version, *, users: int = 0) -> CachedFile:
        """The file of this version, with so many users more."""
        while True:
            row = self._ledger.row(key)
            number = row.id if row is not None and row.version == version else None
            pieces: list[Piece] = []
            if number is not None and (key, version) not in self._files:
                try:
                    found = self._ledger.record.pieces(number)
                    read_ns = row.read_ns if row else 0
                    pieces = [Piece(*each, checked=False, read_ns=read_ns) for each in found]
                except sqlite3.Error as error:
                    self._warn(error)
            with self._table:
                file = self._files.get((key, version))
                if file is None and self._ledger.row(key) is row:  # else it was changed in the meantime
                    file = CachedFile(key, version, DataFile(self.path(key, version)), number, pieces)
                    self._files[key, version] = file
                if file is not None:
                    file.users += users
                    return file

    def acquire(self, key: Key, version: Version) -> CachedFile:
        """The file of this version, open where there is anything of it; to be given back by `release`."""
        file = self.file(key, version, users=1)
        with file.handles:
            if file.present.spans:  # else who writes to it opens it: there may be none
                try:
                    file.data.open()
                except OSError as error:  # served without the cache, then
                    self._warn(error)
        return file

    def release(self, file: CachedFile) -> bool:
        """One user less; whether that was the last one."""
        with self._table:
            file.users -= 1
            is_idle = file.users == 0
            if is_idle and file.row is None and not file.dead:  # nothing of it was ever kept
                del self._files[file.key, file.version]
        with file.handles:
            if not file.users:
                file.data.close()
        return is_idle

    @contextmanager
    def opened(self, file: CachedFile) -> Iterator[None]:
        """Have it open, and nobody else close it, as long as the context lasts; where it is empty then, it goes."""
        with self._table:
            file.users += 1
        try:
            with file.handles:
                file.data.open()
            yield
        finally:
            with self._table:
                file.users -= 1
            with file.handles:
                if not file.users:
                    file.data.close()
                    if not file.present.spans:
                        file.data.remove()

    def record(self, key: Key, version: Version) -> Row:
        """Record a version, of whose content there is no row."""
        row = self._ledger.add(key, version)
        with self._table:
            file = self._files.get((key, version))
            if file is not None:
                file.row = row.id
        return row

    def forget(self, key: Key) -> Row:
        """The row of a content, which is no longer looked up; `Record.remove_file` is to follow.

        At once, so that whoever sees that its file is dead no longer finds its version either.
        """
        with self._table:
            row = self._ledger.forget(key)
            file = self._files.pop((key, row.version), None)
        if file is not None:
            file.end_life()
        return row

    def discard(self, file: CachedFile) -> None:
        """Nothing is recorded of this version, and nothing will be."""
        with self._table:
            del self._files[file.key, file.version]
        file.end_life()
        file.data.remove()

    def close(self) -> None:
        """Close all of them.  Nobody may be using them any more."""
        for file in self._files.values():
            if file.users:
                self._ledger.touch(file.key, file.version)
            file.data.close()
