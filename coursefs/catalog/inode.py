"""Inode numbers that outlive a remount, and even the loss of the catalogue: they are made of stable ids (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

#: the root of a FUSE file system; numbers below 256 are never given to anything else
ROOT = 1
_FIRST = 256
_LAST = 2**63 - 1


def candidates(*stable_id: str) -> Iterator[int]:
    """Inode numbers for a stable id, the best first: below 2**63, the same on every machine."""
    text = "\x00".join(stable_id).encode(errors="surrogatepass")
    for attempt in range(256):
        digest = hashlib.blake2b(text, digest_size=8, salt=attempt.to_bytes(8, "big")).digest()
        yield _FIRST + int.from_bytes(digest, "big") % (_LAST - _FIRST)


def choose(is_taken: Callable[[int], bool], *stable_id: str) -> int:
    """The first candidate that nobody else has."""
    return next(number for number in candidates(*stable_id) if not is_taken(number))
