"""Opening the tier that the settings name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from coursefs.errors import UsageError
from coursefs.settings.config_keys import DNS_SD
from coursefs.shared.folder import FolderTier
from coursefs.shared.tier import Tier
from coursefs.transport.hosts import is_loopback


def open_tier(place: str, *, token: str = "", min_free: int = 0, plain_http: bool = False) -> Tier:
    """The tier at a place as `cache.shared` has it; makes no request.

    `token` is for a web cache, `min_free` bytes stay free on the disk of a folder, and `plain_http` allows an address
    of another machine without TLS.  Raises `UsageError` for an address that is not allowed, or needs what is not
    installed.
    """
    if place.startswith("/"):
        return FolderTier(Path(place), min_free=min_free)
    # late: they import much, and few machines need them
    if place == DNS_SD:
        from coursefs.shared.discovery import DiscoveredTier

        if not plain_http:
            raise UsageError(
                'cache.shared = "dns-sd" finds web caches of the local network, which have no TLS;'
                " to allow that, set cache.shared_plain_http = true"
            )
        return DiscoveredTier(token)
    parts = urlsplit(place)
    if parts.scheme in {"http", "https"}:
        from coursefs.shared.web import WebTier

        if parts.scheme == "http" and not plain_http and not is_loopback(parts.hostname or ""):
            raise UsageError(
                f"cache.shared = {place} has no TLS: use https://, or, on a local network that you trust,"
                " set cache.shared_plain_http = true"
            )
        return WebTier(place, token)
    from coursefs.shared.objects import ObjectTier

    return ObjectTier(place)
