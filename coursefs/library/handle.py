"""The handle of an open file: reads it, and reports the result of each read."""

from __future__ import annotations

import time
from collections.abc import Callable

from coursefs.base.foreground import Foreground
from coursefs.catalog import Node
from coursefs.content import Reader
from coursefs.errors import CoursefsError, Stale
from coursefs.library.activity import Reading


class Handle:
    """An open file.  A read returns exactly the requested bytes, up to the end of the file, or the first of them."""

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

        `note` is called with the result of each read; `is_current` returns whether a page is still the opened one, and
        of another file whether it still has the size of `node`.
        """
        self.node = node
        self._source = source
        self._reading = reading
        self._foreground = foreground
        self._note = note
        self._is_current = is_current

    async def read(self, offset: int, length: int, *, partly: bool = False) -> bytes | memoryview:
        """Bytes `offset` to `offset + length`, fewer only at the end.  Raises a `CoursefsError`; never less data.

        `partly`: the first of them, as many as come within a moment; none only at the end.
        Where a newer version is longer or shorter, there is no end any more: `Stale`.
        """
        if isinstance(self._source, bytes):
            if not self._is_current():
                # the kernel already has the new size, and would cache the old bytes with it for good
                raise Stale("the page has changed; open it again")
            page = memoryview(self._source)[offset : offset + length]
            self._reading.gave(offset, len(page))
            return page
        started, missing = time.monotonic(), 0
        try:
            self._reading.began(offset, length)
            try:
                with self._foreground.request():
                    if partly:
                        length = await self._source.soon(offset, length)
                    if self._reading.is_logged:
                        missing = await self._source.missing(offset, length)
                    data = await self._source.read(offset, length)
            finally:
                self._reading.ended()
            if len(data) < length and not self._is_current():
                # the kernel would take this for the end of the file, and cut it there for readers of the new version
                raise Stale("the file has another size now; open it again")
        except CoursefsError as error:
            self._reading.failed(offset, length, error, started)
            self._note(self.node, error)
            raise
        self._reading.gave(offset, len(data), missing=missing, started=started)
        self._note(self.node, None)
        return data

    def read_now(self, offset: int, length: int) -> memoryview | None:
        """The bytes as `read` gives them, where all of them are in memory or in the cache; None: call `read`."""
        if isinstance(self._source, bytes):
            return None
        data = self._source.read_now(offset, length)
        if data is not None and len(data) < length and not self._is_current():
            return None
        if data is not None:
            self._reading.gave_now(offset, len(data))
            self._note(self.node, None)
        return data

    async def cached(self, offset: int, length: int) -> bytes | memoryview | None:
        """The bytes as `read` returns them, where all of them are cached; makes no request.  Raises as `read`."""
        return await (self.read if isinstance(self._source, bytes) else self._source.cached)(offset, length)

    def close(self) -> None:
        """Cancel the range requests that serve this handle alone."""
        self._reading.close()
        if not isinstance(self._source, bytes):
            self._source.close()
