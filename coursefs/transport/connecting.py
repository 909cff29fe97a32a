"""Opens connections: directly, or through the HTTP or SOCKS5 proxy that the environment names.

A connection through a proxy is like a direct one from then on, so bodies that come through a proxy are received as
quickly.  The proxy resolves the host's name.  A proxy that is itself spoken to by TLS (`https://`) is not for here: see
`coursefs.transport.proxy_transport`.
"""

from __future__ import annotations

import socket
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from urllib.parse import unquote, urlsplit

import h11
import trio

from coursefs.errors import UsageError
from coursefs.transport.connection import STEP, Connection, HostPort, Timeouts, translated
from coursefs.transport.hosts import Reach, reach_of
from coursefs.transport.http_library import httpx
from coursefs.transport.proxies import Proxies, Proxy
from coursefs.transport.socks import negotiate

#: a TCP connection to a host by any of its addresses (RFC 8305)
open_stream = trio.open_tcp_stream


class OutOfReach(httpx.ConnectError):
    """The host's name resolved to a private address, to which this request must not be sent."""


class Connector:
    """Opens connections, with these settings of TLS and of proxies."""

    def __init__(self, tls: Callable[[], Awaitable[ssl.SSLContext]], proxies: Proxies) -> None:
        self._tls = tls
        self._proxies = proxies

    async def connect(self, origin: HostPort, timeouts: Timeouts, reach: Reach = Reach.MACHINE) -> Connection:
        """A connection to this host, whose TLS handshake is done.

        `reach`: the most private address that a direct connection may be to; a proxy looks names up itself.
        Raises httpx's errors of connecting, `httpx.ProxyError` where the proxy refuses, and `UsageError` for a proxy
        that is unusable.  After any error or cancellation every socket is closed.
        """
        proxy = self._proxies.of(origin.host, origin.port) if origin.scheme == "https" else None
        if proxy is not None and proxy.trouble is not None:
            raise UsageError(f"{proxy.variable}: {proxy.trouble}")
        with translated(httpx.ConnectError, httpx.ConnectTimeout), trio.fail_after(timeouts.connect):
            try:
                if proxy is None:
                    await _require_names_within(origin, reach)
                    stream = await open_stream(origin.host, origin.port)
                else:
                    stream = await _through(proxy, origin)
            except RuntimeError:  # "can't start new thread": names are looked up in threads
                raise httpx.ConnectError("no thread could be started to look up the name") from None
            plain = socket.socket(fileno=stream.socket.detach())  # a plain one: `Connection.fill` uses it in a thread
            plain.setblocking(False)
            connection = Connection(origin, plain, is_direct=proxy is None)
            require_reach(connection, reach)  # before the handshake: that sends the name already
            return connection if origin.scheme == "http" else await self._secured(connection, plain)

    async def _secured(self, connection: Connection, plain: socket.socket) -> Connection:
        with ExitStack() as undo:  # closes the sockets after an error or a cancellation during the handshake
            undo.callback(plain.close)
            origin = connection.origin
            secure = (await self._tls()).wrap_socket(plain, server_hostname=origin.host, do_handshake_on_connect=False)
            undo.callback(secure.close)
            connection = Connection(origin, secure, is_direct=connection.is_direct)
            await connection.when_ready(secure.do_handshake)
            undo.pop_all()
        return connection


def require_reach(connection: Connection, reach: Reach) -> None:
    """Close a direct connection to an address that the request must not be sent to, and raise `OutOfReach`.

    Checked on the connection itself: a name may resolve to another address than a moment ago (DNS rebinding).
    """
    if not connection.is_direct:
        return
    try:
        is_allowed = reach >= Reach.MACHINE or reach_of(connection.peer) <= reach
    except OSError:  # the connection is broken: using it fails
        return
    if not is_allowed:
        connection.close()
        raise OutOfReach("an address inside a network")


async def _require_names_within(origin: HostPort, reach: Reach) -> None:
    """Raise `OutOfReach` where one of the host's addresses is out of reach, so that none is connected to.

    Where the name cannot be looked up, connecting fails as well.
    """
    if reach >= Reach.MACHINE:
        return
    with suppress(OSError):
        found = await trio.socket.getaddrinfo(origin.host, origin.port, type=trio.socket.SOCK_STREAM)
        if any(reach_of(str(address[0])) > reach for *_, address in found):
            raise OutOfReach("an address inside a network")


async def _through(proxy: Proxy, origin: HostPort) -> trio.SocketStream:
    """A stream to the host through its proxy.  Raises `httpx.ProxyError` when the proxy refuses."""
    stream = await open_stream(proxy.host, proxy.port)
    with ExitStack() as undo:
        undo.callback(stream.socket.close)
        if proxy.url.startswith("socks5"):
            await negotiate(stream, proxy, origin.host, origin.port)
        else:
            await _ask_to_connect(stream, proxy, origin)
        undo.pop_all()
    return stream


async def _ask_to_connect(stream: trio.SocketStream, proxy: Proxy, origin: HostPort) -> None:
    """Have an HTTP proxy connect to the host: CONNECT (RFC 9110, section 9.3.6)."""
    place = f"[{origin.host}]:{origin.port}" if ":" in origin.host else f"{origin.host}:{origin.port}"
    headers = [("Host", place), ("Accept", "*/*")]
    parts = urlsplit(proxy.url)
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers.append(("Proxy-Authorization", f"Basic {b64encode(user.encode()).decode()}"))
    protocol = h11.Connection(h11.CLIENT)
    try:
        request = h11.Request(method="CONNECT", target=place, headers=headers)
        await stream.send_all((protocol.send(request) or b"") + (protocol.send(h11.EndOfMessage()) or b""))
        while not isinstance(event := protocol.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                if not (part := await stream.receive_some(STEP)):
                    raise httpx.ProxyError("it closed the connection")
                protocol.receive_data(part)
    except h11.ProtocolError:
        raise httpx.ProxyError("it does not speak HTTP") from None
    if not 200 <= event.status_code < 300:
        raise httpx.ProxyError(f"{event.status_code} {event.reason.decode('ascii', 'replace')}".strip())
    if protocol.trailing_data[0]:  # the host has nothing to say before our handshake
        raise httpx.ProxyError("it sends data of its own over the connection")
