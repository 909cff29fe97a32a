"""What the tree consists of: the rows of the catalogue as immutable objects."""

from __future__ import annotations

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
    """A directory or a file that the mount shows, with everything that `stat` and `read` need."""

    inode: int
    parent: int  # inode of its directory; the root's is its own
    name: str
    wanted: str  # the name before anything was added to tell it apart
    place: Place
    key: str  # stable id within the place
    kind: Kind
    mtime_ns: int  # also its ctime
    item: str = ""  # key of the item that it belongs to
    url: str | None = None
    mime_type: str | None = None
    size: int | None = None  # bytes; None: not asked yet
    etag: str | None = None
    modified_ns: int | None = None  # what the server said with that size
    remote: Remote | None = None  # bytes of the platform …
    page: bytes | None = field(default=None, repr=False)  # … or bytes of our own

    @property
    def is_directory(self) -> bool:
        """Whether it has children instead of bytes."""
        return self.kind in DIRECTORIES

    @property
    def version(self) -> Version | None:
        """The version of its remote bytes, once it is known."""
        return None if self.size is None else Version(self.size, self.etag, self.modified_ns)


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
