"""The hostile server: plain sockets and threads, so that it can break every rule and shares nothing with the client.

`python -m torture_runs.server COUNTERS` says its port on standard output and takes commands, one JSON object a line,
on standard input: `{"fault": NAME, "chance": 0.7, "seed": 1}`, answered by the counts so far; it ends with its input.
"""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import sys
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from torture_runs import golden
from torture_runs.counters import Counters

_LINE = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass
class State:
    """What the server is like at the moment."""

    counters: Counters
    port: int = 0
    other_port: int = 0
    fault: str = "none"
    demo: str = ""  # host:port of the platform behind this server
    chance: float = 1.0
    generation: int = 1  # of addresses that are accepted
    random: random.Random = field(default_factory=lambda: random.Random(0))
    counts: Counter[str] = field(default_factory=Counter)
    changed: threading.Event = field(default_factory=threading.Event)  # set and replaced when the fault ends


class Exchange:
    """One request and the connection that it came by."""

    def __init__(self, connection: socket.socket, request: Request, state: State) -> None:
        self.connection = connection
        self.request = request
        self.state = state
        self.over = state.changed

    def send(
        self, status: str, headers: dict[str, str | int], body: bytes = b"", *, length: int | str | None = -1
    ) -> None:
        """A whole answer; `length`: what Content-Length says, None for none at all."""
        lines = [f"HTTP/1.1 {status}"]
        if length is not None:
            lines.append(f"Content-Length: {len(body) if length == -1 else length}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        self.connection.sendall(head + (b"" if self.request.method == "HEAD" else body))

    def close(self) -> None:
        """End the connection after what was sent."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
        self.connection.close()

    def reset(self) -> None:
        """End the connection so that the client sees a reset."""
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def wait(self, seconds: float) -> bool:
        """Do nothing for so long; True when the fault is over before that."""
        return self.over.wait(seconds)


@dataclass(frozen=True, slots=True)
class Part:
    """What a request asks for of a file as it is now."""

    file: int
    version: int
    size: int
    start: int
    end: int
    is_range: bool

    @property
    def etag(self) -> str:
        """Strong, of this version alone."""
        return f'"{self.file}-{self.version}"'

    @property
    def headers(self) -> dict[str, str | int]:
        """Those of a right answer."""
        headers: dict[str, str | int] = {"ETag": self.etag, "Accept-Ranges": "bytes", "Content-Type": "video/mp4"}
        if self.is_range:
            headers["Content-Range"] = f"bytes {self.start}-{self.end - 1}/{self.size}"
        return headers

    @property
    def status(self) -> str:
        """That of a right answer."""
        return "206 Partial Content" if self.is_range else "200 OK"

    @property
    def body(self) -> bytes:
        """The right bytes."""
        return golden.content(self.file, self.version, self.start, self.end)


def part_of(request: Request, counters: Counters) -> Part | None:
    """What is asked for by `/f/NUMBER`; None when nothing of it is there (416)."""
    file = int(request.path.removeprefix("/f/"))
    version = counters.version(file)
    size = golden.size_of(file, version)
    wanted = request.headers.get("range", "")
    condition = request.headers.get("if-range", f'"{file}-{version}"')
    if not wanted.startswith("bytes=") or condition != f'"{file}-{version}"':
        return Part(file, version, size, 0, size, is_range=False)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    return Part(file, version, size, start, end, is_range=True) if start < end else None


def right_answer(exchange: Exchange) -> None:
    """What a good server says."""
    request, state = exchange.request, exchange.state
    if request.path == "/tree.json":
        exchange.send("200 OK", {"Content-Type": "application/json"}, json.dumps(tree()).encode())
    elif request.path.startswith("/url/"):
        key = request.path.removeprefix("/url/")
        url = f"http://127.0.0.1:{state.port}/f/{key}?generation={state.generation}"
        exchange.send("200 OK", {"Content-Type": "application/json"}, json.dumps({"url": url}).encode())
    elif request.path.startswith("/f/") and request.path[3:].isdecimal() and int(request.path[3:]) in golden.SIZES:
        part = part_of(request, state.counters)
        if part is None:
            size = golden.size_of(int(request.path[3:]), state.counters.version(int(request.path[3:])))
            exchange.send("416 Range Not Satisfiable", {"Content-Range": f"bytes */{size}"})
        else:
            exchange.send(
                part.status, part.headers, b"" if request.method == "HEAD" else part.body, length=part.end - part.start
            )
    else:
        from torture_runs.server_replies import pass_on  # it uses this module

        pass_on(exchange)


def tree() -> dict[str, object]:
    """The list of the one course."""
    files = [
        {"key": str(file), "title": f"file {file:02d}{' film' if file % 2 else ''}", "position": None, "size": ""}
        for file in golden.SIZES
    ]
    return {"courses": [{"key": "c", "slug": "torture", "title": "Torture"}], "files": files}


def _serve(listener: socket.socket, state: State) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_connection, args=(connection, state), daemon=True).start()


def _connection(connection: socket.socket, state: State) -> None:
    from torture_runs.server_all import CONNECTION, FAULTS  # they use this module

    with suppress(OSError, ValueError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if state.fault in CONNECTION and state.random.random() < state.chance:
            state.counts[state.fault] += 1
            CONNECTION[state.fault](Exchange(connection, Request("", "", {}), state))
            return
        file = connection.makefile("rb")
        while (request := _read_request(file)) is not None:
            exchange = Exchange(connection, request, state)
            fault = FAULTS.get(state.fault)
            if fault is not None and fault.concerns(request) and state.random.random() < state.chance:
                state.counts[state.fault] += 1
                if not fault.answer(exchange):
                    exchange.close()
                    return
            else:
                state.counts["right answers"] += 1
                right_answer(exchange)
    connection.close()


def _read_request(file: BinaryIO) -> Request | None:
    lines = []
    while (line := file.readline(_LINE)) not in (b"\r\n", b""):
        lines.append(line.decode("latin-1").rstrip("\r\n"))
    if not lines:
        return None
    method, target, _ = lines[0].split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in lines[1:])}
    return Request(method, target, headers)


def main() -> None:
    """Serve until standard input ends."""
    state = State(Counters(Path(sys.argv[1])))
    ports = []
    for _ in range(2):
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        ports.append(listener.getsockname()[1])
        threading.Thread(target=_serve, args=(listener, state), daemon=True).start()
    state.port, state.other_port = ports
    print(json.dumps({"port": state.port}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "fault" in command:
            state.random.seed(command.get("seed", 0))
            state.chance = command.get("chance", 1.0)
            state.fault = command["fault"]
            state.changed.set()
            state.changed = threading.Event()
        state.demo = command.get("demo", state.demo)
        print(json.dumps(state.counts), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
