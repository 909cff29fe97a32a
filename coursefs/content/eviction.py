"""What leaves the cache when there is not enough room (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coursefs.content.identity import Key


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may leave: a whole closed file, or one piece (`start`) of an open one."""

    key: Key
    start: int | None
    size: int  # bytes
    read_ns: int  # when it was last read, ns since 1970


def excess(*, used: int, incoming: int, max_size: int, free: int, min_free: int) -> int:
    """How many bytes must leave before `incoming` more may be stored; 0: there is room."""
    return max(0, used + incoming - max_size, incoming + min_free - free)


def choose(candidates: Iterable[Candidate], wanted: int) -> list[Candidate]:
    """The least recently read candidates that together have at least `wanted` bytes, or all that there are.

    The last one may be larger than what is still wanted; whoever carries this out may take a part of it.
    """
    chosen: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda each: (each.read_ns, each.key, each.start or 0)):
        if wanted <= 0:
            break
        chosen.append(candidate)
        wanted -= candidate.size
    return chosen
