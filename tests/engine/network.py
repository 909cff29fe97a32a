"""A network between coursefs and all servers that can forget connections, and a machine that can sleep."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio

from coursefs.transport import Transport
from coursefs.transport.network_watch import Clocks, NetworkWatch


@dataclass
class Machine:
    """The clocks and the way out of a machine, as a test moves them."""

    asleep: float = 0.0  # seconds that it slept so far
    way_out: tuple[str, ...] = ("wlan0 192.168.1.1",)

    def clocks(self) -> Clocks:
        awake = time.monotonic()
        return Clocks(awake, awake + self.asleep)

    def watch(self) -> NetworkWatch:
        return NetworkWatch(self.clocks, lambda: self.way_out)


class Network:
    """Routers between coursefs and every server."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scopes: list[trio.CancelScope] = []  # of the connections that are not forgotten
        self.streams: list[trio.SocketStream] = []  # which nobody else closes
        self.made = 0  # connections so far

    async def open(self, host: str, port: int) -> trio.SocketStream:
        """In place of `trio.open_tcp_stream`."""
        self.made += 1
        there = await trio.open_tcp_stream(host, port)
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            ours = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
            theirs = await listener.accept()
        self.streams += [there, theirs]
        self._nursery.start_soon(self._forward, theirs, there)
        self._nursery.start_soon(self._forward, there, theirs)
        return ours

    def forget(self) -> None:
        """Forward nothing any more on the connections that there are; both ends still think them open."""
        scopes, self._scopes = self._scopes, []
        for scope in scopes:
            scope.cancel()

    async def _forward(self, source: trio.SocketStream, to: trio.SocketStream) -> None:
        with trio.CancelScope() as scope:
            self._scopes.append(scope)
            try:
                while part := await source.receive_some():
                    await to.send_all(part)
                await to.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await to.aclose()


@asynccontextmanager
async def network(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Network]:
    """A network that all connections of coursefs go through, as long as the context lasts."""
    async with trio.open_nursery() as nursery:
        between = Network(nursery)
        monkeypatch.setattr("coursefs.transport.connecting.open_stream", between.open)
        try:
            yield between
        finally:
            for stream in between.streams:
                stream.socket.close()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def maintained(transport: Transport) -> AsyncIterator[Transport]:
    """A transport whose connections are looked after, as the library does."""
    async with transport, trio.open_nursery() as nursery:
        nursery.start_soon(transport.maintain)
        yield transport
        nursery.cancel_scope.cancel()
