"""Self-describing contents: every 8 bytes say which file, which version and which place they belong to.

A word is 16 bits of file number, 16 bits of version and 32 bits of its position in words, big-endian, with the top
bit set so that no word of any file is zero.  A single wrong byte anywhere differs from what is expected there.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping

WORD = 8

#: bytes of each file, by its number; lengths that are no multiple of anything
SIZES: Mapping[int, int] = {
    1: 6_291_459,
    2: 4_194_304,
    3: 3_000_017,
    4: 2_097_153,
    5: 1_048_576,
    6: 700_001,
    7: 262_147,
    8: 131_072,
    9: 65_537,
    10: 4_096,
    11: 511,
    12: 1,
}


def content(file: int, version: int, start: int, end: int) -> bytes:
    """The bytes `start` to `end` (exclusive) of this version of a file, whatever its size."""
    if end <= start:
        return b""
    first, last = start // WORD, -(-end // WORD)
    above = (0x8000 | file) << 48 | (version & 0xFFFF) << 32
    words = array("Q", range(above + first, above + last))
    if sys.byteorder == "little":
        words.byteswap()
    skipped = start - first * WORD
    return words.tobytes()[skipped : skipped + end - start]


def size_of(file: int, version: int) -> int:
    """Bytes of a file in this version: two versions in a row mostly have the same, every fourth another size."""
    return SIZES[file] + 40 * (version // 4 % 2)


def version_of(data: bytes, start: int) -> int | None:
    """The version that the first complete word says, None where there is none."""
    at = -start % WORD
    return int.from_bytes(data[at + 2 : at + 4], "big") if len(data) >= at + 4 else None


def is_right(data: bytes, file: int, newest: int, start: int, end: int) -> bool:
    """Whether these are exactly what one version, of 1 to the newest, has at `start` to `end`."""
    said = version_of(data, start)
    versions = range(newest, 0, -1) if said is None else (said,) if 1 <= said <= newest else ()
    return any(data == content(file, number, start, min(end, size_of(file, number))) for number in versions)


def what_is_wrong(data: bytes, file: int, newest: int, start: int, end: int) -> str:
    """What differs, for a person."""
    for low in range(start, start + len(data), 512):
        part = data[low - start : low - start + 512]
        if not is_right(part, file, newest, low, low + len(part)):
            kind = "zeros" if not any(part) else f"bytes {part[:16].hex()}"
            return f"{kind} at {low} of file {file}, version up to {newest}, read of {start} to {end}"
    said = {version_of(data[at:], start + at) for at in range(0, len(data), 512)} - {None}
    if len(said) > 1:
        return f"versions {sorted(map(str, said))} in one read of file {file}, {start} to {end}"
    return f"{len(data)} bytes in place of {end - start} at {start} of file {file}, version {said}"
