"""What a server's answer to a request for a range means (pure).

Statuses, `Content-Range` and `Content-Encoding` as in RFC 9110, sections 8, 14 and 15.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from coursefs.errors import BadReply, CoursefsError, Gone, NoAnswer, NotAllowed
from coursefs.model import Version
from coursefs.transport.backoff import RETRIED_STATUSES, retry_after_seconds

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})")
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})


class Refused(Exception):
    """The server does not accept this URL (any more); another one may do.

    `error` is what it is if that does not help.
    """

    def __init__(self, error: CoursefsError | None = None) -> None:
        super().__init__(error)
        self.error = error or NotAllowed("the server refuses this file")


class Again(Exception):
    """Worth asking again, after a pause of at least `after` seconds; `error` is what it is if that does not help."""

    def __init__(self, error: CoursefsError, after: float | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.after = after


@dataclass(frozen=True, slots=True)
class Part:
    """206: the bytes from `start` to `end` of `total`.  An empty one is 416: nothing there, but a total."""

    start: int
    end: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Whole:
    """200: everything from the first byte, however much was asked for."""

    length: int | None  # bytes, where the server says so
    encoded: bool  # compressed although we did not ask for it: to be decoded, and of unknown length


def judge(
    status: int, headers: Mapping[str, str], where: str, *, html: bool, now: float, guarded: bool = False
) -> Part | Whole:
    """What the answer brings.

    `where` names the server in messages; `html`: an HTML document is what is expected; `now`: seconds since 1970.
    `guarded`: a web page that is not expected is one to sign in on, so it refuses, and where nothing is another address
    may be asked first.
    Raises `Refused`, `Again`, `Gone` or `BadReply`.
    """
    if status in {401, 403}:
        raise Refused
    if status in {404, 410}:
        gone = Gone(f"{where}: no longer there")
        raise Refused(gone) if guarded else gone
    if status in RETRIED_STATUSES:
        error_type = NoAnswer if status in {408, 429, 503, 504} else BadReply
        raise Again(error_type(f"{where}: answered {status}"), retry_after_seconds(headers.get("retry-after"), now))
    if status == 416:
        match = _UNSATISFIED.fullmatch(headers.get("content-range", "").strip())
        if match:
            return Part(0, 0, int(match[1]))
    if status not in {200, 206}:
        raise BadReply(f"{where}: answered {status}")
    if not html and headers.get("content-type", "").partition(";")[0].strip().lower() in _HTML_TYPES:
        if guarded:
            raise Refused
        raise BadReply(f"{where}: a web page came in place of the file")
    encoded = headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}
    if status == 206:
        if encoded:
            raise BadReply(f"{where}: a part came compressed")
        return _part(headers.get("content-range", ""), where)
    length = headers.get("content-length", "").strip()
    known = length.isascii() and length.isdecimal() and len(length) <= 18 and not encoded
    return Whole(int(length) if known else None, encoded)


def version_of(headers: Mapping[str, str], size: int) -> Version:
    """The version that an answer is of, given the size of the whole in bytes."""
    etag = headers.get("etag", "").strip() or None
    modified_ns = _modified_ns(headers.get("last-modified"))
    # a date that no clock can show is none
    return Version(size, etag, modified_ns if modified_ns is not None and 0 <= modified_ns < 2**63 else None)


def honours_ranges(headers: Mapping[str, str]) -> bool:
    """Whether a server says that it would send parts (RFC 9110, section 14.3)."""
    return "bytes" in headers.get("accept-ranges", "").lower()


def condition(version: Version) -> dict[str, str]:
    """The header that asks for a part of this version, or else for the whole of the new one.

    RFC 9110, section 13.1.5: a strong ETag, or the date; none where the server gave neither.
    """
    if version.etag is not None and version.etag.startswith('"'):
        return {"If-Range": version.etag}
    if version.modified_ns is not None:
        return {"If-Range": formatdate(version.modified_ns // 10**9, usegmt=True)}
    return {}


def _part(content_range: str, where: str) -> Part:
    match = _CONTENT_RANGE.fullmatch(content_range.strip())
    if not match:
        raise BadReply(f"{where}: a part came without saying which")
    start, end = int(match[1]), int(match[2]) + 1
    total = None if match[3] == "*" else int(match[3])
    if start >= end or (total is not None and end > total):
        raise BadReply(f"{where}: a part came that cannot be")
    return Part(start, end, total)


def _modified_ns(value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return int(parsedate_to_datetime(value).timestamp()) * 10**9
    except (ValueError, OverflowError):
        return None
