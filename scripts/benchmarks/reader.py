"""Reads and stops the time, in a process of its own that does nothing else; needs nothing but the standard library.

reader.py sequential PATH                     -> {"seconds": …, "bytes": …}
reader.py random PATH ORIGINAL SEED COUNT     -> {"seconds": [… for each read], "wrong": …}
"""

from __future__ import annotations

import json
import os
import random
import sys
import time

_MIB = 2**20
_SMALL = 4096


def sequential(path: str) -> dict[str, float]:
    """Read a file from start to end into one buffer, 1 MiB at once; opening it is part of the time."""
    buffer = bytearray(_MIB)
    total = 0
    begun = time.perf_counter()
    descriptor = os.open(path, os.O_RDONLY)
    while count := os.readv(descriptor, [buffer]):
        total += count
    os.close(descriptor)
    return {"seconds": time.perf_counter() - begun, "bytes": total}


def scattered(path: str, original: str, seed: int, count: int) -> dict[str, object]:
    """Read 4 KiB at each of `count` random places of a file that is open already; each is compared to the original.

    The kernel forgets the file's pages first, so that the file system is asked for each.
    """
    generator = random.Random(seed)
    seconds = []
    wrong = 0
    descriptor, right = os.open(path, os.O_RDONLY), os.open(original, os.O_RDONLY)
    blocks = os.fstat(right).st_size // _SMALL
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    for _ in range(count):
        place = generator.randrange(blocks) * _SMALL
        begun = time.perf_counter()
        data = os.pread(descriptor, _SMALL, place)
        seconds.append(time.perf_counter() - begun)
        wrong += data != os.pread(right, _SMALL, place)
    os.close(descriptor)
    os.close(right)
    return {"seconds": seconds, "wrong": wrong}


def main(arguments: list[str]) -> None:
    """Do what is asked, say it as JSON."""
    match arguments:
        case ["sequential", path]:
            print(json.dumps(sequential(path)))
        case ["random", path, original, seed, count]:
            print(json.dumps(scattered(path, original, int(seed), int(count))))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
