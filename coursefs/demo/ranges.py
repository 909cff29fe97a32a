"""Conditional requests and range requests according to RFC 9110, as CloudFront answers them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Unsatisfiable(Exception):
    """416: the file has none of the requested bytes."""


@dataclass(frozen=True, slots=True)
class Validators:
    """The validators of a file version: ETag and Last-Modified."""

    etag: str  # strong, in its quotes
    last_modified: str  # an HTTP date


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open byte range of a `Range` header, for a file of `size` bytes.

    None means the whole file: the header is missing or malformed, or requests several ranges. Raises `Unsatisfiable`.
    """
    match = _ONE_RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        if size == 0 or int(last) == 0:
            raise Unsatisfiable
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return int(first), min(size, int(last) + 1) if last else size


def precondition(headers: Mapping[str, str], current: Validators) -> int | None:
    """The status by which `If-Match` (412) or `If-None-Match` (304) ends the request; None if neither does."""
    wanted = headers.get("if-match")
    if wanted is not None and wanted.strip() != "*" and current.etag not in _etags(wanted):
        return 412
    held = headers.get("if-none-match")
    if held is not None and none_is_new(held, current.etag):
        return 304
    return None


def range_counts(if_range: str | None, current: Validators) -> bool:
    """Whether `Range` applies: without `If-Range`, or if that names exactly this version."""
    return if_range is None or if_range.strip() in (current.etag, current.last_modified)


def none_is_new(if_none_match: str, etag: str) -> bool:
    """Whether an `If-None-Match` contains this ETag, by weak comparison."""
    strong = etag.removeprefix("W/")
    return if_none_match.strip() == "*" or strong in {one.removeprefix("W/") for one in _etags(if_none_match)}


def _etags(header: str) -> list[str]:
    return [one.strip() for one in header.split(",")]
