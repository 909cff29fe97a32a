"""Rules for requests of a browser: which file an address means, which bytes of it, and how it is shown (pure).

What a platform sent may be hostile, and a browser would give it the rights of our own pages.  So only files that cannot
act are shown as what they are; all others are downloads.
"""

from __future__ import annotations

import html
import mimetypes
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

_ONE_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)
#: not the types of the machine: they differ
_TYPES = mimetypes.MimeTypes(filenames=())
_PLAIN = "text/plain; charset=utf-8"
_DOWNLOAD = "application/octet-stream"
_NO_IMAGES_THAT_ACT = "image/svg+xml"
_ACTIVE_TEXTS = ("html", "xml", "javascript", "ecmascript", "xsl", "css")
_OWN_FILES_ALONE = (
    "default-src 'none'; img-src 'self' data:; media-src 'self'; frame-src 'self'; object-src 'self'; "
    "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_WITH_SCRIPT = f"{_OWN_FILES_ALONE}; script-src 'self'; connect-src 'self'"
#: the policy of what a browser only reads
NOTHING = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"


class NoSuchRange(Exception):
    """416: the file has none of the requested bytes."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How a file is shown by a browser."""

    content_type: str
    policy: str  # its Content-Security-Policy
    is_download: bool = False


def names_of(path: bytes) -> tuple[str, ...] | None:
    """The names in the path of a request, percent-decoded once; None if no file can have such a path.

    A slash at the end is left out.
    """
    if not path.startswith(b"/"):
        return None
    parts = path.removesuffix(b"/").split(b"/")[1:]
    try:
        names = tuple(unicodedata.normalize("NFC", unquote_to_bytes(part).decode()) for part in parts)
    except UnicodeDecodeError:
        return None
    return names if all(name not in {"", ".", ".."} and not set("/\0") & set(name) for name in names) else None


def address_of(names: Sequence[str]) -> str:
    """The path of a request for these names."""
    return "/" + "/".join(quote(name, safe="", errors="surrogateescape") for name in names)


def span_of(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open byte range of a `Range` header, for a file of `size` bytes.

    None means the whole file: no header, a malformed one, or several ranges.  Raises `NoSuchRange`.
    """
    match = _ONE_RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        raise NoSuchRange
    return start, end


def shown_as(name: str, mime_type: str | None, *, is_ours: bool, has_script: bool = False) -> Shown:
    """How a file is shown; `is_ours`: coursefs wrote it; `has_script`: it is part of a course page."""
    kind = (mime_type or _TYPES.guess_type(name)[0] or _DOWNLOAD).partition(";")[0].strip().lower()
    if has_script:
        return Shown(f"{kind}; charset=utf-8" if kind.startswith("text/") else kind, _WITH_SCRIPT)
    if is_ours and kind == "text/html":
        return Shown("text/html; charset=utf-8", _OWN_FILES_ALONE)
    if kind == _NO_IMAGES_THAT_ACT:
        return Shown(kind, NOTHING, is_download=True)  # a page can show it as a picture, where it does not act
    if kind in {"application/x-subrip", "application/json"} or _is_passive_text(kind):
        return Shown(_PLAIN, NOTHING)
    if kind.startswith(("video/", "audio/")) or kind in {"application/pdf", "application/ogg"} or _is_picture(kind):
        return Shown(kind, _OWN_FILES_ALONE)
    return Shown(_DOWNLOAD, NOTHING, is_download=True)


def _is_picture(kind: str) -> bool:
    return kind in {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "image/x-icon"}


def _is_passive_text(kind: str) -> bool:
    return kind.startswith("text/") and not any(word in kind for word in _ACTIVE_TEXTS)


def listing(names: Sequence[str], children: Sequence[str]) -> str:
    """An HTML page with links to the children of a directory that has no page."""
    title = html.escape(names[-1] if names else "Courses")
    links = "".join(
        f'<li><a href="{address_of([*names, child])}">{html.escape(child)}</a></li>\n' for child in children
    )
    head = f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>'
    return f"{head}\n<h1>{title}</h1>\n<ul>\n{links}</ul></html>\n"
