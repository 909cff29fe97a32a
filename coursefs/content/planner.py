"""What to ask the server for when somebody reads (pure).

A reader that goes on where it stopped is given a little ahead, and from a MiB on two to three times as much as it has
read in this run, so that several connections work for it soon; a reader that jumps gets what it asked for and little
more, and twice as much where it asks for much at once.  Two runs are remembered for each reader, because players and
demuxers alternate between two places of a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from coursefs.content.ranges import Range, Ranges

KIB = 2**10
MIB = 2**20

#: requests begin and end on multiples of this: what the kernel reads at once
ALIGN = 128 * KIB
#: the least that one request asks for: the first two reads of the kernel
FIRST = 256 * KIB
#: what the kernel asks for by itself, at most, beyond what a program has read: no sign that the program goes on
STEADY = 512 * KIB
#: a run of this many bytes is one that will go on: what is fetched ahead of it grows from here
CERTAIN = 1 * MIB
#: the most that is fetched ahead of a reader: a second of a good home connection
MOST_AHEAD = 24 * MIB
#: and over a link that is quicker than that: a second of it, up to this
FARTHEST_AHEAD = 96 * MIB
#: the least and the most that one request for bytes ahead asks for, so that several connections share the work
LEAST_REQUEST = 512 * KIB
REQUEST = 16 * MIB
#: a gap that is worth waiting through on a running request, and one that a sequential reader may leave out
SKIP = 1 * MIB
#: how far behind its place a run still counts as the same: the kernel's reads overtake each other
BACK = 512 * KIB

_RUNS = 2


@dataclass(frozen=True, slots=True)
class Flight:
    """A request that is under way: bytes up to `position` are there, those up to `end` will be.

    `whole`: the server ignores ranges and sends everything from the start; it is not to be interrupted.
    `kept`: it was begun for another reason than the runs of a reader, and is not dropped for them.
    `skip`: how many bytes of it are worth waiting through.
    """

    position: int
    end: int
    whole: bool = False
    kept: bool = False
    skip: int = SKIP


@dataclass(frozen=True, slots=True)
class Run:
    """A sequential run of one reader: began at `start`, has read up to `position`."""

    start: int
    position: int
    touched: int  # number of the read that last belonged to it

    @property
    def ahead(self) -> int:
        """How many bytes are worth having ready beyond `position`."""
        read = self.position - self.start
        if read < CERTAIN:
            return FIRST
        return min(read + 2 * (read - STEADY), FARTHEST_AHEAD)


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered of one reader."""

    runs: tuple[Run, ...] = ()
    reads: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do for one read: the new state, what to ask for now, what ahead, and what is of no use any more.

    `quiet`: further reads in here whose bytes are there need no plan, only `follow`.
    """

    state: State
    needed: tuple[Range, ...]
    ahead: tuple[Range, ...]
    drop: tuple[Flight, ...]
    quiet: Range


def needed(start: int, end: int, present: Ranges, flights: Iterable[Flight], *, size: int) -> tuple[Range, ...]:
    """Requests to make so that the bytes from `start` to `end` come soon.

    Bytes that a running request delivers soon are waited for.  A request that has more than its `skip` to go until the
    first of them does not count: the new one takes over from it.
    """
    expected = present
    for flight in flights:
        if flight.whole or start - flight.position <= flight.skip:
            expected = expected.add(flight.position, flight.end)
    gaps = expected.missing(start, end)
    if not gaps:
        return ()
    low = _down(gaps[0].start)
    # who asks for much at once goes on
    more = end - start if end - start > FIRST else 0
    high = min(max(_up(gaps[-1].end + more), low + FIRST), size)
    return tuple(gap for gap in expected.missing(low, high) if gap.start < end and start < gap.end)


def follow(state: State, start: int, end: int) -> State:
    """The state after a read for which nothing is to be done."""
    return _follow(state, start, end)[0]


def most_ahead(rate: float | None) -> int:
    """The most to fetch ahead of a reader at this rate, in bytes a second; None: not known."""
    return MOST_AHEAD if rate is None else min(max(MOST_AHEAD, int(rate)), FARTHEST_AHEAD)


def plan(
    state: State,
    start: int,
    end: int,
    present: Ranges,
    flights: Iterable[Flight],
    *,
    size: int,
    most_ahead: int = MOST_AHEAD,
) -> Plan:
    """The plan for a read from `start` to `end` (within `size`) of a reader in this state.

    `most_ahead`: bytes that there is room for ahead of the reader.
    """
    flights = tuple(flights)
    state, run, sequential = _follow(state, start, end)
    now = needed(start, end, present, flights, size=size)
    expected = present
    for coming in (*now, *(Range(flight.position, flight.end) for flight in flights)):
        expected = expected.add(*coming)
    ahead: tuple[Range, ...] = ()
    window = min(run.ahead, most_ahead)
    request = _request(window)
    # as soon as there is room for one request more, so that a connection that is done goes on at once
    least = min(request, window // 2)
    begins = expected.first_missing(run.position)
    if sequential and window and begins <= run.position + window - least:
        limit = min(_up(run.position + window), size)
        # less and less towards the end, so that no single connection is waited for there
        most = min(request, _request(size - begins))
        parts = [part for gap in expected.missing(run.position, limit) for part in _split(gap, most)]
        if len(parts) > 1 and limit < size and limit % most:
            parts.pop()  # the beginning of a request that can be made whole a little later
        ahead = tuple(parts)
    drop = tuple(
        flight for flight in flights if not flight.whole and not flight.kept and not _useful(flight, state.runs)
    )
    for one in ahead:
        expected = expected.add(*one)
    ready = expected.first_missing(run.position)
    # a window that still grows is looked at with every read
    until = size if ready >= size else min(ready, ready - window + least - 1) if window == most_ahead else start
    return Plan(state, now, ahead, drop, Range(start, until))


def _follow(state: State, start: int, end: int) -> tuple[State, Run, bool]:
    """The state after a read, the run that it belongs to, and whether that run goes on."""
    number = state.reads + 1
    near = [run for run in state.runs if run.position - BACK <= start <= run.position + SKIP]
    if near:
        old = min(near, key=lambda run: abs(run.position - start))
        run = replace(old, position=max(old.position, end), touched=number)
        others = [other for other in state.runs if other is not old]
    else:
        run = Run(start, end, number)
        others = sorted(state.runs, key=lambda other: other.touched)[-(_RUNS - 1) :]
    return State((*others, run), number), run, bool(near)


def _useful(flight: Flight, runs: Iterable[Run]) -> bool:
    return any(
        flight.position <= run.position + run.ahead + ALIGN and _down(run.position - BACK) < flight.end for run in runs
    )


def _request(window: int) -> int:
    """How many bytes one request asks for: four of them fill the window, within limits."""
    quarter = max(window // 4, 1)
    return min(max(1 << (quarter.bit_length() - 1), LEAST_REQUEST), REQUEST)


def _split(gap: Range, most: int) -> Iterable[Range]:
    """Pieces of at most `most` bytes that end on multiples of it."""
    start = gap.start
    while start < gap.end:
        end = min((start // most + 1) * most, gap.end)
        yield Range(start, end)
        start = end


def _down(offset: int) -> int:
    return max(0, offset // ALIGN * ALIGN)


def _up(offset: int) -> int:
    return -(-offset // ALIGN) * ALIGN
