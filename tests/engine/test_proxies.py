"""Requests through proxies on real sockets: SOCKS5 and HTTP, for replies and for files."""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from coursefs.errors import NoAnswer, Unreachable, UsageError
from coursefs.transport import Transport
from coursefs.transport.http1 import body_with_length
from tests.engine.web import Authority, reply, web


@dataclass
class ProxyServer:
    """A proxy that leads every name to this machine, and what it was asked for."""

    refusal: int = 0  # what a SOCKS proxy answers, or an HTTP one; 0: it does what it is asked for
    user: bytes = b""  # and password, as `me:secret`; b"": everybody is served
    port: int = 0
    asked: list[str] = field(default_factory=list)

    async def socks(self, stream: trio.SocketStream) -> None:
        """RFC 1928 and 1929."""
        async with stream:
            methods = await _exactly(stream, (await _exactly(stream, 2))[1])
            method = 2 if self.user else 0
            await stream.send_all(bytes([5, method if method in methods else 255]))
            if self.user:
                name = await _exactly(stream, (await _exactly(stream, 2))[1])
                word = await _exactly(stream, (await _exactly(stream, 1))[0])
                await stream.send_all(bytes([1, name + b":" + word != self.user]))
            *_, kind = await _exactly(stream, 4)
            assert kind == 3, "the name is for the proxy to look up"
            host = await _exactly(stream, (await _exactly(stream, 1))[0])
            (port,) = struct.unpack("!H", await _exactly(stream, 2))
            self.asked.append(f"{host.decode()}:{port}")
            await stream.send_all(bytes([5, self.refusal, 0, 1, 0, 0, 0, 0, 0, 0]))
            if not self.refusal:
                await _connect(stream, port)

    async def http(self, stream: trio.SocketStream) -> None:
        """CONNECT (RFC 9110, section 9.3.6)."""
        async with stream:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += await _exactly(stream, 1)
            place = head.split(b" ")[1].decode()
            self.asked.append(place)
            wanted = b"Proxy-Authorization: Basic " + base64.b64encode(self.user)
            if self.refusal or (self.user and wanted.lower() not in head.lower()):
                await stream.send_all(f"HTTP/1.1 {self.refusal or 407} Refused\r\n\r\n".encode())
                return
            await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
            await _connect(stream, int(place.rpartition(":")[2]))


async def _exactly(stream: trio.abc.ReceiveStream, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = await stream.receive_some(count - len(found))
        if not part:
            raise trio.BrokenResourceError
        found += part
    return found


async def _connect(stream: trio.SocketStream, port: int) -> None:
    async def copy(source: trio.SocketStream, to: trio.SocketStream) -> None:
        async for part in source:
            await to.send_all(part)
        await to.send_eof()

    async with await trio.open_tcp_stream("127.0.0.1", port) as there, trio.open_nursery() as nursery:
        nursery.start_soon(copy, stream, there)
        nursery.start_soon(copy, there, stream)


@asynccontextmanager
async def proxy(kind: str, **options: object) -> AsyncIterator[ProxyServer]:
    there = ProxyServer(**options)  # type: ignore[arg-type]
    serve = there.http if kind == "http" else there.socks

    async def one(stream: trio.SocketStream) -> None:
        try:
            await serve(stream)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, one, 0)
        there.port = listeners[0].socket.getsockname()[1]
        yield there
        nursery.cancel_scope.cancel()


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Authority:
    return Authority(monkeypatch, tmp_path)


async def read(transport: Transport, url: str) -> bytes:
    async with transport.stream(url) as response:
        return b"".join([part async for part in response.aiter_raw()])


@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy"])
@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h", "http"])
async def test_replies_and_files_come_through_the_proxy(
    scheme: str, variable: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's name is known to the proxy alone."""
    tls = authority.server("platform.test")
    async with web(lambda *_: reply(b"bytes"), tls) as there, proxy(scheme) as between:
        monkeypatch.setenv(variable, f"{scheme}://localhost:{between.port}/")
        async with Transport(read_timeout=5.0) as transport:
            for _ in range(2):
                assert await read(transport, there.url(host="platform.test")) == b"bytes"
            assert between.asked == [f"platform.test:{there.port}"]  # a connection is used again


@pytest.mark.parametrize("scheme", ["socks5h", "http"])
async def test_bodies_come_through_a_proxy_as_quickly_as_without(
    scheme: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are received into the buffers that are written to disk, over connections that are made ahead."""
    tls = authority.server("platform.test")
    async with web(lambda *_: reply(b"bytes"), tls) as there, proxy(scheme) as between:
        url = there.url(host="platform.test")
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://localhost:{between.port}")
        async with Transport(read_timeout=5.0) as transport:
            await transport.connect_ahead(url, 2)
            assert between.asked == [f"platform.test:{there.port}"] * 2
            async with transport.stream(url) as response:
                body, buffer = body_with_length(response), bytearray(5)
                assert body is not None
                assert (await body.receive_into(memoryview(buffer)), bytes(buffer)) == (5, b"bytes")
            assert len(between.asked) == 2


@pytest.mark.parametrize("scheme", ["socks5h", "http"])
async def test_a_proxy_may_want_a_password(scheme: str, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = authority.server("platform.test")
    async with web(lambda *_: reply(b"bytes"), tls) as there, proxy(scheme, user=b"me:s@cret") as between:
        url = there.url(host="platform.test")
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://me:s%40cret@localhost:{between.port}")
        async with Transport(read_timeout=5.0) as transport:
            assert await read(transport, url) == b"bytes"
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://me:wr0ng@localhost:{between.port}")
        async with Transport(read_timeout=5.0) as transport:
            with pytest.raises(Unreachable) as caught:
                await read(transport, url)
        said = str(caught.value)
        named = f"cannot reach platform.test through the proxy localhost:{between.port} (ALL_PROXY)"
        assert said.startswith(f"{named}: the proxy refuses")
        assert "wr0ng" not in said


@pytest.mark.parametrize(("scheme", "refusal"), [("socks5", 4), ("http", 403), ("http", 502)])
async def test_a_proxy_that_refuses_is_named(
    scheme: str, refusal: int, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(scheme, refusal=refusal) as between:
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://me:s3cret@localhost:{between.port}")
        async with Transport(read_timeout=5.0) as transport:
            with pytest.raises(Unreachable, match=r"through the proxy localhost:\d+ \(HTTPS_PROXY\)") as caught:
                await read(transport, "https://platform.test/f?sig=s3cret")
            assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "it closed the connection"),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "it does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", "it sends data of its own over the connection"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication Required"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\n\r\n", "403 No"),
    ],
)
async def test_an_http_proxy_that_does_not_keep_to_the_protocol_is_named(
    said: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(said)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        monkeypatch.setenv("HTTPS_PROXY", f"http://localhost:{listeners[0].socket.getsockname()[1]}")
        async with Transport(read_timeout=5.0) as transport:
            with pytest.raises(Unreachable, match=reason):
                await read(transport, "https://platform.test/")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([b""], "it closed the connection"),
        ([b"\x05"], "it closed the connection"),
        ([b"\x04\x00"], "it does not speak SOCKS5"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "it does not speak SOCKS5"),
        ([b"\x05\xff"], "it requires a user name and a password"),
        ([b"\x05\x02"], "it requires a user name and a password"),
        ([b"\x05\x00", b"\x05\x05\x00\x01"], "the host refuses the connection"),
        ([b"\x05\x00", b"\x05\x63\x00\x01"], "it gives no reason"),
        ([b"\x05\x00", b"\x05\x00\x00\x03\xff"], "it closed the connection"),
    ],
)
async def test_a_proxy_that_does_not_keep_to_the_protocol_is_named(
    said: list[bytes], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            for part in said:
                await stream.receive_some()
                await stream.send_all(part)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        monkeypatch.setenv("ALL_PROXY", f"socks://localhost:{listeners[0].socket.getsockname()[1]}")
        async with Transport(read_timeout=5.0) as transport:
            with pytest.raises(Unreachable, match=reason):
                await read(transport, "https://platform.test/")
        nursery.cancel_scope.cancel()


async def test_a_socks_proxy_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, lambda _: trio.sleep_forever(), 0)
        monkeypatch.setenv("ALL_PROXY", f"socks://localhost:{listeners[0].socket.getsockname()[1]}")
        async with Transport(read_timeout=0.2) as transport:
            with trio.fail_after(5), pytest.raises(NoAnswer, match=r"through the proxy .*: no answer in time"):
                await read(transport, "https://platform.test/")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_a_proxy_that_is_not_there_is_named(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:1")
    said = r"^cannot reach platform\.test through the proxy 127\.0\.0\.1:1 \(ALL_PROXY\): it refuses the connection$"
    async with Transport(read_timeout=5.0) as transport:
        with pytest.raises(Unreachable, match=said):
            await read(transport, "https://platform.test/")


async def test_what_no_proxy_names_is_asked_directly(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = authority.server("localhost", "127.0.0.1")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setattr("coursefs.transport.proxies.is_loopback", lambda _: False)
    async with web(lambda *_: reply(b"bytes"), tls) as there:
        async with Transport(read_timeout=5.0) as transport:
            with pytest.raises(Unreachable):
                await read(transport, there.url())
        monkeypatch.setenv("no_proxy", "::1,[::1],10.0.0.0/8,localhost")
        for _ in range(2):
            async with Transport(read_timeout=5.0) as transport, transport.stream(there.url()) as response:
                assert body_with_length(response) is not None
                assert b"".join([part async for part in response.aiter_raw()]) == b"bytes"
            monkeypatch.delenv("ALL_PROXY", raising=False)  # and with `no_proxy` alone


@pytest.mark.parametrize("value", ["socks4://x:1", "ftp://x", "http://[::1", "http://x:y", "http://a b", "://"])
async def test_a_proxy_that_cannot_be_used_fails_what_needs_it_and_nothing_else(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    async with web(lambda *_: reply(b"here")) as there, Transport(read_timeout=5.0) as transport:
        assert (await transport.fetch(there.url())).body == b"here"
        with trio.fail_after(0.2), pytest.raises(UsageError, match=r"^HTTPS_PROXY: ") as caught:  # not asked again
            await transport.fetch("https://platform.test/")
        assert "\n" not in str(caught.value)
        await transport.connect_ahead("https://platform.test/", 2)


async def test_nothing_of_the_environment_keeps_a_transport_from_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {
        "ALL_PROXY": "socks://127.0.0.1:7891/",
        "HTTPS_PROXY": "foo",
        "http_proxy": "",
        "HTTP_PROXY": "://",
        "NO_PROXY": "::1,[::1],*.,/8,localhost:99999999",
        "SSL_CERT_FILE": "/nowhere",
        "SSL_CERT_DIR": "/nowhere:/neither",
        "REQUESTS_CA_BUNDLE": "/nowhere",
        "CURL_CA_BUNDLE": "",
        "SSLKEYLOGFILE": "/nowhere/keys",
    }.items():
        monkeypatch.setenv(variable, value)
    async with Transport() as transport, web(lambda *_: reply(b"here")) as there:
        assert (await transport.fetch(there.url())).body == b"here"
        assert len((await transport.authorities.trust()).passed_over) == 4
