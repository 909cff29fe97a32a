"""The identity of a content, and when two of its versions are the same (pure)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from posixpath import splitext
from typing import NamedTuple
from urllib.parse import urlsplit

from coursefs.model import Course, Remote, Source, Version

_HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})


#: seconds between the times of one file on two servers of a CDN
_APART = 10
_CODED = re.compile(r"[-;+:/]{1,2}(gzip|br|zstd|deflate|df)$")
_COUNTED = re.compile(r"(?<=^[0-9a-f]{15}):[0-9a-f]{1,4}$")
_HEX = re.compile(r"[0-9a-f]{1,16}", re.IGNORECASE)


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


def suffixes(content: Content, source: Source) -> set[str]:
    """The suffixes of the names that the platform has for a content, in lower case; "" of a name without one."""
    names = (content.remote.identity, *content.remote.locator.values(), urlsplit(source.url).path)
    return {suffix(name) for name in names}


def suffix(name: str) -> str:
    """The suffix of a name or path, in lower case; "" where it has none."""
    return splitext(name.rstrip("/"))[1].lower()  # `pathlib` takes three times as long, for each file of a listing


def expects_html(content: Content, source: Source) -> bool:
    """Whether this content is an HTML document, by the suffixes of its names."""
    return not _HTML_SUFFIXES.isdisjoint(suffixes(content, source))


def data_name(key: Key, version: Version) -> str:
    """The name of the data file of a version: 64 hexadecimal digits."""
    parts = [*key, version.size, version.etag, version.modified_ns]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def same(one: Version, other: Version) -> bool:
    """Whether two versions have the same bytes: by size, then ETag where both have one, else Last-Modified.

    ETags are compared weakly (RFC 9110, section 8.8.3.2), and without what differs between the servers of one CDN (see
    `_tag`); times may differ by `_APART`, because a file reaches these servers at different moments.
    """
    if one.size != other.size:
        return False
    if one.etag is not None and other.etag is not None:
        (mark, stamp), (other_mark, other_stamp) = _tag(one.etag, one.size), _tag(other.etag, one.size)
        if stamp is not None and other_stamp is not None:
            return abs(stamp - other_stamp) <= _APART
        return mark == other_mark
    if one.modified_ns is not None and other.modified_ns is not None:
        return abs(one.modified_ns - other.modified_ns) <= _APART * 10**9
    return True


def is_portable(etag: str, size: int) -> bool:
    """Whether an ETag is likely to be the same on all servers of a CDN: nothing in it is of one server or moment."""
    mark, stamp = _tag(etag, size)
    return stamp is None and mark == _strong(etag)


def has_validator(version: Version) -> bool:
    """Whether a version has an ETag or a date (RFC 9110, section 8.8), and not only a size."""
    return version.etag is not None or version.modified_ns is not None


def shared_mark(version: Version) -> str | None:
    """What tells this version from others on all machines alike: its ETag, else its date.

    Without what differs between the servers of one CDN, as far as that is known.  None: it has neither, so another
    version could have the same size.
    """
    if version.etag is not None:
        return f"etag {_tag(version.etag, version.size)[0]}"
    return None if version.modified_ns is None else f"date {version.modified_ns // 10**9}"


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


def _tag(etag: str, size: int) -> tuple[str, int | None]:
    """An ETag without what differs between the servers of one CDN, and the time in it in seconds, if it is one.

    Servers add how they would compress (`"…-gzip"`), a count of their settings' changes (IIS: `"…:0"`), or the inode
    (Apache: `"inode-size-time"`, in microseconds; nginx has `"time-size"`, in seconds; all in hexadecimal digits).
    """
    mark = _strong(etag).strip('"')
    mark = _CODED.sub("", mark)
    mark = _COUNTED.sub("", mark)
    parts = mark.split("-")
    if len(parts) in {2, 3} and all(_HEX.fullmatch(part) for part in parts):
        values = [int(part, 16) for part in parts]
        if values[-2] == size:
            return mark, values[-1] // 10**6
        if len(parts) == 2 and values[1] == size:
            return mark, values[0]
    return f'"{mark}"', None
