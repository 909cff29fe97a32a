"""Bytes that are kept in memory because they cannot be kept on disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

#: bytes for all files together.  What is on its way comes on top: a piece for each lane, a smaller one for each
#: content that is being measured.
MOST_LOOSE = 24 * 2**20


class Memory:
    """Pieces of files by owner and place; the oldest are let go when there are too many bytes of them."""

    def __init__(self, most: int = MOST_LOOSE) -> None:
        self.used = 0  # bytes
        self._most = most
        self._pieces: OrderedDict[tuple[Hashable, int], bytes] = OrderedDict()
        self._owners: dict[Hashable, dict[int, bytes]] = {}

    def put(self, owner: Hashable, start: int, data: bytes) -> None:
        """Keep a piece of the owner's file for a while."""
        self._remove(owner, start)
        self._pieces[owner, start] = data
        self._owners.setdefault(owner, {})[start] = data
        self.used += len(data)
        while self.used > self._most:
            self._remove(*next(iter(self._pieces)))

    def pieces(self, owner: Hashable) -> dict[int, bytes]:
        """What is kept of a file, by where it starts; to be looked at only."""
        return self._owners.get(owner, {})

    def forget(self, owner: Hashable) -> None:
        """Nobody has this file open any more."""
        for start in list(self.pieces(owner)):
            self._remove(owner, start)

    def room_ahead(self, owner: Hashable, otherwise: int) -> int:
        """How many bytes may be fetched ahead of a reader of this file.

        What is fetched ahead of all readers of files in memory fills half of it at most, so that it is not let go
        before it is read.  `otherwise` is the answer for a file that is not in memory.
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
