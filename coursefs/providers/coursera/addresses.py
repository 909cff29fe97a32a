"""Addresses that the platform gives (pure)."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from coursefs.errors import BadReply
from coursefs.transport import is_loopback


def absolute(url: str, base_url: str) -> str:
    """The URL itself, made absolute on the platform's host (subtitles come relative).

    Raises `BadReply` where a platform on another machine points to this one.
    """
    try:
        there = urljoin(f"{base_url}/", url)
        host = urlsplit(there).hostname or ""
    except ValueError:
        raise BadReply("the platform gave an address that is none") from None
    if is_loopback(host) and not is_loopback(urlsplit(base_url).hostname or ""):
        raise BadReply("the platform gave an address on this machine")
    return there
