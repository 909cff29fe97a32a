"""A cached file: the cached pieces of one version of a file, read from its data file and checked."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from coursefs.content.data_file import BLOCK, IS_QUICK, DataFile, checksum, running_checksums
from coursefs.content.identity import Key
from coursefs.content.ranges import Range, Ranges
from coursefs.model import Version

_START = attrgetter("start")
_END = attrgetter("end")

#: pieces (of a MiB at most), for all files together
_MOST_RECENT = 4


class RecentPieces:
    """Whole pieces that were just read from the disk and checked: a sequential reader asks for the rest of one next.

    The oldest pieces are dropped.  Safe to use from several threads; never waits.
    """

    def __init__(self, most: int = _MOST_RECENT) -> None:
        self._most = most
        self._pieces: dict[Hashable, memoryview] = {}
        self._lock = threading.Lock()

    def put(self, piece: Hashable, data: memoryview) -> None:
        """Keep the bytes of this piece."""
        with self._lock:
            self._pieces[piece] = data
            while len(self._pieces) > self._most:
                del self._pieces[next(iter(self._pieces))]

    def get(self, piece: Hashable) -> memoryview | None:
        """The bytes of this piece; None when they are not kept."""
        return self._pieces.get(piece)

    def drop(self, piece: Hashable) -> None:
        """Forget this piece."""
        with self._lock:
            self._pieces.pop(piece, None)


@dataclass(slots=True, eq=False)
class Piece:
    """A piece of a file that was written to the cache in one go, with one row in the index."""

    start: int
    end: int
    crc32: int
    read_ns: int  # last read, ns since 1970
    running: Sequence[int] | None = None  # see `running_checksums`; None: this process has not read the piece yet

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


class CachedFile:
    """The cached pieces of one version of a file, and their bytes.

    Every byte that is read from the disk is compared with a checksum before it is returned, so bytes that a disk, a
    cable or another program has changed are never returned.  A piece that this process has not read yet is read whole
    and compared with its checksum in the index.  Later reads take only the blocks that they need, and compare them with
    the running checksums.

    Reading holds no lock while it waits for the disk.  Instead `_generation` counts up whenever pieces are forgotten,
    which happens before their bytes are overwritten or freed.  Bytes that were read while the generation did not change
    are those of the pieces.  `_lock` guards the fields and is never held while waiting for the disk, so the event loop
    may take it.
    """

    def __init__(
        self, key: Key, version: Version, data: DataFile, row: int | None, pieces: Iterable[Piece], recent: RecentPieces
    ) -> None:
        self.key = key
        self.version = version
        self.data = data
        self.row = row  # id of its row in the index; None: it has none
        self.stale = False  # the server has another version now; never becomes False again
        self.users = 0  # guarded by `FileTable._table`
        self.handles = threading.Lock()  # held while `data` is opened or closed
        self.forgotten: list[Piece] = []  # forgotten here, but still in the index; guarded by `CacheStore._changes`
        self.in_use: list[Range] = []  # a read waits for these bytes: not to be evicted
        self._pieces = list(pieces)
        self._present = Ranges.of((piece.start, piece.end) for piece in self._pieces)
        self._generation = 0
        self._recent = recent
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
        """The bytes where they are cached, match their checksums, and need no wait for the disk; else None."""
        found = self._find(start, end, now_ns)
        if found is None:
            return None
        generation, pieces = found
        if not IS_QUICK and any(piece.running is None for piece in pieces):
            return None  # a whole piece would have to be checked, which takes too long in the event loop
        data, _ = self._checked(pieces, start, end, self.data.read_page_cache)
        # Another thread may have evicted pieces meanwhile, and freed or overwritten their bytes while they were read.
        # The checksums find that as well, but they have only 32 bits.
        return data if generation == self._generation else None

    def read(self, start: int, end: int, now_ns: int) -> tuple[memoryview | None, list[Piece]]:
        """The bytes, or None when they are not all cached (any more); and the pieces that are damaged or unreadable.

        Waits for the disk.
        """
        found = self._find(start, end, now_ns)
        if found is None:
            return None, []
        generation, pieces = found
        try:
            data, damaged = self._checked(pieces, start, end, self.data.read)
        except OSError:  # unreadable: the caller drops the pieces, and they are fetched again
            return None, pieces
        return (data, damaged) if generation == self._generation else (None, [])

    def verify(self, pieces: Iterable[Piece]) -> tuple[list[Piece], list[Piece]]:
        """Read these pieces from the disk; returns the damaged and the unreadable ones.

        Waits for the disk.  Does not count as a read for the order of eviction.
        """
        damaged, unreadable = [], []
        for piece in pieces:
            try:
                if checksum(self.data.read(piece.start, piece.end)) != piece.crc32:
                    damaged.append(piece)
            except OSError:
                unreadable.append(piece)
        return damaged, unreadable

    def whole(self) -> bytes | None:
        """All bytes, where all are cached and match their checksums; else None.

        Waits for the disk.  Does not count as a read for the order of eviction.
        """
        generation, parts, at = self._generation, [], 0
        try:
            for piece in self.pieces():
                data = self.data.read(piece.start, piece.end)
                if piece.start != at or checksum(data) != piece.crc32:
                    return None
                parts.append(data)
                at = piece.end
        except OSError:
            return None
        return b"".join(parts) if at == self.version.size and generation == self._generation else None

    def add(self, piece: Piece) -> None:
        """Add a piece that was written and committed to the index; it must not overlap another."""
        with self._lock:
            insort(self._pieces, piece, key=_START)
            self._present = self._present.add(piece.start, piece.end)

    def forget(self, pieces: Iterable[Piece]) -> list[Piece]:
        """Forget these pieces; returns those that were still cached.  A newer piece of the same range stays."""
        forgotten = []
        with self._lock:
            self._generation += 1  # before the caller destroys the bytes: see above
            for piece in pieces:
                place = bisect_left(self._pieces, piece.start, key=_START)
                if place < len(self._pieces) and self._pieces[place] is piece:
                    del self._pieces[place]
                    self._present = self._present.remove(piece.start, piece.end)
                    forgotten.append(piece)
        for piece in forgotten:
            self._recent.drop(piece)
        return forgotten

    def mark_stale(self) -> None:
        """The server has another version: forget all pieces; readers get `Stale`."""
        self.stale = True
        self.forget(self.pieces())

    def _find(self, start: int, end: int, now_ns: int) -> tuple[int, list[Piece]] | None:
        """The generation and the pieces with these bytes, which count as read now; None where some are not cached."""
        with self._lock:
            if not self._present.covers(start, end):
                return None
            first = bisect_right(self._pieces, start, key=_END)
            pieces = self._pieces[first : bisect_left(self._pieces, end, key=_START)]
            for piece in pieces:
                piece.read_ns = now_ns
            return self._generation, pieces

    def _checked(
        self, pieces: Sequence[Piece], start: int, end: int, read: Callable[[int, int], memoryview | None]
    ) -> tuple[memoryview | None, list[Piece]]:
        """The bytes out of these pieces, read by `read` and compared with their checksums.

        None with the damaged pieces where some do not match, and None without any where `read` returns None.
        """
        damaged = []
        parts = []
        for piece in pieces:
            low, high = max(start, piece.start), min(end, piece.end)
            first, data = piece.start, self._recent.get(piece)
            if data is not None:  # read and checked a moment ago
                if high == piece.end:
                    self._recent.drop(piece)  # a sequential reader has no more use for it
            elif piece.running is None:
                # The first read in this process: the index has the checksum of the whole piece only.
                data = read(piece.start, piece.end)
                if data is None:
                    return None, []
                if not self._matches(piece, data):
                    damaged.append(piece)
                    continue
                if high < piece.end:
                    self._recent.put(piece, data)
            else:  # only the blocks with the wanted bytes
                block, after = (low - piece.start) // BLOCK, -(-(high - piece.start) // BLOCK)
                first, last = piece.start + block * BLOCK, min(piece.start + after * BLOCK, piece.end)
                data = read(first, last)
                if data is None:
                    return None, []
                if len(data) < last - first or checksum(data, piece.running[block]) != piece.running[after]:
                    damaged.append(piece)
                    continue
            parts.append(data[low - first : high - first])
        if damaged:
            return None, damaged
        return (parts[0] if len(parts) == 1 else memoryview(b"".join(parts))), []

    @staticmethod
    def _matches(piece: Piece, whole: memoryview) -> bool:
        """Whether these bytes match the checksum of a piece; then its running checksums are kept."""
        if len(whole) < piece.size:
            return False
        running = running_checksums(whole)
        if running[-1] != piece.crc32:
            return False
        piece.running = running
        return True
