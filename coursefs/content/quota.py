"""The quota of the cache, and eviction: which pieces leave when it is full.

The least recently read pieces are evicted first.  The head and the tail of each file stay a month longer, because
players, scanners and thumbnailers read them again and again.  Pinned files and bytes that a read waits for stay.
"""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from coursefs.content.cache_folder import CacheFolder
from coursefs.content.cached_file import CachedFile, Piece
from coursefs.content.identity import Key
from coursefs.content.index import Index
from coursefs.content.index_database import is_edge
from coursefs.content.ranges import Ranges
from coursefs.model import Version

#: an eviction frees a 64th of the cache, at most so many bytes: so most writes need none
_MOST_SPARE = 64 * 2**20
#: ns by which edges count as read later than they were: a month
_FAVOUR = 30 * 24 * 3600 * 10**9


class QuotaExceeded(Exception):
    """The bytes cannot be cached: the limits leave no room, or the disk fails."""


@dataclass(frozen=True, slots=True)
class EvictionCandidate:
    """What may be evicted: of an open file one piece (`start`), of a closed file its edges or everything else."""

    key: Key
    start: int | None
    size: int  # bytes
    read_ns: int  # last read, ns since 1970
    edge: bool = False


def excess(*, used: int, incoming: int, max_size: int, free: int, min_free: int) -> int:
    """How many bytes must be evicted before `incoming` more may be written (pure); 0: there is room."""
    return max(0, used + incoming - max_size, incoming + min_free - free)


Order: TypeAlias = Callable[[EvictionCandidate], tuple[int, Key, bool, int]]


def order(*, favour_edges: bool) -> Order:
    """The key by which candidates are evicted one after the other: the least recently read first (pure).

    `favour_edges`: edges stay a month longer; for a cache that has room for more than edges.
    """
    favour = _FAVOUR if favour_edges else 0
    return lambda each: (each.read_ns + favour * each.edge, each.key, each.edge, each.start or 0)


def choose(candidates: Iterable[EvictionCandidate], wanted: int) -> list[EvictionCandidate]:
    """The first candidates with at least `wanted` bytes in all, or all that there are (pure).

    Looks at no more of them.  The last one may be larger than needed: a part of it is enough then.
    """
    chosen: list[EvictionCandidate] = []
    for candidate in candidates if wanted > 0 else ():
        chosen.append(candidate)
        wanted -= candidate.size
        if wanted <= 0:
            break
    return chosen


class Quota:
    """The limits of the cache in `folder`, in bytes.  Needs the store's lock, but to set the limits."""

    def __init__(self, folder: CacheFolder, index: Index, *, max_size: int, min_free: int) -> None:
        self.spooled = 0  # bytes in spool files, which count but cannot be evicted
        self._folder = folder
        self._index = index
        self.max_size = max_size
        self.min_free = min_free

    def excess(self, incoming: int) -> int:
        """How many bytes there are too many with `incoming` more.  Raises `OSError`."""
        disk = os.fstatvfs(self._folder.descriptor)
        return excess(
            used=self._index.used + self.spooled,
            incoming=incoming,
            max_size=self.max_size,
            free=disk.f_bavail * disk.f_frsize,
            min_free=self.min_free,
        )

    def to_evict(self, incoming: int) -> int:
        """How many bytes to evict before `incoming` more are written: 0, or enough for some time.  Raises `OSError`."""
        missing = self.excess(incoming)
        return max(missing, min(self.max_size // 64, _MOST_SPARE)) if missing else 0

    def victims(self, files: Mapping[tuple[Key, Version], CachedFile], wanted: int) -> list[EvictionCandidate]:
        """What to evict for so many bytes, in this order."""
        # Where edges alone fill a quarter of the cache, favouring them would leave no room for what is being read.
        key = order(favour_edges=self._index.edges <= self.max_size // 4)
        closed, now_ns = self._index.by_read(), time.time_ns()
        streams = (
            self._closed(closed, files, now_ns, edge=False),
            self._closed(closed, files, now_ns, edge=True),
            sorted(self._open(files), key=key),
        )
        # Each is in order already, so no more is looked at than leaves: the lock is held over this, and a cache may
        # have a hundred thousand files.
        return choose(heapq.merge(*streams, key=key), wanted)

    def pieces_of(self, candidate: EvictionCandidate, file: CachedFile, wanted: int) -> list[Piece]:
        """The pieces of a candidate with `wanted` bytes in all, the last one of the file first."""
        victims: list[Piece] = []
        for piece in reversed(file.pieces()):
            if wanted <= 0:
                break
            edge = is_edge(piece.start, piece.end, file.version.size)
            if candidate.start == piece.start or (candidate.start is None and candidate.edge == edge):
                victims.append(piece)
                wanted -= piece.size
        return victims

    def _closed(
        self, keys: Iterable[Key], files: Mapping[tuple[Key, Version], CachedFile], now_ns: int, *, edge: bool
    ) -> Iterator[EvictionCandidate]:
        """The edges of closed files, or everything else of them: by their sums, as their pieces are not in memory."""
        for key in keys:
            row = self._index.row(key)
            if row is None or row.read_ns > now_ns or self._index.is_pinned(key):
                continue
            file = files.get((key, row.version))
            size = row.edges if edge else row.cached - row.edges
            if size and (file is None or not file.users):
                yield EvictionCandidate(key, None, size, row.read_ns, edge)

    def _open(self, files: Mapping[tuple[Key, Version], CachedFile]) -> Iterator[EvictionCandidate]:
        """The pieces of open files that no read waits for."""
        for (key, version), file in list(files.items()):
            if not file.users or self._index.version(key) != version or self._index.is_pinned(key):
                continue
            wanted = Ranges.of(list(file.in_use))
            for piece in file.pieces():
                if wanted.missing(piece.start, piece.end) == ((piece.start, piece.end),):  # no read waits for any of it
                    edge = is_edge(piece.start, piece.end, version.size)
                    yield EvictionCandidate(key, piece.start, piece.size, piece.read_ns, edge)
