"""A whole response, as the clients of platforms get it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from coursefs.errors import BadReply
from coursefs.transport.http_library import httpx
from coursefs.transport.parsing import parse_json


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response of any status."""

    url: str  # after redirects
    status: int
    headers: httpx.Headers
    body: bytes

    def json(self) -> Any:
        """The body as JSON.  Raises `BadReply` when it is not JSON (an HTML page, for example), or too large."""
        try:
            content = parse_json(self.body)
        except BadReply as error:
            raise BadReply(f"{place(self.url)}: {error}") from None
        if content is None:
            raise BadReply(f"{place(self.url)}: the reply is not JSON")
        return content


def place(url: str) -> str:
    """Host and path of a URL, for messages and logs; never its query, which may hold a signature."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"
