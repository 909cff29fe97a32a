"""The URL of a content: found by its provider when it is needed, kept until it expires, renewed when it is refused."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import trio

from coursefs.content.identity import Content
from coursefs.model import Source

#: finds the URL of a content; True: a new one, because the last was refused or has expired
Find = Callable[[Content, bool], Awaitable[Source]]

#: seconds before its expiry at which a URL is no longer used
_MARGIN = 60.0


class UrlCache:
    """The current URL of one content (a `Source`).  Renewed once, however many requests need it (single flight).

    `now` tells seconds since 1970, by the servers' clocks.  A new URL that has expired already shows that one of the
    clocks is wrong: it is used until a server refuses it.
    """

    def __init__(self, content: Content, find: Find, now: Callable[[], float] = time.time) -> None:
        self.content = content
        self.is_single_use = False  # as far as any URL was found
        self._find = find
        self._now = now
        self._source: Source | None = None
        self._used_until: float | None = None  # None: until it is refused
        self._lock = trio.Lock()  # held while the provider is asked: all others wait for that one reply

    async def current(self) -> Source:
        """A URL that has not expired.  Raises what `Provider.source` raises."""
        async with self._lock:
            if self._source is None:
                return await self._renewed(fresh=False)
            if self._used_until is not None and self._used_until < self._now():
                return await self._renewed(fresh=True)
            return self._source

    def consume(self, source: Source) -> None:
        """Forget a URL that is for a single use, because a request is made with it now."""
        if source.once and self._source is source:
            self._source = None

    async def renew(self, refused: Source) -> None:
        """Replace the URL that was refused, unless another request has done so already."""
        async with self._lock:
            if self._source is refused or self._source is None:
                await self._renewed(fresh=True)

    async def _renewed(self, *, fresh: bool) -> Source:
        self._source = source = await self._find(self.content, fresh)
        self.is_single_use = source.once
        self._used_until = _used_until(source.expires, self._now(), is_new=fresh)
        return source


def _used_until(expires: float | None, now: float, *, is_new: bool) -> float | None:
    """Until when a URL is used that was found now; None: until it is refused (pure).

    A new one is used for half of its time where the margin is longer, so that it is not renewed for each request.
    """
    if expires is None or (is_new and expires <= now):
        return None
    return expires - (min(_MARGIN, (expires - now) / 2) if is_new else _MARGIN)
