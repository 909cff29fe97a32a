"""The host policy: where requests, credentials and redirects may go (pure)."""

from __future__ import annotations

import enum
import ipaddress
import socket
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from coursefs.errors import BadReply, UsageError

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port.  Credentials of one origin are never sent to another."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an absolute URL.  Raises `ValueError` for anything else."""
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        if scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("not an absolute http(s) URL")
        return cls(scheme, parts.hostname.lower(), parts.port or _DEFAULT_PORTS[scheme])


class UnsafeRedirect(BadReply):
    """A redirect to an address that is not safe, which is not followed."""

    is_elsewhere = True  # False: it leads to the same host, as of servers that do not know of their proxy


class Reach(enum.IntEnum):
    """From where an address can be reached; a higher number is more private."""

    PUBLIC = 0  # the Internet
    PRIVATE = 1  # the same network: RFC 1918, RFC 6598 (carrier-grade NAT), fc00::/7
    MACHINE = 2  # this machine or its link: loopback, link-local (clouds' metadata services), 0.0.0.0, multicast


_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10")
)
#: VPN-like proxies (Clash) resolve every name to an address from here (RFC 2544), so these count as public
_STAND_INS = ipaddress.IPv4Network("198.18.0.0/15")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def reach_of(host: str) -> Reach:
    """From where a host can be reached, by its name alone: an address in any notation, or localhost.

    A name that has to be resolved counts as public here: call this for each of its addresses as well.
    """
    host = host.lower().strip("[]").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return Reach.MACHINE
    address = _literal(host)
    if address is None:
        return Reach.PUBLIC
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if within is None and (address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1)):
            within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None:
            return reach_of(str(within))
    if any(address in network for network in _PRIVATE if network.version == address.version):
        return Reach.PRIVATE
    is_public = (address.is_global and not address.is_multicast) or address in _STAND_INS
    return Reach.PUBLIC if is_public else Reach.MACHINE


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if host and set(host) <= set("0123456789abcdefx."):
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))  # 127.1, 0x7f000001, 2130706433
        except (OSError, ValueError):
            pass
    return None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: 127.0.0.0/8, ::1 or localhost."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe_url(url: str) -> Origin:
    """The origin of a URL, checked: https to any host, plain http to this machine only.

    Raises `UsageError` with a message that names the host but never the path or the query.
    """
    try:
        origin = Origin.of(url)
    except ValueError:
        raise UsageError("not an http(s) address") from None
    if origin.scheme == "http" and not is_loopback(origin.host):
        raise UsageError(f"{origin.host}: plain http:// is accepted for this machine only, use https://")
    return origin


def redirected(url: str, target: str, by: Origin, reach: Reach) -> tuple[str, Origin]:
    """The target of a redirect from `url`, and its origin.  Raises `BadReply` where it is not safe.

    A redirect must not lead from https to plain http, nor to addresses that fewer can reach than the redirecting host:
    a public platform must not make us send requests to a router, a printer or a server on this machine.
    """
    try:
        there = urljoin(url, target)
        origin = require_safe_url(there)
    except (ValueError, UsageError):
        error = UnsafeRedirect(f"{by.host}: redirects to an address that is not safe")
        error.is_elsewhere = f"//{by.host}/" not in f"{target}/"
        raise error from None
    if origin != by and (origin.scheme < by.scheme or reach_of(origin.host) > reach):
        raise misleading(by)
    return there, origin


def misleading(by: Origin) -> UnsafeRedirect:
    """The error of a redirect that is not followed."""
    return UnsafeRedirect(f"{by.host}: redirects to an address that is not safe: inside a network, or without TLS")
