"""HTTP/1.1 for bodies that are received straight into the reader's buffer.

In a general client a file's bytes are copied four times, by way of half a dozen generators; over a quick link that, and
not the link, decides how fast a file comes.  Here h11 reads the head of an answer, as it does in httpx, and what
follows with a known length goes from the socket (or from OpenSSL) into the buffer that it is written to disk from, in
a thread where much is coming.  Everything else (redirects, conditions, retries, which header goes to whom) is the
business of httpx and of `coursefs.transport.client`, as for any other request.
"""

from __future__ import annotations

import math
import select
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

import h11
import httpx
import trio

#: bytes that are read at once where the body goes through h11, and for heads
_STEP = 64 * 1024
#: connections that are kept for the next request, for all hosts together, and seconds that they are
_MOST_IDLE = 40
_IDLE_LIFE = 30.0
#: milliseconds that a thread waits for more; then the event loop does
_THREAD_PATIENCE = 20
_EXTENSION = "coursefs_body"

T = TypeVar("T")


def body_with_length(response: httpx.Response) -> Body | None:
    """The body of a response, where its bytes can be received into buffers; None: read it as httpx does."""
    body = response.extensions.get(_EXTENSION)
    return body if isinstance(body, Body) and body.has_known_length else None


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


class _Limits(NamedTuple):
    """Seconds; infinity for none."""

    connect: float
    read: float
    write: float


class Wire(httpx.AsyncBaseTransport):
    """Connections to any number of hosts; see `body_with_length` for what its responses can do.

    `tls`: whom to trust.  Knows no proxies.  Raises what httpx's own transport
    raises.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._idle: list[_Connection] = []  # the one that was used last at the end
        self._coming: Counter[_Origin] = Counter()  # connections that are being made ahead

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, which has no body, and receive the head of its answer."""
        origin = _origin_of(request.url)
        limits = _limits_of(request)
        connection = self._take_idle(origin)
        if connection is not None:
            try:
                return await self._asked(connection, request, limits)
            except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
                if connection.has_answered:
                    raise
                # the server hung up while it lay idle, and we wrote before we saw it
        return await self._asked(await self._connected(origin, limits), request, limits)

    async def connect_ahead(self, url: httpx.URL, count: int, patience: float) -> None:
        """Have so many connections to the host of this URL lie idle, for requests that will come at once.

        `patience`: seconds.  What does not come about is no error: whoever asks will meet it.
        """
        origin = _origin_of(url)
        missing = count - self._coming[origin] - sum(connection.origin == origin for connection in self._idle)
        async with trio.open_nursery() as nursery:
            for _ in range(missing):
                self._coming[origin] += 1
                nursery.start_soon(self._add_idle, origin, _Limits(patience, patience, patience))

    async def aclose(self) -> None:
        """Close every connection that lies idle."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def give_back(self, connection: _Connection) -> None:
        """This one can be used again."""
        connection.idle_since = trio.current_time()
        self._idle.append(connection)
        if len(self._idle) > _MOST_IDLE:
            self._idle.pop(0).close()

    async def _asked(self, connection: _Connection, request: httpx.Request, limits: _Limits) -> httpx.Response:
        try:
            head = await connection.ask(request, limits)
        except BaseException:
            connection.close()
            raise
        body = Body(self, connection, request.method, head, limits.read)
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=body,
            extensions={_EXTENSION: body},  # httpx wraps the stream itself
            request=request,
        )

    async def _add_idle(self, origin: _Origin, limits: _Limits) -> None:
        try:
            self.give_back(await self._connected(origin, limits))
        except httpx.TransportError:
            pass
        finally:
            self._coming[origin] -= 1

    def _take_idle(self, origin: _Origin) -> _Connection | None:
        oldest = trio.current_time() - _IDLE_LIFE
        for connection in reversed(list(self._idle)):
            if connection.idle_since < oldest or (connection.origin == origin and connection.was_closed()):
                self._idle.remove(connection)
                connection.close()
            elif connection.origin == origin:
                self._idle.remove(connection)
                return connection
        return None

    async def _connected(self, origin: _Origin, limits: _Limits) -> _Connection:
        with _translated(httpx.ConnectError, httpx.ConnectTimeout), trio.fail_after(limits.connect):
            stream = await trio.open_tcp_stream(origin.host, origin.port)
            plain = socket.socket(fileno=stream.socket.detach())
            plain.setblocking(False)
            if origin.scheme == "http":
                return _Connection(origin, plain)
            with ExitStack() as undo:
                undo.callback(plain.close)
                secure = self._tls.wrap_socket(plain, server_hostname=origin.host, do_handshake_on_connect=False)
                undo.callback(secure.close)
                connection = _Connection(origin, secure)
                await connection.when_ready(secure.do_handshake)
                undo.pop_all()
            return connection


class Body(httpx.AsyncByteStream):
    """What follows the head of an answer.  To be closed, after its end as well."""

    def __init__(self, wire: Wire, connection: _Connection, method: str, head: h11.Response, patience: float) -> None:
        self._wire = wire
        self._connection: _Connection | None = connection
        self._patience = patience  # seconds
        self._left = _length(method, head)  # bytes to come; None: h11 finds the end
        self._early = memoryview(b"" if self._left is None else connection.early)
        self._can_go_on = _keeps_alive(head) and (self._left is None or len(self._early) <= self._left)
        self.arrived: Callable[[int], None] = lambda _: None  # told of bytes that came, on the event loop
        self._untold = 0  # bytes that a thread took

    @property
    def has_known_length(self) -> bool:
        """Whether `receive_into` and `fill` may be used."""
        return self._left is not None

    async def receive_into(self, buffer: memoryview) -> int:
        """Put the next bytes into this buffer, which is not empty; how many they were, 0 at the end of the body."""
        if not self._left:
            return 0
        buffer = buffer[: self._left]
        if self._early:
            count = min(len(self._early), len(buffer))
            buffer[:count] = self._early[:count]
            self._early = self._early[count:]
        else:
            count = await self._open().receive_into(buffer, self._patience)
            if not count:
                raise httpx.RemoteProtocolError("the server hung up before the end of the body")
        self._left -= count
        self._tell(count)
        return count

    def fill(self, buffer: memoryview) -> int:
        """Fill this buffer as far as bytes come without a pause; how many they were.

        For a thread.  Whatever ends it early shows in the next `receive_into`.
        """
        if not self._left or self._early:
            return 0
        count = self._open().fill(buffer[: self._left])
        self._left -= count
        self._untold += count
        return count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body, or what is left of it, in parts."""
        if self._left is None:
            async for part in self._open().parts(self._patience):
                yield part
            self._left = 0
            self._can_go_on = self._can_go_on and not self._open().early  # what follows belongs to no request
            return
        buffer = memoryview(bytearray(_STEP))
        while count := await self.receive_into(buffer):
            yield bytes(buffer[:count])

    async def aclose(self) -> None:
        """Keep the connection for the next request where the body has come to its end; else close it."""
        self._tell(0)
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._left == 0 and self._can_go_on:
            self._wire.give_back(connection)
        else:
            connection.close()

    def _tell(self, count: int) -> None:
        count, self._untold = count + self._untold, 0
        if count:
            self.arrived(count)

    def _open(self) -> _Connection:
        if self._connection is None:
            raise httpx.StreamClosed
        return self._connection


class _Connection:
    """One connection, by a socket that does not block, and the answer that is on its way over it."""

    def __init__(self, origin: _Origin, connected: socket.socket) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self.has_answered = False  # the last request, at least in part
        self._socket = connected
        self._protocol = h11.Connection(h11.CLIENT)

    @property
    def early(self) -> bytes:
        """What of the body came with its head."""
        return self._protocol.trailing_data[0]

    async def ask(self, request: httpx.Request, limits: _Limits) -> h11.Response:
        """Send the request; the head of the answer."""
        self._protocol = h11.Connection(h11.CLIENT)
        self.has_answered = False
        question = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
        sent = memoryview((self._protocol.send(question) or b"") + (self._protocol.send(h11.EndOfMessage()) or b""))
        with _translated(httpx.WriteError, httpx.WriteTimeout), trio.fail_after(limits.write):
            await self._send(sent)
        while True:
            event = await self._event(limits.read)
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("the server hung up without an answer")

    async def receive_into(self, buffer: memoryview, patience: float) -> int:
        """As `socket.recv_into`; past h11."""
        with _translated(httpx.ReadError, httpx.ReadTimeout), trio.fail_after(patience):
            return await self.when_ready(lambda: self._socket.recv_into(buffer))

    def fill(self, buffer: memoryview) -> int:
        """See `Body.fill`."""
        watch = select.poll()
        watch.register(self._socket.fileno(), select.POLLIN)
        done = 0
        while done < len(buffer):
            try:
                count = self._socket.recv_into(buffer[done:])
            except (BlockingIOError, ssl.SSLWantReadError):
                if watch.poll(_THREAD_PATIENCE):
                    continue
                break
            except OSError:  # it will be met again
                break
            if not count:
                break
            done += count
        return done

    async def parts(self, patience: float) -> AsyncIterator[bytes]:
        """The body as h11 finds it: chunked, or up to the end of the connection."""
        while not isinstance(event := await self._event(patience), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise httpx.RemoteProtocolError("the server hung up before the end of the body")
            yield bytes(event.data)

    def was_closed(self) -> bool:
        """Whether the other side has hung up, or said something that nobody asked for.

        The tickets that a server sends of itself once a TLS session is there are neither: OpenSSL takes them.
        """
        watch = select.poll()
        watch.register(self._socket.fileno(), select.POLLIN)
        while watch.poll(0):
            try:
                self._socket.recv(1)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue  # it was a ticket; there may be more than one
            except OSError:
                pass
            return True
        return False

    def close(self) -> None:
        """Let go of it, without a last word."""
        self._socket.close()

    async def when_ready(
        self,
        operation: Callable[[], T],
        wait: Callable[[socket.socket], Awaitable[None]] = trio.lowlevel.wait_readable,
    ) -> T:
        """What the operation on the socket gives, once it can be done without blocking; until then `wait`."""
        await trio.lowlevel.checkpoint()
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                await trio.lowlevel.wait_readable(self._socket)
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(self._socket)
            except BlockingIOError:
                await wait(self._socket)

    async def _send(self, data: memoryview) -> None:
        while data:
            count = await self.when_ready(partial(self._socket.send, data), trio.lowlevel.wait_writable)
            data = data[count:]

    async def _event(self, patience: float) -> object:
        while True:
            try:
                event = self._protocol.next_event()
                if event is not h11.NEED_DATA:
                    return event
                with _translated(httpx.ReadError, httpx.ReadTimeout), trio.fail_after(patience):
                    data = await self.when_ready(lambda: self._socket.recv(_STEP))
                self.has_answered = self.has_answered or bool(data)
                self._protocol.receive_data(data)
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from None


def _origin_of(url: httpx.URL) -> _Origin:
    port = url.port or (443 if url.scheme == "https" else 80)
    return _Origin(url.scheme, url.raw_host.decode("ascii").strip("[]"), port)


def _limits_of(request: httpx.Request) -> _Limits:
    timeout: Mapping[str, float | None] = request.extensions.get("timeout", {})
    limits = [timeout.get(name) for name in _Limits._fields]
    return _Limits(*(math.inf if limit is None else limit for limit in limits))


def _length(method: str, head: h11.Response) -> int | None:
    """How many bytes follow the head (RFC 9112, section 6.3); None where their end has to be found."""
    headers = dict(head.headers)
    if method == "HEAD" or head.status_code in {204, 304}:
        return 0
    if b"transfer-encoding" in headers or b"content-length" not in headers:
        return None
    return int(headers[b"content-length"])  # h11 has made sure that it is a number


def _keeps_alive(head: h11.Response) -> bool:
    options = b",".join(value for name, value in head.headers if name == b"connection").lower().split(b",")
    return head.http_version >= b"1.1" and b"close" not in {option.strip() for option in options}


@contextmanager
def _translated(broken: type[httpx.TransportError], late: type[httpx.TransportError]) -> Iterator[None]:
    try:
        yield
    except trio.TooSlowError:
        raise late("no answer in time") from None
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise broken(str(error)) from None
