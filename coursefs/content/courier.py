"""Carries the bytes of a fetch from the server, and nothing but bytes of the right version."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from urllib.parse import urlsplit

import httpx
import trio

from coursefs.content.answers import Part, Whole, condition, honours_ranges, judge, version_of
from coursefs.content.fetch import Fetch
from coursefs.content.identity import Content, expects_html, same
from coursefs.content.lanes import Priority
from coursefs.content.location import Location
from coursefs.content.persistence import persist
from coursefs.content.planner import FIRST, SKIP
from coursefs.errors import BadReply, Stale
from coursefs.model import Source, Version
from coursefs.transport import Transport
from coursefs.transport.body import body_of, is_framed
from coursefs.transport.wire import Body, body_with_length

#: bytes that a socket has at once when its server is quicker than we are
_PLENTY = 128 * 2**10
#: connections that a file whose reading begins is given: for its head, and for both parts of an index at its end
_READY = 3


class Courier:
    """Knows one version of one content and where to get it.

    `nursery`: where connections are made for requests that will follow, `streams` of them at most with the first one;
    `confirmed` is called whenever the server says that this is the version.
    """

    def __init__(
        self,
        content: Content,
        version: Version,
        location: Location,
        transport: Transport,
        nursery: trio.Nursery,
        *,
        streams: int,
        patience: float,
        confirmed: Callable[[], None],
    ) -> None:
        self._content = content
        self._version = version
        self._location = location
        self._transport = transport
        self._nursery = nursery
        self._patience = patience
        self._confirmed = confirmed
        self._besides = min(_READY, streams - 1)
        # for more requests: a file of which one brings everything needs none
        self._is_ready = version.size <= FIRST or not self._besides
        self._condition = condition(version)
        # For sources for one use: held by a request until it is known what it brings, and where each began that brings
        # everything from there on, up to the next one.
        self._alone = trio.Lock()
        self._begun: set[int] = set()

    @property
    def brings_the_rest(self) -> bool:
        """Whether one request brings everything from its place on: its source is for one use."""
        return self._location.once

    async def carry(self, fetch: Fetch, comes_anyway: Callable[[Fetch], bool]) -> None:
        """Bring all bytes of `fetch`, or return early where what it still misses `comes_anyway`.

        Raises `Stale` when the server has another version, and any other `CoursefsError` that asking again does not
        help against.
        """

        async def request(source: Source) -> bool:
            if fetch.ticket.priority is Priority.READ and not self._is_ready and not source.once:
                self._is_ready = True
                self._nursery.start_soon(self._connect_ahead, source, name="connect ahead")
            return await self._request(source, fetch, comes_anyway)

        await persist(
            request,
            location=self._location,
            transport=self._transport,
            progress=lambda: fetch.received,
            patience=self._patience,
        )

    async def _connect_ahead(self, source: Source) -> None:
        """Have connections ready for what follows the first request: making one takes as long as an answer."""
        with suppress(Exception):  # an address that is none, for example: the request meets it as well, and says so
            await self._transport.connect_ahead(source.url, self._besides)

    async def _request(self, source: Source, fetch: Fetch, comes_anyway: Callable[[Fetch], bool]) -> bool:
        """One request for what is still missing; whether nothing is missing after it."""
        async with AsyncExitStack() as alone:
            if source.once:
                await alone.enter_async_context(self._alone)
                source = await self._location.current()  # whoever was alone before has used up the other
            return await self._request_now(source, fetch, comes_anyway, begun=alone.aclose)

    async def _request_now(
        self,
        source: Source,
        fetch: Fetch,
        comes_anyway: Callable[[Fetch], bool],
        *,
        begun: Callable[[], Awaitable[None]],
    ) -> bool:
        """As `_request`; `begun` is called when it is known what the request brings."""
        if fetch.received >= fetch.end or (not fetch.whole and comes_anyway(fetch)):
            return True
        self._location.use_up(source)
        headers = {**source.headers, **self._range(source, fetch)}
        async with self._transport.stream(source.url, headers=headers, bulk=True) as response:
            html = expects_html(self._content, source)
            where = urlsplit(source.url).hostname or ""
            answer = judge(
                response.status_code, response.headers, where, html=html, now=time.time(), guarded=source.guarded
            )
            self._require_version(answer, response.headers, where)
            if isinstance(answer, Part):
                if answer.start != fetch.received or answer.start == answer.end:
                    raise BadReply(f"{where}: sent another part than it was asked for")
                if source.once:
                    fetch.begin_rest(answer.end)
                    self._begun.add(answer.start)
                    await begun()
                return await self._take(response, fetch, answer.start, answer.end)
            was_conditional, self._condition = bool(self._condition), {}
            if fetch.whole or not was_conditional or fetch.received <= SKIP or source.once:
                if not fetch.whole:
                    if comes_anyway(fetch):  # another request has found out meanwhile that there are no ranges
                        return True
                    if source.once and not answer.encoded and honours_ranges(response.headers):
                        fetch.begin_rest(self._version.size)
                        self._begun.add(0)
                    else:
                        fetch.begin_whole(self._version.size)
                await begun()
                return await self._take(response, fetch, 0, self._version.size, decode=answer.encoded)
        # it is the right version, so the server does not understand the condition: without it there may be ranges
        return await self._request(source, fetch, comes_anyway)

    def _range(self, source: Source, fetch: Fetch) -> dict[str, str]:
        """The headers that ask for what is missing: from a source for one use everything from there on."""
        if not source.once:
            return {"Range": f"bytes={fetch.received}-{fetch.end - 1}", **self._condition}
        size = self._version.size
        end = min([fetch.end if fetch.open_ended else size, *(one for one in self._begun if one > fetch.received)])
        if end < size:
            return {"Range": f"bytes={fetch.received}-{end - 1}", **self._condition}
        return {"Range": f"bytes={fetch.received}-", **self._condition} if fetch.received else {}

    async def _take(
        self, response: httpx.Response, fetch: Fetch, offset: int, limit: int, *, decode: bool = False
    ) -> bool:
        """Hand the body, which is to be the bytes from `offset` to `limit`, to the fetch; whether it has all it wants.

        The end of the body is waited for, where it comes for certain, because the connection can be used again then.
        """
        body = body_with_length(response)
        if body is not None and not decode and offset == fetch.received:
            return await _receive(body, fetch)
        framed = is_framed(response)
        async with body_of(response, decode=decode) as parts:
            async for part in parts:
                await fetch.take(offset, part)
                offset += len(part)
                if fetch.whole and offset > limit:
                    raise Stale("the file is longer now")
                if fetch.received >= fetch.end and (offset != limit or not framed):
                    break
        return fetch.received >= fetch.end

    def _require_version(self, answer: Part | Whole, headers: httpx.Headers, where: str) -> None:
        size = answer.total if isinstance(answer, Part) else answer.length
        if not same(self._version, version_of(headers, self._version.size if size is None else size)):
            raise Stale(f"{where}: the file has changed")
        self._confirmed()


async def _receive(body: Body, fetch: Fetch) -> bool:
    """Put a body, which goes on at the place that the fetch has come to, where the fetch wants it.

    The end is met without reading further where the fetch wants everything up to it.
    """
    while room := fetch.room():
        count = await body.receive_into(room)
        if not count:
            break
        await fetch.took(count)
        while count >= _PLENTY and fetch.room():
            count = await fetch.fill(body.fill)
    return fetch.received >= fetch.end
