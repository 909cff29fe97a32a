"""JSON and header values of platforms, parsed within bounds (pure).

Parsed JSON takes up to fifty times the memory of its text (`[[],[],…`), and the parser holds Python's interpreter lock
until it is done, so a thread would not keep the event loop free.  So the length of the text and the number of values in
it are checked before it is parsed.  The largest recorded reply, a course of 491 blocks, has 404 kB and 14,600 values as
counted here; the bounds are 17 times that and more.  How deep values are nested is checked, too: Python 3.14 parses
30,000 lists in each other, and what walks through them would not.

A header value that no clock, file or header could hold is None.
"""

from __future__ import annotations

import json
import math
import re
from email.utils import parsedate_to_datetime
from typing import Any

from coursefs.errors import BadReply

#: the most bytes of a reply
MOST_TEXT = 8 * 2**20
#: the most values in it, as `_values` counts
MOST_VALUES = 250_000
#: an object or a list counts as so many values: what a provider makes of it takes longer than parsing it
_CONTAINER = 8
#: the most objects and lists in each other; the deepest known reply has 12
MOST_DEPTH = 100
_ALL_BUT_BRACKETS = bytes(one for one in range(256) if one not in b"[]{}")
#: numbers that a database column, a clock and a file's size can hold
_LEAST, _GREATEST, _DIGITS = -(2**63), 2**63 - 1, 20
#: one without an end is the rest of the text, so that the time grows with its length alone
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)
#: digits as they are after `_AS_ZEROS`, which makes all of them 0 and everything else a blank
_LONG_NUMBER = b"0" * 18
_AS_ZEROS = bytes(48 if 48 <= one <= 57 else 32 for one in range(256))
_BOM = b"\xef\xbb\xbf"


def parse_json(body: bytes, *, most_values: int = MOST_VALUES) -> Any:
    """The value of a JSON text; None for `null` and for anything that is not JSON in UTF-8, such as an HTML page.

    `NaN` and `Infinity`, which servers in Python write, become None, as do numbers beyond 64 bits.  A text with more
    than `MOST_DEPTH` values in each other is no JSON either.  Raises `BadReply` for a text that is too large or has
    more than `most_values` values.
    """
    # Strings may hold the counted characters too: formulas are full of braces.  Leaving strings out takes a while.
    if len(body) > MOST_TEXT or (_values(body) > most_values and _values(_STRING.sub(b"0", body)) > most_values):
        raise BadReply("the reply is larger than any known one")
    if _is_deep(body) and _is_deep(_STRING.sub(b"0", body)):  # as above
        return None
    # Our function for each whole number takes as long as all of the rest; most replies have none that needs it.
    whole = _integer if _LONG_NUMBER in body.translate(_AS_ZEROS) else int
    try:
        return json.loads(body.removeprefix(_BOM).decode(), parse_constant=_none, parse_int=whole, parse_float=_float)
    except (ValueError, RecursionError):
        return None


def _values(body: bytes) -> int:
    """An upper bound of the number of values, which is quick to count."""
    return body.count(b",") + _CONTAINER * (body.count(b"[") + body.count(b"{"))


def _is_deep(body: bytes) -> bool:
    """Whether brackets are left when the innermost pairs are taken away as often as values may lie in each other."""
    left = body.translate(None, _ALL_BUT_BRACKETS)
    for _ in range(MOST_DEPTH):
        before, left = left, left.replace(b"[]", b"").replace(b"{}", b"")
        if left == before:
            break
    return bool(left)


def _none(_: str) -> None:
    return None


def _integer(text: str) -> int | None:
    if len(text) > _DIGITS:
        return None
    value = int(text)
    return value if _LEAST <= value <= _GREATEST else None


def _float(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None  # 1e999


_NUMBER = re.compile(r"[0-9]{1,18}")
_SENDABLE = re.compile(r"[!-~](?:[ -~]{0,998}[!-~])?")


def count_of(value: str | None) -> int | None:
    """A whole number below 10**18: a length, or an age in seconds."""
    text = (value or "").strip()
    return int(text) if _NUMBER.fullmatch(text) else None


def seconds_of_date(value: str | None) -> float | None:
    """Seconds since 1970 of an HTTP date."""
    try:
        return parsedate_to_datetime(value or "").timestamp()
    except (ValueError, OverflowError, OSError, TypeError, IndexError):  # the year 99999999999, a month without a name
        return None


def sendable(value: str | None) -> str | None:
    """A value that is sent back as it came (an ETag, a date): printable ASCII, at most 1000 characters."""
    text = (value or "").strip()
    return text if _SENDABLE.fullmatch(text) else None
