"""One HTTP/1.1 connection, which can receive a body straight into a buffer.  See `coursefs.transport.http1`."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

import h11
import trio

from coursefs.transport.http_library import httpx

#: bytes of one receive for heads, and for bodies that go through h11
STEP = 64 * 1024
#: milliseconds that a thread waits for more bytes before it leaves that to the event loop
_THREAD_PATIENCE = 20
#: the most interim responses (1xx) before the final one
_MOST_INTERIM = 20
#: the longest head of a response, in bytes, as in httpx
_MOST_HEAD = 100 * 1024

T = TypeVar("T")


class HostPort(NamedTuple):
    """The target of a connection."""

    scheme: str
    host: str
    port: int


class Timeouts(NamedTuple):
    """Timeouts in seconds; infinity for none."""

    connect: float
    read: float
    write: float


class Silent(httpx.ReadError):
    """The network has changed under a connection, and nothing has come on it since."""


class Connection:
    """A connection over a non-blocking socket, and the response that is being received on it."""

    def __init__(self, origin: HostPort, connected: socket.socket, *, is_direct: bool = True) -> None:
        self.origin = origin
        self.is_direct = is_direct  # False: `peer` is a proxy
        self.idle_since = 0.0
        self.was_used = False  # whether it has brought the head of any response
        self.may_repeat = False  # whether the request that is being made on it may be made twice
        self.has_answered = False  # whether any byte of the response to the last request has arrived
        self._socket = connected
        self._protocol = h11.Connection(h11.CLIENT)
        self._waiting: trio.CancelScope | None = None  # of the wait for bytes that is going on
        self._doubt: float | None = None  # the most seconds of one wait, since the network has changed

    @property
    def peer(self) -> str:
        """The address at the other end."""
        return str(self._socket.getpeername()[0])

    @property
    def early(self) -> bytes:
        """The bytes of the body that arrived together with the head."""
        return self._protocol.trailing_data[0]

    async def send_request(self, request: httpx.Request, content: bytes, timeouts: Timeouts) -> None:
        """Send a request with this body, which may be empty.

        Raises httpx's errors of writing and protocol.  After an error or cancellation the connection cannot be used
        again.
        """
        # A new one for each request: the last body was received without h11, which still waits for its end.
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD)
        self.has_answered = False
        try:
            head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
            parts = [self._protocol.send(head), *([self._protocol.send(h11.Data(content))] if content else [])]
            data = b"".join(part or b"" for part in (*parts, self._protocol.send(h11.EndOfMessage())))
        except h11.LocalProtocolError as error:  # a header that cannot be sent
            raise httpx.LocalProtocolError(str(error)) from None
        with translated(httpx.WriteError, httpx.WriteTimeout), trio.fail_after(timeouts.write):
            await self._send(memoryview(data))

    async def receive_head(self, patience: float) -> h11.Response:
        """The head of the final response to the request that was sent; `patience`: seconds for each receive.

        Raises httpx's errors of reading and protocol, and `Silent` (see `doubt`).  After an error the connection cannot
        be used again; after a cancellation this method can be called once more.
        """
        for _ in range(_MOST_INTERIM):
            event = await self._event(patience)
            if isinstance(event, h11.Response):
                self.was_used = True
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("the server closed the connection without an answer")
        raise httpx.RemoteProtocolError("the server sends interim responses without an end")

    def doubt(self, patience: float) -> None:
        """The network has changed: raise `Silent` where nothing comes for so many seconds, also in a wait that goes on.

        The first byte that comes ends the doubt.
        """
        self._doubt = patience
        if self._waiting is not None:
            self._waiting.deadline = min(self._waiting.deadline, trio.current_time() + patience)

    async def receive_into(self, buffer: memoryview, patience: float) -> int:
        """Receive body bytes into a buffer without h11; returns how many, 0 when the server has closed."""
        return await self._received(lambda: self._socket.recv_into(buffer), patience)

    def fill(self, buffer: memoryview) -> int:
        """See `Body.fill`."""
        watch = select.poll()
        watch.register(self._socket.fileno(), select.POLLIN)
        done = 0
        while done < len(buffer):
            try:
                count = self._socket.recv_into(buffer[done:])
            except (BlockingIOError, ssl.SSLWantReadError):
                # A short wait here: going back to the event loop for each packet would cost more than the packet.
                if watch.poll(_THREAD_PATIENCE):
                    continue
                break
            except OSError:  # the next receive in the event loop raises it again
                break
            if not count:
                break
            done += count
        return done

    async def part(self, patience: float) -> bytes | None:
        """The next part of a body that is chunked or ends with the connection; None at its end."""
        while not isinstance(event := await self._event(patience), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise httpx.RemoteProtocolError("the server closed the connection before the end of the body")
            if event.data:
                return bytes(event.data)
        return None

    def was_closed(self) -> bool:
        """Whether the server has closed an idle connection, or sent bytes without a request.

        TLS session tickets are neither: a server sends them unasked, and OpenSSL consumes them.
        """
        watch = select.poll()
        watch.register(self._socket.fileno(), select.POLLIN)
        while watch.poll(0):
            try:
                self._socket.recv(1)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue  # it was a ticket, and there may be another
            except OSError:
                pass
            return True
        return False

    def close(self) -> None:
        """Close the socket, without a TLS close_notify."""
        self._socket.close()

    async def when_ready(
        self,
        operation: Callable[[], T],
        wait: Callable[[socket.socket], Awaitable[None]] = trio.lowlevel.wait_readable,
    ) -> T:
        """Repeat a socket operation until it does not block, and return its result; `wait` waits in between.

        TLS may have to read in order to write and the other way round, so the direction is taken from the error.
        """
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

    async def _received(self, receive: Callable[[], T], patience: float) -> T:
        """The result of a receive within `patience` seconds; see `doubt`."""
        with translated(httpx.ReadError, httpx.ReadTimeout):
            try:
                with trio.fail_after(patience if self._doubt is None else min(patience, self._doubt)) as self._waiting:
                    received = await self.when_ready(receive)
            except trio.TooSlowError:
                if self._doubt is not None:
                    raise Silent("nothing has come since the network has changed") from None
                raise
            finally:
                self._waiting = None
            self._doubt = None
            return received

    async def _event(self, patience: float) -> object:
        while True:
            try:
                event = self._protocol.next_event()
                if event is not h11.NEED_DATA:
                    return event
                data = await self._received(lambda: self._socket.recv(STEP), patience)
                self.has_answered = self.has_answered or bool(data)
                self._protocol.receive_data(data)
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from None


@contextmanager
def translated(broken: type[httpx.TransportError], late: type[httpx.TransportError]) -> Iterator[None]:
    """Turn errors of sockets and deadlines inside the context into httpx's errors `broken` and `late`."""
    try:
        yield
    except trio.TooSlowError:
        raise late("no answer in time") from None
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise broken(str(error)) from None
