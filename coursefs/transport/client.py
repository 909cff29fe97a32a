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
from itertools import count
from types import TracebackType
from typing import Self, TypeVar, cast
from urllib.parse import urlsplit

import trio

from coursefs import __version__
from coursefs.errors import BadReply, CaptivePortal, NoAnswer, Unreachable, UsageError
from coursefs.transport.backoff import RETRIED_STATUSES, Outages, pause, retry_after_seconds, servers_time
from coursefs.transport.bandwidth import Bandwidth
from coursefs.transport.body import body_of
from coursefs.transport.connecting import OutOfReach
from coursefs.transport.graphql import is_graphql, require_reading
from coursefs.transport.hedging import PATIENCE
from coursefs.transport.hosts import Origin, Reach, UnsafeRedirect, misleading, reach_of, redirected, require_safe_url
from coursefs.transport.http1 import body_with_length, http1_body
from coursefs.transport.http1_transport import Http1Transport, repeatable, within
from coursefs.transport.http_library import httpx
from coursefs.transport.network_watch import NetworkWatch
from coursefs.transport.parsing import MOST_TEXT
from coursefs.transport.portals import PORTAL_STATUS, Portals
from coursefs.transport.proxies import Proxies, proxies_from
from coursefs.transport.proxy_transport import ProxyTransport
from coursefs.transport.rate_limiter import Limit
from coursefs.transport.reasons import unreachable
from coursefs.transport.reply import Reply
from coursefs.transport.surprises import Surprises
from coursefs.transport.traffic import Counted, Traffic
from coursefs.transport.trust import Authorities

log = logging.getLogger(__name__)

T = TypeVar("T")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOLLOWED = frozenset({"GET", "HEAD"})  # methods whose redirects are followed
_SUCCESSES = frozenset({200, 206})
_MAX_REDIRECTS = 5
_FORWARDED = frozenset({"range", "if-range"})  # headers that are sent along a redirect to another origin
_ATTEMPTS = 4
#: seconds without a request to a platform after a 429: where it has no `Retry-After`, and at most
_HOLD, _MOST_HOLD = 10.0, 60.0
#: seconds after a sleep or a change of the network in which a failure is no reason to give up, and the attempt whose
#: pause (a second at most) is then the longest
_SETTLES, _SETTLING_PAUSE = 10.0, 3
#: seconds by which clocks differ without being wrong
_SKEW = 60.0
#: bytes from which on the replies of one host are received one at a time
_LARGE = 2**18
#: bytes of a reply whose reader has a turn of the event loop for itself: parsing it takes up to some 20 ms
_SLOW = 2**16
_USER_AGENT = f"Mozilla/5.0 (X11; Linux x86_64) coursefs/{__version__}"


class NotConnected(NoAnswer):
    """No connection could be made in time: another attempt at once would only take as long."""


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
        network_watch: NetworkWatch | None = None,
        hedge_after: float = PATIENCE,
    ) -> None:
        """`http_transport`: makes the requests instead of our own; `hedge_after`: see `coursefs.transport.hedging`."""
        self.offline = offline
        self.read_timeout = read_timeout
        self._connect_timeout = min(connect_timeout, read_timeout)
        self.traffic = Traffic()
        #: of background work and transfers; its `rate` is set by the owner of the settings
        self.bandwidth = Bandwidth(lambda: None)
        #: replies of the platforms that are not as expected
        self.surprises = surprises or Surprises()
        self._outages = Outages()
        self._settles_until = -math.inf  # on trio's clock
        self._ahead = 0.0  # seconds by which the clock of the server that answered last is ahead of ours
        #: finds networks that answer in place of the hosts
        self.portals = Portals(self._asked_once, self._close_idle)
        self._shared: dict[Hashable, object] = {}
        self._large: dict[str, trio.Lock] = {}  # by host: held while a large reply is received
        self._parsing = trio.Lock()  # held until the next turn of the event loop by who returns a slow reply
        no_cookies = http.cookiejar.CookieJar(policy=http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        #: from the environment
        self.authorities = Authorities(os.environ)
        self.proxies: Proxies = proxies_from(os.environ)
        tls = self.authorities.context
        self._http1: Http1Transport | None = None
        if http_transport is None:
            http_transport = self._http1 = Http1Transport(
                tls, self.proxies, watch=network_watch, patience=hedge_after, changed=self._network_changed
            )
            if self.proxies.proxy is not None and self.proxies.proxy.is_secure:
                limits = httpx.Limits(max_connections=64, max_keepalive_connections=8, keepalive_expiry=15.0)
                http_transport = ProxyTransport(self._http1, self.proxies, tls, limits)
        self._client = httpx.AsyncClient(
            trust_env=False,  # `trust` and `proxies` read it, also values for which httpx raises
            transport=http_transport,
            cookies=no_cookies,
            follow_redirects=False,
            timeout=httpx.Timeout(min(30.0, read_timeout), connect=self._connect_timeout),
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 2.0):
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
        data: bool = False,
    ) -> Reply:
        """One whole response of any status, with retries.

        A GET is repeated after resets, stalls, 429 and 5xx; it backs off in between, for `read_timeout` seconds in all,
        in which waits for the rate limiter `bucket` do not count.  Other methods are sent once, unless the caller knows
        that the request only `reads`.  `attempts`: the most requests of one that is answered with 5xx; None: the usual
        number.  `follow`: follow redirects.  `data`: the platform answers with data here, so that a web page may be a
        captive portal's.  Raises `Unreachable`, `CaptivePortal`, `NoAnswer` or `BadReply`.
        """
        host = _origin(url).host
        counts = self.traffic.of(host)
        last = _ATTEMPTS if reads or method == "GET" else 1
        failing = last if attempts is None else min(attempts, last)
        with trio.move_on_after(self.read_timeout) as patience:
            for attempt in count(1):
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
                        url,
                        headers=headers,
                        method=method,
                        content=content,
                        follow=follow,
                        may_repeat=True if reads else None,
                    ) as response:
                        body = await self._whole(response, host)
                        reply = Reply(str(response.url), response.status_code, response.headers, body)
                except UnsafeRedirect as error:
                    if data and error.is_elsewhere:
                        await self.portals.require_none(url)
                    raise
                except (Unreachable, NoAnswer) as error:
                    is_last = attempt >= last or isinstance(error, NotConnected)
                    is_certain = self.offline or last == 1 or isinstance(error, CaptivePortal)
                    if is_certain or (is_last and not self.is_settling):
                        raise
                else:
                    if data:
                        await self.portals.received(url, reply, is_get=method == "GET")
                    most = failing if reply.status >= 500 else last
                    if reply.status not in RETRIED_STATUSES or attempt >= most:
                        if len(body) > _SLOW:
                            # The caller parses it at once.  Several that came together are not parsed in one turn.
                            async with self._parsing:
                                await trio.lowlevel.checkpoint()
                        return reply
                    now = time.time()
                    retry_after = retry_after_seconds(
                        reply.headers.get("retry-after"), servers_time(reply.headers, now)
                    )
                    if retry_after is not None:
                        counts.paused_until = now + retry_after
                    if reply.status == 429 and bucket is not None:
                        bucket.hold(_HOLD if retry_after is None else min(retry_after, _MOST_HOLD))
                with counts.wait():
                    await trio.sleep(pause(self.paced(attempt), retry_after, random.random()))
        raise NoAnswer(f"{host}: no answer within {self.read_timeout:.0f} s")

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        content: bytes | None = None,
        follow: bool = True,
        may_repeat: bool | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """A response of any status, whose body is still to be read (`aiter_raw`); closed when the context ends.

        One request, without retries; redirects are followed unless `follow` is false, elsewhere without the `content`.
        `may_repeat`: whether the request may be made twice where a connection turns out to be dead; None: a GET, a HEAD
        and GraphQL may.

        Raises `Unreachable` (no connection, reset, offline), `NoAnswer` (no bytes within the timeout) or `BadReply` (an
        unusable URL: URLs that people write were checked before, so it is from a reply or a redirect), also while the
        body is read inside the context; `CaptivePortal` for status 511, and `NotAllowed` for GraphQL that is not a
        listed operation which reads.
        """
        if self.offline:
            raise Unreachable("offline")
        own = origin = _origin(url)
        require_reading(url, content)
        safe = may_repeat
        if safe is None:
            safe = method in _FOLLOWED or (content is not None and is_graphql(content))
        reach: Reach | None = None  # of the first host: a redirect must not lead to addresses that fewer can reach
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                given = dict(headers or {})
                if origin != own:
                    given = {name: value for name, value in given.items() if name.lower() in _FORWARDED}
                started = trio.current_time()
                body, extensions = content, repeatable(safe)
                if origin != own and reach is not None:
                    # `Http1Transport` checks the address that it is connected to: a name looked up once more may mean
                    # another one (DNS rebinding)
                    body, extensions = None, {**extensions, **within(reach)}
                response = await self._send(origin, method, url, given, body, extensions)
                try:
                    if log.isEnabledFor(logging.DEBUG):
                        _log_request(method, url, given, response.status_code, trio.current_time() - started)
                    target = response.headers.get("location")
                    may_follow = follow and response.status_code in _REDIRECTS and method in _FOLLOWED
                    if not may_follow or target is None:
                        yield response
                        return
                    reach = self._peer_reach(response, own) if reach is None else reach
                    url, origin = redirected(url, target, own, reach)
                finally:
                    with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                        await response.aclose()
            raise BadReply(f"{own.host}: too many redirects")
        except OutOfReach:
            raise misleading(own) from None
        except httpx.TimeoutException as error:
            kind = NotConnected if isinstance(error, httpx.ConnectTimeout) else NoAnswer
            raise kind(f"{self._shown(url)}: no answer in time") from None
        except (httpx.RequestError, httpx.InvalidURL) as error:
            if isinstance(error.__context__, httpx.InvalidURL):  # httpx parses redirects although it follows none
                raise BadReply(f"{own.host}: redirects to an address that is not safe") from None
            raise unreachable(url, error, self._shown(url)) from None

    async def connect_ahead(self, url: str, count: int) -> None:
        """Open up to `count` connections to this host for requests that follow soon; failures are ignored."""
        origin = _origin(url)
        proxy = self.proxies.of(origin.host, origin.port)
        is_ours = proxy is None or not proxy.is_secure
        if self._http1 is not None and is_ours and not self.offline and not self._outages.is_suspect(origin):
            await self._http1.connect_ahead(httpx.URL(url), count, self._connect_timeout)

    async def maintain(self) -> None:
        """Close connections that were idle for long, and notice that the machine slept or the network has changed.

        Runs for ever, and wakes up only while there are connections.  A short-lived process needs it not.
        """
        if self._http1 is not None:
            await self._http1.maintain()

    @property
    def is_settling(self) -> bool:
        """Whether the machine woke up or the network changed a moment ago: it may take seconds to work again."""
        return trio.current_time() < self._settles_until

    def servers_time(self) -> float:
        """Seconds since 1970 by the clock of the server that answered last: ours may be wrong."""
        return time.time() + self._ahead

    def paced(self, attempt: int) -> int:
        """The number of an attempt, by which the pause after it grows; while the network settles it stays small."""
        return min(attempt, _SETTLING_PAUSE) if self.is_settling else attempt

    def _network_changed(self) -> None:
        """Hosts that did not answer may do so now."""
        self._outages = Outages()
        self._settles_until = trio.current_time() + _SETTLES

    async def _send(
        self,
        origin: Origin,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        extensions: dict[str, object],
    ) -> httpx.Response:
        """Send a request and receive the head of its response; fails at once for a host that is known not to answer."""
        if self._http1 is not None:
            self._http1.look()  # before the outages: on another network the host may answer
        started = trio.current_time()
        if self._outages.is_out(origin, started):
            raise NotConnected(f"{origin.host}: does not answer")
        counts = self.traffic.of(origin.host)
        try:
            request = self._client.build_request(method, url, headers=headers, content=content, extensions=extensions)
            response = await self._client.send(request, stream=True)
        except UnicodeError:  # from looking up the name, or from httpx for a broken `xn--`
            raise BadReply(f"{origin.host}: not a valid host name") from None
        except httpx.RequestError as error:
            counts.failures += 1
            if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                now = trio.current_time()
                self._outages.failed(origin, now - started, now)
            raise
        if response.status_code == PORTAL_STATUS:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await response.aclose()
            raise self.portals.found()
        now = time.time()
        ahead = servers_time(response.headers, now) - now
        self._ahead = ahead if abs(ahead) > _SKEW else 0.0
        self._outages.worked(origin)
        self.traffic.answered(origin.host, response.status_code)

        def arrived(size: int) -> None:
            counts.received += size
            self.traffic.meter.add(size, trio.current_time())

        if response.status_code in _SUCCESSES and "html" not in response.headers.get("content-type", "").lower():
            self.portals.note_answer(origin)
        body = body_with_length(response)
        if body is not None:
            body.arrived = arrived
        elif isinstance(response.stream, httpx.AsyncByteStream) and not response.is_closed:
            response.stream = Counted(response.stream, arrived)
        return response

    def _close_idle(self) -> None:
        if self._http1 is not None:
            self._http1.idle.close_all()

    async def _asked_once(self, url: str) -> Reply:
        async with self.stream(url) as response:
            body = await self._whole(response, _origin(url).host)
            return Reply(str(response.url), response.status_code, response.headers, body)

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
        return named if body is None else max(named, reach_of(body.peer or ""))

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


def _log_request(method: str, url: str, headers: Mapping[str, str], status: int, seconds: float) -> None:
    """Log one line that can be grepped.  Of the headers only `Range`: all others may be secrets."""
    part = next((value for name, value in headers.items() if name.lower() == "range"), "-")
    text = "request method=%s host=%s path=%s range=%s status=%d ms=%.1f"
    parts = urlsplit(url)
    log.debug(text, method, parts.hostname, parts.path, part, status, 1e3 * seconds)
