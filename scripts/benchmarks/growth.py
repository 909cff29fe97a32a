"""`scripts/bench growth`: how time and memory of a mount grow with the number of files in an account."""

from __future__ import annotations

import argparse
import os
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
WITHOUT_PAGES = "[layout]\ncourse_pages = false\n"
#: nothing listens there, and nothing of these accounts has to be asked for
_NOWHERE = "http://127.0.0.1:9"
#: of each walk the time for each file; "CPU": the processor time of the daemon alone
_COLUMNS = (
    *("files", "first ls s", "find µs", "CPU µs", "again µs", "again CPU µs", "ls -lR µs", "ls -lR CPU µs"),
    *("RSS MB", "umount s", "update µs"),
)


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
    with Coursefs(settings="" if pages else WITHOUT_PAGES).mount(_NOWHERE, home) as mounted:
        list(mounted.path.iterdir())
        found["first ls s"] = time.perf_counter() - begun
        pid = mounted.pid()
        find, listing = ("find", str(mounted.path), "-type", "f"), ("ls", "-lR", str(mounted.path))
        for name, command in (("find", find), ("again", find), ("ls -lR", listing)):
            before = _processor_seconds(pid)
            seconds, lines = _timed(command)
            found.setdefault("files", lines)
            found[f"{name} µs"] = seconds / found["files"] * 1e6
            found[f"{name} CPU µs"] = (_processor_seconds(pid) - before) / found["files"] * 1e6
        found["CPU µs"] = found["find CPU µs"]
        found["RSS MB"] = mounted.resident_bytes() / 1e6
        begun = time.perf_counter()
    found["umount s"] = time.perf_counter() - begun
    courses = size // account.FILES_OF_COURSE
    found["update µs"] = _update_seconds(courses) / (courses * account.FILES_OF_COURSE) * 1e6
    return found


def _update_seconds(courses: int) -> float:
    """Seconds of an update of an account of which nothing has changed, without the platform's part."""
    command = [sys.executable, "-m", "benchmarks.updating", str(courses)]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=_LIMIT, check=True, text=True)
    return float(done.stdout)


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _timed(command: Sequence[str]) -> tuple[float, int]:
    """Seconds, and lines of output."""
    begun = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=_LIMIT, check=True)
    return time.perf_counter() - begun, done.stdout.count(b"\n")


if __name__ == "__main__":
    sys.exit(main())
