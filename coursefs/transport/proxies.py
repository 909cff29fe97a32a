"""The proxy for a host, by the environment (pure).

`https_proxy` and `all_proxy`, in small or capital letters, name the proxy for https, `no_proxy` the hosts without a
proxy; all as in curl.  `http_proxy` is ignored: plain http is for this machine alone, which never needs a proxy.  Where
a variable cannot be understood, the requests that need it fail: going round a configured proxy could show a network
what it must not see.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from coursefs.transport.hosts import is_loopback

#: the scheme in the environment, and httpx's name for it; with each kind of SOCKS the proxy resolves names
_KINDS = {"http": "http", "https": "https", "socks5": "socks5", "socks5h": "socks5h", "socks": "socks5h"}
_PORTS = {"http": 1080, "https": 443, "socks5": 1080, "socks5h": 1080}  # curl's, where none is written
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it.  `url` may hold a password, so it is never shown."""

    variable: str
    url: str = ""
    host: str = ""
    port: int = 0
    trouble: str | None = None  # why it cannot be used

    @property
    def is_secure(self) -> bool:
        """Whether the proxy itself is spoken to by TLS."""
        return self.trouble is None and self.url.startswith("https:")

    def __str__(self) -> str:
        return self.variable if self.trouble is not None else f"{self.host}:{self.port} ({self.variable})"

    def __repr__(self) -> str:
        return f"Proxy({self})"


@dataclass(frozen=True, slots=True)
class Exempt:
    """One entry of `no_proxy`."""

    suffix: str = ""  # of host names; "" where `network` counts
    network: _Network | None = None
    port: int | None = None  # None: any

    def fits(self, host: str, port: int) -> bool:
        """Whether the entry matches this host, which is in small letters and without brackets."""
        if self.port is not None and self.port != port:
            return False
        if self.network is None:
            return host == self.suffix or host.endswith(f".{self.suffix}")
        address = _address(host)
        return address is not None and address in self.network


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxy settings of the environment."""

    proxy: Proxy | None = None  # for https; None: all connections are direct
    exceptions: tuple[Exempt, ...] = ()
    passed_over: tuple[str, ...] = ()  # for a person: a line for each entry of `no_proxy` that is ignored

    def of(self, host: str, port: int) -> Proxy | None:
        """The proxy for an https host, which may be unusable (`Proxy.trouble`); None: connect directly."""
        host = host.lower().strip("[]").rstrip(".")
        if self.proxy is None or is_loopback(host) or any(one.fits(host, port) for one in self.exceptions):
            return None
        return self.proxy


def proxies_from(environ: Mapping[str, str]) -> Proxies:
    """The settings in these variables.  Never raises: an unusable proxy has its `trouble`."""
    found = next(
        (
            (name, environ[name].strip())
            for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
            if environ.get(name, "").strip()
        ),
        None,
    )
    name = "no_proxy" if "no_proxy" in environ else "NO_PROXY"
    entries = environ.get(name, "").replace(",", " ").split()
    if found is None or "*" in entries:
        return Proxies()
    exceptions, passed_over = [], []
    for entry in entries:
        exception = _exception(entry)
        if exception is not None:
            exceptions.append(exception)
        else:
            passed_over.append(f"{name}: an entry without a host name is ignored")
    return Proxies(_proxy(*found), tuple(exceptions), tuple(passed_over))


def _proxy(variable: str, value: str) -> Proxy:
    if "://" not in value:
        value = f"http://{value}"
    scheme, _, rest = value.partition("://")
    kind = _KINDS.get(scheme.lower())
    if kind is None:
        word = scheme if scheme.isascii() and scheme.isalnum() and len(scheme) < 10 else "what it says"
        return Proxy(variable, trouble=f"unknown kind of proxy {word}: use http, https, socks5 or socks5h")
    try:
        parts = urlsplit(f"{kind}://{rest}")
        host, port = parts.hostname or "", parts.port or _PORTS[kind]
        host.encode("ascii" if ":" in host else "idna")
    except ValueError:
        host, port = "", 0
    if not host or not value.isprintable() or any(blank in value for blank in " \\"):
        return Proxy(variable, trouble="not the address of a proxy")
    shown = f"[{host}]" if ":" in host else host
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return Proxy(variable, f"{kind}://{user}{shown}:{port}", host, port)


def _exception(entry: str) -> Exempt | None:
    """An entry of `no_proxy`: a name or the end of one, an address, or a network, with a port or without."""
    entry = entry.partition("://")[2] or entry
    entry = entry.rstrip("/").lower()
    if (network := _network(entry)) is not None:
        return Exempt(network=network)
    host, colon, digits = entry.rpartition(":")
    port = None
    if colon and digits.isascii() and digits.isdecimal() and len(digits) < 6:
        entry, port = host, int(digits)
        if (network := _network(entry)) is not None:
            return Exempt(network=network, port=port)
    name = entry.removeprefix("*").strip(".")
    if not name or any(sign in name for sign in "/:[]*@"):
        return None
    return Exempt(suffix=name, port=port)


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
