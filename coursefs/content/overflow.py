"""The overflow buffer: bytes that are kept in memory because the cache cannot keep them on disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

#: bytes for all files together.  Requests in flight come on top: one piece for each slot, a smaller one for each
#: body that a probe spools.
MOST_OVERFLOW = 24 * 2**20


class OverflowBuffer:
    """Pieces of open files by owner and offset; the oldest piece is evicted when there are more than `most` bytes.

    For the event loop only, so it needs no lock.  A module of its own although it is short, because it is the one bound
    on the memory that a mount without a usable cache takes.
    """

    def __init__(self, most: int = MOST_OVERFLOW) -> None:
        self.used = 0  # bytes
        self._most = most
        self._pieces: OrderedDict[tuple[Hashable, int], bytes] = OrderedDict()  # oldest first: the order of eviction
        self._owners: dict[Hashable, dict[int, bytes]] = {}  # the same pieces by file: every read looks here

    def put(self, owner: Hashable, start: int, data: bytes) -> None:
        """Keep a piece of the owner's file, in place of one with the same start; may evict older pieces."""
        self._remove(owner, start)
        self._pieces[owner, start] = data
        self._owners.setdefault(owner, {})[start] = data
        self.used += len(data)
        while self.used > self._most:
            self._remove(*next(iter(self._pieces)))

    def pieces(self, owner: Hashable) -> dict[int, bytes]:
        """The kept pieces of a file by their first offset.  Not a copy: do not change it."""
        return self._owners.get(owner, {})

    def forget(self, owner: Hashable) -> None:
        """Drop all pieces of a file that is no longer open."""
        for start in list(self.pieces(owner)):
            self._remove(owner, start)

    def read_ahead_limit(self, owner: Hashable, otherwise: int) -> int:
        """The most bytes to read ahead of one reader of this file; `otherwise` where nothing of it is kept here.

        The read-ahead of all files in the buffer fills half of it at most.  With more, bytes would be evicted before
        their reader has come to them, and would be requested again and again.
        """
        if owner not in self._owners:
            return otherwise
        return min(self._most // 2 // len(self._owners), otherwise)

    def _remove(self, owner: Hashable, start: int) -> None:
        data = self._pieces.pop((owner, start), None)
        if data is not None:
            self.used -= len(data)
            mine = self._owners[owner]
            del mine[start]
            if not mine:
                del self._owners[owner]
