"""How much room there is for more, and what leaves to make some."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from coursefs.content.cachedfile import CachedFile, Piece
from coursefs.content.eviction import Candidate, choose, excess, is_edge
from coursefs.content.identity import Key
from coursefs.content.ledger import Ledger
from coursefs.content.ranges import Ranges
from coursefs.model import Version

#: when room is made, it is made for a while: a 64th of the cache, at most this many bytes
_MOST_SPARE = 64 * 2**20


class Room:
    """The limits of a cache in `place`; for one thread at a time."""

    def __init__(self, place: Path, ledger: Ledger, *, max_size: int, min_free: int) -> None:
        self.drafted = 0  # bytes in drafts, which count but cannot leave
        self._place = place
        self._ledger = ledger
        self.max_size = max_size
        self.min_free = min_free

    def excess(self, incoming: int) -> int:
        """How many bytes are too many with so many more.  Raises `OSError`."""
        disk = os.statvfs(self._place)
        return excess(
            used=self._ledger.used + self.drafted,
            incoming=incoming,
            max_size=self.max_size,
            free=disk.f_bavail * disk.f_frsize,
            min_free=self.min_free,
        )

    def wanted(self, incoming: int) -> int:
        """How many bytes are to leave now: none, or enough for a while."""
        missing = self.excess(incoming)
        return max(missing, min(self.max_size // 64, _MOST_SPARE)) if missing else 0

    def leaving(self, files: Mapping[tuple[Key, Version], CachedFile], wanted: int) -> list[Candidate]:
        """What leaves to give so many bytes, in order."""
        favour = self._ledger.edges <= self.max_size // 4
        return choose(self._candidates(files), wanted, favour_edges=favour)

    def part_of(self, candidate: Candidate, file: CachedFile, wanted: int) -> list[Piece]:
        """The pieces of a candidate that make up for `wanted` bytes, those at its end first."""
        leaving: list[Piece] = []
        for piece in reversed(file.pieces()):
            if wanted <= 0:
                break
            edge = is_edge(piece.start, piece.end, file.version.size)
            if candidate.start == piece.start or (candidate.start is None and candidate.edge == edge):
                leaving.append(piece)
                wanted -= piece.size
        return leaving

    def _candidates(self, files: Mapping[tuple[Key, Version], CachedFile]) -> Iterator[Candidate]:
        for key, row in self._ledger.rows():
            if self._ledger.is_pinned(key) or not row.cached:
                continue
            file = files.get((key, row.version))
            if file is None or not file.users:
                for size, edge in ((row.cached - row.edges, False), (row.edges, True)):
                    if size:
                        yield Candidate(key, None, size, row.read_ns, edge)
                continue
            wanted = Ranges.of(list(file.wanted))
            for piece in file.pieces():
                if wanted.missing(piece.start, piece.end) == ((piece.start, piece.end),):
                    edge = is_edge(piece.start, piece.end, row.version.size)
                    yield Candidate(key, piece.start, piece.size, piece.read_ns, edge)
