"""The reads of one file that failed a moment ago, for reads that repeat them."""

from __future__ import annotations

from dataclasses import dataclass

from coursefs.errors import CoursefsError, without_variables

#: seconds after a failure within which a read of the same bytes is taken for a repetition of the failed one
_SAME = 1.0


@dataclass(frozen=True, slots=True)
class FailedRead:
    """A read of the bytes from `start` to `end` that failed; times in seconds of one clock."""

    start: int
    end: int
    began: float
    ended: float
    error: CoursefsError


class FailedReads:
    """The reads of one file that failed a moment ago, with whose deadline a repeated read continues.

    When a read-ahead of the kernel fails, the kernel reads the first page once more before it reports the error, and so
    does every other program that waits for that page.  With a full read timeout for each of these reads, a program
    would wait twice as long as configured.  So a read that begins within a second after a failure has only the time
    that is left of the failed one.  A later read has its own timeout.
    """

    def __init__(self) -> None:
        self._failed: list[FailedRead] = []

    def add(self, failed: FailedRead) -> None:
        """Remember a read that failed now."""
        self._failed = [one for one in self._failed if failed.ended - one.ended < _SAME]
        without_variables(failed.error)
        self._failed.append(failed)

    def before(self, start: int, end: int, now: float) -> FailedRead | None:
        """The failed read that a read of these bytes at `now` repeats; None: it repeats none."""
        if not self._failed:
            return None
        same = [one for one in self._failed if one.start < end and start < one.end and now - one.ended < _SAME]
        return min(same, key=lambda one: one.began, default=None)
