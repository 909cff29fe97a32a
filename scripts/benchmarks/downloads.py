"""`scripts/bench downloads`: one course over the far link, by `fetch`, `download`, and programs that only download.

Forty files of together 2 GB, from handouts to a recording.  Every copy is compared with the original afterwards; a
wrong byte ends the benchmark.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.contents import TREE
from benchmarks.link import FAR
from benchmarks.rows import aligned
from benchmarks.serverprocess import server_process
from benchmarks.tools import Coursefs, Trouble, carried_out, rclone, scratch_folder

COURSE, FOLDER = "Bench", "Files"
#: how many files of which size: handouts, audio, lectures, a recording
SIZES = ((20, 400_000), (10, 12_000_000), (9, 120_000_000), (1, 800_000_000))
_SEED = 7
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Place:
    """Where a tool loads from, and to."""

    url: str
    home: Path
    target: Path
    names: Sequence[str]

    @property
    def urls(self) -> list[str]:
        """The addresses of all files."""
        return [f"{self.url}/{COURSE}/{FOLDER}/{name}" for name in self.names]


@dataclass(frozen=True)
class Used:
    """What a program took: seconds of processor time, and bytes of memory at most."""

    processor: float
    memory: int


def _run(*command: str | Path, environment: dict[str, str] | None = None) -> Used:
    """Run a program to its end.  Raises `Trouble`."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([str(word) for word in command], env=environment, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise Trouble(f"{command[0]}: {said.read().decode(errors='replace')[-2000:]}")
    return Used(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def _aria2(place: Place) -> Used:
    addresses = place.home / "urls"
    addresses.write_text("\n".join(place.urls), encoding="ascii")
    options = ["-x6", "-j6", "-s6", "--quiet", "--file-allocation=none", f"--dir={place.target}"]
    return _run("aria2c", *options, f"--input-file={addresses}")


def _rclone(place: Place) -> Used:
    source = f":http:{COURSE}/{FOLDER}/"
    return _run(rclone(), "copy", source, place.target, "--http-url", place.url, "--transfers", "6", "--config", "")


def _single(place: Place) -> Used:
    """One stream after the other, as downloaders of courses and videos work."""
    used = [_run("curl", "-sSf", "--output-dir", place.target, "-O", url) for url in place.urls]
    return Used(sum(one.processor for one in used), max(one.memory for one in used))


def _download(place: Place) -> Used:
    environment = Coursefs().environment(place.url, place.home)
    copy = place.home / "copy"
    used = _run(sys.executable, "-m", "coursefs", "download", "all", "--to", copy, environment=environment)
    for name in place.names:
        (copy / COURSE / FOLDER / name).rename(place.target / name)
    return used


def _fetch(place: Place) -> Used:
    """Into the cache of a mount, by its daemon; what the files are copied for afterwards is not counted."""
    tool = Coursefs()
    environment = tool.environment(place.url, place.home)
    with tool.mount(place.url, place.home) as mounted:
        daemon = Path(f"/proc/{mounted.pid()}")
        client = _run(sys.executable, "-m", "coursefs", "fetch", mounted.path / COURSE, environment=environment)
        numbers = (daemon / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        (peak,) = (
            int(line.split()[1]) * 1024
            for line in (daemon / "status").read_text(encoding="ascii").splitlines()
            if line.startswith("VmHWM:")
        )
        (place.home / "fetched").touch()
        for name in place.names:
            shutil.copyfile(mounted.path / COURSE / FOLDER / name, place.target / name)
    return Used(client.processor + (int(numbers[11]) + int(numbers[12])) / _TICKS, peak)


TOOLS: dict[str, Callable[[Place], Used]] = {
    "one stream (curl)": _single,
    "rclone copy --transfers 6": _rclone,
    "aria2c -x6 -j6": _aria2,
    "coursefs download": _download,
    "coursefs fetch": _fetch,
}


def main() -> int:
    """Measure, print a table, write what was asked for."""
    parser = argparse.ArgumentParser(prog="bench downloads", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    surroundings = machine.describe()
    figures: dict[str, dict[str, float]] = {}

    def measure() -> None:
        with scratch_folder() as folder:
            root = folder / "server"
            names = _make(root)
            for name, load in TOOLS.items():
                print(f"bench: {name}", file=sys.stderr, flush=True)
                figures[name] = _measure(load, root, names, folder)

    if status := carried_out(measure):
        return status
    print(f"\n{', '.join(f'{name} {value}' for name, value in surroundings.items())}\n")
    lines = [["", "seconds", "of the link", "processor (s/GB)", "memory (MB)"]]
    for name, one in figures.items():
        shown = f"{one['seconds']:.1f}", f"{one['of_link']:.2f} ×", f"{one['processor']:.2f}", f"{one['memory']:.0f}"
        lines.append([name, *shown])
    print(aligned(lines))
    if options.json:
        found = {"machine": surroundings, "place": asdict(FAR), "tools": figures}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def _measure(load: Callable[[Place], Used], root: Path, names: Sequence[str], folder: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=folder) as home, server_process(root, "far") as server:
        place = Place(server.url, Path(home), Path(home) / "target", names)
        place.target.mkdir()
        os.sync()
        begun = time.time()
        used = load(place)
        # a fetch ends before its files are copied out of the mount
        fetched = place.home / "fetched"
        seconds = (fetched.stat().st_mtime if fetched.exists() else time.time()) - begun
        original = root / COURSE / FOLDER
        _, wrong, errors = filecmp.cmpfiles(original, place.target, names, shallow=False)
        if wrong or errors:
            raise Trouble(f"WRONG BYTES: {[*wrong, *errors]}")
        size = sum((original / name).stat().st_size for name in names)
        assert FAR.total_rate is not None
        return {
            "seconds": seconds,
            "of_link": size / seconds / FAR.total_rate,
            "processor": used.processor / size * 1e9,
            "memory": used.memory / 1e6,
        }


def _make(root: Path) -> list[str]:
    """Write the files; returns their names."""
    place = root / COURSE / FOLDER
    place.mkdir(parents=True)
    generator = random.Random(_SEED)  # no secret
    names: list[str] = []
    for count, size in SIZES:
        for _ in range(count):
            name = f"{len(names) + 1:02d}.{'pdf' if size < 10**6 else 'mp4'}"
            with (place / name).open("wb") as file:
                file.write(b"%PDF-1.7\n" if name.endswith("pdf") else bytes(4) + b"ftyp")
                for start in range(0, size, 2**20):
                    file.write(generator.randbytes(min(2**20, size - start)))
            names.append(name)
    (root / TREE).write_text(json.dumps({COURSE: {FOLDER: names}}), encoding="utf-8")
    return names


if __name__ == "__main__":
    sys.exit(main())
