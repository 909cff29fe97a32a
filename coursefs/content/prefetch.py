"""Prefetch: requests a content for the cache, or the beginning of a film, at the lowest priority."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import trio

from coursefs.content import media
from coursefs.content.open_file import OpenFile
from coursefs.content.planner import ALIGN, MIB, Extent
from coursefs.content.range_request import RangeRequest
from coursefs.content.ranges import Range, Ranges
from coursefs.content.scheduler import Priority
from coursefs.errors import CoursefsError, Stale

#: bytes of one request: small, because a read that comes has to share the link until it ends
_REQUEST = 2 * MIB
#: the same over a thin link, in seconds: a read cancels what is in its way there
_REQUEST_SECONDS = 1.0
#: requests of one prefetch in flight or queued
_MOST_REQUESTS = 6
#: seconds between two reports of the bytes that have arrived of unfinished pieces
_REPORT_EVERY = 0.2
#: the first bytes of a film, which say where its index lies
_HEAD = 256 * 2**10


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a prefetch is, in bytes."""

    chunk: int  # new since the last report
    done: int
    total: int
    name: str


class CacheFull(CoursefsError):
    """The cache cannot keep the content: it is full, and nothing may be evicted for this."""


async def prefetch(
    open_file: OpenFile, name: str, progress: Callable[[Progress], None] | None, wanted: Ranges | None = None
) -> bool:
    """Request the missing bytes of a content, or those that are `wanted`; return True when they are in the cache.

    False: the server knows no ranges, so of the parts that are `wanted` only the first one has come.

    Bytes that have arrived stay in the cache when this is cancelled or fails; it can be resumed.  Raises `Stale` when
    the platform has another version, `CacheFull` when the cache cannot keep it, and every other `CoursefsError`.
    """
    owner = object()  # of the requests
    size = open_file.version.size
    reported = -1
    is_all = wanted is None
    wanted = Ranges.of([Range(0, size)]) if wanted is None else wanted
    first = next(iter(wanted), Range(0, 0))
    open_file.join()
    try:
        file = await open_file.opened(recheck=True)
        uncached = open_file.uncached
        # Each byte is requested once.  Else a cache that is too small would evict the beginning for the end, and
        # this loop would never end.
        requested = Ranges()
        requests: list[tuple[RangeRequest, Range]] = []
        while True:
            changed = open_file.changed  # taken before looking: a change during the look must end the wait below
            present = file.present
            if progress is not None:
                done = Ranges.of((*present, *(request.in_memory for request in open_file.requests))).total
                if done != reported:
                    progress(Progress(max(0, done - max(reported, 0)), done, size, name))
                    reported = done
            if file.stale:
                raise Stale("the platform has changed this file")
            if not _missing(wanted, present):
                return True
            if not is_all and present.covers(*first) and any(one.extent is Extent.WHOLE for one, _ in requests):
                return False
            for request, span in [each for each in requests if each[0].done]:
                requests.remove((request, span))
                # It was cut or preempted, or has left its bytes to a request that brings all of the file, which may be
                # cancelled before it does: what is missing may be requested again.  Not what is in memory because the
                # cache cannot keep it: a request for that would end at once, again and again.
                if not open_file.is_in_overflow(request.received, span.end):
                    requested = requested.remove(request.received, span.end)
                if request.error is not None:
                    raise type(request.error)(*request.error.args) from request.error
            expected = Ranges.of((*present, *((request.start, request.end) for request in open_file.requests)))
            most_bytes = max(open_file.pace.brings(_REQUEST_SECONDS, _REQUEST) // ALIGN, 1) * ALIGN
            spans = _spans(_missing(wanted, Ranges.of((*expected, *requested))), most_bytes)
            if open_file.uncached != uncached or (not spans and not requests and _missing(wanted, expected)):
                raise CacheFull(open_file.why_uncached)
            # The first request runs alone until its first bytes: without ranges it brings the whole file.
            has_begun = any(
                request.received > span.start or request.extent is Extent.WHOLE for request, span in requests
            )
            most = _MOST_REQUESTS if has_begun else 1
            for span in spans[: max(most - len(requests), 0)]:
                requested = requested.add(*span)
                requests.append((open_file.start(span, owner, Priority.BACKGROUND), span))
            with trio.move_on_after(math.inf if progress is None else _REPORT_EVERY):
                await changed.wait()
    finally:
        open_file.cancel_requests(owner)
        open_file.leave()


async def prefetch_beginning(open_file: OpenFile, name: str, most: int) -> bool:
    """Request what a player needs to start a film: its index, and as much of its beginning as `most` bytes allow.

    Returns False where the server knows no ranges: there is no index then, if it lies at the end.  Raises what
    `prefetch` raises.
    """
    size = open_file.version.size
    head = Range(0, min(_HEAD, most, size))
    open_file.join()
    try:
        await prefetch(open_file, name, None, Ranges.of([head]))
        data = await open_file.cached(*head)
        index = None if data is None else media.index_of(data, size, most - head.end)
        left = most if index is None else most - max(0, index.end - max(index.start, head.end))
        wanted = [Range(0, min(left, size)), *([index] if index is not None and index.start < index.end else [])]
        return await prefetch(open_file, name, None, Ranges.of(wanted))
    finally:
        open_file.leave()


def _missing(wanted: Ranges, present: Ranges) -> tuple[Range, ...]:
    """The gaps of `present` in what is wanted."""
    return tuple(gap for span in wanted for gap in present.missing(*span))


def _spans(gaps: tuple[Range, ...], most: int) -> list[Range]:
    """The gaps in ranges of one request each, of at most so many bytes."""
    return [Range(start, min(start + most, gap.end)) for gap in gaps for start in range(gap.start, gap.end, most)]
