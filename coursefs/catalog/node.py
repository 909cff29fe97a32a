"""What the tree consists of: the rows of the catalogue as immutable objects."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from coursefs.model import Item, Kind, Remote, Version

DIRECTORIES = frozenset({Kind.ROOT, Kind.ACCOUNT, Kind.COURSE, Kind.MODULE, Kind.LESSON, Kind.FOLDER})


@dataclass(frozen=True, slots=True)
class Place:
    """Whose a node is: what stands before its key to make it unique in the whole catalogue."""

    account: str = ""
    course: str = ""  # the course's key; "" for the account itself


@dataclass(frozen=True, slots=True)
class Node:
    """A directory or a file that the mount shows, with everything that `stat` needs.

    A listing makes thousands of these, so what only a read needs stays as the store has it: the locator as JSON, and
    a page in the store (`Store.page`); `page` is there only on the way into it.
    """

    inode: int
    parent: int  # inode of its directory; the root's is its own
    name: str  # of what is gone: the name that it had
    wanted: str  # the name before anything was added to tell it apart
    place: Place
    key: str  # stable id within the place
    kind: Kind
    mtime_ns: int  # also its ctime
    item: str = ""  # key of the item that it belongs to
    url: str | None = None
    mime_type: str | None = None
    size: int | None = None  # bytes; None: not asked yet
    etag: str | None = None  # of a page of our own: its digest
    modified_ns: int | None = None  # what the server said with that size
    is_hint: bool = False  # the size is what a listing says: the server was not asked yet
    identity: str | None = None  # of bytes on the platform; None: a directory, or a page of our own
    locator: str | None = field(default=None, repr=False)
    page: bytes | None = field(default=None, repr=False)
    is_gone: bool = False  # the platform no longer has it; somebody may have it open

    @property
    def is_directory(self) -> bool:
        """Whether it has children instead of bytes."""
        return self.kind in DIRECTORIES

    @property
    def remote(self) -> Remote | None:
        """Its bytes on the platform; None for a directory or a page of our own."""
        return None if self.identity is None else Remote(self.identity, json.loads(self.locator or "{}"))

    @property
    def version(self) -> Version | None:
        """The version of its remote bytes, once their server has said it."""
        return None if self.size is None or self.is_hint else Version(self.size, self.etag, self.modified_ns)


def locator_of(remote: Remote | None) -> str | None:
    """A locator as a node has it: the same text for the same locator."""
    return None if remote is None else json.dumps(dict(remote.locator), sort_keys=True)


def digest_of(page: bytes) -> str:
    """What tells two pages apart."""
    return hashlib.blake2b(page, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """A node as a refresh wants it to be, before it is compared with what is there."""

    place: Place
    key: str
    kind: Kind
    parent: int  # inode of its directory
    name: str
    wanted: str
    item: str = ""
    url: str | None = None
    mime_type: str | None = None
    modified_ns: int | None = None
    size: int | None = None  # of bytes on the platform: what a listing says
    remote: Remote | None = None
    page: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """An item in the catalogue: what its files are made from, and when they were last asked for."""

    place: Place
    directory: int  # inode of the directory that its files lie in
    stem: str  # what the names of its files begin with
    wanted: str  # the stem before anything was added to tell it apart
    item: Item
    fetched_ns: int | None = None  # None: never
    error: str | None = None  # why the last asking failed, for a person
