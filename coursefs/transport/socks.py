"""SOCKS5 (RFC 1928, RFC 1929): has a proxy connect to a host, whose name the proxy resolves.

Our own, because httpcore's has no deadline for the proxy's replies, fails where a reply arrives in parts, and leaks the
connection when the proxy refuses.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote, urlsplit

import trio

from coursefs.transport.http_library import httpx
from coursefs.transport.proxies import Proxy

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


async def negotiate(stream: trio.SocketStream, proxy: Proxy, host: str, port: int) -> None:
    """Sign in to the proxy at the other end of this stream, and have it connect to the host.

    Raises `httpx.ProxyError` when it refuses.  There is no deadline: the caller sets one.
    """
    parts = urlsplit(proxy.url)
    user, word = unquote(parts.username or "").encode()[:255], unquote(parts.password or "").encode()[:255]
    await _sign_in(stream, user, word)
    await _connect(stream, host, port)


async def _sign_in(stream: trio.SocketStream, user: bytes, word: bytes) -> None:
    ways = bytes([_OPEN, _PASSWORD] if user else [_OPEN])
    await stream.send_all(bytes([_VERSION, len(ways)]) + ways)
    version, way = await _exactly(stream, 2)
    if version != _VERSION:
        raise httpx.ProxyError("it does not speak SOCKS5")
    if way not in ways:
        raise httpx.ProxyError("it requires a user name and a password")
    if way == _PASSWORD:
        await stream.send_all(bytes([1, len(user)]) + user + bytes([len(word)]) + word)
        if (await _exactly(stream, 2))[1]:
            raise httpx.ProxyError("it does not accept the user name and password")


async def _connect(stream: trio.SocketStream, host: str, port: int) -> None:
    await stream.send_all(bytes([_VERSION, _CONNECT, 0]) + _packed(host) + port.to_bytes(2, "big"))
    version, refusal, _, kind = await _exactly(stream, 4)
    if version != _VERSION:
        raise httpx.ProxyError("it does not speak SOCKS5")
    if refusal:
        raise httpx.ProxyError(_REFUSALS.get(refusal, "it gives no reason"))
    if kind == _NAME:
        await _exactly(stream, (await _exactly(stream, 1))[0])
    else:
        await _exactly(stream, 16 if kind == _IPV6 else 4)
    await _exactly(stream, 2)


def _packed(host: str) -> bytes:
    """A host as a SOCKS5 address (RFC 1928, section 5).  Raises `httpx.ProxyError` for a name that is too long."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        name = host.encode("ascii")
        if not 0 < len(name) < 256:
            raise httpx.ProxyError("no such host") from None
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV6 if address.version == 6 else _IPV4]) + address.packed


async def _exactly(stream: trio.SocketStream, count: int) -> bytes:
    """The next `count` bytes, in however many parts they arrive.  Raises `httpx.ProxyError` at an early end."""
    found = b""
    while len(found) < count:
        part = await stream.receive_some(count - len(found))
        if not part:
            raise httpx.ProxyError("it closed the connection")
        found += part
    return found
