"""Parsing of sizes and durations as users write them, and sizes as messages show them (pure).

It is a module of its own because the settings and the command line both use it.
"""

from __future__ import annotations

import math
import re

from coursefs.errors import UsageError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kKMGT])(i?)([Bb]?)|[Bb])?")
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(value: object) -> int:
    """A size in bytes: a whole number, or text such as "20GiB" (1024³), "500MB" (1000²), "20G" (1024³, as in df).

    Raises `UsageError` for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        number, prefix, binary, byte = match.groups()
        base = 1000.0 if byte and not binary else 1024.0
        size = float(number) * base ** _POWERS.get((prefix or "").upper(), 0)
        if size < math.inf:
            return round(size)
    raise UsageError(f'{_shown(value)} is not a size, such as "20GiB" or "500MB"')


def parse_duration(value: object) -> float:
    """Seconds: a positive number, or text such as "60s", "2m", "500ms". Raises `UsageError` for anything else."""
    seconds = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        seconds = float(match[1]) * _SECONDS[match[2] or "s"]
    if not 0.0 < seconds < math.inf:
        raise UsageError(f'{_shown(value)} is not a duration, such as "60s" or "2m"')
    return seconds


def format_size(count: float) -> str:
    """A size for a person, in powers of 1024: "512 bytes", "1.5 MiB"."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _shown(value: object) -> str:
    """The value as a one-line message shows it."""
    said = str(value) if not isinstance(value, int) or abs(value) < 10**20 else "such a number"
    said = "".join(one if one.isprintable() else " " for one in said)
    return f'"{said}"' if isinstance(value, str) else said
