"""Where the bytes of a content can be had now."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import trio

from coursefs.content.identity import Content
from coursefs.model import Source

Find = Callable[[Content, bool], Awaitable[Source]]

#: seconds before its end at which a source is no longer used
_MARGIN = 60.0


class Location:
    """Remembers the source of one content, and has it renewed: once, however many ask."""

    def __init__(self, content: Content, find: Find) -> None:
        self.content = content
        self.once = False  # whether its sources are for one use, as far as any was found
        self._find = find
        self._source: Source | None = None
        self._turn = trio.Lock()

    async def current(self) -> Source:
        """A source that has not ended.  Raises what `Provider.source` raises."""
        async with self._turn:
            if self._source is None:
                return await self._renewed(fresh=False)
            if self._source.expires is not None and self._source.expires < time.time() + _MARGIN:
                return await self._renewed(fresh=True)
            return self._source

    def use_up(self, source: Source) -> None:
        """This source was for one request, which is made now."""
        if source.once and self._source is source:
            self._source = None

    async def renew(self, refused: Source) -> None:
        """Look for another source than this one, unless there is another already."""
        async with self._turn:
            if self._source is refused or self._source is None:
                await self._renewed(fresh=True)

    async def _renewed(self, *, fresh: bool) -> Source:
        self._source = source = await self._find(self.content, fresh)
        self.once = source.once
        return source
