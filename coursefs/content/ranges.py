"""Sets of byte offsets as sorted, disjoint, half-open ranges (pure)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

_START = attrgetter("start")
_END = attrgetter("end")


class Range(NamedTuple):
    """The bytes from `start` up to but not including `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Ranges:
    """An immutable set of bytes; ranges that touch are merged, empty ranges have no effect.

    Immutable, so that a thread may read one while another thread replaces it.
    """

    spans: tuple[Range, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> Ranges:
        """The set of all bytes in these ranges, which may overlap and be in any order."""
        spans: list[Range] = []
        for start, end in sorted(ranges):
            if start >= end:
                continue
            if spans and start <= spans[-1].end:
                spans[-1] = Range(spans[-1].start, max(spans[-1].end, end))
            else:
                spans.append(Range(start, end))
        return cls(tuple(spans))

    def __iter__(self) -> Iterator[Range]:
        return iter(self.spans)

    @property
    def total(self) -> int:
        """The number of bytes in the set."""
        return sum(span.end - span.start for span in self.spans)

    def add(self, start: int, end: int) -> Ranges:
        """The set with these bytes added."""
        if start >= end:
            return self
        first = bisect_left(self.spans, start, key=_END)
        last = bisect_right(self.spans, end, key=_START)
        if first < last:
            start = min(start, self.spans[first].start)
            end = max(end, self.spans[last - 1].end)
        return Ranges((*self.spans[:first], Range(start, end), *self.spans[last:]))

    def remove(self, start: int, end: int) -> Ranges:
        """The set without these bytes."""
        if start >= end:
            return self
        first = bisect_right(self.spans, start, key=_END)
        last = bisect_left(self.spans, end, key=_START)
        kept = []
        for span in self.spans[first:last]:
            if span.start < start:
                kept.append(Range(span.start, start))
            if span.end > end:
                kept.append(Range(end, span.end))
        return Ranges((*self.spans[:first], *kept, *self.spans[last:]))

    def missing(self, start: int, end: int) -> tuple[Range, ...]:
        """The gaps between `start` and `end`: bytes that are not in the set, in order."""
        gaps = []
        for span in self.spans[bisect_right(self.spans, start, key=_END) :]:
            if span.start >= end:
                break
            if start < span.start:
                gaps.append(Range(start, span.start))
            start = span.end
        if start < end:
            gaps.append(Range(start, end))
        return tuple(gaps)

    def first_missing(self, start: int) -> int:
        """The first byte at or after `start` that is not in the set."""
        place = bisect_right(self.spans, start, key=_END)
        if place < len(self.spans) and self.spans[place].start <= start:
            return self.spans[place].end
        return start

    def covers(self, start: int, end: int) -> bool:
        """Whether all bytes between `start` and `end` are in the set."""
        return start >= end or self.first_missing(start) >= end
