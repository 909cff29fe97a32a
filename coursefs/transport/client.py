"""The HTTP client of a process: timeouts, redirects, retries, and no credentials to a foreign host.

Rules for every request: https, or http to this machine.  Headers that were given for a URL are sent to its origin only,
not along a redirect to another one, except for `Range` and `If-Range`, which are no secrets.  Cookies that a server
sets are never stored.  Error messages and log lines name host and path, never a query, which may hold a signature.
"""

from __future__ import annotations

import http.cookiejar
import logging
import math
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from urllib.parse import urljoin, urlsplit

import trio

from coursefs import __version__
from coursefs.errors import BadReply, CoursefsError, NoAnswer, Unreachable, UsageError
from coursefs.transport.backoff import RETRIED_STATUSES, Outages, pause, retry_after_seconds
from coursefs.transport.bandwidth import Bandwidth
from coursefs.transport.body import body_of
from coursefs.transport.graphql import require_reading
from coursefs.transport.hosts import Origin, Reach, reach_of, require_safe_url
from coursefs.transport.http1 import Http1Transport, OutOfReach, body_with_length, http1_body, within
from coursefs.transport.http_library import httpx
from coursefs.transport.parsing import MOST_TEXT, parse_json
from coursefs.transport.proxies import Proxies, proxies_from
from coursefs.transport.proxy_transport import ProxyTransport
from coursefs.transport.rate_limiter import Limit
from coursefs.transport.reasons import reason_of
from coursefs.transport.surprises import Surprises
from coursefs.transport.traffic import Counted, Traffic
from coursefs.transport.trust import Trust, trust_from

log = logging.getLogger(__name__)

T = TypeVar("T")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOLLOWED = frozenset({"GET", "HEAD"})  # methods whose redirects are followed
_MAX_REDIRECTS = 5
_FORWARDED = frozenset({"range", "if-range"})  # headers that are sent along a redirect to another origin
_ATTEMPTS = 4
#: seconds without a request to a platform after a 429: where it has no `Retry-After`, and at most
_HOLD, _MOST_HOLD = 10.0, 60.0
#: bytes from which on the replies of one host are received one at a time
_LARGE = 2**18
#: bytes of a reply whose reader has a turn of the event loop for itself: parsing it takes up to some 20 ms
_SLOW = 2**16
_USER_AGENT = f"Mozilla/5.0 (X11; Linux x86_64) coursefs/{__version__}"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response of any status."""

    url: str  # after redirects
    status: int
    headers: httpx.Headers
    body: bytes

    def json(self) -> Any:
        """The body as JSON.  Raises `BadReply` when it is not JSON (an HTML page, for example), or too large."""
        try:
            content = parse_json(self.body)
        except BadReply as error:
            raise BadReply(f"{place(self.url)}: {error}") from None
        if content is None:
            raise BadReply(f"{place(self.url)}: the reply is not JSON")
        return content


def place(url: str) -> str:
    """Host and path of a URL, for messages and logs; never its query, which may hold a signature."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"


class Transport:
    """The HTTP client: an async context manager that owns all connections of a process.

    `offline` may be set at any time: requests then fail at once with `Unreachable`.
    """

    def __init__(
        self,
        *,
        read_timeout: float = 60.0,
        connect_timeout: float = 10.0,
        offline: bool = False,
        http_transport: httpx.AsyncBaseTransport | None = None,
        surprises: Surprises | None = None,
    ) -> None:
        self.offline = offline
        self.read_timeout = read_timeout
        self._connect_timeout = min(connect_timeout, read_timeout)
        self.traffic = Traffic()
        #: of background work and transfers; its `rate` is set by the owner of the settings
        self.bandwidth = Bandwidth(lambda: None)
        #: replies of the platforms that are not as expected
        self.surprises = surprises or Surprises()
        self._outages = Outages()
        self._shared: dict[Hashable, object] = {}
        self._large: dict[str, trio.Lock] = {}  # by host: held while a large reply is received
        self._parsing = trio.Lock()  # held until the next turn of the event loop by who returns a slow reply
        no_cookies = http.cookiejar.CookieJar(policy=http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        #: from the environment; public, because `doctor` shows both
        self.trust: Trust = trust_from(os.environ)  # once: reading the authorities takes a while
        self.proxies: Proxies = proxies_from(os.environ)
        tls, limits = (
            self.trust.context,
            httpx.Limits(max_connections=64, max_keepalive_connections=40, keepalive_expiry=30.0),
        )

        def client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
            proxied = transport
            if http_transport is None and self.proxies.proxy is not None:
                proxied = ProxyTransport(transport, self.proxies, tls, limits)
            return httpx.AsyncClient(
                verify=tls,
                trust_env=False,  # `trust` and `proxies` read it, also values for which httpx raises
                transport=proxied,
                cookies=no_cookies,
                follow_redirects=False,
                timeout=httpx.Timeout(min(30.0, read_timeout), connect=self._connect_timeout),
                headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
            )

        self._client = client(http_transport or httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits))
        self._http1 = None if http_transport else Http1Transport(tls)
        self._bulk = self._client if self._http1 is None else client(self._http1)

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
        """One object of the process for this key, made by `make` at the first call.

        For rate limiters: a platform counts all requests of the process, whichever object makes them.
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
        attempts: int | None = None,
        follow: bool = True,
        reads: bool = False,
    ) -> Reply:
        """One whole response of any status, with retries.

        A GET is repeated after resets, 429 and 5xx; it backs off in between, for `read_timeout` seconds in all, in
        which waits for the rate limiter `bucket` do not count.  Other methods are sent once, unless the caller knows
        that the request only `reads`.  `attempts`: the most requests of one that is answered with 5xx; None: the usual
        number.  `follow`: follow redirects.  Raises `Unreachable`, `NoAnswer` or `BadReply`.
        """
        host = _origin(url).host
        counts = self.traffic.of(host)
        last = _ATTEMPTS if reads or method == "GET" else 1
        failing = last if attempts is None else min(attempts, last)
        with trio.move_on_after(self.read_timeout) as patience:
            for attempt in range(1, last + 1):
                if bucket is not None:
                    # the time in which the rate limiter lets no request pass is not the platform's: stop the clock
                    left = patience.deadline - trio.current_time()
                    patience.deadline = math.inf
                    with counts.wait():
                        await bucket.take()
                    patience.deadline = trio.current_time() + left
                retry_after = None
                try:
                    async with self.stream(
                        url, headers=headers, method=method, content=content, follow=follow
                    ) as response:
                        body = await self._whole(response, host)
                        reply = Reply(str(response.url), response.status_code, response.headers, body)
                except Unreachable:
                    if self.offline or attempt == last:
                        raise
                else:
                    most = failing if reply.status >= 500 else last
                    if reply.status not in RETRIED_STATUSES or attempt >= most:
                        if len(body) > _SLOW:
                            # The caller parses it at once.  Several that came together are not parsed in one turn.
                            async with self._parsing:
                                await trio.lowlevel.checkpoint()
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
        follow: bool = True,
    ) -> AsyncIterator[httpx.Response]:
        """A response of any status, whose body is still to be read (`aiter_raw`); closed when the context ends.

        One request, without retries; redirects are followed unless `follow` is false, elsewhere without the `content`.
        `bulk`: for large bodies, which are then received by `coursefs.transport.http1` (see `body_with_length`).

        Raises `Unreachable` (no connection, reset, offline), `NoAnswer` (no bytes within the timeout) or `BadReply` (an
        unusable URL: URLs that people write were checked before, so it is from a reply or a redirect), also while the
        body is read inside the context.  Raises `NotAllowed` for GraphQL that is not a listed operation which reads.
        """
        if self.offline:
            raise Unreachable("offline")
        own = origin = _origin(url)
        require_reading(url, content)
        reach: Reach | None = None  # of the first host: a redirect must not lead to addresses that fewer can reach
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                given = dict(headers or {})
                if origin != own:
                    given = {name: value for name, value in given.items() if name.lower() in _FORWARDED}
                started = trio.current_time()
                client, body, extensions = self._bulk if bulk else self._client, content, None
                if origin != own and reach is not None:
                    # `Http1Transport` checks the address that it is connected to: a name looked up once more may mean
                    # another one (DNS rebinding)
                    client, body, extensions = self._bulk, None, within(reach)
                try:
                    request = client.build_request(method, url, headers=given, content=body, extensions=extensions)
                    response = await self._send(client, request, origin)
                except UnicodeError:  # from looking up the name, or from httpx for a broken `xn--`
                    raise BadReply(f"{origin.host}: not a valid host name") from None
                try:
                    if log.isEnabledFor(logging.DEBUG):
                        _log_request(method, url, given, response.status_code, trio.current_time() - started)
                    target = response.headers.get("location")
                    may_follow = follow and response.status_code in _REDIRECTS and method in _FOLLOWED
                    if not may_follow or target is None:
                        yield response
                        return
                    reach = self._peer_reach(response, own) if reach is None else reach
                    url, origin = _redirected(url, target, own, reach)
                finally:
                    with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                        await response.aclose()
            raise BadReply(f"{own.host}: too many redirects")
        except OutOfReach:
            raise _misleading(own) from None
        except httpx.TimeoutException:
            raise NoAnswer(f"{self._shown(url)}: no answer in time") from None
        except (httpx.RequestError, httpx.InvalidURL) as error:
            if isinstance(error.__context__, httpx.InvalidURL):  # httpx parses redirects although it follows none
                raise BadReply(f"{own.host}: redirects to an address that is not safe") from None
            raise _unreachable(url, error, self._shown(url)) from None

    async def connect_ahead(self, url: str, count: int) -> None:
        """Open up to `count` connections for `stream(bulk=True)` to this host; failures are ignored."""
        origin = _origin(url)
        is_direct = self.proxies.of(origin.host, origin.port) is None
        if self._http1 is not None and is_direct and not self.offline and not self._outages.is_suspect(origin):
            await self._http1.connect_ahead(httpx.URL(url), count, self._connect_timeout)

    async def _send(self, client: httpx.AsyncClient, request: httpx.Request, origin: Origin) -> httpx.Response:
        """Send a request and receive the head of its response; fails at once for a host that is known not to answer."""
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

    async def _whole(self, response: httpx.Response, host: str) -> bytes:
        """The whole body, decompressed.  Raises `BadReply` when it is larger than any API reply.

        One large reply of a host is received at a time, so that many of them cannot fill the memory.
        """
        parts: list[bytes] = []
        size = 0
        try:
            async with AsyncExitStack() as alone, body_of(response, decode=True) as body:
                async for part in body:
                    if size <= _LARGE < size + len(part):
                        await alone.enter_async_context(self._large.setdefault(host, trio.Lock()))
                    size += len(part)
                    if size > MOST_TEXT:
                        parts.clear()  # before the next one may come: the body is closed first, which takes a while
                        raise BadReply("the reply is larger than any known one")
                    parts.append(part)
            return b"".join(parts)
        finally:
            parts.clear()  # an error that is remembered has its traceback, and that has this frame

    def _peer_reach(self, response: httpx.Response, origin: Origin) -> Reach:
        """Who can reach a host that has answered, by its name and address; through a proxy by its name alone."""
        named = reach_of(origin.host)
        if self.proxies.of(origin.host, origin.port) is not None:
            return named
        body = http1_body(response)
        if body is not None:
            return max(named, reach_of(body.peer or ""))
        network = response.extensions.get("network_stream")
        address = None if network is None else network.get_extra_info("server_addr")
        return max(named, reach_of(str(address[0]))) if address else named

    def _shown(self, url: str) -> str:
        """The host of a URL for a message, with its proxy."""
        parts = urlsplit(url)
        proxy = self.proxies.of(parts.hostname or "", parts.port or 443)
        return f"{parts.hostname}" if proxy is None else f"{parts.hostname} through the proxy {proxy}"


def _origin(url: str) -> Origin:
    try:
        return require_safe_url(url)
    except UsageError as error:
        raise BadReply(f"the platform names an address that cannot be used: {error}") from None


def _redirected(url: str, target: str, by: Origin, reach: Reach) -> tuple[str, Origin]:
    """The target of a redirect from `url`, and its origin.  Raises `BadReply` where it is not safe.

    A redirect must not lead from https to plain http, nor to addresses that fewer can reach than the redirecting host:
    a public platform must not make us send requests to a router, a printer or a server on this machine.
    """
    try:
        there = urljoin(url, target)
        origin = require_safe_url(there)
    except (ValueError, UsageError):
        raise BadReply(f"{by.host}: redirects to an address that is not safe") from None
    if origin != by and (origin.scheme < by.scheme or reach_of(origin.host) > reach):
        raise _misleading(by)
    return there, origin


def _misleading(by: Origin) -> BadReply:
    return BadReply(f"{by.host}: redirects to an address that is not safe: inside a network, or without TLS")


def _log_request(method: str, url: str, headers: Mapping[str, str], status: int, seconds: float) -> None:
    """Log one line that can be grepped.  Of the headers only `Range`: all others may be secrets."""
    part = next((value for name, value in headers.items() if name.lower() == "range"), "-")
    text = "request method=%s host=%s path=%s range=%s status=%d ms=%.1f"
    parts = urlsplit(url)
    log.debug(text, method, parts.hostname, parts.path, part, status, 1e3 * seconds)


def _unreachable(url: str, error: Exception, where: str) -> CoursefsError:
    reason = "connection failed" if isinstance(error, httpx.ConnectError) else "connection broken"
    if isinstance(error, httpx.ProxyError):
        reason = f"the proxy refuses: {_words(str(error))}"
    elif (known := reason_of(error)) is not None:
        reason = known
    said = str(error)
    log.debug(
        "request host=%s path=%s error=%s reason=%r",
        urlsplit(url).hostname,
        urlsplit(url).path,
        type(error).__name__,
        "" if "://" in said or "?" in said else said,  # an address may hold a signature
    )
    return Unreachable(f"cannot reach {where}: {reason}")


def _words(said: str) -> str:
    """A proxy's own words, made safe for one line; none where they hold a URL, which may hold a password."""
    return "no reason given" if "://" in said else "".join(c if c.isprintable() else " " for c in said)[:100]
