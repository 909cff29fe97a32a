"""What leaves the cache when there is not enough room (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coursefs.content.identity import Key

#: bytes at the start and at the end of every file that players, scanners and thumbnailers read again and again
HEAD = 2**20
TAIL = 2**20
#: they count as read so many ns later than they were: a month
_FAVOUR = 30 * 24 * 3600 * 10**9


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may leave: one piece (`start`) of an open file; of a closed one the edges, or all but them."""

    key: Key
    start: int | None
    size: int  # bytes
    read_ns: int  # when it was last read, ns since 1970
    edge: bool = False


def is_edge(start: int, end: int, size: int) -> bool:
    """Whether a piece belongs to the head or the tail of a file of `size` bytes."""
    return start < HEAD or end > size - TAIL


def excess(*, used: int, incoming: int, max_size: int, free: int, min_free: int) -> int:
    """How many bytes must leave before `incoming` more may be stored; 0: there is room."""
    return max(0, used + incoming - max_size, incoming + min_free - free)


def choose(candidates: Iterable[Candidate], wanted: int, *, favour_edges: bool = True) -> list[Candidate]:
    """The least recently read candidates that together have at least `wanted` bytes, or all that there are.

    Edges stay a month longer with `favour_edges`, which is for a cache that has room for more than them.
    The last one may be larger than what is still wanted; whoever carries this out may take a part of it.
    """

    def order(each: Candidate) -> tuple[int, Key, bool, int]:
        favour = _FAVOUR if each.edge and favour_edges else 0
        return each.read_ns + favour, each.key, each.edge, each.start or 0

    chosen: list[Candidate] = []
    for candidate in sorted(candidates, key=order):
        if wanted <= 0:
            break
        chosen.append(candidate)
        wanted -= candidate.size
    return chosen
