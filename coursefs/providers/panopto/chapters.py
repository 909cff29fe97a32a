"""The chapters of a recording as a file (pure).

The format is OGM's, `CHAPTER01=00:01:02.500`, which mpv (`--chapters-file`), mkvmerge and ffmpeg's friends read.
"""

from __future__ import annotations

from collections.abc import Sequence

from coursefs.providers.panopto.replies import Mark


def chapters(marks: Sequence[Mark]) -> str:
    """The text of the chapters file; "" where no moment has a name.  `marks` are in order of time."""
    lines = []
    named: dict[float, str] = {}
    for mark in marks:
        if mark.caption:
            named.setdefault(round(mark.time, 3), mark.caption)
    for number, (time, caption) in enumerate(named.items(), 1):
        lines += [f"CHAPTER{number:02d}={_clock(time)}\n", f"CHAPTER{number:02d}NAME={caption}\n"]
    return "".join(lines)


def _clock(time: float) -> str:
    minutes, milliseconds = divmod(round(time * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds / 1000:06.3f}"
