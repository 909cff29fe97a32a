"""The clock of a server's listings: which instants its times of day mean (pure).

Fact, measured on one server and seen on another: the web site's listings give the start of a recording as the room's
clock shows it, as if that were UTC.  The API gives the instant, and so does the viewer for one recording.  Names and
dates of files must be the same by either way.  So the zone of the rooms is found with few questions: of the zones that
still fit, as long as two differ about a day of the listing, the viewer is asked about a recording of that day.  UTC is
one of them, for servers that give instants.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_DAY = 86400.0
#: a start that differs less than this (seconds) from what a zone says fits the zone
_NEAR = 450.0
#: one zone of each rule that places with universities have
_NAMES = (
    "Europe/London", "Europe/Berlin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Moscow", "Atlantic/Reykjavik",
    "America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles",
    "America/Anchorage", "Pacific/Honolulu", "America/Halifax", "America/St_Johns", "America/Puerto_Rico",
    "America/Mexico_City", "America/Bogota", "America/Santiago", "America/Sao_Paulo", "Africa/Lagos", "Africa/Cairo",
    "Africa/Johannesburg", "Africa/Nairobi", "Asia/Jerusalem", "Asia/Riyadh", "Asia/Dubai", "Asia/Karachi",
    "Asia/Kolkata", "Asia/Dhaka", "Asia/Bangkok", "Asia/Singapore", "Asia/Tokyo", "Australia/Perth",
    "Australia/Darwin", "Australia/Adelaide", "Australia/Brisbane", "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip


def zones(own: tzinfo = UTC) -> list[tzinfo]:
    """The zones that come into question, the likeliest first: `own`, UTC, and those of places with universities."""
    found: list[tzinfo] = [UTC] if own is UTC else [own, UTC]
    for name in _NAMES:
        try:
            found.append(ZoneInfo(name))
        except (ValueError, OSError, KeyError):  # no time zone data on this machine: offsets are found all the same
            continue
    return found


def instant(wall: float, zone: tzinfo) -> float:
    """The instant, in seconds since 1970, at which clocks in this zone show `wall`, itself counted as if in UTC."""
    try:
        shown = datetime.fromtimestamp(wall, UTC).replace(tzinfo=None)
        offset = shown.replace(tzinfo=zone).utcoffset() or timedelta(0)
    except (OverflowError, ValueError, OSError):
        return wall
    return wall - offset.total_seconds()


def disputed(walls: Iterable[float], candidates: Sequence[tzinfo]) -> float | None:
    """The start of the latest day about which the candidates differ; None when they agree about all."""
    first, *others = candidates
    for day in sorted({math.floor(wall / _DAY) for wall in walls}, reverse=True):
        noon = (day + 0.5) * _DAY
        if any(instant(noon, other) != instant(noon, first) for other in others):
            return day * _DAY
    return None


def is_on(wall: float | None, day: float) -> bool:
    """Whether a time lies on the day that begins at `day`."""
    return wall is not None and day <= wall < day + _DAY


def fitting(candidates: Sequence[tzinfo], wall: float, true: float) -> list[tzinfo]:
    """The candidates that agree with one known pair of times; where none does, a fixed offset."""
    found = [zone for zone in candidates if abs(instant(wall, zone) - true) < _NEAR]
    if found:
        return found
    quarters = round((wall - true) / 900)
    return [timezone(timedelta(minutes=15 * quarters))] if abs(quarters) < 96 else [UTC]
