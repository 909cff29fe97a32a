"""Which hosts may be spoken to, and which of them may be told a secret (pure)."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

from coursefs.errors import UsageError

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port: secrets that belong to one origin are never sent to another."""

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


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: 127.0.0.0/8, ::1 or localhost."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe_url(url: str) -> Origin:
    """The origin of a URL that may be spoken to: https anywhere, plain http on this machine only.

    Raises `UsageError` with a message that names the host but never the path or the query.
    """
    try:
        origin = Origin.of(url)
    except ValueError:
        raise UsageError("not an http(s) address") from None
    if origin.scheme == "http" and not is_loopback(origin.host):
        raise UsageError(f"{origin.host}: plain http:// is accepted for this machine only, use https://")
    return origin
