"""Requests through a proxy that is itself spoken to by TLS (`https://`): httpx's transport makes them.

All other proxies are for `coursefs.transport.connecting`: only this kind needs TLS inside of TLS, for which our own
connections, which are sockets, have no place.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

from coursefs.errors import UsageError
from coursefs.transport.http_library import httpx
from coursefs.transport.proxies import Proxies, Proxy


class ProxyTransport(httpx.AsyncBaseTransport):
    """Sends the requests of hosts whose proxy is spoken to by TLS through it, and others over `direct`, which it owns.

    Raises what httpx's transports raise.
    """

    def __init__(
        self,
        direct: httpx.AsyncBaseTransport,
        proxies: Proxies,
        tls: Callable[[], Awaitable[ssl.SSLContext]],
        limits: httpx.Limits,
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
        if proxy is None or not proxy.is_secure:
            return await self._direct.handle_async_request(request)
        if self._through is None:
            self._through = _proxy_transport(proxy, await self._tls(), self._limits)
        return await self._through.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._direct.aclose()
        if self._through is not None:
            await self._through.aclose()


def _proxy_transport(proxy: Proxy, tls: ssl.SSLContext, limits: httpx.Limits) -> httpx.AsyncHTTPTransport:
    try:
        known = httpx.Proxy(proxy.url, ssl_context=tls)
    except (ValueError, httpx.InvalidURL):  # not chained: its message may hold the password
        raise UsageError(f"{proxy.variable}: not the address of a proxy") from None
    return httpx.AsyncHTTPTransport(verify=tls, trust_env=False, proxy=known, limits=limits)
