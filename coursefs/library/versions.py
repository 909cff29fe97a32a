"""The version of each file: probed at its first open, revalidated once a day and after a failed read.

A version is the ETag, Last-Modified and size of a file's bytes.  The catalogue stores the version that was shown, the
cache that of its bytes; both are updated only here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress

import trio
from cachetools import LRUCache

from coursefs.base.foreground import Foreground
from coursefs.base.single_flight import SingleFlight
from coursefs.base.supervisor import Tasks
from coursefs.catalog import Node, Sizes, Store, Tree
from coursefs.content import Content, Contents
from coursefs.content.identity import has_validator
from coursefs.errors import CoursefsError, Gone, NotAllowed, NotSignedIn, Stale
from coursefs.model import Course, Remote, Version

log = logging.getLogger(__name__)

#: ns for which a version of a file is used without revalidation
_CONFIRMED_FOR_NS = 24 * 3600 * 10**9
#: seconds that an open waits for revalidation, and for which no open waits for another one after a failure
_CONFIRMATION_PATIENCE = 2.0
_CONFIRMATION_PAUSE = 60.0
#: seconds for which a known file must be refused, and never served in between, before a page replaces it
_REFUSED_FOR = 600.0
#: refused files that are remembered
_MOST_REFUSED = 1024


class Versions:
    """Probes sizes and versions, and remembers the error of each file's last read.

    `report(node, error)` is called with every error that a reader gets, and with None when the next read works.
    """

    def __init__(
        self,
        tree: Tree,
        store: Store,
        contents: Contents,
        tasks: Tasks,
        foreground: Foreground,
        report: Callable[[Node, CoursefsError | None], None],
        *,
        offline: bool,
    ) -> None:
        self._tree = tree
        self._contents = contents
        self._foreground = foreground
        self._report = report
        self._offline = offline
        self.sizes = Sizes(store, self._probe_size, tasks)
        self.sizes.on_refusal = self._refused
        tree.refresher.probe = self._probe_item
        self._confirmations: SingleFlight[int, bool] = SingleFlight(tasks)
        #: probes of files after a failed read: their bytes have changed, or are refused
        self._renewals: SingleFlight[int, None] = SingleFlight(tasks)
        self._no_confirmation_before = float("-inf")  # trio's clock
        self._updated_ns = 0  # when the user last asked for an update, in ns since 1970
        self._errors: dict[int, str] = {}  # by inode
        #: by inode: when a known file was first refused, in s of trio's clock and in ns since 1970
        self._refused_since: LRUCache[int, tuple[float, int]] = LRUCache(_MOST_REFUSED)

    def content(self, node: Node) -> Content | None:
        """The key of a file's bytes in the cache; None for our own pages and for directories.

        Raises `Gone` when the account no longer has the course.
        """
        remote = node.remote
        return None if remote is None else Content(node.place.account, remote, self._tree.course(node), node.name)

    def last_error(self, inode: int) -> str | None:
        """The error of a file's last read; None when it succeeded."""
        return self._errors.get(inode)

    # -- the version to open ---------------------------------------------------------------------------------------

    async def exact(self, node: Node) -> Node:
        """The node with its size and version, probed if unknown while a reader waits.

        Raises, reports and remembers the error of the probe.
        """
        if node.identity is None or node.version is not None:
            return node
        try:
            with self._foreground.request():
                exact = await self.sizes.exact(node)
        except CoursefsError as error:
            self._failed(node, error)
            raise
        if not exact.is_refused:
            self._succeeded(node)
        return exact

    async def confirmed(self, node: Node) -> Node:
        """The node with the platform's present version, if the platform answers within two seconds.

        Probed is only a version that was not confirmed for a day, or that has no ETag and no date and was not confirmed
        since the user asked for an update: for example the size of a text that a proxy had cut.  Raises nothing:
        without an answer the known version is used, and for a minute no other open waits for one.
        """
        now = trio.current_time()
        if node.remote is None or self._offline or now < self._no_confirmation_before:
            return node
        with trio.move_on_after(_CONFIRMATION_PATIENCE):
            await self._renewals.wait(node.inode)
        node = self._tree.node(node.inode)
        content = self.content(node)
        if content is None:
            return node
        checked_ns = self._contents.checked_ns(content)
        # an empty file is more likely an error of its server, so it is probed at every open
        is_empty = node.size == 0
        if not is_empty and (checked_ns is None or not self._is_due(node, checked_ns)):
            return node
        is_confirmed = False
        with trio.move_on_after(_CONFIRMATION_PATIENCE):
            is_confirmed = await self._confirmations.join(node.inode, lambda: self._confirm(node, content))
        if not is_confirmed:
            self._no_confirmation_before = now + _CONFIRMATION_PAUSE
        return self._tree.node(node.inode)

    def _is_due(self, node: Node, checked_ns: int) -> bool:
        """Whether a version that was last confirmed then is to be probed."""
        if time.time_ns() - checked_ns >= _CONFIRMED_FOR_NS:
            return True
        return checked_ns < self._updated_ns and node.version is not None and not has_validator(node.version)

    def note_update(self) -> None:
        """The user asks for what is new now."""
        self._updated_ns = time.time_ns()

    async def _confirm(self, node: Node, content: Content) -> bool:
        try:
            await self._contents.probe(content, node.version, again=True)
            await self.sizes.again(node)
        except CoursefsError as error:
            log.debug("%s: its version is not confirmed: %s", node.name, error)
            return False
        return True

    # -- after a read ----------------------------------------------------------------------------------------------

    def note_read(self, node: Node, error: CoursefsError | None) -> None:
        """Record the result of a read; after an error that may mean another version, probe in the background."""
        if error is None:
            self._succeeded(node)
            return
        self._failed(node, error)
        if isinstance(error, Stale):
            self._renewals.start(node.inode, lambda: self._look_again(node))
        elif isinstance(error, (Gone, NotAllowed)) and not isinstance(error, NotSignedIn):
            self._renewals.start(node.inode, lambda: self._ask_again(node))

    def _failed(self, node: Node, error: CoursefsError) -> None:
        self._errors[node.inode] = str(error)
        self._report(node, error)
        if isinstance(error, NotSignedIn):
            self._tree.check_sign_in(node.place.account)

    def _succeeded(self, node: Node) -> None:
        if self._errors.pop(node.inode, None) is not None:
            self._report(node, None)

    async def _look_again(self, node: Node) -> None:
        try:
            await self.sizes.again(self._tree.node(node.inode))
        except CoursefsError as error:
            log.info("%s: %s", node.name, error)

    async def _ask_again(self, node: Node) -> None:
        """Probe a file after a refused read; if it is refused again, a page replaces it.

        A completely cached file stays, because it can still be read.
        """
        today = self._tree.node(node.inode)
        content = self.content(today)
        if content is None or today.version is None or self._contents.cached_bytes(content) >= today.version.size:
            return
        try:
            await self._contents.probe(content, today.version, again=True)
            await self.sizes.again(today)
        except (NotAllowed, Gone) as error:
            if not isinstance(error, NotSignedIn):
                with suppress(CoursefsError):
                    await self._refused(today, error)
        except CoursefsError as error:
            log.info("%s: %s", today.name, error)

    # -- probes ----------------------------------------------------------------------------------------------------

    async def _probe_size(self, node: Node, known: Version | None) -> Version:
        content = self.content(node)
        if content is None:
            raise Gone("there are no bytes on the platform")
        return await self._contents.probe(content, known)

    async def _probe_item(self, account: str, course: Course, remote: Remote) -> Version:
        return await self._contents.probe(Content(account, remote, course), again=True)

    async def _refused(self, node: Node, error: CoursefsError) -> Node | None:
        """The page that replaces a refused file; its `last_error` is the reason.  None: the refusal is not certain."""
        if node.version is not None and not self._is_refused_for_long(node):
            return None
        page = await self._tree.refuse(node, error)
        if page is not None and page.is_refused:
            self._errors[page.inode] = str(error)
        return page

    def _is_refused_for_long(self, node: Node) -> bool:
        """Whether a known file is refused since a while.

        A server may refuse a single file for a moment, for example while it moves it: a page in its place would make a
        backup delete it.  The monotonic clock stands still while the machine sleeps.
        """
        now = trio.current_time()
        since, since_ns = self._refused_since.get(node.inode, (now, time.time_ns()))
        content = self.content(node)
        served_ns = None if content is None else self._contents.checked_ns(content)
        if served_ns is not None and served_ns > since_ns:
            since, since_ns = now, time.time_ns()
        self._refused_since[node.inode] = since, since_ns
        return now - since >= _REFUSED_FOR
