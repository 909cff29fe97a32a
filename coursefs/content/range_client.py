"""The range client: fetches the bytes of a range request, with retries, and only bytes of the right version."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from urllib.parse import urlsplit

import trio

from coursefs.base.supervisor import Tasks
from coursefs.content.edge_tags import EdgeTags, Verdict
from coursefs.content.identity import Content, expects_html, has_validator, is_doubtful
from coursefs.content.link import Link, Pace
from coursefs.content.planner import FIRST, SKIP, Extent
from coursefs.content.range_request import RangeRequest
from coursefs.content.range_response import (
    CompressedPart,
    Part,
    Retry,
    Whole,
    check,
    condition,
    honours_ranges,
    is_settled,
    version_of,
)
from coursefs.content.retries import with_retries
from coursefs.content.scheduler import Priority
from coursefs.content.sniffing import require_file
from coursefs.content.url_cache import UrlCache
from coursefs.errors import BadReply, Stale
from coursefs.model import Source, Version
from coursefs.transport import Transport
from coursefs.transport.bandwidth import Bandwidth, limit_of
from coursefs.transport.body import Inflate, body_of, content_coding, is_framed
from coursefs.transport.http1 import Body, body_with_length
from coursefs.transport.http_library import httpx

#: bytes in one receive from which on the server is quicker than we are: the rest of the piece is received in a thread
_QUICK = 128 * 2**10
#: bytes in one receive below which it is worth while to let more come over a thin link, and the most seconds for that:
#: each receive takes a millisecond of a small processor, and a laptop's battery
_FEW, _LONGEST_PAUSE = 32 * 2**10, 0.05
#: the most bytes of a compressed body that are held until its end has come: such files are texts
_MOST_HELD = 4 * 2**20
#: connections for a file whose reading begins: for its head, and for both parts of a media index at its end
_CONNECTIONS = 3


class RangeClient:
    """Fetches bytes of one version of one content from its server.

    `tasks` runs the making of connections ahead, `streams` in all at most; `link` is told what arrives; `confirmed` is
    called whenever a reply shows that the server still has this version.
    """

    def __init__(
        self,
        content: Content,
        version: Version,
        url_cache: UrlCache,
        transport: Transport,
        tasks: Tasks,
        link: Link,
        edge_tags: EdgeTags,
        *,
        streams: int,
        patience: float,
        confirmed: Callable[[], None],
    ) -> None:
        self._content = content
        self._version = version
        self._url_cache = url_cache
        self._transport = transport
        self._tasks = tasks
        self._link = link
        self._edge_tags = edge_tags
        self._patience = patience
        self._confirmed = confirmed
        self._connections_ahead = min(_CONNECTIONS, streams - 1)
        # a file that one request brings in full needs no further connections
        self._is_connected = version.size <= FIRST or not self._connections_ahead
        self._condition = condition(version)
        self._is_stored_compressed = False  # as its server has answered; then every request is for the whole file
        # For single-use URLs.  The lock is held by a request until its reply says where its bytes begin and end; the
        # set holds where each such request began, which is where the one before it may end.
        self._single_use = trio.Lock()
        self._starts: set[int] = set()

    @property
    def is_single_use(self) -> bool:
        """Whether each URL is for a single use: then one request brings everything from its start on."""
        return self._url_cache.is_single_use

    async def fetch(self, request: RangeRequest, is_expected: Callable[[RangeRequest], bool]) -> None:
        """Fetch the bytes of a range request, up to its `stop`.

        Returns early where `is_expected` says that others bring the rest.

        Raises `Stale` when the server has another version, and any other `CoursefsError` that retries do not cure.
        Cancellation closes the connection; what has arrived stays in the request.
        """

        async def attempt(source: Source) -> bool:
            if not source.once:
                self._keep_connected(source, request.queued.priority)
            return await self._attempt(source, request, is_expected)

        await with_retries(
            attempt,
            url_cache=self._url_cache,
            transport=self._transport,
            progress=lambda: request.received,
            patience=self._patience,
        )

    def _keep_connected(self, source: Source, priority: Priority) -> None:
        """Have connections ready for the requests after the first: making one takes as long as a reply.

        Over a thin link there is always one more than in use: a jump breaks off the requests in flight.
        """
        count = 0
        if priority is Priority.READ and not self._is_connected:
            self._is_connected = True
            count = self._connections_ahead
        elif priority is not Priority.BACKGROUND and self._link.pace.is_thin:
            count = min(1, self._connections_ahead)
        if count:
            self._tasks.start_soon(self._connect_ahead, source, count, name="connect ahead")

    async def _connect_ahead(self, source: Source, count: int) -> None:
        with suppress(Exception):  # for example an unusable URL: the request fails with it as well, and reports it
            await self._transport.connect_ahead(source.url, count)

    async def _attempt(
        self, source: Source, request: RangeRequest, is_expected: Callable[[RangeRequest], bool]
    ) -> bool:
        """One HTTP request for the missing bytes; returns whether none is missing afterwards."""
        with suppress(ValueError):  # not a URL: the transport says so
            if self._edge_tags.differ_at(urlsplit(source.url).hostname or ""):
                self._condition = {}  # another server would send the whole file
        async with AsyncExitStack() as single_use:
            if source.once:
                await single_use.enter_async_context(self._single_use)
                source = await self._url_cache.current()  # the holder before us has consumed the other URL
            return await self._attempt_now(source, request, is_expected, begun=single_use.aclose)

    async def _attempt_now(
        self,
        source: Source,
        request: RangeRequest,
        is_expected: Callable[[RangeRequest], bool],
        *,
        begun: Callable[[], Awaitable[None]],
    ) -> bool:
        """As `_attempt`; calls `begun` as soon as the reply says which bytes it brings."""
        is_whole = request.extent is Extent.WHOLE
        if request.received >= request.stop or (not is_whole and is_expected(request)):
            return True
        self._url_cache.consume(source)
        headers = {**source.headers, **self._range(source, request)}
        may_repeat = not source.once  # a URL for a single use is used up by a request whose answer is lost
        asked = trio.current_time()
        async with self._transport.stream(source.url, headers=headers, may_repeat=may_repeat) as response:
            self._link.answered(trio.current_time() - asked)
            html = expects_html(self._content, source)
            where = urlsplit(source.url).hostname or ""
            try:
                ranged = check(
                    response.status_code, response.headers, where, html=html, now=time.time(), guarded=source.guarded
                )
            except CompressedPart as compressed:
                if self._is_stored_compressed:
                    raise
                self._is_stored_compressed, self._condition = True, {}
                raise Retry(compressed) from None
            # In this order: a web page in place of the file must not count as a new version, which drops the cache.
            await require_file(response, ranged, self._content, source)
            self._require_version(ranged, response.headers, where, asked)
            if isinstance(ranged, Part):
                if ranged.start != request.received or ranged.start == ranged.end:
                    raise BadReply(f"{where}: sent another range than requested")
                if source.once:
                    request.begin_rest(ranged.end)
                    self._starts.add(ranged.start)
                    await begun()  # the next request knows now where it has to end
                return await self._receive(response, request, ranged.start, ranged.end)
            # 200 with the right version although a range was requested.  Either there are no ranges, or the server does
            # not understand `If-Range`, which later requests therefore leave out.
            was_conditional, self._condition = bool(self._condition), {}
            if is_whole or not was_conditional or request.received <= SKIP or source.once:
                if not is_whole:
                    if is_expected(request):  # another request has found out meanwhile that there are no ranges
                        return True
                    if source.once and not ranged.encoded and honours_ranges(response.headers):
                        request.begin_rest(self._version.size)
                        self._starts.add(0)
                    else:
                        request.begin_whole(self._version.size)
                await begun()
                if ranged.encoded and not response.is_stream_consumed:  # else httpx has decompressed it
                    return await self._receive_compressed(response, request, where)
                return await self._receive(response, request, 0, self._version.size)
        # far from the beginning a second request without `If-Range` costs less than the bytes before the range
        return await self._attempt(source, request, is_expected)

    def _range(self, source: Source, request: RangeRequest) -> dict[str, str]:
        """The headers for the missing bytes; with a single-use URL for everything up to the next request's start."""
        if self._is_stored_compressed:
            return {}
        if not source.once:
            return {"Range": f"bytes={request.received}-{request.stop - 1}", **self._condition}
        size = self._version.size
        limit = size if request.extent is Extent.RANGE else request.end
        end = min([limit, *(one for one in self._starts if one > request.received)])
        if end < size:
            return {"Range": f"bytes={request.received}-{end - 1}", **self._condition}
        return {"Range": f"bytes={request.received}-", **self._condition} if request.received else {}

    async def _receive(self, response: httpx.Response, request: RangeRequest, offset: int, limit: int) -> bool:
        """Receive the body, the bytes from `offset` to `limit`; returns whether the request has all its bytes.

        Reads to the end of the body where there is certain to be one, because the connection can be used again then.
        """
        bandwidth = limit_of(self._transport.bandwidth)
        body = body_with_length(response)
        if body is not None and offset == request.received:
            with self._link.receiving(trio.current_time):
                return await _receive_into(body, request, bandwidth, lambda: self._link.pace)
        framed = is_framed(response)
        async with body_of(response) as chunks:
            async for chunk in chunks:
                await request.add(offset, chunk)
                offset += len(chunk)
                if request.queued.priority is Priority.BACKGROUND:
                    bandwidth.spend(len(chunk))
                    await bandwidth.wait(request.queued.promoted)
                if request.extent is Extent.WHOLE and offset > limit:
                    raise Stale("the file is longer now")
                if request.received >= request.stop and (offset != limit or not framed):
                    break
        return request.received >= request.stop

    async def _receive_compressed(self, response: httpx.Response, request: RangeRequest, where: str) -> bool:
        """Receive the whole file compressed, which was not requested; returns whether the request has all its bytes.

        Only the end of the body says how many bytes it brings, so nothing of it is believed before: the compressed
        bytes are held, and decompressed twice.  The same strong ETag proves nothing here, because a compressed body
        must have another one (RFC 9110, section 8.8.3.3).  Raises `Retry` where it brings another number of bytes than
        the file has, and `BadReply` where it is too large to be held.
        """
        coding = content_coding(response.headers.get("content-encoding"))
        assert coding is not None
        another_size = Retry(BadReply(f"{where}: sent a compressed body of another size than the file has"))
        held: list[bytes] = []
        free, left = _MOST_HELD, self._version.size
        inflate = Inflate(coding)
        bandwidth = limit_of(self._transport.bandwidth)
        async with body_of(response) as chunks:
            async for chunk in chunks:
                held.append(chunk)
                if request.queued.priority is Priority.BACKGROUND:
                    bandwidth.spend(len(chunk))
                    await bandwidth.wait(request.queued.promoted)
                free -= len(chunk)
                if free < 0:
                    raise BadReply(f"{where}: sent a large file compressed, which was not requested")
                for part in inflate.feed(chunk):
                    left -= len(part)
                    if left < 0:
                        raise another_size
                    await trio.lowlevel.checkpoint()  # one compressed chunk may become many parts
        inflate.finish()
        if left:
            raise another_size
        offset, inflate = 0, Inflate(coding)
        for chunk in held:
            for part in inflate.feed(chunk):
                await request.add(offset, part)
                offset += len(part)
                await trio.lowlevel.checkpoint()
        return request.received >= request.end

    def _require_version(self, ranged: Part | Whole, headers: httpx.Headers, where: str, asked: float) -> None:
        """Raise `Stale` for another version, and `Retry` for one that may be none or is rather a server's fault."""
        size = ranged.total if isinstance(ranged, Part) else ranged.length
        version = version_of(headers, self._version.size if size is None else size)
        if size is None and not has_validator(version) and has_validator(self._version):
            # It may be any body, and readers would get its bytes before its end is known.
            raise Retry(BadReply(f"{where}: sent a body with neither a length nor a version"))
        if is_doubtful(self._version, version):
            raise Retry(BadReply(f"{where}: sent {version.size} bytes of a file that has {self._version.size}"))
        is_old, now = is_settled(headers), trio.current_time()
        verdict = self._edge_tags.judge(
            self._content.key, where, self._version, version, is_settled=is_old, asked=asked, now=now
        )
        if verdict is Verdict.CHANGED:
            raise Stale(f"{where}: the file has changed")
        if verdict is Verdict.UNCLEAR:
            self._condition = {}
            raise Retry(Stale(f"{where}: the file has changed"))
        self._confirmed()


async def _receive_into(body: Body, request: RangeRequest, bandwidth: Bandwidth, pace: Callable[[], Pace]) -> bool:
    """Receive a body that continues at `request.received` straight into the buffer of the request.

    With a known length the last byte is also the end of the body: no further read is needed to find it.
    """
    while space := request.free_space():
        if request.queued.priority is Priority.BACKGROUND and bandwidth.is_limited:
            if not await _receive_some(body, request, bandwidth):
                break
            continue
        count = await body.receive_into(space)
        if not count:
            break
        await request.advance(count)
        if count < _FEW and request.received < request.stop and (rate := pace().thin_rate):
            await request.gather(_FEW, rate, _LONGEST_PAUSE)
        while count >= _QUICK and request.free_space():
            count = await request.receive_in_thread(body.fill)
    return request.received >= request.stop


async def _receive_some(body: Body, request: RangeRequest, bandwidth: Bandwidth) -> bool:
    """Receive a few bytes as soon as the limit allows it, or a read waits for them; returns False at the end."""
    await bandwidth.wait(request.queued.promoted)
    space = request.free_space()[: bandwidth.step]  # anew: the end may have been moved while it waited
    if not space:
        return False
    count = await body.receive_into(space)
    bandwidth.spend(count)
    if count:
        await request.advance(count)
    return count > 0
