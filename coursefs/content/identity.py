"""What the engine calls a content, and when two versions of it are the same (pure)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from coursefs.model import Course, Remote, Source, Version

_HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})


class Key(NamedTuple):
    """Names one content of one account, whatever version of it."""

    account: str
    identity: str


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be read: bytes of a platform as an account of ours sees them."""

    account: str
    remote: Remote
    course: Course

    @property
    def key(self) -> Key:
        """What the cache knows it by."""
        return Key(self.account, self.remote.identity)


def expects_html(content: Content, source: Source) -> bool:
    """Whether an HTML document is what this content is supposed to be, going by its names."""
    names = (content.remote.identity, *content.remote.locator.values(), urlsplit(source.url).path)
    return any(PurePosixPath(name).suffix.lower() in _HTML_SUFFIXES for name in names)


def data_name(key: Key, version: Version) -> str:
    """The name of the data file: 64 hexadecimal digits, another one for every version."""
    parts = [*key, version.size, version.etag, version.modified_ns]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def same(one: Version, other: Version) -> bool:
    """Whether two versions are the same bytes: by size, then ETag where both have one, else Last-Modified."""
    if one.size != other.size:
        return False
    if one.etag is not None and other.etag is not None:
        return _strong(one.etag) == _strong(other.etag)
    if one.modified_ns is not None and other.modified_ns is not None:
        return one.modified_ns == other.modified_ns
    return True


def _strong(etag: str) -> str:
    return etag.removeprefix("W/")
