"""The body of a response: closed before its end, decompressed within bounds, or peeked at before it is read.

No request asks for compression, but some servers compress all the same.  One coding, gzip or deflate, is accepted.  It
is decompressed in small parts as it arrives, so that a decompression bomb cannot fill the memory.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import trio

from coursefs.errors import BadReply
from coursefs.transport.http1 import http1_body
from coursefs.transport.http_library import httpx

#: the most bytes in one part of a decompressed body
_PART = 64 * 1024
#: a body may grow to so many bytes, or to so many times its compressed size: text shrinks to a tenth, a bomb to a
#: thousandth
_FREE_GROWTH, _MOST_GROWTH = 16 * 2**20, 32
_KNOWN_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})


def content_coding(value: str | None) -> str | None:
    """The coding in a `Content-Encoding` header (RFC 9110, section 8.4); None: the body is not compressed (pure).

    Raises `BadReply` for an unknown coding, and for more than one, which only decompression bombs have.
    """
    named = [name for name in (part.strip().lower() for part in (value or "").split(",")) if name]
    codings = [name for name in named if name != "identity"]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _KNOWN_CODINGS:
        raise BadReply("the reply has a compression that was not requested")
    return codings[0]


class Inflate:
    """Decompresses one body in parts of at most 64 KiB (pure)."""

    def __init__(self, coding: str) -> None:
        self._is_gzip = coding != "deflate"
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16 if self._is_gzip else zlib.MAX_WBITS)
        self._received = 0  # compressed bytes
        self._grown = 0  # decompressed bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decompress these bytes; the iterator must be exhausted before the next call.

        Raises `BadReply` where they are not compressed data, or grow more than real data do.
        """
        if not self._received and not self._is_gzip and data and data[0] & 0x0F != zlib.DEFLATED:
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)  # many servers leave out the zlib header
        self._received += len(data)
        is_full = False  # whether zlib may hold more output although all input was consumed
        while data or is_full:
            if self._inflater.eof:
                data = data.lstrip(b"\0")  # gzip files may be padded, and joined
                if not data or not self._is_gzip:
                    return
                self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                part = self._inflater.decompress(data, _PART)
            except zlib.error:
                raise BadReply("the reply cannot be decompressed") from None
            self._grown += len(part)
            if self._grown > max(_FREE_GROWTH, _MOST_GROWTH * self._received):
                raise BadReply("the reply grows without bound when it is decompressed")
            data = self._inflater.unconsumed_tail or self._inflater.unused_data
            is_full = len(part) == _PART and not self._inflater.eof
            if part:
                yield part

    def finish(self) -> None:
        """The body has ended.  Raises `httpx.RemoteProtocolError` when the compressed data have not."""
        if self._received and not self._inflater.eof:
            raise httpx.RemoteProtocolError("the server closed the connection before the end of the compressed body")


class _Decoded:
    """The decompressed parts of a body.

    An iterator, not a generator: trio warns of async generators that are not exhausted.
    """

    def __init__(self, parts: AsyncIterator[bytes], coding: str) -> None:
        self._parts = parts
        self._inflate = Inflate(coding)
        self._ready: Iterator[bytes] = iter(())

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while (part := next(self._ready, None)) is None:
            try:
                raw = await anext(self._parts)
            except StopAsyncIteration:
                self._inflate.finish()
                raise
            self._ready = self._inflate.feed(raw)
        await trio.lowlevel.checkpoint()  # one compressed part may become many parts, without any wait in between
        return part


def is_framed(response: httpx.Response) -> bool:
    """Whether the body has a length or is chunked; else it ends when the server closes the connection, if ever."""
    return "content-length" in response.headers or "transfer-encoding" in response.headers


@asynccontextmanager
async def body_of(
    response: httpx.Response, *, decode: bool = False, chunk_size: int | None = None
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The parts of the body inside the context: as they arrive, or of `chunk_size` bytes; decompressed with `decode`.

    Reading them raises `BadReply` where the body cannot be decompressed (see `Inflate`).  The response is closed at the
    end, within a second also under cancellation.

    httpx nests generators and does not close the inner ones when the outermost is not exhausted, which trio warns of.
    They end when they are resumed once more after their connection was closed; the loop at the end does that.
    """
    # a response that a test made with its content, instead of receiving it, is decoded by httpx already
    is_made = response.is_stream_consumed
    raw = response.aiter_bytes(chunk_size) if is_made else response.aiter_raw(chunk_size)
    coding = content_coding(response.headers.get("content-encoding")) if decode and not is_made else None
    try:
        yield raw if coding is None else _Decoded(raw, coding)
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
            await response.aclose()
            with suppress(httpx.RequestError, httpx.StreamError):
                async for _ in raw:
                    pass


class _Peekable(httpx.AsyncByteStream):
    """A body whose first bytes can be read twice."""

    def __init__(self, body: httpx.AsyncByteStream) -> None:
        self._body = body
        self._parts = aiter(body)
        self._read: list[bytes] = []

    async def peek(self, count: int) -> bytes:
        """The first `count` bytes, fewer where the body is shorter; they stay to be read."""
        while sum(map(len, self._read)) < count:
            part = await anext(self._parts, None)
            if part is None:
                break
            self._read.append(part)
        return b"".join(self._read)[:count]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next part."""
        return self._read.pop(0) if self._read else await anext(self._parts)

    async def aclose(self) -> None:
        """Close the body, and end the generators that `peek` has started (see `body_of`)."""
        await self._body.aclose()
        with suppress(httpx.RequestError, httpx.StreamError):
            async for _ in self._parts:
                pass


async def beginning_of(response: httpx.Response, count: int) -> bytes:
    """The first bytes of an unread body, decompressed, `count` at most.  They can be read again.

    Raises what reading the body raises, and `BadReply` for a body that cannot be decompressed.
    """
    if response.is_stream_consumed:  # received, and decoded, already: its stream would be left open (see `body_of`)
        return response.content[:count]
    body = http1_body(response)
    if body is not None:
        raw = await body.peek(count)
    else:
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        if not isinstance(stream, _Peekable):
            response.stream = stream = _Peekable(stream)
        raw = await stream.peek(count)
    coding = content_coding(response.headers.get("content-encoding"))
    return raw if coding is None else next(Inflate(coding).feed(raw), b"")[:count]
