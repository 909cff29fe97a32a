"""What readers are doing now, and what went wrong for them lately."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from coursefs.errors import CoursefsError

log = logging.getLogger(__name__)

#: troubles that are remembered
_TROUBLES = 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a reader was told in place of the bytes."""

    at: float  # when it happened last, seconds since 1970
    path: str  # below the mount point
    message: str
    count: int = 1  # how often in a row


class Reading:
    """One open file: how far its reader is."""

    def __init__(self, activity: Activity, inode: int, path: Callable[[], str]) -> None:
        self.inode = inode
        self.offset = 0  # behind the last byte that was given
        self.bytes = 0  # that were given in all
        self._path = path
        self._activity = activity

    @property
    def path(self) -> str:
        """Below the mount point."""
        return self._path()

    @property
    def is_logged(self) -> bool:
        """Whether each read is a line of the log."""
        return log.isEnabledFor(logging.DEBUG)

    def gave(self, offset: int, size: int, *, missing: int = 0, started: float | None = None) -> None:
        """So many bytes were given, of which `missing` were not at hand when they were asked for.

        `started`: monotonic seconds; None: nobody waited.
        """
        self.offset = offset + size
        self.bytes += size
        self._activity.reads += 1
        self._activity.bytes += size
        if self.is_logged:
            found = "hit" if not missing else "miss" if missing >= size else "partial"
            self._say(offset, size, f"cache={found} missing={missing}", started)

    def failed(self, offset: int, size: int, error: CoursefsError, started: float) -> None:
        """A read failed."""
        self._activity.failures += 1
        if self.is_logged:
            self._say(offset, size, f"error={type(error).__name__}", started)

    def close(self) -> None:
        """The file was closed."""
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
    """Open files, and troubles, newest first."""

    def __init__(self) -> None:
        self.reads = 0  # answered
        self.bytes = 0  # given
        self.failures = 0
        self._open: dict[int, Reading] = {}
        self._troubles: deque[Trouble] = deque(maxlen=_TROUBLES)

    @property
    def readings(self) -> list[Reading]:
        """The open files, in the order in which they were opened."""
        return list(self._open.values())

    @property
    def troubles(self) -> Sequence[Trouble]:
        """The last ones, newest first."""
        return tuple(self._troubles)

    def opened(self, inode: int, path: Callable[[], str]) -> Reading:
        """Somebody opened a file; `path` says where it is shown when somebody asks."""
        reading = Reading(self, inode, path)
        self._open[id(reading)] = reading
        return reading

    def closed(self, reading: Reading) -> None:
        """It was closed; may be told twice."""
        self._open.pop(id(reading), None)

    def note(self, path: str, error: CoursefsError) -> None:
        """Somebody was told an error; the same one again is counted, not listed twice."""
        message = str(error)
        last = self._troubles[0] if self._troubles else None
        if last is not None and (last.path, last.message) == (path, message):
            self._troubles[0] = replace(last, at=time.time(), count=last.count + 1)
        else:
            self._troubles.appendleft(Trouble(time.time(), path, message))
