"""`scripts/bench floors`: figures that hold on any machine, as ratios to the least that they can cost, in one run.

| row | is compared with |
|---|---|
| second walk, cached 4 KiB reads, a remount | a file system on the same binding that has every answer ready |
| the last two once more | one that reads a file and compares every byte with a checksum |
| 1 GiB cold over loopback | `curl` to a file |
| the page cache | the same file on the disk's own file system |

Everything is done in turns, and the ratio is that of the medians.  Started by root, it is done once more by an ordinary
user, for whom the kernel reads less ahead.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import account, contents, machine, provider
from benchmarks.contents import BIG, COURSE, FULL
from benchmarks.growth import WITHOUT_PAGES
from benchmarks.rows import aligned
from benchmarks.serverprocess import ServerProcess, server_process
from benchmarks.sessions import reader
from benchmarks.tools import Coursefs, Trouble, carried_out, scratch_folder
from coursefs.mount import mountinfo
from coursefs.mount.kernel import raise_limits

_ORDINARY = Path(__file__).resolve().parents[2] / "tests" / "ordinary.py"
_READS, _SEED, _LIMIT = 2000, 20, 60.0
#: row -> what it is, its unit, whether more is better, the goal of the ratio
ROWS = {
    "walk": ("find -type f over 50,000 files, again", "s", False, 1.15),
    "cached": ("4 KiB at a random place, cached", "µs", False, 1.15),
    "cached, checked": ("… against one that compares checksums", "µs", False, 1.15),
    "remount": ("1 GiB after a remount", "MB/s", True, 0.9),
    "remount, checked": ("… against one that compares checksums", "MB/s", True, 0.9),
    "cold": ("1 GiB cold, loopback", "MB/s", True, 0.9),
    "again": ("1 GiB in the page cache", "MB/s", True, 0.9),
}
Runs = dict[str, tuple[list[float], list[float]]]  # row -> coursefs, the floor


def main() -> int:
    """Measure, print a table, write what was asked for."""
    parser = argparse.ArgumentParser(prog="bench floors", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each figure (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    runs: Runs = {row: ([], []) for row in ROWS}
    surroundings = machine.describe()

    def measure() -> None:
        with scratch_folder() as folder:
            root = folder / "server"
            root.mkdir()
            contents.make(root, FULL)
            with server_process(root, "near") as server:
                for number in range(options.runs):
                    print(f"bench: run {number + 1} of {options.runs}", file=sys.stderr, flush=True)
                    _run(folder, root, server, runs)

    if status := carried_out(measure):
        return status
    print(f"\nuser {os.geteuid()}, {', '.join(f'{name} {value}' for name, value in surroundings.items())}\n")
    print(as_table(runs), flush=True)
    found = {"machine": surroundings, "user": os.geteuid(), "rows": runs}
    if os.geteuid() == 0 and (status := carried_out(lambda: found.update(ordinary=_by_ordinary_user(options.runs)))):
        return status
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def _by_ordinary_user(runs: int) -> Any:
    """Measure once more, by an ordinary user in a mount namespace; prints the table, and returns what it writes."""
    with scratch_folder() as folder:
        folder.chmod(0o755)
        become = ("unshare", "--mount", "--propagation", "private", sys.executable, _ORDINARY, folder / "user")
        written = "/mnt/tmp/found.json"  # as the user sees it
        subprocess.run([*become, "--module", "benchmarks.floors", "--runs", str(runs), "--json", written], check=True)
        return json.loads((folder / "user" / "tmp" / "found.json").read_text(encoding="utf-8"))["rows"]


def as_table(runs: Runs) -> str:
    """The medians and their ratios."""
    lines = [["work", "coursefs", "floor", "ratio", "goal", ""]]
    for row, (what, unit, more_is_better, goal) in ROWS.items():
        ours, floor = (statistics.median(figures) for figures in runs[row])
        ratio = ours / floor
        is_reached = ratio >= goal if more_is_better else ratio <= goal
        sign = "≥" if more_is_better else "≤"
        shown = f"{ours:.4g}", f"{floor:.4g}", f"{ratio:.2f} ×", f"{sign} {goal} ×"
        lines.append([f"{what} ({unit})", *shown, "reached" if is_reached else "NOT REACHED"])
    return aligned(lines)


def _run(folder: Path, root: Path, server: ServerProcess, runs: Runs) -> None:
    big = root / COURSE / BIG
    size = big.stat().st_size
    with tempfile.TemporaryDirectory(dir=folder) as name:
        home = Path(name)
        os.sync()
        copy = home / "copy.bin"
        seconds, _ = _timed("curl", "-sSf", "-o", copy, f"{server.url}/{COURSE}/{BIG}")
        runs["cold"][1].append(size / seconds / 1e6)
        runs["again"][1].append(max(_rate(copy) for _ in range(2)))
        copy.unlink()
        tool = Coursefs()
        with tool.mount(server.url, home) as mounted:
            runs["cold"][0].append(_rate(mounted.path / COURSE / BIG))
            runs["again"][0].append(max(_rate(mounted.path / COURSE / BIG) for _ in range(2)))
        with tool.mount(server.url, home) as mounted:
            rate, small = _rate(mounted.path / COURSE / BIG), _small(mounted.path / COURSE / BIG, big)
            for kind in ("", ", checked"):
                runs["remount" + kind][0].append(rate)
                runs["cached" + kind][0].append(small)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        home = Path(name)
        tree = _account(home)
        with Coursefs(settings=WITHOUT_PAGES).mount(server.url, home) as mounted:
            runs["walk"][0].append(_second_walk(mounted.path))
        with _bare(home, tree, big) as path:
            runs["walk"][1].append(_second_walk(path))
        for kind, arguments in (("", ()), (", checked", ("--checked",))):
            with _bare(home, tree, big, *arguments) as path:
                runs["remount" + kind][1].append(_rate(path / "file.bin"))
                runs["cached" + kind][1].append(_small(path / "file.bin", big))


def _account(home: Path) -> Path:
    """The catalogue of a large account, without course pages; returns its tree for the floor."""
    catalogue = home / "state" / "coursefs" / "catalogue.sqlite"
    catalogue.parent.mkdir(parents=True)
    account.make(catalogue, provider.NAME, pages=False)
    tree: dict[str, Any] = {}
    for course in range(account.COURSES):
        modules = tree.setdefault(f"Course {course:03d}", {})
        for module in range(account.MODULES):
            lessons = modules.setdefault(f"{module + 1:02d} Module", {})
            for lesson in range(account.LESSONS):
                lessons[f"{lesson + 1:02d} Lesson"] = {f"{number:02d} Lecture.mp4": 10**7 for number in range(10)}
    path = home / "tree.json"
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


@contextmanager
def _bare(home: Path, tree: Path, file: Path, *arguments: str) -> Iterator[Path]:
    path = home / "bare"
    path.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.bare", str(path), str(tree), str(file), *arguments]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        end = time.monotonic() + _LIMIT
        while mountinfo.at(path) is None:
            if process.poll() is not None or time.monotonic() > end:
                raise Trouble("the floor does not mount")
            time.sleep(0.01)
        raise_limits(path)
        yield path
    finally:
        subprocess.run(["fusermount3", "-u", "-z", path], check=False, capture_output=True)
        process.wait(_LIMIT)


def _second_walk(path: Path) -> float:
    _timed("find", path, "-type", "f")
    return min(_timed("find", path, "-type", "f")[0] for _ in range(3))


def _rate(path: Path) -> float:
    found = reader("sequential", path)
    return float(found["bytes"] / found["seconds"] / 1e6)


def _small(path: Path, original: Path) -> float:
    found = reader("random", path, original, _SEED, _READS)
    if found["wrong"]:
        raise Trouble(f"WRONG BYTES: {path}")
    return float(statistics.median(found["seconds"]) * 1e6)


def _timed(*command: str | Path) -> tuple[float, bytes]:
    begun = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ | {"LC_ALL": "C"})
    return time.perf_counter() - begun, done.stdout


if __name__ == "__main__":
    sys.exit(main())
