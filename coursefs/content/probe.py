"""The probe: asks the server for the size and version of a content, without downloading it where possible."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import trio
from cachetools import LRUCache

from coursefs.base.crash_messages import log_unforeseen
from coursefs.base.single_flight import SingleFlight
from coursefs.content.data_file import SpoolFile
from coursefs.content.edge_tags import Verdict
from coursefs.content.engine_context import DiskBusy, EngineContext
from coursefs.content.identity import Content, Key, expects_html, is_doubtful
from coursefs.content.quota import QuotaExceeded
from coursefs.content.range_response import CompressedPart, Part, Retry, Whole, check, is_settled, version_of
from coursefs.content.retries import with_retries
from coursefs.content.sniffing import BEGINNING, require_file
from coursefs.content.url_cache import UrlCache
from coursefs.errors import BadReply, CoursefsError, NoAnswer
from coursefs.model import Source, Version
from coursefs.transport.body import body_of, is_framed
from coursefs.transport.http_library import httpx

log = logging.getLogger(__name__)

#: bytes up to which an unrequested whole body is received into the cache: breaking off would cost the connection
_SHORT = 2**20
#: seconds after which a smaller size is believed without another ETag or date, if the server repeats it
_DOUBT = 600.0
#: contents whose doubtful sizes are remembered
_DOUBTS = 1024
#: read timeouts after the last caller joined, when a probe is cancelled: a body without an end would keep it for ever
_MOST_TIMEOUTS = 5
#: the longest body of unknown length that is received, in bytes: no lecture is as long
_LONGEST = 16 * 2**30
#: probes that run at once: as many connections as the transport keeps open
_MOST = 40
#: bytes in which a body is written to a spool file: less than a piece, because `_MOST` of them may be in memory
_PIECE = 2**18


class Probe:
    """Probes contents, each once for all its callers (single flight).

    A probe continues when all callers were cancelled: its result is recorded, and the next caller has it at once.
    """

    def __init__(self, context: EngineContext, url_cache: Callable[[Content], UrlCache]) -> None:
        self._context = context
        self._url_cache = url_cache
        self._flights: SingleFlight[Key, Version] = SingleFlight(context.supervisor)
        self._limiter = trio.CapacityLimiter(_MOST)
        self._known: dict[Key, Version | None] = {}  # the callers' version, while a probe runs
        self._scopes: dict[Key, trio.CancelScope] = {}
        self._doubts: LRUCache[Key, tuple[int, float]] = LRUCache(_DOUBTS)  # size, and when it was first reported

    async def run(self, content: Content, known: Version | None = None) -> Version:
        """The version that the server has now, recorded in the cache index.

        `known` is the version that the caller has: a reply that is rather a fault of the server than a change of it,
        or of the recorded version, is a `BadReply`.  Raises every `CoursefsError`; `NoAnswer` after the read timeout.
        Cancellation leaves the probe running.
        """
        if self._context.supervisor.cancel_scope.cancel_called:
            raise CoursefsError("the cache is being closed")
        if known is not None:
            self._known[content.key] = known
        if content.key in self._scopes:
            self._scopes[content.key].deadline = self._latest_end()
        with trio.move_on_after(self._context.read_timeout):
            return await self._flights.join(content.key, lambda: self._probe(content))
        raise NoAnswer(f"no answer within {self._context.read_timeout:g} s")

    async def _probe(self, content: Content) -> Version:
        found: list[Version] = []

        async def request(source: Source) -> bool:
            version = await self._request(content, source)
            found.extend([] if version is None else [version])
            return bool(found)

        try:
            async with self._limiter:
                with trio.CancelScope(deadline=self._latest_end()) as self._scopes[content.key]:
                    await with_retries(
                        request,
                        url_cache=self._url_cache(content),
                        transport=self._context.transport,
                        progress=lambda: 0,
                        patience=self._context.read_timeout,
                    )
        except CoursefsError:
            raise
        except Exception as error:
            log_unforeseen(log, "probing a size", error)
            raise BadReply("the size of the file could not be found out; the log says more") from None
        finally:
            self._scopes.pop(content.key, None)
            self._known.pop(content.key, None)
        if not found:
            raise NoAnswer("the server does not say the size of the file, and its body does not end")
        return found[-1]

    def _latest_end(self) -> float:
        return trio.current_time() + _MOST_TIMEOUTS * self._context.read_timeout

    async def _request(self, content: Content, source: Source) -> Version | None:
        """One request: HEAD for a single-use URL, else GET of the first byte.  None when the body ended early.

        Not HEAD for others, because signed URLs are often valid for GET alone.  A first byte that does not tell a file
        from a web page is followed by a request for as many as do.
        """
        if source.once and (version := await self._head(content, source)) is not None:
            return version
        self._url_cache(content).consume(source)
        count = 0 if source.once else 1  # bytes to ask for; 0: all
        while True:
            headers = {**source.headers, **({"Range": f"bytes=0-{count - 1}"} if count else {})}
            asked = trio.current_time()
            async with self._context.transport.stream(
                source.url, headers=headers, may_repeat=not source.once
            ) as response:
                if count and response.status_code == 416 and "content-range" not in response.headers:
                    count = 0  # an empty file has no first byte, and some servers do not say its size here (Open edX)
                    continue
                try:
                    ranged = _checked(content, source, response)
                except CompressedPart:
                    if not count:
                        raise
                    count = 0  # stored compressed: only the whole tells how many bytes it has
                    continue
                is_enough = await require_file(response, ranged, content, source)
                if isinstance(ranged, Whole):
                    if ranged.length is None or ranged.length <= _SHORT:
                        return await self._receive(content, source, response, ranged, asked)
                    size = ranged.length
                else:
                    size = await _total(ranged, count, response, urlsplit(source.url).hostname or "")
                if is_enough or count != 1:
                    return await self._record(content, source, response, size, asked)
                count = BEGINNING

    async def _head(self, content: Content, source: Source) -> Version | None:
        """The version by HEAD, which does not consume a single-use URL; None where the server does not support it."""
        asked = trio.current_time()
        async with self._context.transport.stream(source.url, headers=source.headers, method="HEAD") as response:
            is_redirected = str(response.url) != source.url  # to a URL whose signature may be for GET alone
            if response.status_code in {405, 501} or (response.status_code == 403 and is_redirected):
                return None
            ranged = _checked(content, source, response)
            if isinstance(ranged, Part) or ranged.length is None:
                return None
            return await self._record(content, source, response, ranged.length, asked)

    async def _record(
        self, content: Content, source: Source, response: httpx.Response, size: int, asked: float
    ) -> Version:
        """Record the version in a response to a request made at `asked`; returns the recorded one if it is the same.

        Raises `Retry` where another response has to tell.
        """
        version, recorded = version_of(response.headers, size), self._context.store.version(content.key)
        self._require_plausible(content, recorded, version)
        if recorded is not None:
            where, is_old, now = urlsplit(source.url).hostname or "", is_settled(response.headers), trio.current_time()
            verdict = self._context.edge_tags.judge(
                content.key, where, recorded, version, is_settled=is_old, asked=asked, now=now
            )
            if verdict is Verdict.UNCLEAR:
                raise Retry(BadReply(f"{where}: it is not clear whether the file has changed"))
            if verdict is Verdict.SAME:
                self._context.store.index.confirm(content.key, recorded)
                return recorded
        with suppress(DiskBusy):  # then the next caller probes again
            await self._context.write_threads.try_run(self._context.store.set_version, content.key, version)
        return version

    def _require_plausible(self, content: Content, recorded: Version | None, version: Version) -> None:
        """Raise `Retry` where a version is rather a fault of the server than a change.

        A size that the server repeats for `_DOUBT` seconds is believed, but for 0.
        """
        known = self._known.get(content.key)
        if not any(one is not None and is_doubtful(one, version) for one in (recorded, known)):
            self._doubts.pop(content.key, None)
            return
        now = trio.current_time()
        size, since = self._doubts.get(content.key, (None, now))
        if size != version.size:
            since = now
        self._doubts[content.key] = version.size, since
        if version.size == 0 or now - since < _DOUBT:
            before = (recorded or known or version).size
            raise Retry(
                BadReply(f"the server sent {version.size} bytes of a file that has {before}, as if nothing changed")
            )

    async def _receive(
        self, content: Content, source: Source, response: httpx.Response, ranged: Whole, asked: float
    ) -> Version | None:
        """Receive the whole body into the cache by way of a spool file; where it does not fit only count its bytes.

        None when the body ended early.  The spool file is removed at an error or cancellation.
        """
        store, run_write = self._context.store, self._context.run_write
        spool_file: SpoolFile | None = store.spool_file()
        size = 0
        try:
            buffer = bytearray()
            async with body_of(response, decode=ranged.encoded) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > _LONGEST:
                        raise BadReply("the server sends more bytes than any file has")
                    buffer += chunk
                    while len(buffer) >= _PIECE:
                        spool_file = await self._append(spool_file, bytes(buffer[:_PIECE]))
                        del buffer[:_PIECE]
            if ranged.length not in {None, size}:
                return None
            if buffer:
                spool_file = await self._append(spool_file, bytes(buffer))
            version = await self._record(content, source, response, size, asked)
            if spool_file is not None:
                await run_write(store.adopt, spool_file, content.key, version)
                spool_file = None
            return version
        finally:
            if spool_file is not None:
                with trio.CancelScope(shield=True):
                    await self._context.run_cleanup(store.remove_spool_file, spool_file)

    async def _append(self, spool_file: SpoolFile | None, piece: bytes) -> SpoolFile | None:
        """Write a piece of the body; None where there is no spool file any more, because the cache cannot keep it."""
        if spool_file is None:
            return None
        try:
            await self._context.write_threads.try_run(self._context.store.append, spool_file, memoryview(piece))
        except QuotaExceeded:
            await self._context.run_write(self._context.store.remove_spool_file, spool_file)
            return None
        except DiskBusy:
            # not awaited: the disk hangs, and the caller only wants the size
            self._context.supervisor.start_soon(
                self._context.run_cleanup,
                self._context.store.remove_spool_file,
                spool_file,
                name="remove a spool file",
            )
            return None
        return spool_file


def _checked(content: Content, source: Source, response: httpx.Response) -> Part | Whole:
    html = expects_html(content, source)
    where = urlsplit(source.url).hostname or ""
    return check(response.status_code, response.headers, where, html=html, now=time.time(), guarded=source.guarded)


async def _total(ranged: Part, count: int, response: httpx.Response, where: str) -> int:
    """The size of the file by a response with its first `count` bytes, or fewer.  Raises `BadReply`."""
    if ranged.total is None:
        raise BadReply(f"{where}: does not say the size of the file")
    if ranged.start or not min(ranged.total, 1) <= ranged.end <= min(ranged.total, count):
        raise BadReply(f"{where}: sent another range than requested")
    left = ranged.end
    async with body_of(response) as parts:
        async for part in parts:  # at the end of the body the connection can be used again
            left -= len(part)
            if left < 0 or not is_framed(response):
                break
    return ranged.total
