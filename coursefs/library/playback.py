"""Playback: tells a person who plays a lecture from a program that only reads its file (pure).

A mount sees reads of one open file: where, how much, when.  Both a player and a copy read in sequence, so that alone
says nothing.  These do:

- A copy, a search or a checksum reads as fast as it can and closes the file.  A film takes as long as it plays: by the
  clock, a player comes to the middle after half of that, or after a third at 1.5 times the speed.
- A copy over a slow link may take just as long, but it waits for bytes all the time.  A player rests: its buffer is
  full.
- A scanner or thumbnailer jumps to a few places, reads little there, and closes the file.

mpv reads a mount as it reads the network: it fills its buffer (150 MiB, which most lectures fit into) as fast as it can
and then keeps the file open.  Where it is in the film cannot be seen then, so the clock is believed.  The same goes for
a film that the kernel has in its memory, since it was read before: its reads are never seen.
"""

from __future__ import annotations

from dataclasses import dataclass

#: how far behind its position, and how far beyond it, a read still belongs to a run, in bytes: the kernel's reads
#: overtake each other, and it leaves out what it has in memory; and the part of a small file that is not more than that
_BACK = 512 * 2**10
_SKIP = 2**20
_NEAR = 1 / 32
#: runs that are remembered: players alternate between the index and the film
_RUNS = 2

#: the least time over which a player is watched, in seconds; and of short films the part of their duration
_WHILE = 20.0
_SHORT_WHILE = 1 / 6
#: the least time for which a file is open of which no read is seen, in seconds
_LEAST_UNSEEN = 5.0
#: the part of the time in which a player waits for no read
_RESTING = 0.5
#: the speed at which a person may play a film that its player has read long before
_SPEED = 1.5


@dataclass(frozen=True, slots=True)
class Film:
    """The size of a video in bytes, and how long it plays, in seconds."""

    size: int
    duration: float


@dataclass(slots=True)
class ReadRun:
    """A sequential run of reads: it began at `start` and has come to `position`; times in seconds of one clock.

    Changed in place by its pattern, because a read of cached bytes takes few microseconds in all.
    """

    start: int
    position: int
    began: float
    waited: float  # how long the program waited for reads before the run began


class ReadPattern:
    """The reads of one open file: its last runs, and how long the program waited for reads.

    Concurrent reads count once; `began` must be followed by `ended`.
    """

    def __init__(self, size: int, opened: float) -> None:
        """`size`: of the file, in bytes; `opened`: when it was opened."""
        self.opened = opened
        near = int(size * _NEAR)
        self._back, self._skip = -min(_BACK, near), min(_SKIP, near)
        self._runs: list[ReadRun] = []  # the one that was read last is the last
        self._waiting = 0
        self._since = 0.0
        self._waited = 0.0
        self._last = 0.0  # when a read came, or was answered

    def began(self, start: int, end: int, now: float) -> None:
        """Note a read of these bytes that waits."""
        self._note(start, end, now)
        if not self._waiting:
            self._since = now
        self._waiting += 1

    def ended(self, now: float) -> None:
        """Note that a read no longer waits."""
        self._waiting -= 1
        self._last = now
        if not self._waiting:
            self._waited += now - self._since

    def answered(self, start: int, end: int, now: float) -> None:
        """Note a read that did not wait."""
        self._note(start, end, now)

    def waited(self, now: float) -> float:
        """How long the program has waited for reads, in seconds."""
        return self._waited + (now - self._since if self._waiting else 0.0)

    def rests(self, now: float) -> float:
        """For how long the program has waited for nothing, in seconds."""
        return 0.0 if self._waiting else now - self._last

    def unread(self, now: float) -> float:
        """For how long the program has read nothing, in seconds."""
        return now - max(self._last, self.opened)

    @property
    def last(self) -> ReadRun | None:
        """The run that was read last."""
        return self._runs[-1] if self._runs else None

    def _note(self, start: int, end: int, now: float) -> None:
        self._last = now
        runs = self._runs
        for run in reversed(runs):
            if self._back <= start - run.position <= self._skip:
                run.position = max(run.position, end)
                if run is not runs[-1]:
                    runs.remove(run)
                    runs.append(run)
                return
        del runs[: len(runs) - (_RUNS - 1)]
        runs.append(ReadRun(start, end, now, self.waited(now)))


def is_past_middle(pattern: ReadPattern, film: Film, now: float) -> bool:
    """Whether a person plays this film, and may be past its middle."""
    run = pattern.last
    if not film.size or not film.duration > 0:
        return False
    if run is None:
        # all of it came from the kernel's memory: a copy is done with that at once
        return now - pattern.opened >= max(_LEAST_UNSEEN, film.duration / 2 / _SPEED)
    rate = film.size / film.duration
    watched, least = now - run.began, min(_WHILE, film.duration * _SHORT_WHILE)
    if watched < least or run.position - run.start < least * rate:
        return False
    waited = pattern.waited(now) - run.waited
    # one that has read all, after a long wait for it, rests from then on
    if waited > watched * (1 - _RESTING) and pattern.rests(now) < least:
        return False
    by_the_clock = run.start + watched * _SPEED * rate
    return min(run.position, by_the_clock) >= film.size / 2
