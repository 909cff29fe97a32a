"""A body that is written to the cache before it is known which version it is."""

from __future__ import annotations

from pathlib import Path

from coursefs.content.checksum import checksum
from coursefs.content.datafile import DataFile


class Draft:
    """Grows by `append` and ends by `move` or `remove`.  All of it waits for the disk."""

    def __init__(self, path: Path) -> None:
        self.size = 0  # bytes
        self.pieces: list[tuple[int, int, int]] = []  # start, end, CRC-32
        self._data = DataFile(path)

    def append(self, data: memoryview) -> None:
        """Write the next piece.  Raises `OSError`."""
        self._data.open()
        self._data.write(self.size, data)
        end = self.size + len(data)
        self.pieces.append((self.size, end, checksum(data)))
        self.size = end

    def move(self, path: Path) -> None:
        """Make it the data file at `path`.  Raises `OSError`."""
        self._data.open()  # an empty body has written nothing so far
        self._data.close()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._data.path.rename(path)

    def remove(self) -> None:
        """Remove it."""
        self._data.close()
        self._data.remove()
