"""The facade: accounts, tree and contents as one object of three parts.

- `Files`: files and directories; what a mount asks for.
- `FileCache`: cached bytes, prefetch and pins; what transfers and `cache` need besides.
- `Courses`: the course selection, updates and the learner's progress.
- `Library` itself: accounts, settings, status, background tasks; it opens, and it closes.

The mount, the bulk jobs, the daemon and the commands use only these, and each takes the parts that it needs.  What the
parts are made of is private.  The layers below know nothing of FUSE, processes or terminals.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial

import trio

from coursefs.base.foreground import Foreground
from coursefs.base.supervisor import Supervisor
from coursefs.catalog import Indexer, Node, Store, Tree, TreeAccount
from coursefs.catalog.difference import Changes
from coursefs.catalog.page_nodes import Generated
from coursefs.content import Contents
from coursefs.errors import CoursefsError, NotSignedIn, leaf
from coursefs.library.account_folders import account_folders
from coursefs.library.accounts import Factories, check_accounts, provider_of, source_of
from coursefs.library.activity import Activity
from coursefs.library.catalogue_repair import CatalogueRepair
from coursefs.library.course_pages import CoursePages
from coursefs.library.courses import Courses
from coursefs.library.due_dates import DueDateRefresher
from coursefs.library.file_cache import FileCache
from coursefs.library.files import Files
from coursefs.library.handle import Handle
from coursefs.library.live_pages import LivePages
from coursefs.library.next_lecture import NextLecture
from coursefs.library.page_requests import PageRequests
from coursefs.library.search_indexing import SearchIndexing
from coursefs.library.settings import Applied, LibrarySettings, change
from coursefs.library.shared import shared_status, sharing_of
from coursefs.library.status import LibraryStatus, Reads, account_status, open_file_status
from coursefs.library.variants import variant_lock, variant_settings
from coursefs.library.versions import Versions
from coursefs.model import Wanted
from coursefs.providers.base import Provider
from coursefs.transport import Transport
from coursefs.transport.bandwidth import rate_now


class Library:
    """An open library, from `open_library`."""

    def __init__(
        self,
        settings: LibrarySettings,
        store: Store,
        transport: Transport,
        providers: dict[str, Provider],
        nursery: trio.Nursery,
        factories: Factories | None,
        contents: Contents | None = None,
    ) -> None:
        """`providers`: by account; `factories`: create a new provider when an account has signed in again.

        `contents`: those of another library, for a variant of it.
        """
        self._settings = settings
        self._store = store
        self._transport = transport
        self._providers = providers
        self._factories = factories
        self._activity = Activity()
        self._settled: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        self._foreground = Foreground()
        self._supervisor = Supervisor(nursery, self.task_failed)
        folders = account_folders(settings.accounts, store)
        accounts = [TreeAccount(one.name, providers[one.name], folders[one.name]) for one in settings.accounts]
        twins = {*settings.subtitle_formats, *settings.wanted.readings} - {"html"}
        generated = Generated(settings.course_pages, frozenset(twins))
        self._tree = Tree(
            store,
            accounts,
            self._supervisor,
            layout=settings.layout,
            ages=settings.ages,
            generated=generated,
            readings=settings.wanted.readings,
        )
        self._contents = contents or Contents(
            settings.cache,
            transport,
            partial(source_of, providers),
            max_size=settings.max_size,
            min_free=settings.min_free,
            read_timeout=settings.read_timeout,
            streams=settings.streams,
            failed=self.task_failed,
            sharing=None if settings.shared is None else sharing_of(settings.shared, lambda: self._settings.accounts),
        )
        self._versions = Versions(
            self._tree,
            store,
            self._contents,
            self._supervisor,
            self._foreground,
            self._note_read,
            offline=transport.offline,
        )
        self._repair = CatalogueRepair(
            store, self._tree, self._supervisor, lambda: self._settings, self._activity.note, self._activity.over
        )
        requests = PageRequests(store, self._tree.list_without_traces, self._finished, self._ask_due, self._supervisor)
        self._pages = CoursePages(
            store,
            self._tree.refresher.pages,
            self._open,
            self._attributes,
            None if transport.offline else requests,
            self._until_settled,
            self._foreground.idle,
        )
        self._files = Files(
            self._tree,
            store,
            self._contents,
            self._versions,
            self._activity,
            self._foreground,
            self._repair.note_use,
            self._pages,
            offline=transport.offline,
        )
        search = SearchIndexing(
            settings.catalogue,
            lambda: [account.name for account in self._settings.accounts],
            self._contents,
            lambda: store.changes,
            self._foreground.idle,
        )
        self._cache = FileCache(
            self._contents, self._versions, transport, search, self._supervisor, lambda: self._settings
        )
        self._due_dates = due_dates = DueDateRefresher(
            store, self._tree, providers, self._foreground.idle, settings.delays
        )
        self._courses = Courses(
            self._tree,
            store,
            providers,
            self._versions,
            self._files,
            due_dates,
            lambda: self._settings,
            self._until_settled,
            LivePages(
                store, self._contents, self._cache.make_searchable, self._open, lambda: self._settings, self._supervisor
            ),
        )
        self._indexer = Indexer(self._tree, self._versions.sizes, store, self._foreground.idle, settings.delays)
        self._next_lecture = NextLecture(
            self._tree,
            store,
            self._contents,
            self._versions,
            self._activity,
            self._foreground,
            lambda: self._settings,
        )
        if contents is None:
            transport.bandwidth.rate = lambda: rate_now(self._settings.limit)
            self._supervisor.keep_running(transport.maintain, name="connections")
            if not transport.offline:
                self._supervisor.keep_running(self._next_lecture.run, name="next lecture")
        self._tell: Callable[[Changes], None] = lambda _: None
        self._tree.refresher.on_change = self._changed
        due_dates.on_change = self._pages.note_course
        self._tree.refresher.settle()
        if settings.fill and not transport.offline:
            self._supervisor.keep_running(self._indexer.run, name="fill")
            self._supervisor.keep_running(due_dates.run, name="due dates")
        if contents is None and generated:
            self._supervisor.keep_running(self._pages.run, name="course pages")

    # -- parts -------------------------------------------------------------------------------------------------------

    @property
    def files(self) -> Files:
        """The files and directories."""
        return self._files

    @property
    def cache(self) -> FileCache:
        """The content cache."""
        return self._cache

    @property
    def courses(self) -> Courses:
        """The courses of all accounts."""
        return self._courses

    # -- settings ----------------------------------------------------------------------------------------------------

    @property
    def offline(self) -> bool:
        """Whether no requests are made."""
        return self._transport.offline

    @property
    def read_timeout(self) -> float:
        """Seconds after which a read fails."""
        return self._settings.read_timeout

    @property
    def wanted(self) -> Wanted:
        """Which subtitles and videos are shown."""
        return self._settings.wanted

    def apply(self, new: LibrarySettings) -> Applied:
        """Apply those new settings that can change in an open library; the others stay.

        Accounts come, go and change at once.  Raises `UsageError` for wrong settings of an account; nothing has changed
        then.
        """
        settings, applied = change(self._settings, new)
        shown, hidden = {*applied.added, *applied.replaced}, {*applied.removed, *applied.replaced}
        providers = {
            account.name: provider_of(account, settings.wanted, self._transport, self._factories)
            for account in settings.accounts
            if account.name in shown or account.name in applied.signed_in
        }
        self._settings = settings
        if applied.changed:
            self._contents.limit(max_size=settings.max_size, min_free=settings.min_free, streams=settings.streams)
        self._tree.ages = settings.ages or self._tree.ages
        if hidden:
            for name in hidden:
                self._providers.pop(name, None)
            self._tree.hide_accounts(hidden)
        self._providers.update(providers)
        for name in applied.signed_in:
            self._tree.set_provider(name, providers[name])
        if shown:
            self._repair.note_shapes()
            folders = account_folders(settings.accounts, self._store)
            self._tree.show_accounts(
                [TreeAccount(name, self._providers[name], folders[name]) for name in folders if name in shown]
            )
        return applied

    # -- other subtitles and videos ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def variant(self, wanted: Wanted) -> AsyncIterator[Library]:
        """The same accounts with other subtitles and videos, over the same connections, limits and cache.

        It has a catalogue of its own, so that the tree of this library stays as it is; the course selection is taken
        over.  Raises `CoursefsError` while the same variant is in use.
        """
        if wanted == self._settings.wanted:
            yield self
            return
        folders = account_folders(self._settings.accounts, self._store)
        # a new catalogue would give an account another folder
        accounts = [replace(one, folder=folders[one.name] or "") for one in self._settings.accounts]
        settings = replace(variant_settings(self._settings, wanted), accounts=accounts)
        with variant_lock(settings):
            store = Store(settings.catalogue)
            try:
                for account in accounts:
                    store.enrolments.copy_selection(account.name, self._store.enrolments)
                providers = {one.name: provider_of(one, wanted, self._transport, self._factories) for one in accounts}
                async with trio.open_nursery() as nursery:
                    yield Library(settings, store, self._transport, providers, nursery, self._factories, self._contents)
                    nursery.cancel_scope.cancel()
            except BaseExceptionGroup as group:
                raise leaf(group) from None
            finally:
                store.close()

    # -- status and events -------------------------------------------------------------------------------------------

    async def check_accounts(self) -> list[str]:
        """Check that at least one account can be shown: see `accounts.check_accounts`."""
        return await check_accounts(self._tree, self._store, self._providers, offline=self.offline)

    @property
    def notice(self) -> str | None:
        """A notice for people on a damaged catalogue or cache: set aside, or unusable; None when both are good."""
        return "; ".join(filter(None, (self._store.notice, self._contents.notice))) or None

    def status(self) -> LibraryStatus:
        """The present figures of the library."""
        files, size = self._store.totals()
        activity, traffic = self._activity, self._transport.traffic
        return LibraryStatus(
            accounts=[
                account_status(one, self._providers[one.name], self._store, self._tree)
                for one in self._settings.accounts
            ],
            files=files,
            bytes=size,
            indexing=self._indexer.progress,
            cache=self._contents.use(),
            shared=shared_status(self._contents.shared),
            reads=Reads(activity.reads, activity.bytes, activity.failures),
            received=traffic.meter.total,
            rate=traffic.meter.rate(trio.current_time()),
            hosts=traffic.hosts,
            open_files=[
                open_file_status(one, self._tree.node(one.inode), self._cache.cached_bytes) for one in activity.readings
            ],
            fetching=self._contents.fetching(),
            fetched_ahead=self._next_lecture.fetched,
            surprises=self._transport.surprises.found,
            troubles=activity.troubles,
        )

    def on_change(
        self,
        tell: Callable[[Sequence[Node], Sequence[tuple[int, str]]], None],
        settled: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        """Set a callback for changes: nodes with new attributes, and (directory, name) pairs that are gone or new.

        `Courses.update` waits for `settled` before it says what is new: programs see it then.
        """
        self._settled = settled

        def bytes_changed(node: Node) -> None:
            self._pages.note_bytes(node)
            tell([node], [])

        self._versions.sizes.on_change = bytes_changed
        self._tell = lambda changes: tell(
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

    def _changed(self, changes: Changes) -> None:
        self._pages.note(changes)
        self._tell(changes)

    def on_sign_in(self, tell: Callable[[str, NotSignedIn | None], None]) -> None:
        """Set a callback for the end of an account's sign-in, with the error, and for its acceptance, with None."""

        def changed(account: str, error: NotSignedIn | None) -> None:
            if error is None:
                self._activity.signed_in(lambda about: about == account or self._is_of(about, account))
            tell(account, error)

        self._tree.refresher.errors.on_sign_in = changed

    async def _open(self, inode: int) -> Handle:
        return await self._files.open(inode)

    async def _attributes(self, inode: int) -> Node:
        return await self._files.attributes(inode)

    async def _children(self, inode: int) -> Sequence[Node]:
        return await self._files.children(inode)

    async def _finished(self, course: Node) -> frozenset[str]:
        return await self._courses.finished(course)

    async def _ask_due(self, course: Node) -> None:
        await self._due_dates.update(course)

    async def _until_settled(self) -> None:
        await self._settled()

    def _is_of(self, about: object, account: str) -> bool:
        node = self._store.node(about) if isinstance(about, int) else None
        return node is not None and node.place.account == account

    def _note_read(self, node: Node, error: CoursefsError | None) -> None:
        if error is None:
            self._activity.over(node.inode)
        else:
            self._activity.note(self._store.path_of(node), error, node.inode)

    # -- background tasks --------------------------------------------------------------------------------------------

    def start(self, work: Callable[[], Awaitable[None]], *, name: str | None = None) -> None:
        """Start a background task, cancelled when the library closes; its error is logged and ends nothing else."""
        self._supervisor.start_soon(work, name=name)

    def task_failed(self, name: str, error: CoursefsError) -> None:
        """Show in the status that a background task failed."""
        self._activity.note(f"background task {name}", error)


@asynccontextmanager
async def open_library(
    settings: LibrarySettings,
    transport: Transport | None = None,
    *,
    providers: Factories | None = None,
    contents: bool = True,
    read_only: bool = False,
) -> AsyncIterator[Library]:
    """Open a library until the context ends; all its tasks and requests end with it.

    `providers`: the factories of the platforms by their names; None: those that are installed.
    Without `contents` nothing can be read, and the cache is left to the process that has it.  With `read_only` the
    catalogue is as it was when this began, and is left to the process that has it.
    Raises `UsageError` for an unknown provider and `CoursefsError` when the cache is in use by another mount.
    """
    own = transport or Transport(read_timeout=settings.read_timeout, offline=settings.offline)
    async with own:
        by_account = {one.name: provider_of(one, settings.wanted, own, providers) for one in settings.accounts}
        store = Store(settings.catalogue, read_only=read_only)
        try:
            async with trio.open_nursery() as nursery:
                library = Library(settings, store, own, by_account, nursery, providers)
                async with library._contents if contents else nullcontext():
                    yield library
                    nursery.cancel_scope.cancel()  # tasks must end before the cache that they use
        finally:
            store.close()
