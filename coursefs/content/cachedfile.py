"""The cached pieces of one version of one content, and reading from them."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from coursefs.content.checksum import IS_QUICK, checksum
from coursefs.content.datafile import DataFile
from coursefs.content.identity import Key
from coursefs.content.ranges import Range, Ranges
from coursefs.model import Version

_START = attrgetter("start")
_END = attrgetter("end")


@dataclass(slots=True)
class Piece:
    """Some bytes that were recorded together."""

    start: int
    end: int
    crc32: int
    checked: bool  # whether the bytes are known to match: written by this process, or verified by it
    read_ns: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


class CachedFile:
    """Which pieces there are, and their bytes.

    Reading takes no lock while it waits for the disk.  Instead `_generation` counts the times that pieces were
    forgotten, which happens before their bytes are destroyed: bytes that were read within one generation are right.
    The lock guards the fields alone and is never held over disk work, so the event loop may take it.
    """

    def __init__(self, key: Key, version: Version, data: DataFile, row: int | None, pieces: Iterable[Piece]) -> None:
        self.key = key
        self.version = version
        self.data = data
        self.row = row  # its number in the record; None: not recorded
        self.dead = False  # the platform has another version now
        self.users = 0  # guarded by the table of `Files`
        self.handles = threading.Lock()  # held while `data` is opened or closed
        self.forgotten: list[Piece] = []  # by this object, but not by the record yet; for who changes the cache
        self.wanted: list[Range] = []  # somebody is reading these right now: not to be evicted
        self._pieces = list(pieces)
        self._present = Ranges.of((piece.start, piece.end) for piece in self._pieces)
        self._generation = 0
        self._verified: tuple[int, Piece, memoryview] | None = None  # of which generation, and its bytes
        self._lock = threading.Lock()

    @property
    def present(self) -> Ranges:
        """The bytes that are cached."""
        return self._present

    def pieces(self) -> list[Piece]:
        """All pieces, in order."""
        with self._lock:
            return list(self._pieces)

    def read_now(self, start: int, end: int, now_ns: int) -> memoryview | None:
        """The bytes if they are cached, right, and had without waiting for the disk; else None.

        Pieces that this process has not seen yet are read whole and verified, where that takes no longer than copying.
        """
        with self._lock:
            generation = self._generation
            if not self._present.covers(start, end):
                return None
            pieces = self._between(start, end)
            for piece in pieces:
                piece.read_ns = now_ns
        for piece in pieces:
            if not piece.checked and not self._verify_now(piece, generation):
                return None
        data = self._at_hand(generation, start, end) or self.data.read_now(start, end)
        return data if generation == self._generation else None

    def read(self, start: int, end: int, now_ns: int) -> tuple[memoryview | None, list[Piece]]:
        """The bytes, or None when they are not all cached (any more), and pieces that turned out to be damaged.

        Waits for the disk.  Pieces that this process has not seen yet are read whole and verified.
        """
        with self._lock:
            generation = self._generation
            if not self._present.covers(start, end):
                return None, []
            pieces = self._between(start, end)
            for piece in pieces:
                piece.read_ns = now_ns
        try:
            damaged = self.verify(piece for piece in pieces if not piece.checked)
            data = self.data.read(start, end)
        except OSError:  # what the disk does not give back is not cached
            return None, pieces
        if generation != self._generation:
            return None, []
        if len(data) < end - start:
            damaged = pieces
        return (None if damaged else data), damaged

    def verify(self, pieces: Iterable[Piece]) -> list[Piece]:
        """Those of these pieces whose bytes, read anew, do not match.  Waits for the disk; counts as no reading."""
        damaged = []
        for piece in pieces:
            try:
                matches = checksum(self.data.read(piece.start, piece.end)) == piece.crc32
            except OSError:  # what the disk does not give back is not cached
                matches = False
            if matches:
                piece.checked = True
            else:
                damaged.append(piece)
        return damaged

    def add(self, piece: Piece) -> None:
        """A piece was written and recorded; it overlaps no other."""
        with self._lock:
            insort(self._pieces, piece, key=_START)
            self._present = self._present.add(piece.start, piece.end)

    def forget(self, pieces: Iterable[Piece]) -> list[Piece]:
        """These pieces are no longer cached; returns those that still were: a successor in its place stays."""
        forgotten = []
        with self._lock:
            self._generation += 1
            for piece in pieces:
                place = bisect_left(self._pieces, piece.start, key=_START)
                if place < len(self._pieces) and self._pieces[place] is piece:
                    del self._pieces[place]
                    self._present = self._present.remove(piece.start, piece.end)
                    forgotten.append(piece)
        return forgotten

    def end_life(self) -> None:
        """This version is no longer to be had: nothing of it is cached."""
        self.dead = True
        self.forget(self.pieces())

    def _between(self, start: int, end: int) -> list[Piece]:
        return self._pieces[bisect_right(self._pieces, start, key=_END) : bisect_left(self._pieces, end, key=_START)]

    def _verify_now(self, piece: Piece, generation: int) -> bool:
        """Whether the bytes of a piece are had without waiting, and right; else `read` sees to it."""
        data = self.data.read_now(piece.start, piece.end) if IS_QUICK else None
        if data is None or checksum(data) != piece.crc32:
            return False
        piece.checked = True
        self._verified = (generation, piece, data)
        return True

    def _at_hand(self, generation: int, start: int, end: int) -> memoryview | None:
        """Bytes of the piece that was verified last: who reads on comes for the rest of it next."""
        if self._verified is None:
            return None
        of, piece, data = self._verified
        if of != generation or not piece.start <= start < end <= piece.end:
            self._verified = None
            return None
        if end == piece.end:  # it has done its service
            self._verified = None
        return data[start - piece.start : end - piece.start]
