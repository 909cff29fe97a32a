"""Course pages: their bytes are made from the catalogue when they are read, and again when what they show has changed.

The catalogue has the nodes of these files, with size and digest (`coursefs.catalog.page_nodes`); what they contain is
decided in `course_page_content`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable

import trio

from coursefs.base import threads
from coursefs.base.crash_messages import log_unforeseen
from coursefs.base.foreground import background_work
from coursefs.catalog import Node, Place, Store
from coursefs.catalog import page_nodes as names
from coursefs.catalog.difference import Changes
from coursefs.catalog.node import Space
from coursefs.errors import CoursefsError, NoAnswer
from coursefs.library import course_page_content as content
from coursefs.library.handle import Handle
from coursefs.library.page_requests import PageRequests
from coursefs.model import Kind

log = logging.getLogger(__name__)

#: seconds without a request of a program before pages that were read once are made again
_QUIET = 2.0
#: seconds after the mount before the pages of all courses are compared with what they show
_FIRST = 30.0
#: seconds that a page waits for captions; and for how long, and how much less, after it has waited in vain: a program
#: that reads all pages would wait for each of them on a network that answers nothing
_PATIENCE, _PAUSE, _AT_ONCE = 10.0, 30.0, 0.5
#: seconds for which what a course is is not read again for the sizes of its pages
_A_LOOK = 1.0
#: bytes of captions that are read for a page; longer ones are no captions
_MOST_CAPTIONS = 4 * 2**20


class CoursePages:
    """Makes the files of course pages.

    `opened(inode)` opens a file, `attributes(inode)` finds its size; both may raise `CoursefsError`.  `requests` are
    made when a page is opened; None: no requests.  `settled` returns when programs see the last change.
    `idle(seconds)` returns when there was no foreground request for so long.
    """

    def __init__(
        self,
        store: Store,
        nodes: names.PageNodes,
        opened: Callable[[int], Awaitable[Handle]],
        attributes: Callable[[int], Awaitable[Node]],
        requests: PageRequests | None,
        settled: Callable[[], Awaitable[None]],
        idle: Callable[[float], Awaitable[None]],
    ) -> None:
        self._store = store
        self._nodes = nodes
        self._opened = opened
        self._attributes = attributes
        self._requests = requests
        self._settled = settled
        self._idle = idle
        self._changed: set[Place] = set()  # courses that the pages may no longer agree with
        self._wake = trio.Event()
        self._no_captions_before = float("-inf")  # trio's clock
        self._sources = content.PageSources(store)
        self._sources_until = float("-inf")  # trio's clock

    async def sized(self, node: Node) -> Node:
        """A page with its size; it is made if it never was, from what is known."""
        if node.size is not None:
            return node
        if not node.key.startswith(names.CUES):
            return (await self._made(node, self._sources_of_now()))[0]
        # a look at a directory must not fetch all captions: the size of a script of cues is a rule
        captions = names.captions_of(self._store, node)
        try:
            known = (
                captions if captions is None or captions.size is not None else await self._attributes(captions.inode)
            )
        except CoursefsError:
            return content.unstored(node, content.of_captions(self._store, node, b"")())
        return self._nodes.set_size(node, content.size_of_cues(0 if known is None else known.size or 0))

    def _sources_of_now(self) -> content.PageSources:
        """What pages are made from, read once for all that a look at a directory wants to know the size of."""
        now = trio.current_time()
        if now >= self._sources_until:
            self._sources, self._sources_until = content.PageSources(self._store), now + _A_LOOK
        return self._sources

    async def opened(self, node: Node) -> tuple[Node, bytes]:
        """A page as it is now, for a reader: its node and its bytes."""
        if self._requests is not None:
            await self._requests.before(node)
        made, page = await self._made(node, content.PageSources(self._store), is_read=True)
        if made.size != node.size:
            await self._settled()  # the kernel would cut the page where its old version ends
        return made, page

    async def _made(self, node: Node, sources: content.PageSources, *, is_read: bool = False) -> tuple[Node, bytes]:
        if not names.is_of_captions(node):
            source = sources.of(node)
            page = await threads.run_sync(source.make)
            return self._nodes.set_bytes(node, page, is_complete=source.is_complete), page
        captions = names.captions_of(self._store, node)
        try:
            text = b"" if captions is None else await self._text(captions)
        except (CoursefsError, trio.TooSlowError) as error:
            self._no_captions_before = trio.current_time() + _PAUSE
            if is_read and not node.key.startswith(names.CUES):  # a backup must not take it for an empty file
                if isinstance(error, trio.TooSlowError):
                    raise NoAnswer("the captions did not come in time") from None
                raise
            # a listed file can be stat'ed whatever the platform says, and a page shows what there is
            page = content.of_captions(self._store, node, b"")()
            if node.key.startswith(names.CUES) and captions is not None and captions.size is not None:
                page = page.ljust(content.size_of_cues(captions.size))
            return content.unstored(node, page), page
        page = await threads.run_sync(content.of_captions(self._store, node, text))
        return self._nodes.set_bytes(node, page, is_complete=True), page

    async def _text(self, captions: Node) -> bytes:
        """The bytes of captions.  Raises `TooSlowError` after some seconds, and for a while at once after a failure."""
        with trio.fail_after(_PATIENCE if trio.current_time() >= self._no_captions_before else _AT_ONCE):
            return await read_captions(await self._opened(captions.inode))

    # -- what has changed ------------------------------------------------------------------------------------------

    def note(self, changes: Changes) -> None:
        """Note a difference of the tree: the pages that show it are made again."""
        for before, after in changes.changed:
            if (before.size, before.etag, before.identity) != (after.size, after.etag, after.identity):
                self.note_bytes(after)
        nodes = (*changes.added, *changes.gone, *(after for _, after in changes.changed))
        self._note(_place_of(node) for node in nodes if node.space is not Space.PAGE)

    def note_bytes(self, node: Node) -> None:
        """Note that the bytes of a file have changed."""
        if node.kind is Kind.SUBTITLE:
            self._nodes.outdate(node)

    def note_course(self, course: Node) -> None:
        """Note that the due dates of a course have changed."""
        self._note([_place_of(course)])

    def _note(self, places: Iterable[Place]) -> None:
        before = len(self._changed)
        self._changed.update(places)
        if len(self._changed) > before:
            self._wake.set()

    async def run(self) -> None:
        """Make pages again whose courses have changed, until cancelled; pages that were never read are left alone."""
        with trio.move_on_after(_FIRST):
            await self._wake.wait()
        # what has changed at the end of the last mount
        unknown = {_place_of(course) for course in self._store.courses_by_use()}
        while True:
            self._wake = trio.Event()
            with background_work():
                await self._idle(_QUIET)
                await self._refresh(unknown)
            unknown = set()
            await self._wake.wait()

    async def _refresh(self, unknown: set[Place]) -> None:
        places, self._changed = self._changed, set()
        for place in (*sorted((places | unknown) - {names.NOWHERE}, key=repr), names.NOWHERE):
            if (course := self._course(place)) is not None:
                (self._nodes.arrange if place in places else self._nodes.ensure)(course)
            sources = content.PageSources(self._store)
            for node in self._store.of_place(place, (Kind.PAGE,)):
                # captions that have changed are another version, and a script of cues asks for it when it is opened
                if node.size is not None and not names.is_of_captions(node):
                    await self._make_again(node, sources)
            await self._idle(0.0)

    async def _make_again(self, node: Node, sources: content.PageSources) -> None:
        """Make a page; an error costs this page alone, and its reader gets it."""
        try:
            source = sources.of(node)
            self._nodes.set_bytes(node, await threads.run_sync(source.make), is_complete=source.is_complete)
        except CoursefsError as error:
            log.info("%s: the page is as it was: %s", node.name, error)
        except Exception as error:
            log_unforeseen(log, "making a course page", error)

    def _course(self, place: Place) -> Node | None:
        return self._store.find(Place(place.account), place.course) if place.course else None


def _place_of(node: Node) -> Place:
    """The course that a node belongs to; of the root and of the folder of an account, the account."""
    return Place(node.place.account, node.key) if node.kind is Kind.COURSE else node.place


async def read_captions(handle: Handle) -> bytes:
    """The bytes of captions that were opened, which are closed; the first 4 MiB of what is longer, and is none."""
    try:
        return bytes(await handle.read(0, min(handle.node.size or 0, _MOST_CAPTIONS)))
    finally:
        handle.close()
