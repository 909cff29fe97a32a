"""What to ask the server for when somebody reads (pure).

A reader that goes on where it stopped is given as much ahead as it has read in this run, so that what is fetched
never exceeds about twice what was wanted; a reader that jumps gets what it asked for and little more.  Two runs are
remembered for each reader, because players and demuxers alternate between two places of a file.
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
#: the most that is fetched ahead of a reader
MOST_AHEAD = 16 * MIB
#: the most that one request for bytes ahead asks for, so that several connections share the work
REQUEST = 4 * MIB
#: a gap that is worth waiting through on a running request, and one that a sequential reader may leave out
SKIP = 1 * MIB
#: how far behind its place a run still counts as the same: the kernel's reads overtake each other
BACK = 512 * KIB

_RUNS = 2


@dataclass(frozen=True, slots=True)
class Flight:
    """A request that is under way: bytes up to `position` are there, those up to `end` will be.

    `whole`: the server ignores ranges and sends everything from the start; it is not to be interrupted.
    """

    position: int
    end: int
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A sequential run of one reader: began at `start`, has read up to `position`."""

    start: int
    position: int
    touched: int  # number of the read that last belonged to it

    @property
    def ahead(self) -> int:
        """How many bytes are worth having ready beyond `position`."""
        return min(max(self.position - self.start, FIRST), MOST_AHEAD)


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered of one reader."""

    runs: tuple[Run, ...] = ()
    reads: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do for one read: the new state, what to ask for now, what ahead, and what is of no use any more."""

    state: State
    needed: tuple[Range, ...]
    ahead: tuple[Range, ...]
    drop: tuple[Flight, ...]


def needed(start: int, end: int, present: Ranges, flights: Iterable[Flight], *, size: int) -> tuple[Range, ...]:
    """Requests to make so that the bytes from `start` to `end` come soon.

    Bytes that a running request delivers soon are waited for.  A request that has more than `SKIP` to go until the
    first of them does not count: the new one takes over from it.
    """
    expected = present
    for flight in flights:
        if flight.whole or start - flight.position <= SKIP:
            expected = expected.add(flight.position, flight.end)
    gaps = expected.missing(start, end)
    if not gaps:
        return ()
    low = _down(gaps[0].start)
    high = min(max(_up(gaps[-1].end), low + FIRST), size)
    return tuple(gap for gap in expected.missing(low, high) if gap.start < end and start < gap.end)


def plan(state: State, start: int, end: int, present: Ranges, flights: Iterable[Flight], *, size: int) -> Plan:
    """The plan for a read from `start` to `end` (within `size`) of a reader in this state."""
    flights = tuple(flights)
    state, run, sequential = _follow(state, start, end)
    now = needed(start, end, present, flights, size=size)
    expected = present
    for coming in (*now, *(Range(flight.position, flight.end) for flight in flights)):
        expected = expected.add(*coming)
    ahead: tuple[Range, ...] = ()
    if sequential and expected.first_missing(run.position) <= run.position + run.ahead // 2:
        limit = min(_up(run.position + run.ahead), size)
        ahead = tuple(part for gap in expected.missing(run.position, limit) for part in _split(gap))
    drop = tuple(flight for flight in flights if not flight.whole and not _useful(flight, state.runs))
    return Plan(state, now, ahead, drop)


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


def _split(gap: Range) -> Iterable[Range]:
    """Pieces of at most `REQUEST` bytes that end on multiples of it."""
    start = gap.start
    while start < gap.end:
        end = min((start // REQUEST + 1) * REQUEST, gap.end)
        yield Range(start, end)
        start = end


def _down(offset: int) -> int:
    return max(0, offset // ALIGN * ALIGN)


def _up(offset: int) -> int:
    return -(-offset // ALIGN) * ALIGN
