"""HTTP/1.1: where bodies end, when a connection is used again, TLS, and servers that close the connection."""

from __future__ import annotations

import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import httpx
import pytest
import trio
import trio.testing
import trustme

from coursefs.transport.connection import Connection
from coursefs.transport.http1 import Body, body_with_length
from coursefs.transport.http1_transport import Http1Transport

Script = Callable[[trio.abc.Stream, bytes], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\n"


@dataclass
class Host:
    """A server that runs a script for each request."""

    script: Script
    url: str = ""
    connections: int = 0

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        try:
            async with stream:
                head = b""
                while part := await stream.receive_some():
                    head += part
                    if head.endswith(b"\r\n\r\n"):
                        await self.script(stream, head)
                        head = b""
        except trio.BrokenResourceError:
            pass


def saying(*answers: bytes) -> Script:
    """Each request gets the next of these responses; after the last one the server closes the connection."""
    left = iter(answers)

    async def script(stream: trio.abc.Stream, _: bytes) -> None:
        answer = next(left, None)
        if answer is None:
            await stream.aclose()
            raise trio.BrokenResourceError
        await stream.send_all(answer)

    return script


@asynccontextmanager
async def host(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Host]:
    there = Host(script)
    async with trio.open_nursery() as nursery:
        if tls is None:
            listeners = await nursery.start(trio.serve_tcp, there.serve, 0)
        else:
            listeners = await nursery.start(trio.serve_ssl_over_tcp, there.serve, 0, tls)
        listener = listeners[0].transport_listener if tls else listeners[0]
        there.url = f"{'https' if tls else 'http'}://localhost:{listener.socket.getsockname()[1]}/file"
        yield there
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def client(
    transport: Http1Transport | None = None, *, timeout: float | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=transport or Http1Transport(with_tls()), timeout=timeout) as found:
        yield found


def with_tls(settings: ssl.SSLContext | None = None) -> Callable[[], Awaitable[ssl.SSLContext]]:
    """These TLS settings for a transport; None: those of httpx."""

    async def context() -> ssl.SSLContext:
        return settings or httpx.create_ssl_context()

    return context


def secured() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The TLS settings of a client, and of a server that it trusts."""
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(ours)
    authority.issue_cert("localhost").configure_cert(theirs)
    return ours, theirs


def body_of(response: httpx.Response) -> Body:
    body = body_with_length(response)
    assert body is not None
    return body


async def until_spoken_to(transport: Http1Transport) -> None:
    """Wait until bytes have arrived on the idle connection."""
    while not transport.idle.connections:
        await trio.testing.wait_all_tasks_blocked(0.001)
    await trio.lowlevel.wait_readable(transport.idle.connections[0]._socket)


async def received(body: Body, step: int) -> bytes:
    """The whole body, received into buffers of `step` bytes."""
    found = b""
    buffer = bytearray(step)
    while count := await body.receive_into(memoryview(buffer)):
        found += buffer[:count]
    return found


@pytest.mark.parametrize("step", [1, 3, 10, 4096])
@pytest.mark.parametrize("pause", [False, True])
async def test_a_body_of_known_length_and_then_another_one(step: int, pause: bool) -> None:
    async def script(stream: trio.abc.Stream, _: bytes) -> None:
        await stream.send_all(OK + b"Content-Length: 10\r\n\r\n" + (b"" if pause else b"0123456789"))
        if pause:
            await stream.send_all(b"01234")
            await trio.testing.wait_all_tasks_blocked()
            await stream.send_all(b"56789")

    async with host(script) as there, client() as http:
        for _ in range(2):
            async with http.stream("GET", there.url) as response:
                assert response.headers["content-length"] == "10"
                assert await received(body_of(response), step) == b"0123456789"
        assert there.connections == 1


@pytest.mark.parametrize(
    ("answer", "content", "connections"),
    [
        (OK + b"Content-Length: 4\r\n\r\nabcd", b"abcd", 1),
        (OK + b"Content-Length: 0\r\n\r\n", b"", 1),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", b"abcd", 1),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", b"", 1),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 4\r\n\r\nabcd", b"abcd", 1),
        (OK + b"Content-Length: 4\r\nConnection: close\r\n\r\nabcd", b"abcd", 2),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nabcd", b"abcd", 2),
        (OK + b"Content-Length: 4\r\n\r\nabcdand more", b"abcd", 2),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\nand more", b"abcd", 2),
    ],
)
async def test_where_a_body_ends(answer: bytes, content: bytes, connections: int) -> None:
    async with host(saying(answer, answer)) as there, client() as http:
        for _ in range(2):
            assert (await http.get(there.url)).content == content
        assert there.connections == connections


async def test_a_body_that_ends_with_the_connection() -> None:
    async def script(stream: trio.abc.Stream, _: bytes) -> None:
        await stream.send_all(OK + b"\r\nall there is")
        await stream.aclose()
        raise trio.BrokenResourceError

    async with host(script) as there, client() as http, http.stream("GET", there.url) as response:
        assert body_with_length(response) is None, "its end is found by the next read"
        assert b"".join([part async for part in response.aiter_raw()]) == b"all there is"


@pytest.mark.parametrize("is_read", [True, False])
async def test_a_response_that_is_not_collected_yet_holds_none_of_its_body(is_read: bool) -> None:
    """httpx makes a cycle of each response, so that a film once read left some 200 of their beginnings in memory."""
    content = bytes(50_000)
    kept = []
    async with host(saying(*[OK + b"Content-Length: 50000\r\n\r\n" + content] * 40)) as there, client() as http:
        tracemalloc.start()
        try:
            for _ in range(40):
                async with http.stream("GET", there.url) as response:
                    if is_read:
                        assert await received(body_of(response), 4096) == content
                    kept.append(response)
            assert tracemalloc.get_traced_memory()[0] < 40 * len(content) // 2
        finally:
            tracemalloc.stop()


async def test_the_answer_to_head_has_no_body() -> None:
    async with host(saying(OK + b"Content-Length: 1000\r\n\r\n", OK + b"Content-Length: 1\r\n\r\nx")) as there:
        async with client() as http:
            assert (await http.head(there.url)).headers["content-length"] == "1000"
            assert (await http.get(there.url)).content == b"x"
        assert there.connections == 1


async def test_a_body_that_is_closed_early_closes_its_connection() -> None:
    async with host(saying(*[OK + b"Content-Length: 10\r\n\r\n0123456789"] * 2)) as there, client() as http:
        async with http.stream("GET", there.url) as response:
            assert await body_of(response).receive_into(memoryview(bytearray(4))) == 4
        assert (await http.get(there.url)).content == b"0123456789"
        assert there.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 10\r\n\r\n01234",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        OK + b"Content-Le",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n\r\n",
        OK + b"Content-Length: ten\r\n\r\n0123456789",
        b"",
    ],
)
async def test_an_incomplete_response_is_an_error(answer: bytes) -> None:
    async def script(stream: trio.abc.Stream, _: bytes) -> None:
        await stream.send_all(answer)
        await stream.aclose()
        raise trio.BrokenResourceError

    async with host(script) as there, client() as http:
        with pytest.raises(httpx.TransportError):
            await http.get(there.url)
        assert there.connections == 1


async def test_a_request_on_a_closed_idle_connection_is_repeated() -> None:
    answer = OK + b"Content-Length: 1\r\n\r\nx"
    scripts = [saying(answer), saying(answer)]

    async def script(stream: trio.abc.Stream, head: bytes) -> None:
        await scripts[there.connections - 1](stream, head)  # the second request on the first one gets no answer

    async with host(script) as there, client() as http:
        for _ in range(2):
            assert (await http.get(there.url)).content == b"x"
        assert there.connections == 2


async def test_connections_that_are_made_ahead_are_used() -> None:
    transport = Http1Transport(with_tls())
    async with host(saying(*2 * [OK + b"Content-Length: 1\r\n\r\nx"])) as there, client(transport) as http:
        url = httpx.URL(there.url)
        async with trio.open_nursery() as nursery:
            for _ in range(2):  # the second one finds them on their way
                nursery.start_soon(transport.connect_ahead, url, 2, 5.0)
        assert there.connections == 2
        await transport.connect_ahead(url, 2, 5.0)
        assert there.connections == 2
        async with http.stream("GET", url), http.stream("GET", url):
            assert there.connections == 2


async def test_tls_session_tickets_do_not_spoil_an_idle_connection() -> None:
    """With a server of OpenSSL alone, which sends them at once, as real servers do; trio's sends them later."""
    ours, theirs = secured()
    transport = Http1Transport(with_tls(ours))

    def accept(listener: socket.socket) -> socket.socket:
        return theirs.wrap_socket(listener.accept()[0], server_side=True)

    def answer(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(OK + b"Content-Length: 1\r\n\r\nx")

    async def ask() -> None:
        assert (await http.get(url)).content == b"x"

    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = httpx.URL(f"https://localhost:{listener.getsockname()[1]}")
        async with client(transport, timeout=5.0) as http, trio.open_nursery() as nursery:
            nursery.start_soon(transport.connect_ahead, url, 1, 5.0)
            connection = opened.enter_context(await trio.to_thread.run_sync(accept, listener))
            connection.settimeout(5.0)
            await until_spoken_to(transport)
            nursery.start_soon(ask)
            await trio.to_thread.run_sync(answer, connection)


@pytest.mark.parametrize("unasked", [b"HTTP/1.1 408 Request Timeout\r\n\r\n", b""])
async def test_a_connection_ahead_that_has_data_or_is_closed_is_not_used(unasked: bytes) -> None:
    transport = Http1Transport(with_tls())
    there = Host(saying(OK + b"Content-Length: 1\r\n\r\nx"))

    async def serve(stream: trio.SocketStream) -> None:
        if asked:
            await there.serve(stream)
        elif unasked:
            await stream.send_all(unasked)
            await trio.sleep_forever()

    asked = False
    async with trio.open_nursery() as nursery, client(transport) as http:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        url = httpx.URL(f"http://127.0.0.1:{listener.socket.getsockname()[1]}")
        await transport.connect_ahead(url, 1, 5.0)
        await until_spoken_to(transport)
        asked = True
        assert (await http.get(url)).content == b"x"
        assert there.connections == 1
        nursery.cancel_scope.cancel()


async def test_a_connection_ahead_that_fails_is_no_error() -> None:
    transport = Http1Transport(with_tls())
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        await transport.connect_ahead(httpx.URL(f"http://127.0.0.1:{deaf.getsockname()[1]}"), 2, 5.0)


async def test_a_connection_that_was_closed_is_not_used_again() -> None:
    async def script(stream: trio.abc.Stream, _: bytes) -> None:
        await stream.send_all(OK + b"Content-Length: 1\r\n\r\nx")
        await stream.aclose()
        raise trio.BrokenResourceError

    async with host(script) as there, client() as http:
        for _ in range(2):
            assert (await http.get(there.url)).content == b"x"
            await trio.testing.wait_all_tasks_blocked()
        assert there.connections == 2


@pytest.mark.parametrize("answer", [b"", OK + b"Content-Length: 10\r\n\r\n01"])
async def test_a_server_that_stalls(autojump_clock: trio.testing.MockClock, answer: bytes) -> None:
    async with host(saying(answer or b"HTTP/1.1")) as there, client(timeout=5.0) as http:
        with pytest.raises(httpx.ReadTimeout):  # by number: a thread that looks up a name does not stop that clock
            await http.get(there.url.replace("localhost", "127.0.0.1"))


async def test_no_more_than_forty_connections_lie_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that was idle for longest is closed when there are more than forty.

    Without that a walk over many hosts keeps a socket for each of them, until the process has no descriptor left.
    """
    transport = Http1Transport(with_tls())
    closed: list[Connection] = []
    close = Connection.close

    def noted(self: Connection) -> None:
        closed.append(self)
        close(self)

    monkeypatch.setattr(Connection, "close", noted)
    async with host(saying()) as there:
        url = httpx.URL(there.url)
        await transport.connect_ahead(url, 40, 5.0)
        oldest = transport.idle.connections[0]
        assert closed == []
        await transport.connect_ahead(url.copy_with(host="127.0.0.1"), 1, 5.0)  # another origin
        assert (len(transport.idle.connections), closed) == (40, [oldest])
        await transport.aclose()


async def test_a_connection_that_was_idle_for_long_is_not_used_again(mock_clock: trio.testing.MockClock) -> None:
    """After thirty seconds a new connection is made.

    Many servers hang up about then: without the limit a request is written into a connection that is being closed.
    """
    answer = OK + b"Content-Length: 1\r\n\r\na"
    async with host(saying(*[answer] * 3)) as there, client() as http:
        for pause, connections in ((0.0, 1), (29.0, 1), (31.0, 2)):
            mock_clock.jump(pause)
            await http.get(there.url)
            assert there.connections == connections


async def test_a_server_that_does_not_listen() -> None:
    async with host(saying()) as there:
        url = there.url
    async with client() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)


@pytest.mark.parametrize("is_secure", [False, True])
async def test_a_thread_receives_bytes_that_come_without_a_pause(is_secure: bool) -> None:
    body = bytes(range(256)) * 8192
    go_on = trio.Event()

    async def script(stream: trio.abc.Stream, _: bytes) -> None:
        await stream.send_all(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body[:1_000_000])
        await go_on.wait()
        await stream.send_all(body[1_000_000:])

    ours, theirs = secured()
    async with host(script, theirs if is_secure else None) as there, client(Http1Transport(with_tls(ours))) as http:
        async with http.stream("GET", there.url) as response:
            found = memoryview(bytearray(len(body) + 10))
            taken = await body_of(response).receive_into(found[:100_000])
            while taken < 1_000_000:  # a thread gives up when nothing comes, and says how far it is
                taken += await trio.to_thread.run_sync(body_of(response).fill, found[taken:])
            assert taken == 1_000_000
            go_on.set()
            while taken < len(body):
                taken += await body_of(response).receive_into(found[taken:])
                taken += await trio.to_thread.run_sync(body_of(response).fill, found[taken:])
            assert found[: len(body)] == body
            assert body_of(response).fill(found) == 0
        async with http.stream("GET", there.url) as response:
            assert await body_of(response).receive_into(memoryview(bytearray(10))) == 10
        assert there.connections == 1


async def test_every_byte_of_a_body_is_counted_once() -> None:
    """Also those that a thread has received: they are counted by the event loop, at the latest at the end."""
    data = bytes(1_000_000)
    async with host(saying(OK + b"Content-Length: %d\r\n\r\n" % len(data) + data)) as there, client() as http:
        counts: list[int] = []
        async with http.stream("GET", there.url) as response:
            body, buffer = body_of(response), memoryview(bytearray(len(data)))
            body.arrived = counts.append
            taken = await body.receive_into(buffer[:100_000])
            assert counts == [taken]
            while taken < 500_000:
                taken += await trio.to_thread.run_sync(body.fill, buffer[taken:500_000])
            assert sum(counts) < taken, "a thread must not call it"
            taken += await body.receive_into(buffer[taken:])
            assert sum(counts) == taken
            while taken < len(data):
                taken += await trio.to_thread.run_sync(body.fill, buffer[taken:])
        assert sum(counts) == len(data)
        assert 0 not in counts


async def test_an_error_in_the_thread_is_raised_afterwards() -> None:
    async def script(stream: trio.abc.Stream, _: bytes) -> None:
        await stream.send_all(OK + b"Content-Length: 100000\r\n\r\n" + bytes(50_000))
        await stream.aclose()
        raise trio.BrokenResourceError

    async with host(script) as there, client() as http, http.stream("GET", there.url) as response:
        body, buffer = body_of(response), memoryview(bytearray(100_000))
        taken = await body.receive_into(buffer[:10_000])
        with pytest.raises(httpx.RemoteProtocolError):
            while True:
                taken += await trio.to_thread.run_sync(body.fill, buffer[taken:])
                taken += await body.receive_into(buffer[taken:])
        assert taken == 50_000


async def test_a_host_without_a_trusted_certificate() -> None:
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(theirs)
    async with host(saying(OK + b"\r\n"), theirs) as there, client() as http:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await http.get(there.url)
