"""The HTTP client of a process: timeouts, redirects, retries, and no secret to a foreign host.

Rules that hold for every request: https, or http to this machine; headers that were given for a URL go to its origin
only, not along a redirect to another, except for `Range` and `If-Range`, which are no secrets and say what is asked
for; cookies that a server sets are never stored or replayed; error messages and log lines name host and path, never a
query, because signatures live there.
"""

from __future__ import annotations

import http.cookiejar
import json
import logging
import math
import random
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from urllib.parse import urljoin, urlsplit

import httpx
import trio

from coursefs import __version__
from coursefs.errors import BadReply, CoursefsError, NoAnswer, Unreachable, UsageError
from coursefs.transport.backoff import RETRIED_STATUSES, pause, retry_after_seconds
from coursefs.transport.bucket import Limit
from coursefs.transport.hosts import Origin, require_safe_url
from coursefs.transport.outage import Outages
from coursefs.transport.traffic import Counted, Traffic
from coursefs.transport.wire import Wire, body_with_length

log = logging.getLogger(__name__)

T = TypeVar("T")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOLLOWED = frozenset({"GET", "HEAD"})  # methods that are asked again where a redirect leads
_MAX_REDIRECTS = 5
_ALONG = frozenset({"range", "if-range"})  # headers that go along a redirect to another origin
_ATTEMPTS = 4
#: seconds for which nobody asks where a platform has said that it is asked too often: without its own word, and at most
_HOLD, _MOST_HOLD = 10.0, 60.0
#: API replies are small; a body beyond this is not one
_MAX_REPLY = 64 * 2**20
_USER_AGENT = f"Mozilla/5.0 (X11; Linux x86_64) coursefs/{__version__}"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, whatever its status."""

    url: str  # after redirects
    status: int
    headers: httpx.Headers
    body: bytes

    def json(self) -> Any:
        """The body as JSON.  Raises `BadReply` when it is none (an HTML page, for example)."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise BadReply(f"{place(self.url)}: the answer is not JSON") from None


def place(url: str) -> str:
    """Host and path of a URL: what may be said of it in messages and logs."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"


class Transport:
    """An async context manager that owns the connections of a process.

    `offline` may be set at any time: requests then fail at once with `Unreachable`.
    """

    def __init__(
        self,
        *,
        read_timeout: float = 60.0,
        connect_timeout: float = 10.0,
        offline: bool = False,
        http_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.offline = offline
        self.read_timeout = read_timeout
        self._connect_timeout = min(connect_timeout, read_timeout)
        self.traffic = Traffic()
        self._outages = Outages()
        self._shared: dict[Hashable, object] = {}
        no_cookies = http.cookiejar.CookieJar(policy=http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        direct = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}  # never through a proxy
        tls = httpx.create_ssl_context()  # once: reading the authorities takes a while

        def client(transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
            return httpx.AsyncClient(
                verify=tls,
                transport=transport,
                mounts=None if transport else direct,
                cookies=no_cookies,
                follow_redirects=False,
                timeout=httpx.Timeout(min(30.0, read_timeout), connect=self._connect_timeout),
                limits=httpx.Limits(max_connections=64, max_keepalive_connections=40, keepalive_expiry=30.0),
                headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
            )

        self._client = client(http_transport)
        # proxies are left to httpx
        self._wire = None if http_transport or urllib.request.getproxies() else Wire(tls)
        self._bulk = self._client if self._wire is None else client(self._wire)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        if self._bulk is not self._client:
            await self._bulk.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 2.0):
            if self._bulk is not self._client:
                await self._bulk.__aexit__(kind, error, trace)
            await self._client.__aexit__(kind, error, trace)

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """One thing for everybody in the process who gives this key, made for the first of them.

        A platform counts how often it is asked, not by which object.
        """
        if key not in self._shared:
            self._shared[key] = make()
        return cast(T, self._shared[key])

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        bucket: Limit | None = None,
        method: str = "GET",
        content: bytes | None = None,
    ) -> Reply:
        """One whole answer of any status.

        A GET is asked again after resets, 429 and 5xx, with growing pauses, within `read_timeout` seconds altogether,
        in which the waits for a turn of `bucket` do not count; other methods are sent once.  Raises `Unreachable`,
        `NoAnswer` or `BadReply`.
        """
        host = _origin(url).host
        counts = self.traffic.of(host)
        attempts = _ATTEMPTS if method == "GET" else 1
        with trio.move_on_after(self.read_timeout) as patience:
            for attempt in range(1, attempts + 1):
                if bucket is not None:
                    left = patience.deadline - trio.current_time()
                    patience.deadline = math.inf
                    with counts.wait():
                        await bucket.take()
                    patience.deadline = trio.current_time() + left
                retry_after = None
                try:
                    async with self.stream(url, headers=headers, method=method, content=content) as response:
                        reply = Reply(str(response.url), response.status_code, response.headers, await _whole(response))
                except Unreachable:
                    if self.offline or attempt == attempts:
                        raise
                else:
                    if reply.status not in RETRIED_STATUSES or attempt == attempts:
                        return reply
                    now = time.time()
                    retry_after = retry_after_seconds(reply.headers.get("retry-after"), now)
                    if retry_after is not None:
                        counts.paused_until = now + retry_after
                    if reply.status == 429 and bucket is not None:
                        bucket.hold(_HOLD if retry_after is None else min(retry_after, _MOST_HOLD))
                with counts.wait():
                    await trio.sleep(pause(attempt, retry_after, random.random()))
        raise NoAnswer(f"{host}: no answer within {self.read_timeout:.0f} s")

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        content: bytes | None = None,
        bulk: bool = False,
    ) -> AsyncIterator[httpx.Response]:
        """A response of any status, its body still to come (`aiter_raw`); closed when the context ends.

        `bulk`: many bytes will come, perhaps as a `coursefs.transport.wire.Body`.
        Asked once; redirects are followed.  Raises `Unreachable` (no connection, reset, offline), `NoAnswer`
        (nothing came for a while) or `BadReply` (an address, perhaps of a redirect, that cannot be used: what
        people write is checked before, so it comes from a reply), also while the body is read inside the context.
        """
        if self.offline:
            raise Unreachable("offline")
        own = origin = _origin(url)
        client = self._bulk if bulk else self._client
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                given = dict(headers or {})
                if origin != own:
                    given = {name: value for name, value in given.items() if name.lower() in _ALONG}
                started = trio.current_time()
                try:
                    request = client.build_request(method, url, headers=given, content=content)
                    response = await self._connected(client, request, origin)
                except UnicodeError:  # where names are looked up, and where httpx reads `xn--`
                    raise BadReply(f"{origin.host}: not a name that a host can have") from None
                try:
                    if log.isEnabledFor(logging.DEBUG):
                        _log_request(method, url, given, response.status_code, trio.current_time() - started)
                    target = response.headers.get("location")
                    if response.status_code not in _REDIRECTS or target is None or method not in _FOLLOWED:
                        yield response
                        return
                    url, origin = _redirected(url, target, own)
                finally:
                    with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                        await response.aclose()
            raise BadReply(f"{own.host}: too many redirects")
        except httpx.TimeoutException:
            raise NoAnswer(f"{urlsplit(url).hostname}: no answer in time") from None
        except (httpx.RequestError, httpx.InvalidURL) as error:
            if isinstance(error.__context__, httpx.InvalidURL):  # httpx looks at redirects, though it follows none
                raise BadReply(f"{own.host}: redirects to an address that is not safe") from None
            raise _unreachable(url, error) from None

    async def connect_ahead(self, url: str, count: int) -> None:
        """Have so many connections ready for `stream(bulk=True)` to this host; where that fails nothing is said."""
        if self._wire is not None and not self.offline and not self._outages.is_suspect(_origin(url)):
            await self._wire.connect_ahead(httpx.URL(url), count, self._connect_timeout)

    async def _connected(self, client: httpx.AsyncClient, request: httpx.Request, origin: Origin) -> httpx.Response:
        """Send a request; not to a host of which somebody has just learned that it does not answer."""
        started = trio.current_time()
        if self._outages.is_out(origin, started):
            raise NoAnswer(f"{origin.host}: does not answer")
        counts = self.traffic.of(origin.host)
        try:
            response = await client.send(request, stream=True)
        except httpx.RequestError as error:
            counts.failures += 1
            if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                now = trio.current_time()
                self._outages.failed(origin, now - started, now)
            raise
        self._outages.worked(origin)
        self.traffic.answered(origin.host, response.status_code)

        def arrived(size: int) -> None:
            counts.received += size
            self.traffic.meter.add(size, trio.current_time())

        body = body_with_length(response)
        if body is not None:
            body.arrived = arrived
        elif isinstance(response.stream, httpx.AsyncByteStream) and not response.is_closed:
            response.stream = Counted(response.stream, arrived)
        return response


def _origin(url: str) -> Origin:
    try:
        return require_safe_url(url)
    except UsageError as error:
        raise BadReply(f"the platform names an address that cannot be used: {error}") from None


def _redirected(url: str, target: str, by: Origin) -> tuple[str, Origin]:
    """Where a redirect from `url` leads, and its origin."""
    try:
        there = urljoin(url, target)
        return there, require_safe_url(there)
    except (ValueError, UsageError):
        raise BadReply(f"{by.host}: redirects to an address that is not safe") from None


def _log_request(method: str, url: str, headers: Mapping[str, str], status: int, seconds: float) -> None:
    """One line to search for; of the headers, all but which bytes are wanted may be secrets."""
    part = next((value for name, value in headers.items() if name.lower() == "range"), "-")
    text = "request method=%s host=%s path=%s range=%s status=%d ms=%.1f"
    parts = urlsplit(url)
    log.debug(text, method, parts.hostname, parts.path, part, status, 1e3 * seconds)


def _unreachable(url: str, error: Exception) -> CoursefsError:
    reason = "connection failed" if isinstance(error, httpx.ConnectError) else "connection broken"
    said = str(error)
    log.debug(
        "request host=%s path=%s error=%s reason=%r",
        urlsplit(url).hostname,
        urlsplit(url).path,
        type(error).__name__,
        "" if "://" in said or "?" in said else said,  # an address may hold a signature
    )
    return Unreachable(f"cannot reach {urlsplit(url).hostname}: {reason}")


async def _whole(response: httpx.Response) -> bytes:
    """The whole body, decoded.  Raises `BadReply` when it is larger than any API reply."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > _MAX_REPLY:
            raise BadReply(f"{place(str(response.url))}: the answer is too large")
        parts.append(part)
    return b"".join(parts)
