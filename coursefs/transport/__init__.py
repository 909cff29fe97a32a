"""HTTP for all of coursefs: one client, and the rules that every request obeys.

`client` makes requests, with httpx, over the connections of `http1_transport`.  `hosts`, `proxies` and `trust` decide
where a request may go, `rate_limiter` and `backoff` when.
"""

from coursefs.transport.client import Transport
from coursefs.transport.hosts import Origin, is_loopback, require_safe_url
from coursefs.transport.parsing import parse_json
from coursefs.transport.rate_limiter import Bucket, Limit, RateLimiter, Span
from coursefs.transport.reply import Reply
from coursefs.transport.surprises import Example, Surprise, Surprises
from coursefs.transport.traffic import HostTraffic, Traffic

__all__ = [
    "Bucket",
    "Example",
    "HostTraffic",
    "Limit",
    "Origin",
    "RateLimiter",
    "Reply",
    "Span",
    "Surprise",
    "Surprises",
    "Traffic",
    "Transport",
    "is_loopback",
    "parse_json",
    "require_safe_url",
]
