"""The facade: accounts, tree and contents as one object.

The mount, the bulk jobs, the daemon and the commands use only this object; its parts are private.  The layers below
know nothing of FUSE, processes or terminals.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial

import trio

from coursefs.base.foreground import Foreground
from coursefs.base.supervisor import Supervisor
from coursefs.catalog import Indexer, News, Node, Place, Store, Tree, TreeAccount
from coursefs.content import CacheUse, Cleared, Contents, Progress, Reader, Verified
from coursefs.errors import CoursefsError, NotSignedIn, leaf
from coursefs.library.account_folders import account_folders
from coursefs.library.accounts import Factories, check_accounts, provider_of, source_of, updated
from coursefs.library.activity import Activity
from coursefs.library.catalogue_repair import CatalogueRepair
from coursefs.library.course_selection import Chosen, CourseSelection
from coursefs.library.due import due_modules
from coursefs.library.handle import Handle
from coursefs.library.learner_progress import LearnerProgress
from coursefs.library.listing import STANDINGS_WITHIN, Listed, SearchHit, listed, searched
from coursefs.library.settings import Applied, LibrarySettings, change
from coursefs.library.status import LibraryStatus, Reads, UnpinnedQuota, account_status, open_file_status
from coursefs.library.stored_tree import StoredTree
from coursefs.library.variants import variant_lock, variant_settings
from coursefs.library.versions import Versions
from coursefs.library.walk import Found, Outdated, Unavailable, Walk, path_of
from coursefs.model import Course, Kind, Wanted
from coursefs.providers.base import Grades, Provider
from coursefs.transport import Transport
from coursefs.transport.bandwidth import limit_of, rate_now


class Library:
    """An open library, from `open_library`.  Files and directories are given by inode number; `ROOT` is the top."""

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
        self._tree = Tree(store, accounts, self._supervisor, layout=settings.layout, ages=settings.ages)
        self._contents = contents or Contents(
            settings.cache,
            transport,
            partial(source_of, providers),
            max_size=settings.max_size,
            min_free=settings.min_free,
            read_timeout=settings.read_timeout,
            streams=settings.streams,
            failed=self.task_failed,
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
        self._sizes = self._versions.sizes
        self._selection = CourseSelection(store, self._tree)
        self._progress = LearnerProgress(providers, store)
        self._walk = Walk(self._tree, store, self._foreground, offline=transport.offline)
        self._repair = CatalogueRepair(
            store, self._tree, self._supervisor, lambda: self._settings, self._activity.note, self._activity.over
        )
        self._indexer = Indexer(self._tree, self._sizes, store, self._foreground.idle, settings.delays)
        if contents is None:
            transport.bandwidth.rate = lambda: rate_now(self._settings.limit)
        self._tree.refresher.settle()
        if settings.fill and not transport.offline:
            self._supervisor.keep_running(self._indexer.run, name="fill")

    # -- files and directories -------------------------------------------------------------------------------------

    def node(self, inode: int) -> Node:
        """A node as it is stored, without any request.  Raises `Gone`."""
        return self._tree.node(inode)

    async def attributes(self, inode: int) -> Node:
        """A node with its size; an unknown size is probed, together with those of the siblings."""
        node = self._tree.node(inode)
        return node if node.size is not None else await self._versions.exact(node)

    async def children(self, inode: int) -> Sequence[Node]:
        """The children of a directory; sizes may be unknown.  Raises the error of listing it."""
        node = self._tree.node(inode)
        if node.kind is Kind.COURSE:
            self._repair.note_use(node)
        with self._foreground.request():
            return await self._tree.children(node)

    def known_children(self, inode: int) -> Sequence[Node] | None:
        """The children of a directory if they are known and fresh; None: call `children`."""
        return self._tree.known_children(inode)

    def known_child(self, inode: int, name: str) -> Node | None:
        """The node of this name if it is known and fresh; None: call `child`."""
        return self._tree.known_child(inode, name)

    async def child(self, inode: int, name: str) -> Node | None:
        """The node of this name in a directory, or None; its size may be unknown."""
        with self._foreground.request():
            return await self._tree.child(self._tree.node(inode), name)

    def path(self, node: Node) -> str:
        """Where a node is, or was, below the root; "" for the root itself."""
        return path_of(self._store, node)

    async def open(self, inode: int) -> Handle:
        """Open a file for reading.  Raises the error of finding its size.

        A version that was not confirmed for a day is revalidated first, so that a changed file is opened in its new
        version.  An open of a known file waits at most some seconds for this.
        """
        node = await self._versions.confirmed(await self._versions.exact(self._tree.node(inode)))
        content, version = self._versions.content(node), node.version
        source: Reader | bytes
        if content is None or version is None:
            source = await self._tree.page(node)
            node = self._tree.node(inode)
        else:
            source = self._contents.open(content, version)

        def is_current() -> bool:
            now = self._tree.node(inode)
            return now.etag == node.etag if isinstance(source, bytes) else now.size == node.size

        reading = self._activity.opened(inode, lambda: self.path(node))
        return Handle(
            node,
            source,
            reading,
            self._foreground,
            self._versions.note_read,
            is_current,
        )

    def last_error(self, node: Node) -> str | None:
        """Why the last read of a file failed; None when it did not."""
        return self._versions.last_error(node.inode)

    async def progress(self, node: Node) -> float | None:
        """The part of a course, section or step that the learner has done: see `LearnerProgress.of`."""
        return await self._progress.of(node)

    def totals(self) -> tuple[int, int]:
        """The number of known files and directories, and the sum of their known sizes in bytes."""
        return self._store.totals()

    def on_change(
        self,
        tell: Callable[[Sequence[Node], Sequence[tuple[int, str]]], None],
        settled: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        """Set a callback for changes: nodes with new attributes, and (directory, name) pairs that are gone or new.

        `update` waits for `settled` before it says what is new: programs see it then.
        """
        self._settled = settled
        self._sizes.on_change = lambda node: tell([node], [])
        self._tree.refresher.on_change = lambda changes: tell(
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

    # -- many files at once ----------------------------------------------------------------------------------------

    def walk(
        self,
        targets: Sequence[Node],
        may_ask: Callable[[str], bool] = lambda _: True,
        enters: Callable[[str, Node], bool] = lambda *_: True,
    ) -> AsyncGenerator[Found | Unavailable | Outdated, None]:
        """Every file at and below these nodes: see `Walk.below`."""
        return self._walk.below(targets, may_ask, enters)

    def within_course(self, node: Node, path: str) -> tuple[str, ...] | None:
        """The names of a path below its course, () for the course itself; None for what is above the courses."""
        if node.kind is Kind.COURSE:
            return ()
        course = self._store.find(Place(node.place.account), node.place.course) if node.place.course else None
        return None if course is None else tuple(path.split("/")[self.path(course).count("/") + 1 :])

    async def exact(self, node: Node) -> Node:
        """A file with its size and version, probed if unknown.  Raises `CoursefsError`."""
        return await self._sizes.exact(node)

    async def look_again(self, node: Node) -> Node:
        """A file with its present size and version, after its bytes were found changed.  Raises `CoursefsError`."""
        return self.node(node.inode) if node.identity is None else await self._sizes.again(node)

    def cached_bytes(self, node: Node) -> int:
        """The number of cached bytes of a file.  Raises `Gone` when its course is gone."""
        content = self._versions.content(node)
        return node.size or 0 if content is None else self._contents.cached_bytes(content)

    async def prefetch(self, node: Node, progress: Callable[[Progress], None]) -> None:
        """Fetch all bytes of a file into the cache, after all readers' requests; calls `progress` after each piece.

        Raises `Stale` when the platform has another version, `CacheFull`, and any other `CoursefsError`.
        """
        content = self._versions.content(node)
        if content is not None:
            await self._contents.prefetch(content, progress)

    async def pace(self, count: int) -> None:
        """Count bytes that a transfer received past the cache, and wait as long as its bandwidth limit demands."""
        bandwidth = limit_of(self._transport.bandwidth)
        bandwidth.spend(count)
        await bandwidth.wait()

    def passing(self, node: Node) -> AbstractAsyncContextManager[None]:
        """A context in which the file only passes through the cache: see `Contents.passing`."""
        content, version = self._versions.content(node), node.version
        return nullcontext() if content is None or version is None else self._contents.passing(content, version)

    def is_pinned(self, node: Node) -> bool:
        """Whether a file is pinned: its bytes are never evicted."""
        content = self._versions.content(node)
        return content is not None and self._contents.pinned(content)

    async def pin(self, node: Node, *, pinned: bool = True) -> None:
        """Pin or unpin a file: its cached bytes are not evicted from now on.  Fetches nothing."""
        content = self._versions.content(node)
        if content is not None:
            await (self._contents.pin if pinned else self._contents.unpin)(content)

    # -- the cache -------------------------------------------------------------------------------------------------

    async def unpin_all(self) -> int:
        """Unpin every file, also those that the tree no longer shows; returns their number."""
        return await self._contents.unpin_all()

    def unpinned_quota(self) -> UnpinnedQuota:
        """What the cache can hold besides the pinned bytes.  Blocks, on the disk's free space."""
        use = self._contents.use()
        free = shutil.disk_usage(use.directory).free
        return UnpinnedQuota(use.bytes, use.pinned_bytes, use.max_size, free, self._settings.min_free)

    def use(self) -> CacheUse:
        """The use of the content cache."""
        return self._contents.use()

    async def clear(self) -> Cleared:
        """Drop all unpinned contents from the cache."""
        return await self._contents.clear()

    async def verify(self, progress: Callable[[Verified], None]) -> Verified:
        """Compare every cached byte with its checksum: see `Maintenance.verify`."""
        return await self._contents.verify(progress)

    # -- accounts and courses --------------------------------------------------------------------------------------

    @property
    def accounts(self) -> Sequence[str]:
        """The names of the accounts, in the order of the settings."""
        return [account.name for account in self._settings.accounts]

    async def check_accounts(self) -> list[str]:
        """Check that at least one account can be shown: see `accounts.check_accounts`."""
        return await check_accounts(self._tree, self._store, self._providers, offline=self.offline)

    def courses(self, account: str) -> list[Course]:
        """The account's courses as last seen."""
        return self._store.enrolments.courses(account)

    async def refresh_courses(self, account: str) -> list[Course]:
        """The account's courses, from a new request."""
        await self._tree.update_courses(account)
        return self._store.enrolments.courses(account)

    async def listed(
        self, account: str, standing_of: Callable[[Listed], bool], within: float = STANDINGS_WITHIN
    ) -> tuple[list[Listed], list[str]]:
        """The account's courses with standings, from new requests, and lines for failures: see `listing.listed`."""
        provider = self._providers[account]
        return await listed(account, provider, self._store, self._tree, self._selection, standing_of, within)

    async def finished(self, course: Node) -> frozenset[str]:
        """The sections and items of a course that the learner has done: see `LearnerProgress.finished`."""
        return await self._progress.finished(course)

    async def due(self, course: Node, until_ns: int) -> list[Node] | None:
        """The modules of a course in which something is due until a moment; None: its platform has no deadlines.

        Raises the errors of asking for them.
        """
        provider = self._providers[course.place.account]
        if not isinstance(provider, Grades):
            return None
        await self.children(course.inode)  # the modules must be known
        standing = await provider.standing(self._tree.refresher.course(Place(course.place.account, course.key)))
        return due_modules(self._store, course, standing, time.time_ns(), until_ns)

    async def search(self, text: str, account: str | None, limit: int = 50) -> list[SearchHit]:
        """The courses of public catalogues that match these words: of one account's platform, or (None) of all.

        At most `limit` of each.
        """
        wanted = {name: provider for name, provider in self._providers.items() if account in {None, name}}
        return await searched(wanted, text, limit)

    async def choose(self, courses: Sequence[str], *, shown: bool) -> list[Chosen]:
        """Show or hide these courses in the tree: see `CourseSelection.choose`."""
        return await self._selection.choose(courses, shown=shown)

    def stored(self) -> StoredTree:
        """The tree as the catalogue has it: it makes no requests."""
        return StoredTree(self._store, self.accounts)

    def select(self, courses: Sequence[str], *, prefixes: bool = True) -> list[Node]:
        """The directories of the courses that these texts name: see `CourseSelection.directories`."""
        return self._selection.directories(courses, prefixes=prefixes)

    async def update(self, courses: Sequence[str]) -> AsyncIterator[News]:
        """Update the metadata now, and yield the news: first of the enrolments, then course by course.

        `courses` are named as in `select`, and keep their order.  Raises `UsageError` for a text that names no course,
        and at the end the first error of an account or a course.
        """
        self._versions.note_update()
        async with aclosing(updated(self._tree, self.accounts, lambda: self.select(courses))) as found:
            async for news in found:
                await self._settled()
                yield news

    # -- the library itself ----------------------------------------------------------------------------------------

    @property
    def offline(self) -> bool:
        """Whether no requests are made."""
        return self._transport.offline

    @property
    def read_timeout(self) -> float:
        """Seconds after which a read fails."""
        return self._settings.read_timeout

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
                account_status(one, self._providers[one.name], self._store, self._tree, self._selection)
                for one in self._settings.accounts
            ],
            files=files,
            bytes=size,
            indexing=self._indexer.progress,
            cache=self._contents.use(),
            reads=Reads(activity.reads, activity.bytes, activity.failures),
            received=traffic.meter.total,
            rate=traffic.meter.rate(trio.current_time()),
            hosts=traffic.hosts,
            open_files=[
                open_file_status(one, self._tree.node(one.inode), self.cached_bytes) for one in activity.readings
            ],
            fetching=self._contents.fetching(),
            surprises=self._transport.surprises.found,
            troubles=activity.troubles,
        )

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
                for account in self.accounts:
                    store.enrolments.copy_selection(account, self._store.enrolments)
                providers = {one.name: provider_of(one, wanted, self._transport, self._factories) for one in accounts}
                async with trio.open_nursery() as nursery:
                    yield Library(settings, store, self._transport, providers, nursery, self._factories, self._contents)
                    nursery.cancel_scope.cancel()
            except BaseExceptionGroup as group:
                raise leaf(group) from None
            finally:
                store.close()

    @property
    def wanted(self) -> Wanted:
        """Which subtitles and videos are shown."""
        return self._settings.wanted

    def start(self, work: Callable[[], Awaitable[None]], *, name: str | None = None) -> None:
        """Start a background task, cancelled when the library closes; its error is logged and ends nothing else."""
        self._supervisor.start_soon(work, name=name)

    def task_failed(self, name: str, error: CoursefsError) -> None:
        """Show in the status that a background task failed."""
        self._activity.note(f"background task {name}", error)

    def on_sign_in(self, tell: Callable[[str, NotSignedIn | None], None]) -> None:
        """Set a callback for the end of an account's sign-in, with the error, and for its acceptance, with None."""

        def changed(account: str, error: NotSignedIn | None) -> None:
            if error is None:
                self._activity.signed_in(lambda about: about == account or self._is_of(about, account))
            tell(account, error)

        self._tree.refresher.errors.on_sign_in = changed

    def _is_of(self, about: object, account: str) -> bool:
        node = self._store.node(about) if isinstance(about, int) else None
        return node is not None and node.place.account == account

    def _note_read(self, node: Node, error: CoursefsError | None) -> None:
        if error is None:
            self._activity.over(node.inode)
        else:
            self._activity.note(self.path(node), error, node.inode)

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
