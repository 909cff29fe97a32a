"""Range responses: checks what a server sent for a range request (pure).

Statuses, `Content-Range` and `Content-Encoding` as in RFC 9110, sections 8, 14 and 15.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from coursefs.content.identity import is_portable
from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, RefusedByServer
from coursefs.model import Version
from coursefs.transport.backoff import RETRIED_STATUSES, retry_after_seconds, servers_time
from coursefs.transport.body import content_coding
from coursefs.transport.parsing import count_of, seconds_of_date, sendable

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_UNSATISFIED = re.compile(r"bytes \*/([0-9]{1,18})")
#: statuses that say that something in between got no answer, or that we ask too often
_NO_ANSWER = frozenset({408, 429, 503, 504, 522, 524, 598, 599})
#: seconds after which a file with the same date has the same bytes: within one second it may be written twice
_SETTLED = 60
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})


class UrlRefused(Exception):
    """The server refuses this URL, for example because its signature has expired.  A renewed URL may work.

    `error`: what to raise if the renewed URL is refused as well.
    """

    def __init__(self, error: CoursefsError | None = None) -> None:
        super().__init__(error)
        self.error = error or RefusedByServer("the server refuses this file")


class CompressedPart(BadReply):
    """A part of a file that the server has stored compressed: only the whole can be decompressed."""


class PageInstead(BadReply):
    """The server, or the network in its place, has sent a web page instead of a file."""


class Retry(Exception):
    """The request may succeed later: back off for at least `after` seconds.

    `error`: what to raise when retries have not helped.
    """

    def __init__(self, error: CoursefsError, after: float | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.after = after


@dataclass(frozen=True, slots=True)
class Part:
    """206: the bytes from `start` to `end` of a file of `total` bytes (None: not said).

    Empty for 416, which has no bytes but says the total.
    """

    start: int
    end: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Whole:
    """200: everything from the first byte, whatever range was requested."""

    length: int | None  # bytes; None: the server does not say
    encoded: bool  # compressed although that was not requested: the length of the file is not known then


def check(
    status: int, headers: Mapping[str, str], where: str, *, html: bool, now: float, guarded: bool = False
) -> Part | Whole:
    """Which bytes the body brings, by status and headers.

    `where` names the server in messages; `html`: an HTML document is expected; `now`: seconds since 1970, for
    `Retry-After`.  `guarded` (`Source.guarded`): an unexpected web page is a sign-in page, and after a 404 another URL
    may work.  Raises `UrlRefused`, `Retry`, `Gone`, `PageInstead`,
    `CompressedPart` or `BadReply`.
    """
    if status in {401, 403}:
        raise UrlRefused
    if status in {404, 410}:
        gone = Gone(f"{where}: no longer there")
        raise UrlRefused(gone) if guarded else gone
    if status in RETRIED_STATUSES:
        error_type = NoAnswer if status in _NO_ANSWER else BadReply
        raise Retry(
            error_type(f"{where}: answered {status}"),
            retry_after_seconds(headers.get("retry-after"), servers_time(headers, now)),
        )
    if status == 416:
        match = _UNSATISFIED.fullmatch(headers.get("content-range", "").strip())
        if match:
            return Part(0, 0, int(match[1]))
    if status not in {200, 206}:
        raise BadReply(f"{where}: answered {status}")
    if not html and headers.get("content-type", "").partition(";")[0].strip().lower() in _HTML_TYPES:
        if guarded:
            raise UrlRefused
        raise PageInstead(f"{where}: sent a web page instead of the file")
    try:
        encoded = content_coding(headers.get("content-encoding")) is not None
    except BadReply as error:
        raise BadReply(f"{where}: {error}") from None
    if status == 206:
        if encoded:
            raise CompressedPart(f"{where}: sent a compressed part of the file")
        return _part(headers.get("content-range", ""), where)
    return Whole(None if encoded else count_of(headers.get("content-length")), encoded)


def version_of(headers: Mapping[str, str], size: int) -> Version:
    """The version by the headers of a response, given the size of the whole file in bytes."""
    etag = sendable(headers.get("etag"))
    modified_ns = _modified_ns(headers.get("last-modified"))
    # a date outside of what SQLite and file systems can hold counts as none
    return Version(size, etag, modified_ns if modified_ns is not None and 0 <= modified_ns < 2**63 else None)


def is_settled(headers: Mapping[str, str]) -> bool:
    """Whether the date of a response is a strong validator: a minute older than the response (RFC 9110, 8.8.2.2)."""
    date, modified = (seconds_of_date(headers.get(name)) for name in ("date", "last-modified"))
    return date is not None and modified is not None and date - modified >= _SETTLED


def honours_ranges(headers: Mapping[str, str]) -> bool:
    """Whether a server says that it supports ranges (RFC 9110, section 14.3)."""
    return "bytes" in headers.get("accept-ranges", "").lower()


def condition(version: Version) -> dict[str, str]:
    """The `If-Range` header: a range of this version, or else the whole new version; empty where there is no use.

    A strong ETag (RFC 9110, section 13.1.5) that all servers of a CDN give alike.  Not the date: they may differ by
    seconds, and a server with a wrong clock must ignore it; the whole file would come instead, and another request be
    needed.  Whatever was asked, the response says which version it is of.
    """
    if version.etag is not None and version.etag.startswith('"') and is_portable(version.etag, version.size):
        return {"If-Range": version.etag}
    return {}


def _part(content_range: str, where: str) -> Part:
    match = _CONTENT_RANGE.fullmatch(content_range.strip())
    if not match:
        raise BadReply(f"{where}: sent a part of the file without saying which")
    start, end = int(match[1]), int(match[2]) + 1
    total = None if match[3] == "*" else int(match[3])
    if start >= end or (total is not None and end > total):
        raise BadReply(f"{where}: sent a part of the file with impossible bounds")
    return Part(start, end, total)


def _modified_ns(value: str | None) -> int | None:
    seconds = seconds_of_date(value)
    return None if seconds is None else int(seconds) * 10**9
