"""A small HTTP server on a real socket that can be told to misbehave."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio


@dataclass
class Request:
    """One request; a handler answers it through `send` or the raw `stream`."""

    method: str
    path: str
    headers: dict[str, str]
    stream: trio.SocketStream
    body: bytes = b""

    @property
    def range(self) -> tuple[int, int] | None:
        """Half-open, as everywhere in coursefs."""
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        return (int(match[1]), int(match[2]) + 1) if match else None

    async def send(self, status: int, headers: dict[str, str], body: bytes, *, length: int | None = None) -> None:
        """A whole answer; `length`: what is announced instead of the true one."""
        lines = {"Content-Length": str(len(body) if length is None else length), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        sent = b"" if self.method == "HEAD" else body
        await self.stream.send_all(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + sent)


Handler = Callable[[Request], Awaitable[bool | None]]


@dataclass
class Server:
    """Serves `body` with ranges; `next` are handlers for the coming requests, one each.

    A handler that returns True has left the connection unusable: it is closed.
    """

    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"', "Content-Type": "video/mp4"})
    next: deque[Handler] = field(default_factory=deque)
    always: Handler | None = None
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    connections: int = 0  # made so far
    _arrived: trio.Event = field(default_factory=trio.Event)

    @property
    def ranges(self) -> list[tuple[int, int] | None]:
        """What was asked for so far."""
        return [request.range for request in self.requests]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video.mp4"

    async def asked(self, times: int) -> None:
        """Wait until so many requests have come."""
        while len(self.requests) < times:
            await self._arrived.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._connection, listeners)

    async def _connection(self, stream: trio.SocketStream) -> None:
        buffer = b""
        self.connections += 1
        try:
            async with stream:
                while True:
                    while b"\r\n\r\n" not in buffer:
                        part = await stream.receive_some()
                        if not part:
                            return
                        buffer += part
                    head, _, buffer = buffer.partition(b"\r\n\r\n")
                    first, *lines = head.decode().split("\r\n")
                    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                    length = int(headers.get("content-length", "0"))
                    while len(buffer) < length:
                        part = await stream.receive_some()
                        if not part:
                            return
                        buffer += part
                    body, buffer = buffer[:length], buffer[length:]
                    method, path = first.split()[:2]
                    request = Request(method, path, headers, stream, body)
                    self.requests.append(request)
                    self._arrived.set()
                    self._arrived = trio.Event()
                    handler = self.next.popleft() if self.next else self.always or self.serve
                    if await handler(request):
                        return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def serve(self, request: Request) -> None:
        """206, or 200 where no range was asked for."""
        if request.range is None:
            await request.send(200, self.headers, self.body)
            return
        start, end = request.range
        end = min(end, len(self.body))
        if start >= end:
            await request.send(416, {**self.headers, "Content-Range": f"bytes */{len(self.body)}"}, b"")
            return
        part = {"Content-Range": f"bytes {start}-{end - 1}/{len(self.body)}"}
        await request.send(206, {**self.headers, **part}, self.body[start:end])
