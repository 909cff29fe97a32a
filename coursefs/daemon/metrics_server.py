"""A minimal HTTP server for metrics: one GET, one reply, and the connection is closed.

Every program on this machine can reach a local port, and so can every web page in a browser here: a page may let its
own host name resolve to 127.0.0.1 (DNS rebinding) and then read the reply. So the port answers only requests whose Host
is a name of this machine. The control socket needs no such check: no browser can open it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import trio

from coursefs.base.crash_messages import log_unforeseen
from coursefs.base.supervisor import Supervisor
from coursefs.errors import CoursefsError

log = logging.getLogger(__name__)

#: functions that make the pages, by path: content type and text
Page = Callable[[], Awaitable[tuple[str, str]]]

_MAX_HEAD = 16 * 1024
_ASKED_WITHIN = 5.0  # seconds for a request to arrive, and for its reply to be read
_MOST_AT_ONCE = 16  # concurrent clients; a scraper is one
_HEAD_END = b"\r\n\r\n"
_OWN_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])\.?(:[0-9]{1,5})?", re.IGNORECASE)
_TEXT = "text/plain"


def is_http(data: bytes) -> bool:
    """Whether a request begins like an HTTP request."""
    return data.startswith((b"GET ", b"HEAD "))


def is_for_this_machine(head: bytes) -> bool:
    """Whether the Host of a request is a name of this machine (pure)."""
    fields = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    hosts = [value.strip().decode("latin-1") for name, _, value in fields if name.strip().lower() == b"host"]
    return len(hosts) == 1 and _OWN_HOST.fullmatch(hosts[0]) is not None


async def answer(stream: trio.abc.Stream, data: bytes, pages: Mapping[str, Page], *, is_port: bool = False) -> None:
    """Answer the request that begins with `data`; `is_port`: a browser can send it.

    A slow client is disconnected after `_ASKED_WITHIN` seconds. Raises `trio.BrokenResourceError` if the client
    disconnects.
    """
    with trio.move_on_after(_ASKED_WITHIN):
        while _HEAD_END not in data and len(data) < _MAX_HEAD:
            part = await stream.receive_some()
            if not part:
                return
            data += part
        method, path = _wanted(data)
        status, kind, body = await _answered(data, path, pages, is_port=is_port)
        content = body.encode()
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
            "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
        await stream.send_all(head.encode() + (b"" if method == "HEAD" else content))


async def _answered(data: bytes, path: str, pages: Mapping[str, Page], *, is_port: bool) -> tuple[str, str, str]:
    """Status, content type and text of the reply."""
    page = pages.get(path)
    if not is_http(data):
        return "405 Method Not Allowed", _TEXT, "GET only\n"
    if _HEAD_END not in data:
        return "431 Request Header Fields Too Large", _TEXT, "too much was asked\n"
    if is_port and not is_for_this_machine(data):
        return "421 Misdirected Request", _TEXT, "ask for localhost or 127.0.0.1\n"
    if page is None:
        return "404 Not Found", _TEXT, f"there is {', '.join(pages)}\n"
    try:
        return "200 OK", *await page()
    except Exception as error:
        log_unforeseen(log, f"making the page {path}", error)
        return "500 Internal Server Error", _TEXT, "the log says more\n"


def _wanted(data: bytes) -> tuple[str, str]:
    """Method and path of a request, without the query."""
    words = data.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return words[0], words[1].partition("?")[0] if len(words) > 1 else ""


@asynccontextmanager
async def serving(
    port: int | None, pages: Mapping[str, Page], failed: Callable[[str, CoursefsError], None] | None = None
) -> AsyncIterator[int | None]:
    """Serve on a port of 127.0.0.1 while the context lasts; yield the port. 0: any free one; None: no port.

    `failed` is called with an error that stops the server. Raises `CoursefsError` if the port is taken.
    """
    if port is None:
        yield None
        return
    room = trio.CapacityLimiter(_MOST_AT_ONCE)

    async def one(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                room.acquire_nowait()
                try:
                    await answer(stream, b"", pages, is_port=True)
                finally:
                    room.release()
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.WouldBlock):
            log.debug("a client of the metrics port disconnected, or was one too many")
        except Exception as error:
            log_unforeseen(log, "answering a client of the metrics port", error)

    try:
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    except OSError as error:
        raise CoursefsError(f"metrics cannot be served on port {port}: {error.strerror}") from None
    async with trio.open_nursery() as nursery:
        Supervisor(nursery, failed).keep_running(trio.serve_listeners, one, listeners, name="metrics")
        yield int(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()
