"""The identity of a content, and when two of its versions are the same (pure)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from coursefs.model import Course, Remote, Source, Version

_HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})


class Key(NamedTuple):
    """The name of one content of one account, whatever its version."""

    account: str
    identity: str


@dataclass(frozen=True, slots=True)
class Content:
    """A file of a platform, as one account sees it."""

    account: str
    remote: Remote
    course: Course
    name: str = field(default="", compare=False)  # as the mount shows it, where that is known: for its extension

    @property
    def key(self) -> Key:
        """Its key in the cache."""
        return Key(self.account, self.remote.identity)


def expects_html(content: Content, source: Source) -> bool:
    """Whether this content is an HTML document, by the suffixes of its names."""
    names = (content.remote.identity, *content.remote.locator.values(), urlsplit(source.url).path)
    return any(PurePosixPath(name).suffix.lower() in _HTML_SUFFIXES for name in names)


def data_name(key: Key, version: Version) -> str:
    """The name of the data file of a version: 64 hexadecimal digits."""
    parts = [*key, version.size, version.etag, version.modified_ns]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def same(one: Version, other: Version) -> bool:
    """Whether two versions have the same bytes: by size, then ETag where both have one, else Last-Modified.

    ETags are compared weakly (RFC 9110, section 8.8.3.2).
    """
    if one.size != other.size:
        return False
    if one.etag is not None and other.etag is not None:
        return _strong(one.etag) == _strong(other.etag)
    if one.modified_ns is not None and other.modified_ns is not None:
        return one.modified_ns == other.modified_ns
    return True


def has_validator(version: Version) -> bool:
    """Whether a version has an ETag or a date (RFC 9110, section 8.8), and not only a size."""
    return version.etag is not None or version.modified_ns is not None


def is_doubtful(known: Version, now: Version) -> bool:
    """Whether a reply with version `now` for a file of version `known` is rather a fault of the server than a change.

    Another size under the same strong ETag contradicts RFC 9110, section 8.8.1.  A smaller size counts as a change only
    with another ETag or date: broken servers and proxies send empty bodies.
    """
    if known.size == now.size:
        return False
    if known.etag is not None and known.etag == now.etag and known.etag.startswith('"'):
        return True
    if now.size > known.size:
        return False
    etags = known.etag is not None and now.etag is not None and _strong(known.etag) != _strong(now.etag)
    dates = None not in {known.modified_ns, now.modified_ns} and known.modified_ns != now.modified_ns
    return not etags and not dates


def _strong(etag: str) -> str:
    return etag.removeprefix("W/")
