"""What stands between coursefs and a platform, and may answer in its place: a proxy that turns bad at a word.

It knows nothing of coursefs: it forwards requests as they come, and changes either the request (a session that is not
known any more) or the reply.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

_OWN = {"connection", "keep-alive", "transfer-encoding", "content-encoding", "content-length", "date", "server"}
_WHO = {"cookie", "authorization"}
PAGE = b"<!DOCTYPE html><html><head><title>Network login</title></head><body>Accept our terms.</body></html>"


@dataclass(frozen=True)
class Answer:
    """A reply on its way to the client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def instead(self, status: int, kind: str, body: bytes) -> Answer:
        """Another reply in its place."""
        return Answer(status, [("content-type", kind)], body)


Change = Callable[[str, Answer], Answer]


def unchanged(_: str, answer: Answer) -> Answer:
    """A platform that is well."""
    return answer


def portal(_: str, answer: Answer) -> Answer:
    """The page of a network that wants its terms accepted, for every route."""
    return answer.instead(200, "text/html; charset=utf-8", PAGE)


def missing(pattern: str) -> Change:
    """404 for every path that a pattern is found in."""

    def change(path: str, answer: Answer) -> Answer:
        return answer.instead(404, "text/html", b"<h1>Not found</h1>") if re.search(pattern, path) else answer

    return change


def refused(pattern: str) -> Change:
    """403 for every path that a pattern is found in."""

    def change(path: str, answer: Answer) -> Answer:
        if not re.search(pattern, path):
            return answer
        return answer.instead(403, "application/json", b'{"detail": "You do not have permission."}')

    return change


def emptied(pattern: str) -> Change:
    """Every list and every map of ids in a JSON reply is empty."""

    def empty(value: Any, depth: int = 0) -> Any:
        match value:
            case list():
                return []
            case dict() if depth > 0 and len(value) > 12:  # a map by id, such as blocks
                return {}
            case dict():
                return {key: empty(one, depth + 1) for key, one in value.items()}
        return value

    def change(path: str, answer: Answer) -> Answer:
        if not re.search(pattern, path) or answer.status != 200:
            return answer
        try:
            content = json.loads(answer.body)
        except ValueError:
            return answer
        return answer.instead(200, "application/json", json.dumps(empty(content)).encode())

    return change


@dataclass
class Portal:
    """A proxy for one server."""

    url: str
    change: Change = unchanged
    lives_for: int | None = None  # requests until the sign-in is not known any more; None: it lives
    asked: list[str] = field(default_factory=list)

    def knows(self) -> bool:
        """Whether the sign-in of the next request is passed on."""
        if self.lives_for is None:
            return True
        self.lives_for = max(0, self.lives_for - 1)
        return self.lives_for > 0


@contextmanager
def portal_before(server: str) -> Iterator[Portal]:
    """A proxy for this server as long as the context lasts."""
    target = server.rstrip("/")
    client = httpx.Client(trust_env=False, timeout=30, follow_redirects=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            knows = one.knows()
            headers = [
                (name, value)
                for name, value in self.headers.items()
                if name.lower() not in {"connection", "host", "content-length"} and (knows or name.lower() not in _WHO)
            ]
            client.cookies.clear()
            reply = client.request(self.command, f"{target}{self.path}", content=body, headers=headers)
            one.asked.append(self.path)
            kept = [(name, value) for name, value in reply.headers.multi_items() if name.lower() not in _OWN]
            kept = [(name, value.replace(target, one.url)) for name, value in kept]
            text = reply.content.replace(target.encode(), one.url.encode())
            answer = one.change(self.path, Answer(reply.status_code, kept, text))
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_POST = do_HEAD = forward  # noqa: N815  # names of the library

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    one = Portal(f"http://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        yield one
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
        client.close()
