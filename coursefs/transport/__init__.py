"""How coursefs speaks HTTP: one client, and the rules that every request obeys."""

from coursefs.transport.bucket import Bucket, Limit
from coursefs.transport.client import Reply, Transport
from coursefs.transport.hosts import Origin, is_loopback, require_safe_url
from coursefs.transport.pace import Pace, Span
from coursefs.transport.traffic import HostTraffic, Traffic

__all__ = [
    "Bucket",
    "HostTraffic",
    "Limit",
    "Origin",
    "Pace",
    "Reply",
    "Span",
    "Traffic",
    "Transport",
    "is_loopback",
    "require_safe_url",
]
