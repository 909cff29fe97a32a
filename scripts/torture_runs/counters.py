"""Counters that the runner and its readers share: a small file that all of them have in memory.

Each reader has a slot that it alone writes, and the runner has one; nobody waits for anybody.
"""

from __future__ import annotations

import mmap
import time
from pathlib import Path

#: what a reader counts; times are in ns of the monotonic clock
FIELDS = ("operations", "bytes", "failures", "wrong", "late", "longest", "begun", "kind")
SLOTS = 256
_WIDTH = 16
#: the slot behind those of the readers is the runner's
_PAUSED, _PAUSED_SINCE, _STEP, _STALLED, _TITLES, _ANEW, _LACKS = (SLOTS * _WIDTH + place for place in range(7))
_VERSIONS = SLOTS * _WIDTH + _WIDTH  # and then one number for each file
_FILES = 64


class Counters:
    """The shared file; `Counters.create` makes it, other processes open it by its path."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._numbers = memoryview(self._memory).cast("q")

    @classmethod
    def create(cls, path: Path) -> Counters:
        """A new file with all counters at 0."""
        path.write_bytes(bytes((_VERSIONS + _FILES) * 8))
        path.chmod(0o666)
        return cls(path)

    def add(self, slot: int, field: str, count: int = 1) -> None:
        """Count."""
        self._numbers[slot * _WIDTH + FIELDS.index(field)] += count

    def set(self, slot: int, field: str, value: int) -> None:
        """Note a value."""
        self._numbers[slot * _WIDTH + FIELDS.index(field)] = value

    def get(self, slot: int, field: str) -> int:
        """One value."""
        return self._numbers[slot * _WIDTH + FIELDS.index(field)]

    def total(self, field: str) -> int:
        """The sum over all readers."""
        return sum(self.get(slot, field) for slot in range(SLOTS))

    def longest(self) -> int:
        """The longest operation of any reader, in ns."""
        return max(self.get(slot, "longest") for slot in range(SLOTS))

    @property
    def paused(self) -> int:
        """For how many ns the daemon was stopped on purpose, or nobody could run: nobody can be blamed for these."""
        return self._stopped + self._numbers[_STALLED]

    @property
    def _stopped(self) -> int:
        since = self._numbers[_PAUSED_SINCE]
        return self._numbers[_PAUSED] + (time.monotonic_ns() - since if since else 0)

    def stalled(self, lost: int) -> None:
        """The machine has let nobody run for so many ns; one process alone says so."""
        self._numbers[_STALLED] += lost

    @property
    def lost(self) -> int:
        """For how many ns the machine has let nobody run."""
        return self._numbers[_STALLED]

    def pause(self) -> None:
        """The daemon is stopped from now on."""
        self._numbers[_PAUSED_SINCE] = time.monotonic_ns()

    def resume(self) -> None:
        """The daemon goes on."""
        whole = self._stopped
        self._numbers[_PAUSED_SINCE] = 0
        self._numbers[_PAUSED] = whole

    @property
    def step(self) -> int:
        """The step that the runner is at."""
        return self._numbers[_STEP]

    @step.setter
    def step(self, number: int) -> None:
        self._numbers[_STEP] = number

    @property
    def has_wrong_titles(self) -> bool:
        """Whether files may have other names than theirs: the server says other titles, or did so a moment ago."""
        return bool(self._numbers[_TITLES])

    @has_wrong_titles.setter
    def has_wrong_titles(self, value: bool) -> None:
        self._numbers[_TITLES] = value

    @property
    def began_anew(self) -> bool:
        """Whether nothing was known when the server began to say wrong things."""
        return bool(self._numbers[_ANEW])

    @began_anew.setter
    def began_anew(self, value: bool) -> None:
        self._numbers[_ANEW] = value

    @property
    def may_lack_some(self) -> bool:
        """Whether the server leaves files out, or nothing was known before it said wrong things: then some are gone."""
        return self.began_anew or bool(self._numbers[_LACKS])

    @may_lack_some.setter
    def may_lack_some(self, value: bool) -> None:
        self._numbers[_LACKS] = value

    def version(self, file: int) -> int:
        """The newest version of a file; its first is 1."""
        return 1 + self._numbers[_VERSIONS + file]

    def new_version(self, file: int) -> int:
        """A file is about to change; readers must know before any of them can see it."""
        self._numbers[_VERSIONS + file] += 1
        return self.version(file)
