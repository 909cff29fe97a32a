"""Look at a folder of a mount as a program would: `python -m torture_runs.walker FOLDER [BYTES]`.

Prints one JSON object: each path with its inode number and size, and of files up to so many bytes a checksum; for what
could not be had the error.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

_PAGES = frozenset({"index.html", "index.files", "playlist.m3u8", "deadlines.ics"})


def look(folder: Path, most: int) -> dict[str, list[object]]:
    """Everything below the folder."""
    found: dict[str, list[object]] = {}

    def failed(error: OSError) -> None:
        found[str(error.filename)] = ["error", error.strerror]

    for directory, below, names in os.walk(folder, onerror=failed):
        # course pages show what has become known: they differ from walk to walk
        below[:] = [name for name in below if name not in _PAGES]
        names[:] = [name for name in names if name not in _PAGES]
        found[os.path.relpath(directory, folder)] = [Path(directory).stat().st_ino]
        for name in sorted(names):
            path = Path(directory, name)
            key = os.path.relpath(path, folder)
            try:
                status = path.stat()
                found[key] = [status.st_ino, status.st_size]
                if status.st_size <= most:
                    found[key].append(hashlib.sha256(path.read_bytes()).hexdigest())
            except OSError as error:
                found[key] = ["error", error.strerror]
    return found


if __name__ == "__main__":
    print(json.dumps(look(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 0)))
