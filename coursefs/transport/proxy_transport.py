"""Requests through the proxy that the environment names: an HTTP proxy, or SOCKS5 (RFC 1928, RFC 1929).

The SOCKS5 client is our own, because httpcore's has no deadline for the proxy's replies, fails where a reply arrives in
parts, and leaks the connection when the proxy refuses.  The proxy resolves the host's name.
"""

from __future__ import annotations

import ipaddress
import math
import ssl
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
import trio

from coursefs.errors import UsageError
from coursefs.transport.http_library import httpx
from coursefs.transport.proxies import Proxies, Proxy

_VERSION, _CONNECT = 5, 1
_OPEN, _PASSWORD = 0, 2  # ways to sign in
_IPV4, _NAME, _IPV6 = 1, 3, 4  # kinds of address
_REFUSALS = {
    1: "it failed",
    2: "its rules do not allow this host",
    3: "it cannot reach the host's network",
    4: "it cannot reach the host",
    5: "the host refuses the connection",
    6: "the host is too far away",
    7: "it makes no connections for others",
    8: "it does not know this kind of address",
}


class SocksTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over connections through a SOCKS5 proxy."""

    def __init__(self, proxy: Proxy, *, tls: Any, limits: httpx.Limits) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=SocksBackend(proxy),
        )


class SocksBackend(httpcore.AsyncNetworkBackend):
    """Makes httpcore's connections through a SOCKS5 proxy."""

    def __init__(self, proxy: Proxy) -> None:
        parts = urlsplit(proxy.url)
        self._host, self._port = proxy.host, proxy.port
        self._user = unquote(parts.username or "").encode()[:255]
        self._password = unquote(parts.password or "").encode()[:255]
        self._direct = httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the host, within `timeout` seconds.  Raises `httpcore.ProxyError` when the proxy refuses.

        After any error or cancellation the connection to the proxy is closed.
        """
        stream = await self._direct.connect_tcp(self._host, self._port, timeout, local_address, socket_options)
        try:
            with trio.fail_after(math.inf if timeout is None else timeout):
                await self._sign_in(stream)
                await self._connect(stream, host, port)
        except BaseException as error:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await stream.aclose()
            if isinstance(error, trio.TooSlowError):
                raise httpcore.ConnectTimeout("the proxy does not answer") from None
            raise
        return stream

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore calls it between its attempts."""
        await trio.sleep(seconds)

    async def _sign_in(self, stream: httpcore.AsyncNetworkStream) -> None:
        ways = bytes([_OPEN, _PASSWORD] if self._user else [_OPEN])
        await stream.write(bytes([_VERSION, len(ways)]) + ways)
        version, way = await _exactly(stream, 2)
        if version != _VERSION:
            raise httpcore.ProxyError("it does not speak SOCKS5")
        if way not in ways:
            raise httpcore.ProxyError("it requires a user name and a password")
        if way == _PASSWORD:
            name, word = self._user, self._password
            await stream.write(bytes([1, len(name)]) + name + bytes([len(word)]) + word)
            if (await _exactly(stream, 2))[1]:
                raise httpcore.ProxyError("it does not accept the user name and password")

    async def _connect(self, stream: httpcore.AsyncNetworkStream, host: str, port: int) -> None:
        await stream.write(bytes([_VERSION, _CONNECT, 0]) + _packed(host) + port.to_bytes(2, "big"))
        version, refusal, _, kind = await _exactly(stream, 4)
        if version != _VERSION:
            raise httpcore.ProxyError("it does not speak SOCKS5")
        if refusal:
            raise httpcore.ProxyError(_REFUSALS.get(refusal, "it gives no reason"))
        if kind == _NAME:
            await _exactly(stream, (await _exactly(stream, 1))[0])
        else:
            await _exactly(stream, 16 if kind == _IPV6 else 4)
        await _exactly(stream, 2)


def _packed(host: str) -> bytes:
    """A host as a SOCKS5 address (RFC 1928, section 5).  Raises `httpcore.ProxyError` for a name that is too long."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        name = host.encode("ascii")
        if not 0 < len(name) < 256:
            raise httpcore.ProxyError("no such host") from None
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV6 if address.version == 6 else _IPV4]) + address.packed


async def _exactly(stream: httpcore.AsyncNetworkStream, count: int) -> bytes:
    """The next `count` bytes, in however many parts they arrive.  Raises `httpcore.ProxyError` at an early end."""
    found = b""
    while len(found) < count:
        part = await stream.read(count - len(found))
        if not part:
            raise httpcore.ProxyError("it closed the connection")
        found += part
    return found


class ProxyTransport(httpx.AsyncBaseTransport):
    """Sends each request through the proxy of its host, or over the transport `direct`, which it owns.

    Raises what httpx's transports raise, and `UsageError` for a host whose proxy is unusable.
    """

    def __init__(
        self, direct: httpx.AsyncBaseTransport, proxies: Proxies, tls: ssl.SSLContext, limits: httpx.Limits
    ) -> None:
        self._direct = direct
        self._proxies = proxies
        self._tls = tls
        self._limits = limits
        self._through: httpx.AsyncBaseTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and receive the head of its response."""
        proxy = None
        if request.url.scheme == "https":
            proxy = self._proxies.of(request.url.host, request.url.port or 443)
        if proxy is None:
            return await self._direct.handle_async_request(request)
        if proxy.trouble is not None:
            raise UsageError(f"{proxy.variable}: {proxy.trouble}")
        if self._through is None:
            self._through = self._proxy_transport(proxy)
        return await self._through.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._direct.aclose()
        if self._through is not None:
            await self._through.aclose()

    def _proxy_transport(self, proxy: Proxy) -> httpx.AsyncHTTPTransport:
        if proxy.url.startswith("socks5"):
            return SocksTransport(proxy, tls=self._tls, limits=self._limits)
        try:
            known = httpx.Proxy(proxy.url, ssl_context=self._tls if proxy.url.startswith("https:") else None)
        except (ValueError, httpx.InvalidURL):  # not chained: its message may hold the password
            raise UsageError(f"{proxy.variable}: not the address of a proxy") from None
        return httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, proxy=known, limits=self._limits)
