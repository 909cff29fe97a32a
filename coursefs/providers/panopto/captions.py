"""Captions: whether a body is any (pure).

Where there are none the platform sends nothing, or a web page, with the status of success.
"""

from __future__ import annotations

import re

#: bytes of a body that tell
ENOUGH = 512

_FIRST_CUE = re.compile(rb"\s*\d+\s*\r?\n\s*\d\d:\d\d:\d\d")


def is_srt(beginning: bytes) -> bool:
    """Whether a body that begins so is an SRT file with at least one cue."""
    return _FIRST_CUE.match(beginning.removeprefix(b"\xef\xbb\xbf")) is not None
