"""The loopback HTTP listener that receives the redirect at the end of a sign-in in a browser."""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from coursefs.errors import CoursefsError, UsageError

log = logging.getLogger(__name__)

_MOST = 16 * 1024  # bytes of a request
_PATIENCE = 10.0  # seconds for one request
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>coursefs</title>'
    "<body style='font-family: sans-serif; margin: 4em'><h1>{title}</h1><p>{text}</p></html>"
)


async def listeners(port: int) -> list[trio.SocketListener]:
    """Sockets that listen on the loopback addresses only.  Raises `CoursefsError` when the port is in use."""
    found: list[trio.SocketListener] = []
    for host in ("127.0.0.1", "::1"):
        try:
            found += await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            if host == "127.0.0.1":
                raise CoursefsError(
                    f"cannot wait for the browser on port {port}: {error.strerror}; try --no-browser, or --port with "
                    "another one that is registered with the API client"
                ) from None
    return found


async def redirected(sockets: list[trio.SocketListener], accept: Callable[[str], str]) -> str:
    """Wait for the redirect: the result of `accept` for the first request that it accepts.  Closes the sockets.

    `accept` gets the path and query of each request.  If it raises `UsageError`, the browser is shown the message, and
    the next request is awaited.  Any other `CoursefsError` is shown in the browser and raised.
    """
    result: str | None = None
    failure: CoursefsError | None = None

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal result, failure
        try:
            with trio.move_on_after(_PATIENCE):
                target = await _target(stream)
                try:
                    result = accept(target)
                except UsageError:
                    await _answer(stream, "404 Not Found", "Not found", "This address is not part of the sign-in.")
                    return
                except CoursefsError as error:
                    failure = error
                    await _answer(stream, "400 Bad Request", "Not signed in", "Go back to the terminal: it says why.")
                else:
                    text = "You can close this window and go back to the terminal."
                    await _answer(stream, "200 OK", "Signed in", text)
                nursery.cancel_scope.cancel()
        except trio.BrokenResourceError:
            if result is not None or failure is not None:
                nursery.cancel_scope.cancel()
        finally:
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        await trio.serve_listeners(serve, sockets)
    if failure is not None:
        raise failure
    assert result is not None
    return result


async def _target(stream: trio.SocketStream) -> str:
    """The path and query of a GET request; "" for any other."""
    request = b""
    while b"\r\n\r\n" not in request and len(request) < _MOST:
        part = await stream.receive_some(4096)
        if not part:
            break
        request += part
    words = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return words[1] if len(words) == 3 and words[0] == "GET" else ""


async def _answer(stream: trio.SocketStream, status: str, title: str, text: str) -> None:
    body = _PAGE.format(title=title, text=text).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    await stream.send_all(head.encode() + body)
    await stream.send_eof()
