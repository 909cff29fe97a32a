"""HTTP/1.1: the transport of all requests, with one pool of connections.

Redirects, retries, and which header goes where are httpx's and `coursefs.transport.client`'s.

A connection may be dead although it was not closed.  Requests that may be made twice are therefore hedged when a
used connection stays silent (`coursefs.transport.hedging`), and after a sleep of the machine or a change of the network
(`coursefs.transport.network_watch`) no old connection is used, or waited for any longer.
"""

from __future__ import annotations

import logging
import math
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import h11
import trio

from coursefs.transport.connecting import Connector, require_reach
from coursefs.transport.connection import Connection, HostPort, Silent, Timeouts
from coursefs.transport.hedging import PATIENCE, Hedges, hedged
from coursefs.transport.hosts import Reach
from coursefs.transport.http1 import response_of
from coursefs.transport.http_library import httpx
from coursefs.transport.network_watch import NetworkChange, NetworkWatch
from coursefs.transport.pool import IdlePool
from coursefs.transport.proxies import Proxies

log = logging.getLogger(__name__)

#: seconds that an old connection may stay silent after the machine slept or the network has changed
_DOUBT = 1.5
#: seconds between two looks at the clocks while a request waits, which does not notice that the machine slept
_TICK = 1.0
#: how often a connection is begun again because the network has changed meanwhile
_CONNECTS = 3
_REACH = "coursefs_reach"
_REPEATABLE = "coursefs_repeatable"
#: errors of a connection that the server has closed, or that is dead
_BROKEN = (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError)


def within(reach: Reach) -> dict[str, object]:
    """The request extension that allows addresses up to this reach, and none that is more private."""
    return {_REACH: reach}


def repeatable(value: bool) -> dict[str, object]:
    """The request extension that says whether a request may be made twice."""
    return {_REPEATABLE: value}


@dataclass(frozen=True, slots=True)
class _Sending:
    """A request that is to be sent."""

    request: httpx.Request
    content: bytes
    origin: HostPort
    timeouts: Timeouts
    reach: Reach
    may_repeat: bool


class Http1Transport(httpx.AsyncBaseTransport):
    """An httpx transport with a pool of HTTP/1.1 connections, whose responses have a `Body`.

    `patience`: seconds of silence after which a request is hedged.  `changed` is called when the machine slept or the
    network has changed.  Raises what httpx's own transport raises, and `UsageError` for a proxy that is unusable.
    """

    def __init__(
        self,
        tls: Callable[[], Awaitable[ssl.SSLContext]],
        proxies: Proxies | None = None,
        *,
        watch: NetworkWatch | None = None,
        patience: float = PATIENCE,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.idle = IdlePool()
        self._connector = Connector(tls, proxies or Proxies())
        self._watch = watch or NetworkWatch()
        self._patience = patience
        self._changed = changed
        self._in_use: set[Connection] = set()
        self._connecting: set[trio.CancelScope] = set()
        self._opening: Counter[HostPort] = Counter()  # connections that `connect_ahead` is opening
        self._hedges: dict[HostPort, Hedges] = {}
        self._used = trio.Event()  # set when a connection is used or kept, and replaced by a new one

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and receive the head of its response."""
        self.look()
        timeouts, reach = _timeouts_of(request), request.extensions.get(_REACH, Reach.MACHINE)
        may_repeat = request.extensions.get(_REPEATABLE, request.method in {"GET", "HEAD"})
        sending = _Sending(request, await request.aread(), _origin_of(request.url), timeouts, reach, may_repeat)
        # What must not be made twice gets a new connection: on a used one its fate could be uncertain.
        connection = self.idle.take(sending.origin, trio.current_time()) if may_repeat else None
        if connection is not None:
            require_reach(connection, reach)
            self._use(connection)
            try:
                return await self._on_used(connection, sending)
            except _BROKEN:
                if connection.has_answered:  # then the server has handled the request, and its response is broken
                    raise
                # The server closed the idle connection at the moment of our request, which it has not handled: once
                # more, on a new connection.
        return await self._on_new(sending)

    async def connect_ahead(self, url: httpx.URL, count: int, patience: float) -> None:
        """Open connections to the host of this URL until `count` of them are idle, for requests that follow soon.

        `patience`: seconds for each.  A failure is no error: a request to this host will fail as well.
        """
        origin = _origin_of(url)
        missing = count - self._opening[origin] - self.idle.count(origin)
        async with trio.open_nursery() as nursery:
            for _ in range(missing):
                self._opening[origin] += 1
                nursery.start_soon(self._add_idle, origin, Timeouts(patience, patience, patience))

    async def maintain(self) -> None:
        """Close connections that were idle for long, and notice that the machine slept or the network has changed.

        Runs for ever, and wakes up only while there are connections.  Without it idle connections are closed by the
        next request, and a request that waits while the machine falls asleep waits for its timeout.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch.run, self._note)
            while True:
                used, now = self._used, trio.current_time()
                self.look()
                self.idle.close_due(now)
                due = self.idle.next_due()
                if self._in_use or self._connecting:
                    await trio.sleep_until(now + _TICK if due is None else min(due, now + _TICK))
                else:
                    with trio.move_on_at(math.inf if due is None else due):
                        await used.wait()

    async def aclose(self) -> None:
        """Close every idle connection."""
        self.idle.close_all()

    def give_back(self, connection: Connection) -> None:
        """Keep a connection, whose response has been read to its end, for a later request."""
        self._in_use.discard(connection)
        self.idle.add(connection, trio.current_time())
        self._wake()

    def discard(self, connection: Connection) -> None:
        """Close a connection that cannot be used any more."""
        self._in_use.discard(connection)
        connection.close()

    def _use(self, connection: Connection) -> None:
        self._in_use.add(connection)
        self._wake()

    def _wake(self) -> None:
        used, self._used = self._used, trio.Event()
        used.set()

    def look(self) -> None:
        """Notice whether the machine slept or the network has changed since the last call; every request does it."""
        change = self._watch.look()
        if change is not None:
            self._note(change)

    def _note(self, change: NetworkChange) -> None:
        """The machine slept or the network has changed: use no old connection, and wait for none any more."""
        log.debug("%s: old connections are not used any more", change.value)
        self.idle.close_all()
        self._hedges.clear()
        for connection in self._in_use:
            if connection.may_repeat:
                connection.doubt(_DOUBT)
        for scope in self._connecting:
            scope.deadline = min(scope.deadline, trio.current_time() + _DOUBT)
        self._changed()

    async def _on_new(self, sending: _Sending) -> httpx.Response:
        """Make a request on a new connection; where the network changes meanwhile, once more on another one."""
        connection = await self._connect(sending.origin, sending.timeouts, sending.reach)
        try:
            return await self._exchange(connection, sending)
        except Silent:
            if connection.has_answered:
                raise
        return await self._exchange(await self._connect(sending.origin, sending.timeouts, sending.reach), sending)

    async def _on_used(self, connection: Connection, sending: _Sending) -> httpx.Response:
        """Make a request on a used connection, and hedge it with a new one when no byte comes."""
        hedges = self._hedges.setdefault(sending.origin, Hedges(self._patience))
        sent, is_new = trio.current_time(), False

        async def first() -> httpx.Response:
            return self._response(connection, sending, await connection.receive_head(sending.timeouts.read))

        try:
            await self._send(connection, sending)
            with trio.move_on_after(hedges.patience if connection.was_used else math.inf):
                return await first()
            if connection.has_answered:
                return await first()
            log.debug("hedge host=%s path=%s", sending.origin.host, sending.request.url.path)
            response, is_new = await hedged(first, lambda: self._on_new(sending), hedges, sent)
        except BaseException:
            self.discard(connection)
            raise
        if is_new:
            self.discard(connection)
            self.idle.close_all(sending.origin)  # they are as old
        return response

    async def _exchange(self, connection: Connection, sending: _Sending) -> httpx.Response:
        try:
            await self._send(connection, sending)
            return self._response(connection, sending, await connection.receive_head(sending.timeouts.read))
        except BaseException:
            self.discard(connection)
            raise

    async def _send(self, connection: Connection, sending: _Sending) -> None:
        connection.may_repeat = sending.may_repeat
        await connection.send_request(sending.request, sending.content, sending.timeouts)

    def _response(self, connection: Connection, sending: _Sending, head: h11.Response) -> httpx.Response:
        return response_of(self, connection, sending.request, head, sending.timeouts.read)

    async def _add_idle(self, origin: HostPort, timeouts: Timeouts) -> None:
        try:
            self.give_back(await self._connect(origin, timeouts, Reach.MACHINE))
        except Exception as error:  # any error: a request to this host fails with it as well, and reports it
            log.debug("no connection ahead to %s: %s", origin.host, type(error).__name__)
        finally:
            self._opening[origin] -= 1

    async def _connect(self, origin: HostPort, timeouts: Timeouts, reach: Reach) -> Connection:
        """A new connection, which counts as used; begun again where the network changes meanwhile."""
        for _ in range(_CONNECTS):
            with trio.CancelScope() as scope:
                self._connecting.add(scope)
                self._wake()
                try:
                    connection = await self._connector.connect(origin, timeouts, reach)
                finally:
                    self._connecting.discard(scope)
                self._use(connection)
                return connection
        raise httpx.ConnectTimeout("the network changes all the time")


def _origin_of(url: httpx.URL) -> HostPort:
    port = url.port or (443 if url.scheme == "https" else 80)
    return HostPort(url.scheme, url.raw_host.decode("ascii").strip("[]"), port)


def _timeouts_of(request: httpx.Request) -> Timeouts:
    timeout: Mapping[str, float | None] = request.extensions.get("timeout", {})
    timeouts = [timeout.get(name) for name in Timeouts._fields]
    return Timeouts(*(math.inf if timeout is None else timeout for timeout in timeouts))
