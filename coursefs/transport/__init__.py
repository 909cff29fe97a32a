"""How coursefs speaks HTTP: one client, and the rules that every request obeys."""

from coursefs.transport.bucket import Bucket
from coursefs.transport.client import Reply, Transport
from coursefs.transport.hosts import Origin, is_loopback, require_safe_url
from coursefs.transport.traffic import HostTraffic, Traffic

__all__ = ["Bucket", "HostTraffic", "Origin", "Reply", "Traffic", "Transport", "is_loopback", "require_safe_url"]
