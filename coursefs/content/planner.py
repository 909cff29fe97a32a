"""The read-ahead rule: which range requests to make for a read (pure).

A reader that goes on where it stopped is sequential.  At first it gets `FIRST` bytes of read-ahead, and from a MiB on
two to three times as much as it has read in this run, so that several connections work for it soon.  A reader that
jumps gets what it asked for, rounded up, and twice as much where it asks for much at once.  Two runs are remembered for
each reader, because demuxers alternate between two places of a file.

What a jump leaves behind is not fetched any more where that takes long over this link: the reader would wait for it.  A
reader that comes back again and again is one that alternates, and keeps the requests of both places.  Over a thin link
(`Pace`) a request begins at the page that is needed, because what lies before it takes longer than another request.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

from coursefs.content.link import UNKNOWN, Pace
from coursefs.content.ranges import Range, Ranges
from coursefs.model import KERNEL_READ_AHEAD

KIB = 2**10
MIB = 2**20

#: requests begin and end on multiples of this: the largest read of the kernel, as long as its read-ahead is the default
ALIGN = 128 * KIB
#: the least that one request asks for: the first two reads of the kernel
FIRST = 256 * KIB
#: bytes from which on a run will probably continue: its read-ahead grows from here
CERTAIN = 1 * MIB
#: bytes from which on a run is more than a look into a file: `file` reads 7 MiB at its head and as much at its end
SURE = 8 * MIB
#: the most read-ahead of a run shorter than `SURE`: twice what a good home connection has in flight at any time
UNSURE_AHEAD = 4 * MIB
#: the most read-ahead of one reader: a second of a good home connection
MOST_AHEAD = 24 * MIB
#: the same over a quicker link: a second of it, up to this
FARTHEST_AHEAD = 96 * MIB
#: the least and the most that one read-ahead request asks for, so that several connections share the work
LEAST_REQUEST = 512 * KIB
REQUEST = 16 * MIB
#: a gap before the wanted bytes that is cheaper to receive than a new request; a sequential reader may leave it out
SKIP = 1 * MIB
#: the same where the URL is for a single use: a new request needs a new URL from the platform first
REST_SKIP = 32 * MIB
#: how far behind its position a read still belongs to a run: the kernel reads two windows ahead, and its reads overtake
#: each other
BACK = 2 * KERNEL_READ_AHEAD + ALIGN
#: the unit of every request: the kernel's pages
PAGE = 4 * KIB
#: a gap that a thin link brings in so many seconds is received rather than left to a new request; a round trip comes on
#: top
_SKIP_SECONDS = 0.25
#: requests of a place that was left are dropped if they take the link more seconds than this
_WORTH_SECONDS = 0.25
#: over a thin link: seconds of it that the request after a jump asks for, that one request for read-ahead asks for, and
#: that are read ahead at least.  They are more than a program may need: what it leaves behind is dropped
_FIRST_SECONDS, _REQUEST_SECONDS, _AHEAD_SECONDS = 2.0, 4.0, 8.0
#: a reader alternates between two places if it came back so often, the last time within so many reads
_RETURNS, _RECENT = 2, 16

_RUNS = 2


class Extent(enum.Enum):
    """What the server sends for a range request."""

    RANGE = enum.auto()  # the range
    REST = enum.auto()  # everything from its start on, because its URL is for a single use
    WHOLE = enum.auto()  # everything from the first byte of the file, because the server ignores ranges


@dataclass(frozen=True, slots=True)
class InFlight:
    """A range request in flight: bytes before `position` have arrived, those up to `end` will.

    `keep`: it was not begun for a run of a reader, and is not dropped when the runs go elsewhere.
    """

    position: int
    end: int
    extent: Extent = Extent.RANGE
    keep: bool = False

    def brings_soon(self, start: int, most: int = SKIP) -> bool:
        """Whether waiting for the byte at `start` is better than a new request for it: `most` bytes may come before.

        A server without ranges would answer a new request with the whole file once more, so `WHOLE` always is.
        """
        skip = REST_SKIP if self.extent is Extent.REST else most
        return self.extent is Extent.WHOLE or start - self.position <= skip


@dataclass(frozen=True, slots=True)
class Run:
    """A sequential run of one reader: it began at `start` and has read up to `position`."""

    start: int
    position: int
    touched: int  # number of the read that last belonged to it
    returns: int = 0  # how often the reader has come back to it from its other run
    returned: int = 0  # number of the read that last did

    def alternates(self, reads: int) -> bool:
        """Whether the reader, at its read number `reads`, goes to and fro between this run and its other one."""
        return self.returns >= _RETURNS and reads - self.returned <= _RECENT

    @property
    def ahead(self) -> int:
        """The read-ahead that is useful beyond `position`, in bytes.

        The kernel's own read-ahead does not count as read: it is no sign that the program goes on.
        """
        read = self.position - self.start
        if read < CERTAIN:
            return FIRST
        return min(read + 2 * (read - KERNEL_READ_AHEAD), UNSURE_AHEAD if read < SURE else FARTHEST_AHEAD)


@dataclass(frozen=True, slots=True)
class State:
    """What the planner remembers of one reader: its runs, and how often it has read."""

    runs: tuple[Run, ...] = ()
    reads: int = 0

    @property
    def wanted(self) -> tuple[Run, ...]:
        """The runs that the reader reads: the present one, and the other if it alternates between both."""
        return tuple(run for run in self.runs if run.touched == self.reads or run.alternates(self.reads))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do for one read.

    `needed` and `ahead` are the requests to make, `drop` the requests in flight that no run needs any more.  Reads
    inside `valid_for` whose bytes are cached need no new plan, only `follow`.
    """

    state: State
    needed: tuple[Range, ...]
    ahead: tuple[Range, ...]
    drop: tuple[InFlight, ...]
    valid_for: Range
    run_start: int  # where the run of this read began


def needed(
    start: int,
    end: int,
    present: Ranges,
    in_flight: Iterable[InFlight],
    *,
    size: int,
    pace: Pace = UNKNOWN,
    is_sequential: bool = False,
) -> tuple[Range, ...]:
    """The requests to make so that the bytes from `start` to `end` come soon; none where those in flight bring them.

    A request in flight that has too far to go until `start` does not count: the new one takes over from it.
    """
    skip = SKIP if is_sequential else _skip(pace)
    expected = present
    for one in in_flight:
        if one.brings_soon(start, skip):
            expected = expected.add(one.position, one.end)
    gaps = expected.missing(start, end)
    if not gaps:
        return ()
    unit = PAGE if pace.is_thin else ALIGN
    low = _down(gaps[0].start, unit)
    # a reader that asks for much at once probably goes on: it gets the same again
    more = end - start if end - start > FIRST and not pace.is_thin else 0
    least = pace.brings(_FIRST_SECONDS, FIRST)
    high = min(_up(max(gaps[-1].end + more, low + least), unit), size)
    # rounding has widened the span: gaps that lie in the added parts alone are left to the read-ahead
    return tuple(gap for gap in expected.missing(low, high) if gap.start < end and start < gap.end)


def follow(state: State, start: int, end: int) -> State:
    """The state after a read that needs no plan."""
    return _follow(state, start, end, SKIP, None)[0]


def most_ahead(rate: float | None) -> int:
    """The most read-ahead of one reader over a link of this rate (bytes a second; None: not known), in bytes."""
    return MOST_AHEAD if rate is None else min(max(MOST_AHEAD, int(rate)), FARTHEST_AHEAD)


def plan(
    state: State,
    start: int,
    end: int,
    present: Ranges,
    in_flight: Iterable[InFlight],
    *,
    size: int,
    most_ahead: int = MOST_AHEAD,
    pace: Pace = UNKNOWN,
) -> Plan:
    """The plan for a read from `start` to `end` (within `size`) of a reader in this state.

    `present`: the bytes on disk or in memory; `most_ahead`: the limit of the read-ahead, in bytes; `pace`: the link.
    """
    in_flight = tuple(in_flight)
    expected = present
    for coming in in_flight:
        expected = expected.add(coming.position, coming.end)
    # More than a page may be the kernel's read-ahead, for which no program waits; a page is what a program needs.
    is_page = end - start <= PAGE
    state, run, sequential = _follow(state, start, end, max(_skip(pace), ALIGN), None if is_page else expected)
    now = needed(start, end, present, in_flight, size=size, pace=pace, is_sequential=sequential and not is_page)
    for span in now:
        expected = expected.add(*span)
    ahead: tuple[Range, ...] = ()
    window = min(_ahead(run, pace), most_ahead)
    request = max(_request(window), min(_power(pace.brings(_REQUEST_SECONDS, 0)), window // 2))
    # Read ahead as soon as one more request fits into the window, so that a connection that is done goes on at once;
    # not earlier, or every read would make a request of its own.
    least = min(request, window // 2)
    begins = expected.first_missing(run.position)
    if sequential and window and begins <= run.position + window - least:
        limit = min(_up(run.position + window), size)
        # smaller requests towards the end of the file, so that its last bytes do not wait for a single connection
        most = min(request, _request(size - begins))
        parts = [part for gap in expected.missing(run.position, limit) for part in _split(gap, most)]
        if len(parts) > 1 and limit < size and limit % most:
            parts.pop()  # a piece of a request; a few reads later it fits in full
        ahead = tuple(parts)
    is_droppable = [one for one in in_flight if one.extent is not Extent.WHOLE and not one.keep]
    drop = _useless(is_droppable, state.runs, pace)
    if pace.rate is not None and (wanted := state.wanted) != state.runs:
        left = _useless((one for one in is_droppable if one not in drop), wanted, pace)
        if sum(one.end - one.position for one in left) > _WORTH_SECONDS * pace.rate:
            drop = (*drop, *left)
    for one in ahead:
        expected = expected.add(*one)
    ready = expected.first_missing(run.position)
    # While the window still grows every read needs a plan.  At its full size the next plan is needed where the
    # condition above (`begins <= …`) would be true again.
    until = size if ready >= size else min(ready, ready - window + least - 1) if window == most_ahead else start
    return Plan(state, now, ahead, drop, Range(start, until), run.start)


def _follow(state: State, start: int, end: int, skip: int, expected: Ranges | None) -> tuple[State, Run, bool]:
    """The state after a read, the run that the read belongs to, and whether it continues that run.

    A run may leave out `skip` bytes, or `SKIP` where they are `expected`.
    """
    number = state.reads + 1

    def continues(run: Run) -> bool:
        if not run.position - BACK <= start <= run.position + SKIP:
            return False
        return start <= run.position + skip or (expected is not None and expected.covers(run.position, start))

    near = [run for run in state.runs if continues(run)]
    if near:
        old = min(near, key=lambda run: abs(run.position - start))
        run = replace(old, position=max(old.position, end), touched=number)
        if old.touched != state.reads:
            run = replace(run, returns=old.returns + 1, returned=number)
        others = [other for other in state.runs if other is not old]
    else:
        run = Run(start, end, number)
        others = sorted(state.runs, key=lambda other: other.touched)[-(_RUNS - 1) :]
    return State((*others, run), number), run, bool(near)


def _ahead(run: Run, pace: Pace) -> int:
    """The read-ahead that is useful beyond the position of a run, in bytes."""
    return max(run.ahead, pace.brings(_AHEAD_SECONDS, 0))


def _useless(some: Iterable[InFlight], runs: Iterable[Run], pace: Pace) -> tuple[InFlight, ...]:
    """The requests that bring no bytes of these runs: from `BACK` behind a position to the end of its read-ahead."""
    spans = [
        Range(max(run.start, _down(run.position - BACK)), run.position + _ahead(run, pace) + ALIGN) for run in runs
    ]
    return tuple(one for one in some if not any(one.position <= span.end and span.start < one.end for span in spans))


def _request(window: int) -> int:
    """The size of one read-ahead request in bytes, a power of two: about four of them fill the window."""
    return min(max(_power(window // 4), LEAST_REQUEST), REQUEST)


def _power(size: int) -> int:
    """The largest power of two that is not larger."""
    return 1 << (max(size, 1).bit_length() - 1)


def _split(gap: Range, most: int) -> Iterable[Range]:
    """The gap in ranges of at most `most` bytes, which end on multiples of it."""
    start = gap.start
    while start < gap.end:
        end = min((start // most + 1) * most, gap.end)
        yield Range(start, end)
        start = end


def _skip(pace: Pace) -> int:
    """The gap in bytes that is cheaper to receive than a new request."""
    return min(pace.brings(_SKIP_SECONDS + pace.round_trip, SKIP), SKIP)


def _down(offset: int, unit: int = ALIGN) -> int:
    return max(0, offset // unit * unit)


def _up(offset: int, unit: int = ALIGN) -> int:
    return -(-offset // unit) * unit


#: the shortest interval, in seconds: the bytes that a socket buffer holds come at once, and say little of the link
_INTERVAL = 0.2


class ThroughputMeter:
    """The rate at which bytes of one file arrive, over the last interval in which any did."""

    def __init__(self) -> None:
        self.rate: float | None = None  # bytes a second; None: not measured yet
        self._since: float | None = None
        self._bytes = 0

    def add(self, size: int, now: float) -> None:
        """Count `size` bytes that have arrived by `now`, in seconds of any one clock."""
        if self._since is None:
            self._since = now  # when these bytes began to arrive is not known: only later ones count
            return
        self._bytes += size
        elapsed = now - self._since
        if elapsed >= _INTERVAL:
            self.rate = self._bytes / elapsed
            self._since, self._bytes = now, 0
