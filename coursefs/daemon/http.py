"""As much of HTTP as a scraper of metrics speaks: one GET, one answer, and good-bye."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import trio

from coursefs.errors import CoursefsError

#: what makes the pages, by path: content type and text
Page = Callable[[], Awaitable[tuple[str, str]]]

_MAX_HEAD = 64 * 1024
_ASKED_WITHIN = 5.0  # seconds for a request to arrive, and for its answer to be taken
_HEAD_END = b"\r\n\r\n"


def is_http(data: bytes) -> bool:
    """Whether a request begins like one of HTTP."""
    return data.startswith((b"GET ", b"HEAD "))


async def answer(stream: trio.abc.Stream, data: bytes, pages: Mapping[str, Page]) -> None:
    """Answer the request that begins with `data`.  Raises `trio.BrokenResourceError` when the client goes away."""
    with trio.move_on_after(_ASKED_WITHIN):
        while _HEAD_END not in data and len(data) < _MAX_HEAD:
            part = await stream.receive_some()
            if not part:
                return
            data += part
        method, path = _wanted(data)
        page = pages.get(path)
        if not is_http(data):
            status, kind, body = "405 Method Not Allowed", "text/plain", "GET only\n"
        elif page is None:
            status, kind, body = "404 Not Found", "text/plain", f"there is {', '.join(pages)}\n"
        else:
            status, (kind, body) = "200 OK", await page()
        content = body.encode()
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        )
        await stream.send_all(head.encode() + (b"" if method == "HEAD" else content))


def _wanted(data: bytes) -> tuple[str, str]:
    """Method and path of a request, the query left out."""
    words = data.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return words[0], words[1].partition("?")[0] if len(words) > 1 else ""


@asynccontextmanager
async def serving(port: int | None, pages: Mapping[str, Page]) -> AsyncIterator[int | None]:
    """Answer on a port of 127.0.0.1 as long as the context lasts; gives the port.  0 is any free one, None is none.

    Raises `CoursefsError` when the port is taken.
    """
    if port is None:
        yield None
        return

    async def one(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            async with stream:
                await answer(stream, b"", pages)

    try:
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    except OSError as error:
        raise CoursefsError(f"metrics cannot be served on port {port}: {error.strerror}") from None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, one, listeners)
        yield int(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()
