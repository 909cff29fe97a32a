"""Damage to a database of ours as disks, crashes and people do it, by a seed."""

from __future__ import annotations

import random
import shutil
from pathlib import Path


def damage(path: Path, source: random.Random) -> str:
    """Change the file; what was done to it, for a message."""
    how = source.choice(["bytes", "bytes", "bytes", "text", "cut", "page", "empty", "random"])
    data = bytearray(path.read_bytes())
    if how == "bytes":
        for _ in range(source.choice([1, 10, 300])):
            data[source.randrange(len(data))] = source.randrange(256)
    elif how == "text":  # bytes that are no UTF-8 in the middle of words
        places = [at for at in range(200, len(data)) if 97 <= data[at] <= 122]
        for at in source.sample(places, min(25, len(places))):
            data[at] = 0xFF
    elif how == "cut":
        del data[source.randrange(len(data)) :]
    elif how == "page":
        at = source.randrange(len(data) // 4096) * 4096
        data[at : at + 4096] = source.choice([bytes(4096), source.randbytes(4096), data[:4096]])
    else:
        data = bytearray() if how == "empty" else bytearray(source.randbytes(len(data)))
    path.write_bytes(data)
    return how


def copied(folder: Path, to: Path) -> Path:
    """A copy of a folder in the place of what was there."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)
    return to
