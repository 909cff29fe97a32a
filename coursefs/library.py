"""The waist of the house: accounts, tree and contents as one object.

Everything above (the mount, the commands) talks to this alone; nothing below it knows of FUSE, processes or
terminals.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import trio

from coursefs.activity import Activity
from coursefs.catalog import Ages, Fill, Layout, News, Node, Pace, Place, Sizes, Store, Tree, TreeAccount, updated
from coursefs.catalog.inode import ROOT
from coursefs.choosing import Choosing
from coursefs.content import CacheUse, Content, Contents, Reader
from coursefs.errors import CoursefsError, Gone, NotSignedIn, Stale
from coursefs.flight import Flights
from coursefs.foreground import Foreground
from coursefs.handle import Handle
from coursefs.model import Course, Kind, Remote, Source, Version, Wanted
from coursefs.providers import registry
from coursefs.providers.base import Account, Provider, Vault
from coursefs.selection import select
from coursefs.transport import Traffic, Transport

log = logging.getLogger(__name__)

#: ns for which a version of a file is believed in without asking the platform
_CONFIRMED_FOR_NS = 24 * 3600 * 10**9
#: seconds that an open waits for the platform's word, and for which no other one waits when it did not come
_CONFIRMATION_PATIENCE = 2.0
_CONFIRMATION_PAUSE = 60.0

#: settings of accounts that change nothing of what is shown
_HOW = frozenset({"base_url", "server", "client_id", "requests_per_second", "requests_per_minute"})

__all__ = ["ROOT", "AccountSource", "Handle", "Library", "LibrarySettings", "Node", "open_library"]


@dataclass(frozen=True, slots=True)
class AccountSource:
    """An account as the settings and the stored secrets describe it."""

    name: str
    provider: str
    settings: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    folder: str | None = None
    vault: Vault | None = field(default=None, compare=False)  # where its secrets are kept


@dataclass(frozen=True, slots=True)
class LibrarySettings:
    """What a library is opened with."""

    catalogue: Path  # the database file
    cache: Path  # directory of the content cache
    accounts: Sequence[AccountSource]
    wanted: Wanted
    layout: Layout = Layout.TITLE
    max_size: int = 20 * 2**30  # bytes of content cache
    min_free: int = 2 * 2**30  # bytes of the disk to leave free
    read_timeout: float = 60.0  # seconds
    streams: int = 6
    offline: bool = False
    ages: Ages | None = None
    fill: bool = False  # learn what is not known yet in the background
    pace: Pace | None = None


class Library:
    """Made by `open_library`.  Inode numbers name files and directories; `ROOT` is the top."""

    def __init__(
        self,
        settings: LibrarySettings,
        store: Store,
        transport: Transport,
        providers: dict[str, Provider],
        nursery: trio.Nursery,
    ) -> None:
        self.settings = settings
        self.providers = providers
        self._store = store
        self._transport = transport
        self._nursery = nursery
        self._confirmations: Flights[int, bool] = Flights(nursery)
        self._renewals: Flights[int, None] = Flights(nursery)  # of files whose bytes turned out to be others
        self._no_confirmation_before = float("-inf")  # trio's clock
        self._errors: dict[int, str] = {}
        self.activity = Activity()
        self.foreground = Foreground()
        accounts = [TreeAccount(one.name, providers[one.name], one.folder) for one in settings.accounts]
        self.tree = Tree(store, accounts, nursery, layout=settings.layout, ages=settings.ages)
        self.choosing = Choosing(store, self.tree, accounts)
        self.sizes = Sizes(store, self._measure, nursery)
        self.fill = Fill(self.tree, self.sizes, store, self.foreground.idle, settings.pace)
        for one in settings.accounts:
            shape = shape_of(settings.layout, settings.wanted, one.settings)
            store.made_with(one.name, shape, one.secrets.get("user_id"))
        self.tree.renewal.settle()
        if settings.fill and not transport.offline:
            nursery.start_soon(self.fill.run, name="fill")
        self.contents = Contents(
            settings.cache,
            transport,
            self._find,
            max_size=settings.max_size,
            min_free=settings.min_free,
            read_timeout=settings.read_timeout,
            streams=settings.streams,
        )

    @property
    def offline(self) -> bool:
        """Whether nothing is asked of any platform."""
        return self._transport.offline

    @property
    def traffic(self) -> Traffic:
        """What goes through the network."""
        return self._transport.traffic

    def node(self, inode: int) -> Node:
        """A node as far as it is known, without any request.  Raises `Gone`."""
        return self.tree.node(inode)

    async def attributes(self, inode: int) -> Node:
        """A node with its size; where no listing says it, asks for it, and for the siblings' in the same go."""
        node = self.tree.node(inode)
        return node if node.size is not None else await self._exact(node)

    async def children(self, inode: int) -> Sequence[Node]:
        """What a directory holds; sizes may be unknown.  Raises what kept it from being known."""
        node = self.tree.node(inode)
        if node.kind is Kind.COURSE:
            self._store.enrolments.set_used(Place(node.place.account, node.key), time.time_ns())
        with self.foreground.request():
            return await self.tree.children(node)

    def known_children(self, inode: int) -> Sequence[Node] | None:
        """What a directory holds, where that is known and fresh; None: ask with `children`."""
        return self.tree.known_children(inode)

    def known_child(self, inode: int, name: str) -> Node | None:
        """The node of this name, where it is known; None: ask with `child`."""
        return self.tree.known_child(inode, name)

    async def child(self, inode: int, name: str) -> Node | None:
        """The node of this name in a directory; its size may be unknown."""
        with self.foreground.request():
            return await self.tree.child(self.tree.node(inode), name)

    async def open(self, inode: int) -> Handle:
        """Open a file for reading.  Raises what keeps its size from being known.

        A version that the platform has not confirmed for a day is asked for again first, so that a file that has
        changed is opened as it is now; but nobody waits long for a network to read what is cached.
        """
        node = await self._confirmed(await self._exact(self.tree.node(inode)))
        remote, version = node.remote, node.version
        source: Reader | bytes
        if remote is None or version is None:
            source = self._store.page(inode)
        else:
            source = self.contents.open(self._content(node, remote), version)
        reading = self.activity.opened(inode, lambda: self.path(node))
        return Handle(
            node, source, reading, self.foreground, self.note_error, lambda: self.node(inode).etag == node.etag
        )

    def content(self, node: Node) -> Content | None:
        """What the cache knows the bytes of a file by; None for a page of our own, and for a directory."""
        remote = node.remote
        return None if remote is None else self._content(node, remote)

    def cached_bytes(self, node: Node) -> int:
        """How many bytes of a file can be read without any request."""
        content = self.content(node)
        return node.size or 0 if content is None else self.contents.cached_bytes(content)

    def last_error(self, node: Node) -> str | None:
        """Why the last read of a file failed; None when it did not."""
        return self._errors.get(node.inode)

    def note_error(self, node: Node, error: CoursefsError | None) -> None:
        """Remember how a read of a file ended; a version that is gone is asked for anew behind the reader's back."""
        if error is None:
            self._errors.pop(node.inode, None)
            return
        self._errors[node.inode] = str(error)
        self.activity.note(self.path(node), error)
        if isinstance(error, (Stale, Gone)):
            self._renewals.start(node.inode, lambda: self._look_again(node))

    def totals(self) -> tuple[int, int]:
        """Number of files and directories known, and their bytes as far as sizes are known."""
        return self._store.totals()

    def use(self) -> CacheUse:
        """What the content cache holds."""
        return self.contents.use()

    @property
    def notice(self) -> str | None:
        """What a person has to know of the catalogue as it was found: that it had to be set aside."""
        return self._store.notice

    def known(self, account: str) -> bool:
        """Whether the account's courses were ever listed."""
        return self._store.fetched_ns(Place(account)) is not None

    def courses(self, account: str) -> list[Course]:
        """The account's courses as last seen."""
        return self._store.enrolments.courses(account)

    def directory_of(self, account: str, course: Course) -> str | None:
        """Where the tree shows a course: its path below the root; None while it does not."""
        return self.tree.directory_of(account, course)

    def path(self, node: Node) -> str:
        """Where a node is, or was, below the root; "" for the root itself."""
        names = []
        here: Node | None = node
        while here is not None and here.inode != ROOT:
            names.append(here.name)
            here = self._store.node(here.parent)
        return "/".join(reversed(names))

    async def refresh_courses(self, account: str) -> list[Course]:
        """The account's courses, asked for now."""
        await self.tree.update_courses(account)
        return self._store.enrolments.courses(account)

    async def update(self, selection: Sequence[str]) -> AsyncIterator[News]:
        """Ask for metadata now and say what is new: first of the enrolments, then course by course.

        `selection` names courses (directory name, slug, id or URL) and keeps its order; without any, or with `all`,
        it is every course.  Raises `UsageError` for a name that no course has, and at the end what kept an account or
        a course from being asked.
        """
        accounts = [account.name for account in self.settings.accounts]
        async with aclosing(updated(self.tree, accounts, lambda: self.select(selection))) as found:
            async for news in found:
                yield news

    def select(self, selection: Sequence[str]) -> list[Node]:
        """The directories of the courses that are named so.  Raises `UsageError` for a name that none has."""
        directories = [
            (node, course)
            for account in self.settings.accounts
            for course in self._store.enrolments.courses(account.name)
            if (node := self._store.find(Place(account.name), course.key)) is not None and not node.is_gone
        ]
        if not selection or "all" in selection:
            return [node for node, _ in directories]
        return [select(directories, text) for text in selection]

    def sign_in_again(self, account: AccountSource) -> None:
        """Speak to this account's platform with other secrets from now on."""
        provider = provider_of(account, self.settings.wanted, self._transport)
        self.providers[account.name] = provider
        self.tree.set_provider(account.name, provider)

    def on_change(self, tell: Callable[[Sequence[Node], Sequence[tuple[int, str]]], None]) -> None:
        """Have every change told: nodes whose attributes changed, and (directory, name) pairs that are gone or new."""
        self.sizes.on_change = lambda node: tell([node], [])
        self.tree.renewal.on_change = lambda changes: tell(
            [after for _, after in changes.changed],
            [
                *((node.parent, node.name) for node in (*changes.gone, *changes.added)),
                *(
                    (node.parent, node.name)
                    for before, after in changes.changed
                    if (before.parent, before.name) != (after.parent, after.name)
                    for node in (before, after)
                ),
            ],
        )

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Let something run until it has ended, or the library."""
        self._nursery.start_soon(work)

    def _content(self, node: Node, remote: Remote) -> Content:
        return Content(node.place.account, remote, self.tree.course(node))

    async def _exact(self, node: Node) -> Node:
        """The node with the size and the version that its server says."""
        if node.identity is None or node.version is not None:
            return node
        try:
            with self.foreground.request():
                exact = await self.sizes.exact(node)
        except CoursefsError as error:
            self._errors[node.inode] = str(error)
            self.activity.note(self.path(node), error)
            raise
        self._errors.pop(node.inode, None)
        return exact

    async def _measure(self, node: Node, known: Version | None) -> Version:
        remote = node.remote
        if remote is None:
            raise Gone("there are no bytes on the platform")
        return await self.contents.measure(self._content(node, remote), known)

    async def _find(self, content: Content, fresh: bool) -> Source:
        return await self.providers[content.account].source(content.course, content.remote, fresh=fresh)

    async def _confirmed(self, node: Node) -> Node:
        """The node with the version that the platform has now, where that can be learned soon."""
        now = trio.current_time()
        if node.remote is None or self.offline or now < self._no_confirmation_before:
            return node
        with trio.move_on_after(_CONFIRMATION_PATIENCE):
            await self._renewals.wait(node.inode)
        node = self.tree.node(node.inode)
        if node.remote is None:
            return node
        content = self._content(node, node.remote)
        checked_ns = self.contents.checked_ns(content)
        if checked_ns is None or time.time_ns() - checked_ns < _CONFIRMED_FOR_NS:
            return node
        is_confirmed = False
        with trio.move_on_after(_CONFIRMATION_PATIENCE):
            is_confirmed = await self._confirmations.join(node.inode, lambda: self._confirm(node, content))
        if not is_confirmed:
            self._no_confirmation_before = now + _CONFIRMATION_PAUSE
        return self.tree.node(node.inode)

    async def _confirm(self, node: Node, content: Content) -> bool:
        try:
            await self.contents.measure(content, node.version, again=True)
            await self.sizes.again(node)
        except CoursefsError as error:
            log.debug("%s: its version is not confirmed: %s", node.name, error)
            return False
        return True

    async def _look_again(self, node: Node) -> None:
        try:
            await self.sizes.again(self.tree.node(node.inode))
        except CoursefsError as error:
            log.info("%s: %s", node.name, error)


def shape_of(layout: Layout, wanted: Wanted, account: Mapping[str, str]) -> str:
    """What of the settings an account's tree is made with: where that is another one, other files are to be shown.

    What an account's own settings ask for may be other files; where and how it is asked makes none.
    """
    own = {key: value for key, value in account.items() if key not in _HOW}
    return f"{layout} {wanted} {sorted(own.items())}"


@asynccontextmanager
async def open_library(
    settings: LibrarySettings, transport: Transport | None = None, *, contents: bool = True, read_only: bool = False
) -> AsyncIterator[Library]:
    """A library, open until the context ends; everything that it has under way ends with it.

    Without `contents` nothing can be read, and the cache is left to whoever has it.  With `read_only` the catalogue is
    as it was when this began, and is left to whoever has it.
    Raises `UsageError` for an unknown provider and `CoursefsError` when the cache is in use by another mount.
    """
    own = transport or Transport(read_timeout=settings.read_timeout, offline=settings.offline)
    async with own:
        providers = {one.name: provider_of(one, settings.wanted, own) for one in settings.accounts}
        store = Store(settings.catalogue, read_only=read_only)
        try:
            async with trio.open_nursery() as nursery:
                library = Library(settings, store, own, providers, nursery)
                async with library.contents if contents else nullcontext():
                    yield library
                    nursery.cancel_scope.cancel()  # what is under way ends before the cache that it uses
        finally:
            store.close()


def provider_of(account: AccountSource, wanted: Wanted, transport: Transport) -> Provider:
    """An account's provider.  Raises `UsageError` when there is none of that name."""
    create = registry.provider(account.provider)
    return create(Account(account.name, account.settings, account.secrets, wanted, account.vault), transport)


def require_accounts(accounts: Sequence[AccountSource]) -> None:
    """Raise `NotSignedIn` when there is nothing to show."""
    if not accounts:
        raise NotSignedIn("no account yet: sign in first, for example `coursefs login coursera --cauth …`")
