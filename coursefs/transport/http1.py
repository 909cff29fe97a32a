"""HTTP/1.1 for large bodies: they are received straight into the buffer of a range request.

A general client copies the bytes of a file four times and passes them through half a dozen generators; over a quick
link that limits the throughput.  Here h11 parses the head of a response, as in httpx, and a body of known length goes
from the socket (or from OpenSSL) into the buffer that is written to disk, in a thread when much is coming.  Everything
else (redirects, retries, which header goes where) is done by httpx and `coursefs.transport.client`, as for any request.
"""

from __future__ import annotations

import logging
import math
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, suppress
from typing import TypeVar

import h11
import trio

from coursefs.transport.connection import STEP, Connection, HostPort, Timeouts, translated
from coursefs.transport.hosts import Reach, reach_of
from coursefs.transport.http_library import httpx

log = logging.getLogger(__name__)

#: idle connections that are kept for later requests, for all hosts together, and how long in seconds
_MOST_IDLE = 40
_IDLE_LIFE = 30.0
_EXTENSION = "coursefs_body"
_REACH = "coursefs_reach"

T = TypeVar("T")


class OutOfReach(httpx.ConnectError):
    """The host's name resolved to a private address, to which this request must not be sent."""


def within(reach: Reach) -> dict[str, object]:
    """The request extension that allows addresses up to this reach, and none that is more private."""
    return {_REACH: reach}


def http1_body(response: httpx.Response) -> Body | None:
    """The body of a response from `Http1Transport`; None: it is from another transport."""
    body = response.extensions.get(_EXTENSION)
    return body if isinstance(body, Body) else None


def body_with_length(response: httpx.Response) -> Body | None:
    """The body of a response that can be received into buffers; None: read it as httpx does."""
    body = http1_body(response)
    return body if body is not None and body.has_known_length else None


class Http1Transport(httpx.AsyncBaseTransport):
    """An httpx transport with a pool of HTTP/1.1 connections, whose responses have a `Body`.

    Without proxies.  Raises what httpx's own transport raises.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._idle: list[Connection] = []  # the most recently used one last
        self._opening: Counter[HostPort] = Counter()  # connections that `connect_ahead` is opening

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request without a body and receive the head of its response."""
        origin = _origin_of(request.url)
        timeouts = _timeouts_of(request)
        reach = request.extensions.get(_REACH, Reach.MACHINE)
        connection = self._take_idle(origin)
        if connection is not None:
            _require_reach(connection, reach)
            try:
                return await self._exchange(connection, request, timeouts)
            except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
                if connection.has_answered:  # then the server has handled the request, and its response is broken
                    raise
                # The server closed the idle connection at the moment of our request, which it has not handled: once
                # more, on a new connection.
        connection = await self._connect(origin, timeouts, reach)
        return await self._exchange(connection, request, timeouts)

    async def connect_ahead(self, url: httpx.URL, count: int, patience: float) -> None:
        """Open connections to the host of this URL until `count` of them are idle, for requests that follow soon.

        `patience`: seconds for each.  A failure is no error: a request to this host will fail as well.
        """
        origin = _origin_of(url)
        missing = count - self._opening[origin] - sum(connection.origin == origin for connection in self._idle)
        async with trio.open_nursery() as nursery:
            for _ in range(missing):
                self._opening[origin] += 1
                nursery.start_soon(self._add_idle, origin, Timeouts(patience, patience, patience))

    async def aclose(self) -> None:
        """Close every idle connection."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def give_back(self, connection: Connection) -> None:
        """Keep a connection, whose response has been read to its end, for a later request."""
        connection.idle_since = trio.current_time()
        self._idle.append(connection)
        if len(self._idle) > _MOST_IDLE:
            self._idle.pop(0).close()

    async def _exchange(self, connection: Connection, request: httpx.Request, timeouts: Timeouts) -> httpx.Response:
        try:
            head = await connection.send_request(request, timeouts)
        except BaseException:
            connection.close()
            raise
        body = Body(self, connection, request.method, head, timeouts.read)
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=body,
            extensions={_EXTENSION: body},  # httpx wraps the stream itself
            request=request,
        )

    async def _add_idle(self, origin: HostPort, timeouts: Timeouts) -> None:
        try:
            self.give_back(await self._connect(origin, timeouts))
        except Exception as error:  # any error: a request to this host fails with it as well, and reports it
            log.debug("no connection ahead to %s: %s", origin.host, type(error).__name__)
        finally:
            self._opening[origin] -= 1

    def _take_idle(self, origin: HostPort) -> Connection | None:
        oldest = trio.current_time() - _IDLE_LIFE
        # The most recently used first, which the server is least likely to have closed.
        for connection in reversed(list(self._idle)):
            if connection.idle_since < oldest or (connection.origin == origin and connection.was_closed()):
                self._idle.remove(connection)
                connection.close()
            elif connection.origin == origin:
                self._idle.remove(connection)
                return connection
        return None

    async def _connect(self, origin: HostPort, timeouts: Timeouts, reach: Reach = Reach.MACHINE) -> Connection:
        with translated(httpx.ConnectError, httpx.ConnectTimeout), trio.fail_after(timeouts.connect):
            try:
                await _require_names_within(origin, reach)
                stream = await trio.open_tcp_stream(origin.host, origin.port)
            except RuntimeError:  # "can't start new thread": names are looked up in threads
                raise httpx.ConnectError("no thread could be started to look up the name") from None
            plain = socket.socket(fileno=stream.socket.detach())  # a plain one: `Connection.fill` uses it in a thread
            plain.setblocking(False)
            connection = Connection(origin, plain)
            _require_reach(connection, reach)  # before the handshake: that sends the name already
            if origin.scheme == "http":
                return connection
            with ExitStack() as undo:  # closes the sockets after an error or a cancellation during the handshake
                undo.callback(plain.close)
                secure = self._tls.wrap_socket(plain, server_hostname=origin.host, do_handshake_on_connect=False)
                undo.callback(secure.close)
                connection = Connection(origin, secure)
                await connection.when_ready(secure.do_handshake)
                undo.pop_all()
            return connection


class Body(httpx.AsyncByteStream):
    """The body of a response.  Must be closed, also after it was read to its end."""

    def __init__(
        self, transport: Http1Transport, connection: Connection, method: str, head: h11.Response, patience: float
    ) -> None:
        self._transport = transport
        self._connection: Connection | None = connection
        self._patience = patience  # seconds
        self._remaining = _length(method, head)  # bytes not read yet; None: the length is not known, h11 finds the end
        self._early = memoryview(b"" if self._remaining is None else connection.early)  # arrived, and not read yet
        # bytes beyond the length belong to no request: such a connection must not be used again
        self._is_reusable = _keeps_alive(head) and (self._remaining is None or len(self._early) <= self._remaining)
        self._has_ended = False  # for a body whose length is not known
        self.arrived: Callable[[int], None] = lambda _: None  # called in the event loop with counts of received bytes
        self._unreported = 0  # bytes that a thread received, for which `arrived` was not called yet

    @property
    def peer(self) -> str | None:
        """The server's address; None when the body was closed."""
        return None if self._connection is None else self._connection.peer

    @property
    def has_known_length(self) -> bool:
        """Whether `receive_into` and `fill` may be used."""
        return self._remaining is not None

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive the next bytes into a non-empty buffer; returns how many, 0 at the end of the body.

        Raises httpx's errors.  Cancellation loses no bytes.
        """
        if not self._remaining:
            return 0
        buffer = buffer[: self._remaining]
        if self._early:
            count = min(len(self._early), len(buffer))
            buffer[:count] = self._early[:count]
            self._early = self._early[count:]
        else:
            count = await self._open().receive_into(buffer, self._patience)
            if not count:
                raise httpx.RemoteProtocolError("the server closed the connection before the end of the body")
        self._remaining -= count
        self._report(count)
        return count

    async def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer where the body ends before; they stay to be read."""
        early = bytes(self._early)
        if self._remaining is None:
            while len(early) < count and (part := await self._part()):
                early += part
                self._early = memoryview(early)
            return early[:count]
        count = min(count, self._remaining)
        buffer = memoryview(bytearray(max(0, count - len(early))))
        while len(early) < count:
            received = await self._open().receive_into(buffer[: count - len(early)], self._patience)
            if not received:
                break  # `receive_into` raises for the missing bytes
            early += buffer[:received]
            self._early = memoryview(early)
        return early[:count]

    def fill(self, buffer: memoryview) -> int:
        """Receive bytes into this buffer as long as they come without a pause; returns how many.

        Blocks, so it is for a thread, and not while `receive_into` runs.  Raises nothing: an error that ends it
        early is raised again by the next `receive_into`.
        """
        if not self._remaining or self._early:
            return 0
        count = self._open().fill(buffer[: self._remaining])
        self._remaining -= count
        self._unreported += count
        return count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The unread rest of the body in parts."""
        if self._remaining is None:
            if self._early:
                early, self._early = bytes(self._early), memoryview(b"")
                yield early
            while part := await self._part():
                yield part
            return
        buffer = memoryview(bytearray(STEP))
        while count := await self.receive_into(buffer):
            yield bytes(buffer[:count])

    async def aclose(self) -> None:
        """Give the connection back where the body was read to its end; else close it: the rest would come first."""
        self._report(0)
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if (self._remaining == 0 or self._has_ended) and self._is_reusable:
            self._transport.give_back(connection)
        else:
            connection.close()

    async def _part(self) -> bytes:
        """The next part of a body whose length is not known; empty at its end."""
        if self._has_ended:
            return b""
        part = await self._open().part(self._patience)
        if part is None:
            self._has_ended = True
            self._is_reusable = self._is_reusable and not self._open().early  # further bytes belong to no request
        return part or b""

    def _report(self, count: int) -> None:
        """Call `arrived`, also for the bytes that a thread received: it must run in the event loop."""
        count, self._unreported = count + self._unreported, 0
        if count:
            self.arrived(count)

    def _open(self) -> Connection:
        if self._connection is None:
            raise httpx.StreamClosed
        return self._connection


async def _require_names_within(origin: HostPort, reach: Reach) -> None:
    """Raise `OutOfReach` where one of the host's addresses is out of reach, so that none is connected to.

    Where the name cannot be looked up, connecting fails as well.
    """
    if reach >= Reach.MACHINE:
        return
    with suppress(OSError):
        found = await trio.socket.getaddrinfo(origin.host, origin.port, type=trio.socket.SOCK_STREAM)
        if any(reach_of(str(address[0])) > reach for *_, address in found):
            raise OutOfReach("an address inside a network")


def _require_reach(connection: Connection, reach: Reach) -> None:
    """Close a connection to an address that the request must not be sent to, and raise `OutOfReach`.

    Checked on the connection itself: a name may resolve to another address than a moment ago (DNS rebinding).
    """
    try:
        is_allowed = reach >= Reach.MACHINE or reach_of(connection.peer) <= reach
    except OSError:  # the connection is broken: using it fails
        return
    if not is_allowed:
        connection.close()
        raise OutOfReach("an address inside a network")


def _origin_of(url: httpx.URL) -> HostPort:
    port = url.port or (443 if url.scheme == "https" else 80)
    return HostPort(url.scheme, url.raw_host.decode("ascii").strip("[]"), port)


def _timeouts_of(request: httpx.Request) -> Timeouts:
    timeout: Mapping[str, float | None] = request.extensions.get("timeout", {})
    timeouts = [timeout.get(name) for name in Timeouts._fields]
    return Timeouts(*(math.inf if timeout is None else timeout for timeout in timeouts))


def _length(method: str, head: h11.Response) -> int | None:
    """The length of the body in bytes (RFC 9112, section 6.3); None where it is not known beforehand."""
    headers = dict(head.headers)
    if method == "HEAD" or head.status_code in {204, 304}:
        return 0
    if b"transfer-encoding" in headers or b"content-length" not in headers:
        return None
    return int(headers[b"content-length"])  # h11 has made sure that it is a number


def _keeps_alive(head: h11.Response) -> bool:
    options = b",".join(value for name, value in head.headers if name == b"connection").lower().split(b",")
    return head.http_version >= b"1.1" and b"close" not in {option.strip() for option in options}
