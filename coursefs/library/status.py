"""The status of a library: frozen figures for the status file and the metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from coursefs.catalog import Node, Place, Store, Tree
from coursefs.catalog.indexing import IndexingProgress
from coursefs.content import CacheUse, Fetching
from coursefs.errors import CoursefsError, Gone
from coursefs.library.activity import Reading, Trouble
from coursefs.library.next_lecture import FetchedAhead
from coursefs.library.settings import AccountSource
from coursefs.library.shared import SharedStatus
from coursefs.model import RouteState
from coursefs.providers.base import HasRoutes, Provider
from coursefs.transport import Surprise
from coursefs.transport.traffic import HostTraffic


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """The status of an account: its number of courses in the tree, its last error, and the used routes."""

    source: AccountSource
    courses: int
    trouble: CoursefsError | None
    routes: Sequence[RouteState]
    listed_ns: int | None  # when its courses were last listed, which proved the sign-in


@dataclass(frozen=True, slots=True)
class OpenFileStatus:
    """The status of an open file: the position of its last read, and its cached bytes."""

    path: str  # below the mount point
    account: str
    identity: str | None  # of its content on the platform
    offset: int  # after the last byte read
    size: int  # bytes; 0: unknown
    cached: int  # bytes


@dataclass(frozen=True, slots=True)
class Reads:
    """Counters of reads since the library was opened."""

    answered: int
    bytes: int
    failed: int


@dataclass(frozen=True, slots=True)
class LibraryStatus:
    """The state of a library at one moment: contents, activity and errors."""

    accounts: Sequence[AccountStatus]
    files: int  # known files and directories
    bytes: int  # sum of their known sizes
    indexing: IndexingProgress
    cache: CacheUse
    shared: SharedStatus | None
    reads: Reads
    received: int  # bytes from the network
    rate: float  # recent bytes per second
    hosts: Mapping[str, HostTraffic]
    open_files: Sequence[OpenFileStatus]
    fetching: Sequence[Fetching]  # range requests that run or wait
    fetched_ahead: FetchedAhead  # for next lectures
    surprises: Sequence[Surprise]
    troubles: Sequence[Trouble]  # newest first


def account_status(source: AccountSource, provider: Provider, store: Store, tree: Tree) -> AccountStatus:
    """The status of an account; no request is made."""
    rule = store.enrolments.selection_rule(source.name)
    return AccountStatus(
        source,
        sum(map(rule.shows, store.enrolments.courses(source.name))),
        tree.refresher.trouble(source.name),
        provider.routes() if isinstance(provider, HasRoutes) else (),
        store.fetch_log.fetched_ns(Place(source.name)),
    )


def open_file_status(reading: Reading, node: Node, cached_bytes: Callable[[Node], int]) -> OpenFileStatus:
    """The status of an open file; 0 cached bytes when its course is gone, which an open file may outlive."""
    try:
        cached = cached_bytes(node)
    except Gone:
        cached = 0
    return OpenFileStatus(reading.path, node.place.account, node.identity, reading.offset, node.size or 0, cached)
