"""What recordings are called (pure)."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

_EXTENSION = re.compile(r"\.(mp4|m4v|mov|avi|wmv|mkv|mp3|m4a)$", re.IGNORECASE)


def title(name: str, start: float | None, zone: tzinfo) -> str:
    """`2024-01-09 Lecture 3`: the day on which it began in this zone, and its name.

    `start`: seconds since 1970.  Names of uploads end with the extension of the upload, which is not that of the file;
    a name that begins with the day itself does not get it twice.
    """
    plain = _EXTENSION.sub("", name.strip()).strip() or "Recording"
    day = _day(start, zone)
    return plain if not day or plain.startswith(day) else f"{day} {plain}"


def slug(text: str) -> str:
    """The text as a word: `2024-01-09-lecture-3`."""
    return "-".join(re.findall(r"\w+", text.casefold()))


def _day(start: float | None, zone: tzinfo) -> str:
    if start is None:
        return ""
    try:
        return datetime.fromtimestamp(start, zone).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return ""
