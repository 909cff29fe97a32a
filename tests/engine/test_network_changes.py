"""Sleep, VPN and Wi-Fi: connections that are dead although nobody has closed them, over real sockets.

The times after which silence counts are short here; as they are, they are in the code.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing

from coursefs.content.identity import Content
from coursefs.content.retries import with_retries
from coursefs.content.url_cache import UrlCache
from coursefs.errors import NoAnswer, Unreachable
from coursefs.library import LibrarySettings, open_library
from coursefs.model import Course, Remote, Source, Wanted
from coursefs.transport import Transport
from coursefs.transport.connection import Connection
from coursefs.transport.hosts import Origin
from tests.engine.network import Machine, maintained, network
from tests.engine.platforms import PLATFORMS, film_below, write_film

#: seconds: much less than the timeout of a request, and enough for a busy machine
SOON = 4.0
HEDGE = 0.2

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
Script = Callable[[int, trio.abc.Stream, bytes], Awaitable[None]]


class Server:
    """Runs a script for each request; a script gets the number of the connection, from 1 on."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.url = ""
        self.connections = 0
        self.requests: list[tuple[int, str]] = []  # the connection and the method

    async def serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        number, head = self.connections, b""
        try:
            while part := await stream.receive_some():
                head += part
                if b"\r\n\r\n" in head:
                    self.requests.append((number, head.split(b" ")[0].decode()))
                    await self.script(number, stream, head)
                    head = b""
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


@asynccontextmanager
async def server(script: Script) -> AsyncIterator[Server]:
    there = Server(script)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, there.serve, 0, host="127.0.0.1"))
        there.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/file"
        yield there
        nursery.cancel_scope.cancel()


async def answer(_: int, stream: trio.abc.Stream, __: bytes) -> None:
    await stream.send_all(OK + b"here")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose kernel tells nothing of its routes."""
    monkeypatch.setattr("coursefs.transport.network_watch.open_netlink", no_netlink)
    monkeypatch.setattr("coursefs.transport.http1_transport._DOUBT", 0.1)
    monkeypatch.setattr("coursefs.transport.http1_transport._TICK", 0.05)
    return Machine()


def no_netlink() -> socket.socket:
    raise PermissionError


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> Iterator[socket.socket]:
    """What the kernel tells of its routes is written here."""
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    monkeypatch.setattr("coursefs.transport.network_watch.open_netlink", lambda: ours)
    with kernel, ours:
        yield kernel


# -- requests that wait --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["head", "body"])
async def test_a_request_that_waits_while_the_machine_sleeps_is_made_anew(what: str, machine: Machine) -> None:
    waiting = trio.Event()

    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        if number == 1:
            if what == "body":
                await stream.send_all(OK + b"he")
            waiting.set()
            return  # and nothing more
        await answer(number, stream, head)

    async def sleep() -> None:
        await waiting.wait()
        await trio.testing.wait_all_tasks_blocked()
        machine.asleep += 3600.0

    async with server(script) as there, maintained(Transport(network_watch=machine.watch())) as transport:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleep)
            with trio.fail_after(SOON):
                assert (await transport.fetch(there.url)).body == b"here"
        assert there.connections == 2


async def test_a_request_that_waits_while_the_network_changes_is_made_anew(
    machine: Machine, told: socket.socket
) -> None:
    waiting = trio.Event()

    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        waiting.set()
        if number > 1:
            await answer(number, stream, head)

    async def move() -> None:
        await waiting.wait()
        told.send(b"a route that changes nothing")
        await trio.testing.wait_all_tasks_blocked()
        assert there.connections == 1
        machine.way_out = ("tun0 10.8.0.1",)
        told.send(b"another way out")

    async with server(script) as there, maintained(Transport(network_watch=machine.watch())) as transport:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(move)
            with trio.fail_after(SOON):
                assert (await transport.fetch(there.url)).body == b"here"
        assert there.connections == 2


async def test_an_answer_that_comes_in_spite_of_a_sleep_is_taken(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first byte shows that the connection lives: the rest may take its time."""
    waiting, doubted = trio.Event(), trio.Event()
    doubt = Connection.doubt

    def noted(connection: Connection, patience: float) -> None:
        doubt(connection, patience)
        doubted.set()

    async def script(number: int, stream: trio.abc.Stream, _: bytes) -> None:
        waiting.set()
        await doubted.wait()
        await stream.send_all(OK + b"he")
        await trio.sleep(0.5)  # much longer than an old connection may stay silent
        await stream.send_all(b"re")

    async def sleep() -> None:
        await waiting.wait()
        machine.asleep += 3600.0

    monkeypatch.setattr(Connection, "doubt", noted)
    async with server(script) as there, maintained(Transport(network_watch=machine.watch())) as transport:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleep)
            assert (await transport.fetch(there.url)).body == b"here"
        assert there.connections == 1


async def test_what_must_not_be_made_twice_is_not(machine: Machine) -> None:
    """It is sent once, on a connection of its own."""
    waiting = trio.Event()

    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        if head.startswith(b"POST"):
            waiting.set()
            await trio.sleep_forever()
        await answer(number, stream, head)

    async def sleep() -> None:
        await waiting.wait()
        machine.asleep += 3600.0

    transport = Transport(network_watch=machine.watch(), read_timeout=1.0, hedge_after=HEDGE)
    async with server(script) as there, maintained(transport), trio.open_nursery() as nursery:
        await transport.fetch(there.url)
        nursery.start_soon(sleep)
        with pytest.raises(NoAnswer):
            await transport.fetch(there.url, method="POST", content=b"token")
        assert there.requests == [(1, "GET"), (2, "POST")]


async def test_a_connection_that_is_being_made_while_the_network_changes_is_begun_anew(
    machine: Machine, told: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = trio.Event()

    async def open_stream(host: str, port: int) -> trio.SocketStream:
        if not waiting.is_set():
            waiting.set()
            await trio.sleep_forever()
        return await trio.open_tcp_stream(host, port)

    async def move() -> None:
        await waiting.wait()
        machine.way_out = ("tun0 10.8.0.1",)
        told.send(b"another way out")

    monkeypatch.setattr("coursefs.transport.connecting.open_stream", open_stream)
    transport = Transport(network_watch=machine.watch())
    async with server(answer) as there, maintained(transport), trio.open_nursery() as nursery:
        nursery.start_soon(move)
        with trio.fail_after(SOON):
            assert (await transport.fetch(there.url)).body == b"here"


# -- hedging -------------------------------------------------------------------------------------------------------


async def test_a_used_connection_that_stays_silent_is_hedged_by_a_new_one(machine: Machine) -> None:
    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        if number > 1 or len(there.requests) == 1:
            await answer(number, stream, head)

    async with server(script) as there, Transport(hedge_after=HEDGE, network_watch=machine.watch()) as transport:
        for _ in range(2):
            with trio.fail_after(SOON):
                assert (await transport.fetch(there.url)).body == b"here"
        assert there.requests == [(1, "GET"), (1, "GET"), (2, "GET")]
        assert (await transport.fetch(there.url)).body == b"here"
        assert there.connections == 2  # the old one is used no more


async def test_a_server_that_takes_long_on_a_new_connection_is_not_hedged(machine: Machine) -> None:
    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        await trio.sleep(3 * HEDGE)
        await answer(number, stream, head)

    async with server(script) as there, Transport(hedge_after=HEDGE, network_watch=machine.watch()) as transport:
        await transport.connect_ahead(there.url, 1)
        assert (await transport.fetch(there.url)).body == b"here"
        assert there.connections == 1


async def test_a_slow_server_is_hedged_ever_later(machine: Machine) -> None:
    """Its load is not doubled: a hedge that loses gives the next request twice the time."""

    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        if number > 1:
            return  # a hedge: it never wins
        await trio.sleep(0 if len(there.requests) == 1 else 1.5 * HEDGE)
        await answer(number, stream, head)

    async with server(script) as there, Transport(hedge_after=HEDGE, network_watch=machine.watch()) as transport:
        for _ in range(5):
            assert (await transport.fetch(there.url)).body == b"here"
        assert [number for number, _ in there.requests].count(1) == 5
        assert there.connections == 2


async def test_of_many_requests_to_a_slow_server_one_is_hedged(machine: Machine) -> None:
    go_on = trio.Event()

    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        if number > 4:
            return
        if len(there.requests) > 4:
            await go_on.wait()
        await answer(number, stream, head)

    async def fetch(transport: Transport, path: str) -> None:
        assert (await transport.fetch(there.url + path)).body == b"here"

    async with server(script) as there, Transport(hedge_after=HEDGE, network_watch=machine.watch()) as transport:
        await transport.connect_ahead(there.url, 4)
        for path in ("?first", "?second"):
            async with trio.open_nursery() as nursery:
                for number in range(4):
                    nursery.start_soon(fetch, transport, f"{path}{number}")
                if path == "?second":
                    await trio.sleep(3 * HEDGE)
                    go_on.set()
        assert there.connections == 5


async def test_when_a_hedge_has_won_the_others_follow_at_once(machine: Machine) -> None:
    others = trio.Event()

    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        if number > 5:  # the first hedge has won: the others come at once, and not one after the other
            if number == 8:
                others.set()
            await others.wait()
        if number > 4 or len(there.requests) <= 4:
            await answer(number, stream, head)

    async def fetch(transport: Transport) -> None:
        assert (await transport.fetch(there.url)).body == b"here"

    async with server(script) as there, Transport(hedge_after=HEDGE, network_watch=machine.watch()) as transport:
        await transport.connect_ahead(there.url, 4)
        for _ in range(2):
            with trio.fail_after(SOON):
                async with trio.open_nursery() as nursery:
                    for _ in range(4):
                        nursery.start_soon(fetch, transport)


async def test_an_error_of_the_old_connection_is_no_error_while_a_new_one_can_be_made(machine: Machine) -> None:
    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        if number == 1 and len(there.requests) > 1:
            await trio.sleep(2 * HEDGE)
            await stream.aclose()
            return
        if number == 2:
            await trio.sleep_forever()
        await answer(number, stream, head)

    async with server(script) as there, Transport(hedge_after=HEDGE, network_watch=machine.watch()) as transport:
        for _ in range(2):
            assert (await transport.fetch(there.url)).body == b"here"
        assert there.connections == 3


async def test_a_stall_is_retried(machine: Machine) -> None:
    """A reply of a platform that does not come, on a new connection, after a third of the read timeout, say."""

    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        if number > 1:
            await answer(number, stream, head)

    transport = Transport(network_watch=machine.watch(), read_timeout=4.0)
    transport._client.timeout = httpx.Timeout(0.3)
    async with server(script) as there, transport:
        assert (await transport.fetch(there.url)).body == b"here"
        assert there.connections == 2


@pytest.mark.parametrize("what", ["a reply", "a file"])
async def test_after_a_sleep_the_network_is_waited_for(
    what: str, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wi-Fi is back some seconds later than programs; without a sleep, a machine without a network is told so soon."""
    failures = 0

    async def open_stream(host: str, port: int) -> trio.SocketStream:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return await trio.open_tcp_stream(host, port)

    async def read() -> bytes:
        if what == "a reply":
            return (await transport.fetch(there.url)).body
        found: list[bytes] = []

        async def attempt(source: Source) -> bool:
            async with transport.stream(source.url) as response:
                found.extend([part async for part in response.aiter_raw()])
            return True

        await with_retries(attempt, url_cache=urls, transport=transport, progress=lambda: 0, patience=60.0)
        return b"".join(found)

    async def find(_: Content, __: bool) -> Source:
        return Source(there.url)

    monkeypatch.setattr("coursefs.transport.connecting.open_stream", open_stream)
    for module in ("transport.client", "content.retries"):
        monkeypatch.setattr(f"coursefs.{module}.pause", lambda *_: 0.01)
    urls = UrlCache(Content("one", Remote("file", {}), Course("c", "c", "C")), find)
    async with server(answer) as there, Transport(network_watch=machine.watch()) as transport:
        failures = 12
        with pytest.raises(Unreachable):
            await read()
        failures = 12
        machine.asleep += 60.0
        assert await read() == b"here"


# -- idle connections ------------------------------------------------------------------------------------------------


async def test_no_idle_connection_is_used_after_a_sleep_and_hosts_that_did_not_answer_are_tried_again(
    machine: Machine,
) -> None:
    """Also in a process that looks after no connections."""
    async with server(answer) as there, Transport(network_watch=machine.watch()) as transport:
        await transport.fetch(there.url)
        transport._outages.failed(Origin.of(there.url), 10.0, trio.current_time())
        with pytest.raises(NoAnswer):
            await transport.fetch(there.url)
        machine.asleep += 60.0
        await transport.fetch(there.url)
        assert there.connections == 2


async def test_idle_connections_are_closed_without_a_further_request(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coursefs.transport.pool.LIFE", 0.2)
    closed = trio.Event()

    async def script(number: int, stream: trio.abc.Stream, head: bytes) -> None:
        await answer(number, stream, head)
        assert not await stream.receive_some()
        closed.set()

    async with server(script) as there, maintained(Transport(network_watch=machine.watch())) as transport:
        await transport.fetch(there.url)
        with trio.fail_after(SOON):
            await closed.wait()


async def test_an_idle_process_does_not_wake_up(machine: Machine, autojump_clock: trio.testing.MockClock) -> None:
    """With no connection there is no deadline: a clock that jumps to the next one has none to jump to."""
    async with maintained(Transport(network_watch=machine.watch())):
        await trio.testing.wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().seconds_to_next_deadline == float("inf")


# -- platforms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["it slept", "a VPN came", "a router forgot"])
@pytest.mark.parametrize("name", PLATFORMS)
async def test_after_a_sleep_or_a_change_of_the_network_replies_and_files_come_soon(
    name: str,
    how: str,
    machine: Machine,
    told: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    film = tmp_path / "film.mp4"
    write_film(film, 3_000_000)
    transport = Transport(network_watch=machine.watch(), hedge_after=HEDGE)
    async with PLATFORMS[name](film, tmp_path) as account, network(monkeypatch) as between:
        settings = LibrarySettings(tmp_path / "catalogue", tmp_path / "cache", [account], Wanted())
        async with open_library(settings, transport) as library:
            video = await film_below(library)
            assert video is not None
            handle = await library.files.open(video)  # its size was asked for: connections to both servers are idle
            await library.courses.refresh("one")
            made = between.made
            between.forget()
            if how == "it slept":
                machine.asleep += 8 * 3600.0
            elif how == "a VPN came":
                machine.way_out = ("tun0 10.8.0.1",)
                told.send(b"another way out")
            with trio.fail_after(SOON):
                assert len(await handle.read(0, 4096)) == 4096
            with trio.fail_after(SOON):
                await library.courses.refresh("one")
            assert between.made > made
            handle.close()
