"""An open file of the library: its reads, and who is told how they went."""

from __future__ import annotations

import time
from collections.abc import Callable

from coursefs.activity import Reading
from coursefs.catalog import Node
from coursefs.content import Reader
from coursefs.errors import CoursefsError, Stale
from coursefs.foreground import Foreground


class Handle:
    """An open file.  Reads give exactly the bytes that were asked for, up to the end of the file."""

    def __init__(
        self,
        node: Node,
        source: Reader | bytes,
        reading: Reading,
        foreground: Foreground,
        note: Callable[[Node, CoursefsError | None], None],
        is_current: Callable[[], bool],
    ) -> None:
        """A file whose bytes are `source`: on the platform, or a page of our own.

        `note` is told how each read ended; `is_current` says whether a page is still the one that was opened.
        """
        self.node = node
        self._source = source
        self._reading = reading
        self._foreground = foreground
        self._note = note
        self._is_current = is_current

    async def read(self, offset: int, length: int) -> bytes | memoryview:
        """Bytes `offset` to `offset + length`, fewer only at the end.  Raises a `CoursefsError`; never less data."""
        if isinstance(self._source, bytes):
            if not self._is_current():
                # the kernel has its new size already: old bytes would stay under it for ever
                raise Stale("the page has changed; open it again")
            page = memoryview(self._source)[offset : offset + length]
            self._reading.gave(offset, len(page))
            return page
        started, missing = time.monotonic(), 0
        try:
            with self._foreground.request():
                if self._reading.is_logged:
                    missing = await self._source.missing(offset, length)
                data = await self._source.read(offset, length)
        except CoursefsError as error:
            self._reading.failed(offset, length, error, started)
            self._note(self.node, error)
            raise
        self._reading.gave(offset, len(data), missing=missing, started=started)
        self._note(self.node, None)
        return data

    def read_now(self, offset: int, length: int) -> memoryview | None:
        """The bytes as `read` gives them, where they can be had without waiting; None: ask with `read`."""
        if isinstance(self._source, bytes):
            return None
        data = self._source.read_now(offset, length)
        if data is not None:
            self._reading.gave(offset, len(data))
            self._note(self.node, None)
        return data

    def close(self) -> None:
        """Let go of what is being fetched for this handle alone."""
        self._reading.close()
        if not isinstance(self._source, bytes):
            self._source.close()
