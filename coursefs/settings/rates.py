"""Rates of transfer as users write them, also by the hours of the day (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from coursefs.errors import UsageError
from coursefs.settings.units import parse_size

_ENTRY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d),(\S+)")
_OFF = "off"
_EXAMPLE = '"2MB/s", "500kB/s" or "08:00,500kB/s 23:00,off"'


@dataclass(frozen=True, slots=True)
class Timetable:
    """A rate in bytes a second (None: no limit) from each of these minutes of the day on; never empty."""

    entries: tuple[tuple[int, int | None], ...]  # by minute

    def rate(self, minute: int) -> int | None:
        """The rate at a minute of the day; before the first entry that of the last one, from the day before."""
        found = self.entries[-1][1]
        for begin, rate in self.entries:
            if begin > minute:
                break
            found = rate
        return found


def parse_rate(value: object) -> Timetable:
    """A rate ("2MB/s", "off"), or rates with the times from which they hold. Raises `UsageError` for anything else."""
    if not isinstance(value, str) or not value.split():
        raise UsageError(f"expected a rate, such as {_EXAMPLE}")
    words = value.split()
    if len(words) == 1 and "," not in words[0]:
        return Timetable(((0, _rate(words[0])),))
    entries: Mapping[int, int | None] = dict(map(_entry, words))
    if len(entries) < len(words):
        raise UsageError(f'"{value}" names a time twice')
    return Timetable(tuple(sorted(entries.items())))


def _entry(word: str) -> tuple[int, int | None]:
    match = _ENTRY.fullmatch(word)
    if match is None:
        raise UsageError(f'"{word}" is not a time with a rate, as in {_EXAMPLE}')
    return int(match[1]) * 60 + int(match[2]), _rate(match[3])


def _rate(word: str) -> int | None:
    if word.lower() == _OFF:
        return None
    size = word.removesuffix("/s")
    # a number alone would be bytes here and KiB in rclone: a unit must be said
    if not size[-1:].isalpha():
        raise UsageError(f'"{word}" is not a rate, such as {_EXAMPLE}')
    try:
        rate = parse_size(size)
    except UsageError:
        raise UsageError(f'"{word}" is not a rate, such as {_EXAMPLE}') from None
    if not rate:
        raise UsageError(f'"{word}" would be no transfer at all; for no limit say "off"')
    return rate
