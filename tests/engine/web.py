"""Web servers on real sockets for tests, which answer each request as a function says."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
import trustme


def reply(body: bytes = b"", *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """A whole answer; `length` is what it says of its length, where that is not the truth."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def redirect(target: str) -> bytes:
    return reply(b"", f"Location: {target}", status="302 Found")


@dataclass
class Web:
    """A server, and what it was asked."""

    answer: Callable[[str, bytes], bytes]
    port: int = 0
    scheme: str = "http"
    asked: list[str] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "/", host: str = "localhost") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        try:
            async with stream:
                head = b""
                while part := await stream.receive_some():
                    head += part
                    if not head[:1].isalpha():  # TLS, say
                        await stream.send_all(reply(status="400 Bad Request"))
                        return
                    if head.endswith(b"\r\n\r\n"):
                        path = head.split(b" ")[1].decode()
                        self.asked.append(path)
                        await stream.send_all(self.answer(path, head))
                        head = b""
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


@asynccontextmanager
async def web(
    answer: Callable[[str, bytes], bytes], tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Web]:
    """A server at an address (a name may have several), as long as the context lasts."""
    there = Web(answer, scheme="https" if tls else "http")
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host=host)
        there.port = listeners[0].socket.getsockname()[1]
        served = [trio.SSLListener(one, tls) if tls else one for one in listeners]
        nursery.start_soon(trio.serve_listeners, there.serve, served)
        yield there
        nursery.cancel_scope.cancel()


class Authority:
    """A certificate authority that coursefs trusts while a test lasts, by SSL_CERT_FILE."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: object) -> None:
        self._ca = trustme.CA()
        path = f"{folder}/authority.pem"
        self._ca.cert_pem.write_to_path(path)
        monkeypatch.setenv("SSL_CERT_FILE", path)

    def server(self, *names: str, **options: object) -> ssl.SSLContext:
        """The settings of a server with a certificate for these names."""
        return server_context(self._ca, *names, **options)


def server_context(authority: trustme.CA, *names: str, **options: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("localhost",)), **options).configure_cert(context)  # type: ignore[arg-type]
    return context
