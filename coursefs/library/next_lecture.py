"""The next lecture, ready before it is opened: its beginning and its texts, fetched while a lecture plays.

Who plays is decided in `playback`; what comes next, in the order of the course, and how much of it, is decided here.
Everything is fetched at the lowest priority, within the bandwidth limit of the background, in steps that wait until no
program waits.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from weakref import WeakKeyDictionary, WeakSet

import trio

from coursefs.base import threads
from coursefs.base.foreground import Foreground, background_work
from coursefs.catalog import Node, Store, Tree
from coursefs.catalog.node import Space
from coursefs.content import CacheFull, Contents
from coursefs.errors import CoursefsError, NotSignedIn, Unreachable
from coursefs.library.activity import Activity, Reading
from coursefs.library.file_cache import UnpinnedQuota
from coursefs.library.playback import Film, is_past_middle
from coursefs.library.settings import LibrarySettings
from coursefs.library.versions import Versions
from coursefs.model import LEAVES_TRACES, Kind

log = logging.getLogger(__name__)

#: seconds between two looks at the videos that programs have open: at least; and at most, when they read nothing
_LOOK_EVERY = 1.0
_LOOK_SELDOM = 30.0
#: seconds in which no program waited for a read, before each step
_QUIET = 0.2
#: bytes of a film for each step: a read that comes has to share the link until it ends
_STEP = 2 * 2**20
#: directories that are listed on the way to the next lecture, at most
_MOST_LISTED = 10
#: files that belong to a lecture and have its name; and those of readings
_SUBTITLES = frozenset({Kind.SUBTITLE, Kind.TRANSCRIPT})
_READINGS = frozenset({Kind.READING, Kind.IMAGE})


@dataclass(frozen=True, slots=True)
class FetchedAhead:
    """What was fetched for next lectures since the library was opened."""

    lecture: str | None = None  # the last one: its path below the mount point
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Following:
    """A lecture, and the files that are read with it or on the way to it."""

    lecture: Node
    texts: Sequence[Node]


class NextLecture:
    """Watches the videos that programs have open, and fetches what comes after one that a person plays."""

    def __init__(
        self,
        tree: Tree,
        store: Store,
        contents: Contents,
        versions: Versions,
        activity: Activity,
        foreground: Foreground,
        settings: Callable[[], LibrarySettings],
    ) -> None:
        """`settings` returns the present ones."""
        self.fetched = FetchedAhead()
        self._tree = tree
        self._store = store
        self._contents = contents
        self._versions = versions
        self._activity = activity
        self._foreground = foreground
        self._settings = settings
        self._films: WeakKeyDictionary[Reading, Film] = WeakKeyDictionary()
        self._done: WeakSet[Reading] = WeakSet()

    async def run(self) -> None:
        """Watch and fetch, until cancelled."""
        while True:
            await self._activity.until_watched(self._done)
            await trio.sleep(self._pause())
            for reading in self._activity.readings if self._settings().next else ():
                if reading not in self._done and await self._is_past_middle(reading):
                    self._done.add(reading)
                    with background_work():
                        await self._fetch_after(reading)

    def _pause(self) -> float:
        """Seconds until the next look: a paused player does not keep the machine awake."""
        now = trio.current_time()
        open_ = (reading.pattern for reading in self._activity.readings if reading not in self._done)
        rests = min((pattern.unread(now) for pattern in open_ if pattern is not None), default=0.0)
        return min(max(_LOOK_EVERY, rests / 4), _LOOK_SELDOM)

    async def _is_past_middle(self, reading: Reading) -> bool:
        node, pattern = self._store.node(reading.inode), reading.pattern
        if node is None or node.is_gone or node.version is None or pattern is None:
            return False
        if pattern.last is not None and pattern.last.position < node.version.size / 2:
            return False
        film = self._films.get(reading)
        if film is None:
            content = self._versions.content(node)
            duration = None if content is None else await self._contents.duration(content, node.version)
            film = Film(node.version.size, duration or 0.0)
            if duration is not None or pattern.last is not None:
                # a player has read head and index by now, so a film that does not say how long it is never will
                self._films[reading] = film
        return is_past_middle(pattern, film, trio.current_time())

    async def _fetch_after(self, reading: Reading) -> None:
        """Fetch what comes after a lecture; what fails is logged."""
        node = self._tree.node(reading.inode)
        most = self._settings().next_size
        try:
            following = await self.following(node)
            if following is None:
                return
            if not await self._has_room(most):
                log.info("nothing is fetched for the next lecture: the cache is nearly full")
                return
            left = most
            for text in following.texts:
                left -= await self._fetch(text, left)
            left -= await self._fetch(following.lecture, left)
        except CoursefsError as error:
            log.info("the next lecture after %s is not fetched: %s", node.name, error)

    async def following(self, node: Node) -> Following | None:
        """The next lecture after a video, in the order of the course; None where there is none before a locked item.

        Directories on the way that were never listed are.  Raises the error of that.
        """
        items = {stored.item.key: stored for stored in self._store.items.of_course(node.place)}
        own = items.get(node.item)
        # of several videos of one item, as in a unit of Open edX, each is a lecture; else they are variants of one
        is_one_of_several = own is not None and node.name.startswith(f"{own.stem} - ")
        waiting = self._after(node)
        found: list[Node] = []
        listed = 0
        while waiting:
            file = waiting.pop()
            if file.space is Space.PAGE:
                continue
            if file.is_directory:
                listed += 1
                if listed > _MOST_LISTED or self._leaves_traces(file):
                    return None
                await self._foreground.idle(_QUIET)
                waiting += reversed(await self._tree.children(file))
                continue
            item = items.get(file.item)
            if item is not None and item.item.locked is not None:
                return None
            if file.item == node.item and not is_one_of_several:
                continue
            found.append(file)
            if file.kind is Kind.VIDEO:
                beside = [one for one in reversed(waiting) if one.parent == file.parent]
                wanted = (
                    None
                    if is_one_of_several or own is None or item is None
                    else item.stem + node.name.removeprefix(own.stem)
                )
                # of variants the same one: another voice, or what a second camera saw
                lecture = next((one for one in beside if one.item == file.item and one.name == wanted), file)
                return Following(lecture, _texts(lecture, [*found, *beside]))
        return None

    def _after(self, node: Node) -> list[Node]:
        """The files and directories of a course after a file, the first one last: a stack for a walk."""
        after: list[Node] = []
        above: list[list[Node]] = []
        here = node
        while here.kind is not Kind.COURSE and here.parent != here.inode:
            above.append([one for one in self._store.children(here.parent) if one.name > here.name])
            here = self._tree.node(here.parent)
        for siblings in reversed(above):
            after += reversed(siblings)
        return after

    def _leaves_traces(self, directory: Node) -> bool:
        """Whether listing it would be recorded on the platform as a visit of the learner."""
        stored = self._store.items.in_directory(directory.inode)
        return any(one.fetched_ns is None and LEAVES_TRACES in one.item.details for one in stored)

    async def _has_room(self, size: int) -> bool:
        """Whether so many bytes fit into the cache, and nothing is evicted for them."""
        use = self._contents.use()
        free = (await threads.run_sync(lambda: shutil.disk_usage(use.directory))).free
        limits = UnpinnedQuota(use.bytes, use.pinned_bytes, use.max_size, free, self._settings().min_free)
        return use.bytes - use.pinned_bytes + size <= limits.bytes

    async def _fetch(self, node: Node, most: int) -> int:
        """Fetch a text, or the beginning of a video, of at most so many bytes; return the number of new ones.

        A text that is larger is left out.  Raises an error that concerns more than this file.
        """
        before = after = 0
        try:
            await self._foreground.idle(_QUIET)
            node = await self._versions.sizes.exact(node)
            content = self._versions.content(node)
            if content is None or node.size is None:
                return 0
            before = after = self._contents.cached_bytes(content)
            if node.kind is Kind.VIDEO:
                for end in range(_STEP, most + _STEP, _STEP):
                    await self._foreground.idle(_QUIET)
                    has_ranges = await self._contents.prefetch_beginning(content, min(end, most))
                    if end >= node.size or not has_ranges:
                        break
            elif node.size <= most:
                await self._contents.prefetch(content)
            after = self._contents.cached_bytes(content)
        except (CacheFull, NotSignedIn, Unreachable):
            raise
        except CoursefsError as error:
            log.info("%s is not fetched ahead: %s", node.name, error)
        if node.kind is Kind.VIDEO or after > before:
            self._note(node, after - before)
        return max(0, after - before)

    def _note(self, node: Node, size: int) -> None:
        lecture = self._store.path_of(node) if node.kind is Kind.VIDEO else self.fetched.lecture
        files, total = self.fetched.files + (size > 0), self.fetched.bytes + max(0, size)
        self.fetched = FetchedAhead(lecture, files, total)


def _texts(lecture: Node, files: Sequence[Node]) -> list[Node]:
    """The files of readings on the way to a lecture, and the subtitles of this lecture (pure)."""
    name = f"{PurePosixPath(lecture.name).stem}."
    return [
        one
        for one in files
        if one.identity is not None
        and (
            (one.kind in _SUBTITLES and one.parent == lecture.parent and one.name.startswith(name))
            or (one.kind in _READINGS and one.item != lecture.item)
        )
    ]
