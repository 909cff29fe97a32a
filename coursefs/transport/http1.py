"""The bodies of HTTP/1.1 responses, whose bytes are received straight into the buffer of a range request.

A general client copies the bytes of a file four times and passes them through half a dozen generators; over a quick
link that limits the throughput.  Here h11 parses the head of a response, as in httpx, and a body of known length goes
from the socket (or from OpenSSL) into the buffer that is written to disk, in a thread when much is coming.  The
connections are those of `coursefs.transport.http1_transport`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

import h11

from coursefs.transport.connection import STEP, Connection
from coursefs.transport.http_library import httpx

_EXTENSION = "coursefs_body"
_NOTHING = memoryview(b"")


def http1_body(response: httpx.Response) -> Body | None:
    """The body of a response from `Http1Transport`; None: it is from another transport."""
    body = response.extensions.get(_EXTENSION)
    return body if isinstance(body, Body) else None


def body_with_length(response: httpx.Response) -> Body | None:
    """The body of a response that can be received into buffers; None: read it as httpx does."""
    body = http1_body(response)
    return body if body is not None and body.has_known_length else None


class Owner(Protocol):
    """Owns the connections of bodies."""

    def give_back(self, connection: Connection) -> None:
        """Keep a connection, whose response has been read to its end, for a later request."""

    def discard(self, connection: Connection) -> None:
        """Close a connection that cannot be used any more."""


def response_of(
    owner: Owner, connection: Connection, request: httpx.Request, head: h11.Response, patience: float
) -> httpx.Response:
    """The response with this head, whose `Body` is still to come on the connection.

    `patience`: seconds for each receive.
    """
    body = Body(owner, connection, request.method, head, patience)
    return httpx.Response(
        head.status_code,
        headers=head.headers.raw_items(),
        stream=body,
        extensions={_EXTENSION: body},  # httpx wraps the stream itself
        request=request,
    )


class Body(httpx.AsyncByteStream):
    """The body of a response.  Must be closed, also after it was read to its end."""

    def __init__(self, owner: Owner, connection: Connection, method: str, head: h11.Response, patience: float) -> None:
        self._owner = owner
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
        """The server's address; None through a proxy, and when the body was closed."""
        return None if self._connection is None or not self._connection.is_direct else self._connection.peer

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
            # an empty slice would keep all of it, for as long as the response is not collected
            self._early = self._early[count:] if count < len(self._early) else _NOTHING
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
                early, self._early = bytes(self._early), _NOTHING
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
        self._early = _NOTHING
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if (self._remaining == 0 or self._has_ended) and self._is_reusable:
            self._owner.give_back(connection)
        else:
            self._owner.discard(connection)

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
