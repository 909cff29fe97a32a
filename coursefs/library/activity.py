"""Activity of programs: their open files, counters of reads, and the last errors."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import trio

from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.library.playback import ReadPattern

log = logging.getLogger(__name__)

#: how many troubles are remembered
_TROUBLES = 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error of a read, or of a background task."""

    at: float  # time of the last occurrence, seconds since 1970
    path: str  # below the mount point; or what failed: "catalogue", "background task …"
    message: str
    count: int = 1  # how often in a row


@dataclass(frozen=True, slots=True)
class _Noted:
    """A trouble, and what it is about."""

    trouble: Trouble
    about: Hashable
    is_sign_in: bool  # a sign-in was refused


class Reading:
    """An open file, and the position of its last read."""

    def __init__(
        self, activity: Activity, inode: int, path: Callable[[], str], pattern: ReadPattern | None = None
    ) -> None:
        self.inode = inode
        self.pattern = pattern  # of a video that a program has open
        self.offset = 0  # after the last byte read
        self.bytes = 0  # read in total
        self._path = path
        self._activity = activity

    @property
    def path(self) -> str:
        """Below the mount point."""
        return self._path()

    @property
    def is_logged(self) -> bool:
        """Whether each read is logged."""
        return log.isEnabledFor(logging.DEBUG)

    def began(self, offset: int, size: int) -> None:
        """Note the beginning of a read that waits; `ended` must follow."""
        if self.pattern is not None:
            self.pattern.began(offset, offset + size, trio.current_time())

    def ended(self) -> None:
        """Note that a read no longer waits."""
        if self.pattern is not None:
            self.pattern.ended(trio.current_time())

    def gave_now(self, offset: int, size: int) -> None:
        """Count a read that did not wait."""
        if self.pattern is not None:
            self.pattern.answered(offset, offset + size, trio.current_time())
        self.gave(offset, size)

    def gave(self, offset: int, size: int, *, missing: int = 0, started: float | None = None) -> None:
        """Count a read of `size` bytes, of which `missing` were not in the cache at its start.

        `started`: monotonic seconds; None: the read did not wait.
        """
        self.offset = offset + size
        self.bytes += size
        self._activity.reads += 1
        self._activity.bytes += size
        if self.is_logged:
            found = "hit" if not missing else "miss" if missing >= size else "partial"
            self._say(offset, size, f"cache={found} missing={missing}", started)

    def failed(self, offset: int, size: int, error: CoursefsError, started: float) -> None:
        """Count a read that failed."""
        self._activity.failures += 1
        if self.is_logged:
            self._say(offset, size, f"error={type(error).__name__}", started)

    def close(self) -> None:
        """End the reading: the file was closed."""
        self._activity.closed(self)

    def _say(self, offset: int, size: int, what: str, started: float | None) -> None:
        took = 0.0 if started is None else time.monotonic() - started
        log.debug(
            "read inode=%d offset=%d length=%d %s ms=%.1f path=%r",
            self.inode,
            offset,
            size,
            what,
            1e3 * took,
            self.path,
        )


class Activity:
    """The open files, the counters of all reads, and the last troubles."""

    def __init__(self) -> None:
        self.reads = 0  # answered
        self.bytes = 0  # given
        self.failures = 0
        self._open: dict[int, Reading] = {}
        self._watched = trio.Event()  # set when a video is opened, and replaced by a new one
        self._troubles: deque[_Noted] = deque(maxlen=_TROUBLES)

    @property
    def readings(self) -> list[Reading]:
        """The open files, in the order in which they were opened."""
        return list(self._open.values())

    @property
    def troubles(self) -> Sequence[Trouble]:
        """The last troubles that are not over, newest first."""
        return tuple(one.trouble for one in self._troubles)

    def opened(self, inode: int, path: Callable[[], str], pattern: ReadPattern | None = None) -> Reading:
        """Begin the reading of a file; `path` says where it is shown at the time of the call.

        `pattern`: of a video that a program opens, to tell whether a person plays it.
        """
        reading = Reading(self, inode, path, pattern)
        self._open[id(reading)] = reading
        if pattern is not None:
            self._watched.set()
            self._watched = trio.Event()
        return reading

    async def until_watched(self, seen: AbstractSet[Reading] = frozenset()) -> None:
        """Return when a program has a video open, other than those that were seen."""
        while not any(reading.pattern is not None and reading not in seen for reading in self._open.values()):
            await self._watched.wait()

    def closed(self, reading: Reading) -> None:
        """Forget a reading; a second call does nothing."""
        self._open.pop(id(reading), None)

    def note(self, path: str, error: CoursefsError, about: Hashable = None) -> None:
        """Add an error to the troubles; a repeated one is counted, not listed twice.

        `about` is what `over` takes, such as an inode number; None: the path.
        """
        message = str(error)
        last = self._troubles[0].trouble if self._troubles else None
        count = 1
        if last is not None and (last.path, last.message) == (path, message):
            count += last.count
            self._troubles.popleft()
        trouble = Trouble(time.time(), path, message, count)
        self._troubles.appendleft(_Noted(trouble, path if about is None else about, isinstance(error, NotSignedIn)))

    def over(self, about: Hashable) -> None:
        """Forget the troubles of this: it has worked since."""
        self._drop(lambda one: one.about == about)

    def signed_in(self, is_of_account: Callable[[Hashable], bool]) -> None:
        """Forget the troubles that were refused sign-ins of an account, whose sign-in is accepted now."""
        self._drop(lambda one: one.is_sign_in and is_of_account(one.about))

    def _drop(self, is_over: Callable[[_Noted], bool]) -> None:
        self._troubles = deque((one for one in self._troubles if not is_over(one)), maxlen=_TROUBLES)
