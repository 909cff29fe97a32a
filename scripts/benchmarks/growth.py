"""`scripts/bench growth`: how time and memory of a mount grow with the number of files in an account."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import account, provider
from benchmarks.tools import Coursefs, Trouble

_SIZES = (5_000, 50_000, 250_000, 500_000)
#: of a walk over the largest account
_LIMIT = 600.0
_WITHOUT_PAGES = "[layout]\ncourse_pages = false\n"
#: nothing listens there, and nothing of these accounts has to be asked for
_NOWHERE = "http://127.0.0.1:9"
_COLUMNS = ("files", "first ls s", "find µs", "again µs", "ls -lR µs", "RSS MB", "umount s")


def main() -> int:
    """Measure, and print a table: times of walks are for each file."""
    parser = argparse.ArgumentParser(prog="bench growth", description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=_SIZES, metavar="FILES", help="files of an account")
    parser.add_argument("--pages", action="store_true", help="with course pages")
    options = parser.parse_args()
    print(" | ".join(_COLUMNS))
    try:
        for size in options.sizes:
            with tempfile.TemporaryDirectory(prefix="coursefs-growth-") as home:
                found = _measured(Path(home), size, pages=options.pages)
            print(" | ".join(f"{found[name]:{len(name)}.4g}" for name in _COLUMNS), flush=True)
    except (Trouble, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _measured(home: Path, size: int, *, pages: bool) -> Mapping[str, float]:
    catalogue = home / "state" / "coursefs" / "catalogue.sqlite"
    catalogue.parent.mkdir(parents=True)
    account.make(catalogue, provider.NAME, size // account.FILES_OF_COURSE, pages=pages)
    found: dict[str, float] = {}
    begun = time.perf_counter()
    with Coursefs(settings="" if pages else _WITHOUT_PAGES).mount(_NOWHERE, home) as mounted:
        list(mounted.path.iterdir())
        found["first ls s"] = time.perf_counter() - begun
        find = ("find", str(mounted.path), "-type", "f")
        seconds, lines = _timed(find)
        found["files"] = lines
        for name, command in (("again µs", find), ("ls -lR µs", ("ls", "-lR", str(mounted.path)))):
            found[name] = _timed(command)[0] / lines * 1e6
        found["find µs"] = seconds / lines * 1e6
        found["RSS MB"] = mounted.resident_bytes() / 1e6
        begun = time.perf_counter()
    found["umount s"] = time.perf_counter() - begun
    return found


def _timed(command: Sequence[str]) -> tuple[float, int]:
    """Seconds, and lines of output."""
    begun = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=_LIMIT, check=True)
    return time.perf_counter() - begun, done.stdout.count(b"\n")


if __name__ == "__main__":
    sys.exit(main())
