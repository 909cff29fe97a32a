"""Nodes of the tree: rows of the catalogue as immutable objects, and their inode numbers.

Inode numbers are hashes of stable ids, so they survive a remount and even the loss of the catalogue: a backup program
sees the same files again.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from coursefs.model import Item, Kind, Remote, Version

DIRECTORIES = frozenset({Kind.ROOT, Kind.ACCOUNT, Kind.COURSE, Kind.MODULE, Kind.LESSON, Kind.FOLDER})


@dataclass(frozen=True, slots=True)
class Place:
    """The namespace of a node's key: an account, or one of its courses."""

    account: str = ""
    course: str = ""  # the course's key; "" for the account itself


class Space(enum.StrEnum):
    """To whom a key belongs: keys are unique within a place and a space."""

    SECTION = ""  # the platform's keys of sections; of courses and accounts, too
    FILE = "file"  # the platform's keys of files
    FOLDER = "files"  # ours: the `.files` directory of an item
    NOTICE = "notice"  # ours: the page in place of an item whose files could not be fetched
    PAGE = "page"  # ours: the course page and what goes with it (`page_nodes`)
    MARKDOWN = "md"  # ours: the Markdown twin of a reading, which has the reading's key


#: between a key and its space in an id; no key has it (`coursefs.providers.checking`)
SEPARATOR = "\x1f"


def id_of(key: str, space: Space) -> str:
    """What is unique within a place."""
    return f"{key}{SEPARATOR}{space}" if space else key  # `.value` would take twice as long


@dataclass(frozen=True, slots=True)
class Node:
    """A directory or file of the tree, with everything that `stat` needs.

    A listing creates thousands of these, so what only a read needs stays in stored form: the locator as JSON, and the
    bytes of a page in the store (`Store.page`). `page` is set only on a node that is about to be written.
    """

    inode: int
    parent: int  # inode of its directory; the root's is its own
    name: str  # if it is gone: its last name
    wanted: str  # the desired name, without the suffix that tells it from a sibling
    place: Place
    key: str  # stable id within the place
    kind: Kind
    mtime_ns: int  # also its ctime
    item: str = ""  # key of the item that it belongs to
    url: str | None = None
    mime_type: str | None = None
    size: int | None = None  # bytes; None: not probed yet
    etag: str | None = None  # of a page that coursefs wrote: its digest
    modified_ns: int | None = None  # Last-Modified that came with the size
    is_hint: bool = False  # the size is from a listing, and the server was not probed yet
    identity: str | None = None  # of bytes on the platform; None: a directory, or a page that coursefs wrote
    locator: str | None = field(default=None, repr=False)
    page: bytes | None = field(default=None, repr=False)
    is_gone: bool = False  # no longer in the tree; a program may still have it open
    space: Space = Space.SECTION

    @property
    def id(self) -> str:
        """What is unique within its place."""
        return id_of(self.key, self.space)

    @property
    def is_notice(self) -> bool:
        """Whether it is a page in place of an item whose files could not be fetched."""
        return self.space is Space.NOTICE

    @property
    def is_generated(self) -> bool:
        """Whether its bytes are made from the catalogue when it is read; the store has their size and digest alone."""
        return self.space is Space.PAGE and not self.is_directory

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.kind in DIRECTORIES

    @property
    def is_refused(self) -> bool:
        """Whether it is the page in place of a refused file; the locator of the file's bytes is kept."""
        return self.identity is None and self.locator is not None

    @property
    def remote(self) -> Remote | None:
        """Its bytes on the platform; None for a directory or a page that coursefs wrote."""
        return None if self.identity is None else Remote(self.identity, json.loads(self.locator or "{}"))

    @property
    def version(self) -> Version | None:
        """The version of its remote bytes; None until their server was probed."""
        return None if self.size is None or self.is_hint else Version(self.size, self.etag, self.modified_ns)


def locator_of(remote: Remote | None) -> str | None:
    """A locator as JSON with sorted keys: equal locators give equal text."""
    return None if remote is None else json.dumps(dict(remote.locator), sort_keys=True)


def digest_of(page: bytes) -> str:
    """The digest of a page, by which a changed or damaged page is recognized."""
    return hashlib.blake2b(page, digest_size=16).hexdigest()


def distrusted(digest: str) -> str:
    """The `etag` of a page that was found damaged, until its item is fetched again."""
    return f"damaged {digest}"


@dataclass(frozen=True, slots=True)
class DesiredNode:
    """A node as a refresh wants it, before it is compared with the stored one."""

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
    size: int | None = None  # bytes, of a remote file: from a listing
    remote: Remote | None = None
    page: bytes | None = field(default=None, repr=False)
    refused: Remote | None = None  # set on the page in place of a refused file: the file's bytes
    space: Space = Space.SECTION

    @property
    def id(self) -> str:
        """What is unique within its place."""
        return id_of(self.key, self.space)


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as the catalogue stores it: the source of its files' names, and when they were last fetched."""

    place: Place
    directory: int  # inode of the directory that contains its files
    stem: str  # common beginning of its files' names
    wanted: str  # the desired stem, without the suffix that tells it from a sibling
    item: Item
    fetched_ns: int | None = None  # None: never
    error: str | None = None  # why the last fetch failed, for a person


#: the root of a FUSE file system is inode 1; smaller numbers than 256 are never assigned
ROOT = 1
_FIRST = 256
_LAST = 2**63 - 1


#: so many of the largest inode numbers are for generated files
_GENERATED = 2**52


def candidates(*stable_id: str, is_generated: bool = False) -> Iterator[int]:
    """Inode numbers for a stable id, in order of preference: positive, below 2**63, the same on every machine.

    They are below 2**63 because some programs and file formats store inode numbers as signed 64-bit integers. Those of
    generated files are the largest: a backup that reads a directory by inode number (borg) comes to them when it has
    listed everything that they show.
    """
    first = _LAST - _GENERATED if is_generated else _FIRST
    text = "\x00".join(stable_id).encode(errors="surrogatepass")
    for attempt in range(256):
        digest = hashlib.blake2b(text, digest_size=8, salt=attempt.to_bytes(8, "big")).digest()
        yield first + int.from_bytes(digest, "big") % (_LAST - first)


def choose(is_taken: Callable[[int], bool], *stable_id: str, is_generated: bool = False) -> int:
    """The first candidate that is not taken."""
    return next(number for number in candidates(*stable_id, is_generated=is_generated) if not is_taken(number))
