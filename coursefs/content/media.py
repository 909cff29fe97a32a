"""The media index: finds the index of a film by its first bytes, and how long it plays (pure).

A player cannot begin before it has read the index.  MP4 and its kin (ISO/IEC 14496-12, section 4.2) are boxes with a
size and a type: `moov` is the index, `mdat` the film.  Matroska and WebM (RFC 8794; RFC 9559, sections 5.1.1 and 6.3)
are elements with an id and a size: `SeekHead` says where in the `Segment` the index, `Cues`, lies, and
`Info` how long the film plays.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from coursefs.content.ranges import Range

#: the most bytes of an index that are read ahead: a lecture of ten minutes has a smaller one
MOST_INDEX = 512 * 2**10

_EBML, _SEGMENT, _SEEK_HEAD, _SEEK = 0x1A45DFA3, 0x18538067, 0x114D9B74, 0x4DBB
_INFO, _TICK, _DURATION = 0x1549A966, 0x2AD7B1, 0x4489
_SEEK_ID, _SEEK_POSITION, _CUES = 0x53AB, 0x53AC, b"\x1c\x53\xbb\x6b"


def index_of(head: bytes | memoryview, size: int, most: int = MOST_INDEX) -> Range | None:
    """The range of the index in a film of `size` bytes, at most `most` of it; None where `head` does not tell.

    `head`: any number of first bytes of any kind of file.
    """
    data = bytes(head)
    found = _moov(data, size) if data[4:8] == b"ftyp" else _cues(data, size)
    if found is None or not 0 <= found.start < min(found.end, size):
        return None
    return Range(found.start, min(found.end, size, found.start + most))


def duration_of(head: bytes | memoryview, index: bytes | memoryview) -> float | None:
    """How long a film plays, in seconds, by its first bytes and those of its index; None where they do not tell."""
    data = bytes(head)
    seconds = _movie_duration(bytes(index)) if data[4:8] == b"ftyp" else _segment_duration(data)
    return seconds if seconds is not None and 0 < seconds < math.inf else None


def _moov(data: bytes, size: int) -> Range | None:
    start = 0
    while start + 8 <= len(data):
        length, kind, least = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8], 8
        if length == 1:
            length, least = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        end = size if length == 0 else start + length
        if kind in {b"moov", b"moof"}:  # `moof`: the film is in fragments, and has no index
            return Range(start, end) if kind == b"moov" else None
        if length and length < least:
            return None
        start = end
    return Range(start, size)  # beyond `head`: the film comes first, and the index after it


def _movie_duration(moov: bytes) -> float | None:
    """By the movie header, `mvhd` (ISO/IEC 14496-12, section 8.2.2): the number of ticks, and how many are a second."""
    start = 16 if moov[:4] == b"\0\0\0\1" else 8
    while start + 32 <= len(moov):
        length, kind = int.from_bytes(moov[start : start + 4], "big"), moov[start + 4 : start + 8]
        if kind == b"mvhd":
            wide = moov[start + 8] == 1
            at, count = start + (28 if wide else 20), 8 if wide else 4
            rate, ticks = int.from_bytes(moov[at : at + 4], "big"), moov[at + 4 : at + 4 + count]
            known = rate and len(ticks) == count and ticks != b"\xff" * count
            return int.from_bytes(ticks, "big") / rate if known else None
        if length < 8:
            return None
        start += length
    return None


def _cues(data: bytes, size: int) -> Range | None:
    top = {one.identifier: one for one in _elements(data, 0, len(data))}
    if _EBML not in top or _SEGMENT not in top:
        return None
    segment = top[_SEGMENT].start
    for element in _elements(data, segment, len(data)):
        if element.identifier == _SEEK_HEAD:
            for seek in _elements(data, element.start, element.end):
                parts = {one.identifier: data[one.start : one.end] for one in _elements(data, seek.start, seek.end)}
                if seek.identifier == _SEEK and parts.get(_SEEK_ID) == _CUES and _SEEK_POSITION in parts:
                    return Range(segment + int.from_bytes(parts[_SEEK_POSITION], "big"), size)
    return None


def _segment_duration(data: bytes) -> float | None:
    top = {one.identifier: one for one in _elements(data, 0, len(data))}
    if _EBML not in top or _SEGMENT not in top:
        return None
    for element in _elements(data, top[_SEGMENT].start, len(data)):
        if element.identifier == _INFO:
            parts = {one.identifier: data[one.start : one.end] for one in _elements(data, element.start, element.end)}
            ticks, tick = parts.get(_DURATION, b""), parts.get(_TICK)
            if len(ticks) not in {4, 8}:
                return None
            (count,) = struct.unpack(">f" if len(ticks) == 4 else ">d", ticks)
            return float(count) * (10**6 if tick is None else int.from_bytes(tick, "big")) / 1e9
    return None


@dataclass(frozen=True, slots=True)
class _Element:
    identifier: int
    start: int  # of its content
    end: int


def _elements(data: bytes, start: int, end: int) -> Iterator[_Element]:
    """The elements between two offsets, as far as `data` goes."""
    end = min(end, len(data))
    while start < end:
        identifier = _number(data, start, marked=True)
        length = _number(data, start + identifier[1], marked=False) if identifier else None
        if identifier is None or length is None:
            return
        start += identifier[1] + length[1]
        unknown = length[0] == (1 << 7 * length[1]) - 1  # all bits set: a live stream, whose length was not known
        yield _Element(identifier[0], start, end if unknown else start + length[0])
        start = end if unknown else start + length[0]


def _number(data: bytes, start: int, *, marked: bool) -> tuple[int, int] | None:
    """A variable-length number and its length in bytes, by its first set bit; `marked`: that bit is part of it."""
    if start >= len(data) or not data[start]:
        return None
    length = 9 - data[start].bit_length()
    if start + length > len(data):
        return None
    number = int.from_bytes(data[start : start + length], "big")
    return (number if marked else number & ((1 << 7 * length) - 1)), length
