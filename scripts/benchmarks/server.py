"""A plain HTTP file server behind a link of chosen limits: ranges, ETag, Last-Modified, index pages.

It runs as a process of its own and is told nothing through HTTP that a real one would not be: whoever started it asks
for its counters through standard input (`count`), and ends it by closing that.

    python -m benchmarks.server ROOT LINK     (see `benchmarks.link.LINKS`)
"""

from __future__ import annotations

import email.utils
import html
import json
import os
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote, urlsplit

from benchmarks.link import LINKS, Connection, Limits, Pipe

#: bytes that are handed to a limited link at once, at most: 5 ms of a good connection
_SHAPED = 32 * 1024
#: the same of a thin link, in seconds, and at least one packet
_STEP_SECONDS, _PACKET = 0.005, 1460
#: bytes that are handed to the kernel at once where nothing is limited
_UNSHAPED = 4 * 2**20


@dataclass
class Counters:
    """What was asked and sent since the start."""

    requests: int = 0
    connections: int = 0
    body_bytes: int = 0
    by_path: dict[str, int] = field(default_factory=dict)  # bytes of bodies
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, requests: int = 0, connections: int = 0, body_bytes: int = 0, path: str = "") -> None:
        """Count; `path`: of which file the bytes are."""
        with self._lock:
            self.requests += requests
            self.connections += connections
            self.body_bytes += body_bytes
            self.by_path[path] = self.by_path.get(path, 0) + body_bytes

    def as_json(self) -> str:
        """The counters, on one line."""
        with self._lock:
            return json.dumps(
                {
                    "requests": self.requests,
                    "connections": self.connections,
                    "body_bytes": self.body_bytes,
                    **{name: count for name, count in self.by_path.items() if name},
                }
            )


class Server(socketserver.ThreadingTCPServer):
    """Serves `root` to this machine, a thread for each connection."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root = root.resolve()
        self.limits = limits
        self.counters = Counters()
        self._shared = Pipe(limits.total_rate, stall_every=limits.stall_every, stall=limits.stall)
        self._shared_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def connected(self) -> Connection:
        """A new connection's view of the link."""
        return Connection(self.limits, self._shared, time.monotonic())

    def wait_for(self, link: Connection, size: int) -> None:
        """Wait until so many bytes have come over the link."""
        with self._shared_lock:
            arrived = link.arrived_at(size, time.monotonic())
        _sleep_until(arrived)

    def broken_off(self, link: Connection) -> None:
        """A client has closed its connection in the middle of a body."""
        with self._shared_lock:
            link.broken_off(time.monotonic())

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is nothing to speak of; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on as it came


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    connection: socket.socket
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 2**16  # status line and headers leave together

    def setup(self) -> None:
        """Begin."""
        super().setup()
        self._link = self.server.connected()
        self.server.counters.add(connections=1)

    def do_GET(self) -> None:
        """A file, a part of one, or the index of a folder."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """The same without its body."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        _sleep_until(self._link.answered_at(time.monotonic()))
        self.server.counters.add(requests=1)
        target = (self.server.root / unquote(urlsplit(self.path).path).lstrip("/")).resolve()
        if target.is_dir() and target.is_relative_to(self.server.root):
            self._send_index(target, with_body=with_body)
        elif target.is_file() and target.is_relative_to(self.server.root):
            with target.open("rb") as file:
                self._send_file(file, with_body=with_body)
        else:
            self._head(HTTPStatus.NOT_FOUND, {"Content-Length": "0"})

    def _send_index(self, folder: Path, *, with_body: bool) -> None:
        names = sorted(f"{one.name}/" if one.is_dir() else one.name for one in folder.iterdir())
        links = "".join(f'<a href="{quote(name)}">{html.escape(name)}</a>\n' for name in names)
        body = f"<!DOCTYPE html><title>Index</title><pre>{links}</pre>".encode()
        self._head(HTTPStatus.OK, {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))})
        if with_body:
            self.server.wait_for(self._link, len(body))
            self.wfile.write(body)
            self.wfile.flush()
            self.server.counters.add(body_bytes=len(body))

    def _send_file(self, file: BinaryIO, *, with_body: bool) -> None:
        stat = os.fstat(file.fileno())
        etag = f'"{stat.st_size:x}-{stat.st_mtime_ns:x}"'
        modified = email.utils.formatdate(stat.st_mtime, usegmt=True)
        headers = {"Accept-Ranges": "bytes", "ETag": etag, "Last-Modified": modified}
        wanted = self.headers.get("Range")
        if self.headers.get("If-Range", etag) not in {etag, modified}:
            wanted = None
        span = parse_range(wanted, stat.st_size)
        if span is None:
            size = {"Content-Range": f"bytes */{stat.st_size}", "Content-Length": "0"}
            self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers | size)
            return
        start, end = span
        headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(end - start)}
        if wanted is None:
            self._head(HTTPStatus.OK, headers)
        else:
            part = {"Content-Range": f"bytes {start}-{end - 1}/{stat.st_size}"}
            self._head(HTTPStatus.PARTIAL_CONTENT, headers | part)
        if with_body:
            self._send_part(file, start, end)

    def _send_part(self, file: BinaryIO, start: int, end: int) -> None:
        limits = self.server.limits
        step = _step(limits)
        while start < end:
            self.server.wait_for(self._link, min(step, end - start))
            try:
                sent = os.sendfile(self.connection.fileno(), file.fileno(), start, min(step, end - start))
            except ConnectionError:
                self.server.broken_off(self._link)
                raise
            if not sent:
                raise ConnectionError("the file is shorter than it was")
            self.server.counters.add(body_bytes=sent, path=unquote(urlsplit(self.path).path))
            start += sent

    def _head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Start and end of the bytes that a `Range` header asks for; None when there are none of them.

    Everything, when there is no header or one that asks for anything but a single range of bytes.
    """
    unit, _, spec = (header or "").partition("=")
    first, dash, last = spec.strip().partition("-")
    if unit.strip() != "bytes" or not dash or not (first + last).isdecimal():
        return 0, size
    if not first:
        return (max(0, size - int(last)), size) if int(last) and size else None
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


def _step(limits: Limits) -> int:
    """Bytes that are handed to a link at once."""
    if limits.total_rate is None:
        return _UNSHAPED if limits.connection_rate is None else _SHAPED
    return max(_PACKET, min(_SHAPED, int(limits.total_rate * _STEP_SECONDS)))


@contextmanager
def serving(root: Path, limits: Limits) -> Iterator[Server]:
    """A server in threads of this process, as long as the context lasts."""
    with Server(root, limits) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _sleep_until(moment: float) -> None:
    left = moment - time.monotonic()
    if left > 0:
        time.sleep(left)


def main() -> None:
    """Serve until standard input is closed."""
    root, link = sys.argv[1:]
    with serving(Path(root), LINKS[link]) as server:
        print(json.dumps({"url": server.url, "limits": asdict(server.limits)}), flush=True)
        for _ in sys.stdin:
            print(server.counters.as_json(), flush=True)


if __name__ == "__main__":
    main()
