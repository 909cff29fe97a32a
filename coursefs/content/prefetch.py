"""Bringing whole contents into the cache behind everybody's back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import trio

from coursefs.content.entry import Entry, Handle
from coursefs.content.fetch import Fetch
from coursefs.content.lanes import Priority
from coursefs.content.planner import MIB
from coursefs.content.ranges import Range, Ranges
from coursefs.errors import CoursefsError, Stale

#: bytes of one request: small, because a reader who comes has to share the link until it ends
_REQUEST = 2 * MIB
#: requests that are under way or wait for a lane
_AT_ONCE = 6
#: seconds after which it is looked what has come of pieces that are not complete yet
_TELL_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """Told whenever more of a content has come into the cache; bytes."""

    chunk: int  # new since the last time
    done: int
    total: int
    name: str


class CacheFull(CoursefsError):
    """The cache has no room for it, and nothing that may leave."""


async def prefetch(entry: Entry, name: str, progress: Callable[[Progress], None] | None) -> None:
    """Bring what is missing of a content into the cache.

    What was brought stays when this is cancelled or fails, and is not asked for again.  Raises `Stale` when the
    platform has another version, `CacheFull` when the cache cannot keep it, and whatever stands against it.
    """
    handle = Handle()
    size = entry.version.size
    told = -1
    entry.join()
    try:
        file = await entry.opened()
        unkept = entry.unkept
        asked = Ranges()  # once for each byte: what leaves again to make room for the rest is not fetched for ever
        fetches: list[tuple[Fetch, Range]] = []
        while True:
            changed = entry.changed
            present = file.present
            if progress is not None:
                have = Ranges.of((*present, *(fetch.in_memory for fetch in entry.fetches))).total
                if have != told:
                    progress(Progress(max(0, have - max(told, 0)), have, size, name))
                    told = have
            if file.dead:
                raise Stale("the platform has changed this file")
            if present.covers(0, size):
                return
            for fetch, span in [each for each in fetches if each[0].done]:
                fetches.remove((fetch, span))
                if fetch.scope.cancel_called or fetch.end < span.end or fetch.received > span.start:
                    asked = asked.remove(fetch.received, span.end)  # a reader took over, or needed the lane
                if fetch.error is not None:
                    raise type(fetch.error)(*fetch.error.args) from fetch.error
            coming = Ranges.of((*present, *((fetch.start, fetch.end) for fetch in entry.fetches)))
            spans = _requests(Ranges.of((*coming, *asked)).missing(0, size))
            if entry.unkept != unkept or (not spans and not fetches and not coming.covers(0, size)):
                raise CacheFull("the cache has no room for it")
            # one alone until something of it has come: it may turn out to bring everything
            at_once = _AT_ONCE if any(fetch.received > span.start or fetch.whole for fetch, span in fetches) else 1
            for span in spans[: max(at_once - len(fetches), 0)]:
                asked = asked.add(*span)
                fetches.append((entry.start(span, handle, Priority.BACKGROUND), span))
            with trio.move_on_after(math.inf if progress is None else _TELL_EVERY):
                await changed.wait()
    finally:
        entry.let_go(handle)
        entry.leave()


def _requests(gaps: tuple[Range, ...]) -> list[Range]:
    return [
        Range(start, min(start + _REQUEST, gap.end)) for gap in gaps for start in range(gap.start, gap.end, _REQUEST)
    ]
