"""Sizes and durations as people write them (pure)."""

from __future__ import annotations

import math
import re

from coursefs.errors import UsageError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kKMGT])(i?)([Bb]?)|[Bb])?")
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(value: object) -> int:
    """Bytes: a whole number, or text such as "20GiB" (1024³), "500MB" (1000²) or "20G" (1024³, as df and mount say).

    Raises `UsageError` for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        number, prefix, binary, byte = match.groups()
        base = 1000.0 if byte and not binary else 1024.0
        return round(float(number) * base ** _POWERS.get((prefix or "").upper(), 0))
    raise UsageError(f'{_shown(value)} is not a size, such as "20GiB" or "500MB"')


def parse_duration(value: object) -> float:
    """Seconds: a positive number, or text such as "60s", "2m" or "500ms".  Raises `UsageError` for anything else."""
    seconds = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        seconds = float(match[1]) * _SECONDS[match[2] or "s"]
    if not 0.0 < seconds < math.inf:
        raise UsageError(f'{_shown(value)} is not a duration, such as "60s" or "2m"')
    return seconds


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
