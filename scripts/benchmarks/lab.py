"""`scripts/bench lab`: one link, many readers, who play the same five lectures at the same moment.

Each reader is a mount of its own, with a cache of its own.  All share a far link of 25 MB/s to the platform, and a
local network of 100 MB/s to one machine with `coursefs serve-cache`.  A reader looks at the head and the end of each
lecture, as a player does, then reads it at the rate at which it plays; every byte is compared with the original.

Then the faults: the machine that fetches is killed, another one writes wrong pieces, the disk of the tier is full.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import machine
from benchmarks.contents import TREE
from benchmarks.paced import paced
from benchmarks.rows import aligned
from benchmarks.serverprocess import ServerProcess, server_process
from benchmarks.tools import Coursefs, Mounted, Rclone, Tool, Trouble, carried_out, scratch_folder

COURSE, FOLDER = "Bench", "Lectures"
_LECTURES = 5
_SIZE = 6_000_000  # bytes of a lecture
_RATE = 2_000_000  # bytes a second that a reader plays
_LOCAL = 100e6  # bytes a second of the local network
_CHUNK = 128 * 1024
_HEAD, _END = 512 * 1024, 64 * 1024  # what a player looks at before it shows the first picture
_SEED = 11
_READERS = (1, 5, 15, 40)
#: readers of the runs with a fault
_FAULTY = 10
#: mounts that are made at once
_AT_ONCE = 4

WITH, WITHOUT, RCLONE = "coursefs with the tier", "coursefs without", "rclone without"


@dataclass
class Reader:
    """What one reader saw."""

    first_frames: list[float] = field(default_factory=list)  # seconds
    seconds: float = 0.0
    wrong: int = 0  # bytes
    late: float = 0.0  # seconds that bytes came after they were to be shown, in all


@dataclass(frozen=True, slots=True)
class Run:
    """What all readers of one run saw together."""

    readers: int
    from_platform: float  # copies of the five lectures
    first_frame: float  # seconds, of the reader that waited longest
    seconds: float  # until the last one had seen everything
    late: float  # seconds of pauses, of the reader that had most
    wrong: int  # bytes


def main() -> int:
    """Measure, print a table, write what was asked for."""
    parser = argparse.ArgumentParser(prog="bench lab", description=__doc__)
    parser.add_argument("--readers", metavar="N,…", help=f"default: {','.join(map(str, _READERS))}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the figures as a picture (PNG)")
    options = parser.parse_args()
    readers = [int(word) for word in options.readers.split(",")] if options.readers else _READERS
    surroundings = machine.describe()
    figures: dict[str, list[Run]] = {WITH: [], WITHOUT: [], RCLONE: []}
    faults: dict[str, Run] = {}

    def measure() -> None:
        with scratch_folder() as folder:
            names = _make(folder / "server")
            for count in readers:
                for name, runs in figures.items():
                    _say(f"{name}, {count} readers")
                    runs.append(_measure(folder, names, name, count))
            for name, fault in FAULTS.items():
                if fault is _full_disk and os.geteuid():
                    _say("only root can make a small disk: that fault is left out")
                    continue
                _say(f"{name}, {_FAULTY} readers")
                faults[name] = _measure(folder, names, WITH, _FAULTY, fault)

    if status := carried_out(measure):
        return status
    print(f"\n{', '.join(f'{name} {value}' for name, value in surroundings.items())}\n")
    print(_table(figures, faults))
    if options.json:
        found = {
            "machine": surroundings,
            "tools": {name: [asdict(run) for run in runs] for name, runs in figures.items()},
            "faults": {name: asdict(run) for name, run in faults.items()},
        }
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if options.plot:
        from benchmarks import plot  # late: it is slow to import

        plot.draw_lines(
            "readers",
            {
                "copies of the lectures from the platform": _lines(figures, lambda run: run.from_platform),
                "first frame, of the slowest reader (s)": _lines(figures, lambda run: run.first_frame),
                "until all have seen everything (s)": _lines(figures, lambda run: run.seconds),
            },
            options.plot,
        )
    return 0


def _lines(figures: dict[str, list[Run]], value: Callable[[Run], float]) -> dict[str, list[tuple[float, float]]]:
    return {name: [(run.readers, value(run)) for run in runs] for name, runs in figures.items()}


def _table(figures: dict[str, list[Run]], faults: dict[str, Run]) -> str:
    lines = [["", "readers", "copies from the platform", "first frame (s)", "total (s)", "pauses (s)", "wrong bytes"]]
    for name, run in [
        *((name, run) for name, runs in figures.items() for run in runs),
        *((f"with the tier; {name}", run) for name, run in faults.items()),
    ]:
        shown = f"{run.from_platform:.2f}", f"{run.first_frame:.2f}", f"{run.seconds:.1f}", f"{run.late:.1f}"
        lines.append([name, str(run.readers), *shown, str(run.wrong)])
    return aligned(lines)


# -- one run -----------------------------------------------------------------------------------------------------------

#: what goes wrong in a run: called with the tier's folder and the mounts when the readers begin
Fault = Callable[[Path, Sequence[Mounted]], None]


def _measure(folder: Path, names: Sequence[str], name: str, count: int, fault: Fault | None = None) -> Run:
    originals = [(folder / "server" / COURSE / FOLDER / one).read_bytes() for one in names]
    with ExitStack() as stack:
        home = stack.enter_context(scratch_folder(folder))
        server = stack.enter_context(server_process(folder / "server", "far"))
        tier = home / "tier"
        tier.mkdir()
        if fault is _full_disk:
            stack.enter_context(_small_disk(tier))
        tool: Tool = Rclone() if name == RCLONE else Coursefs()
        if name == WITH:
            tool = Coursefs(settings=stack.enter_context(_shared(home, tier, server.url)))
        mounts = _mounted(stack, tool, server, home, count)
        before = server.count()["body_bytes"]
        readers = [Reader() for _ in mounts]
        begin = threading.Barrier(count + 1)
        with ThreadPoolExecutor(count) as pool:
            plays = [
                pool.submit(_play, mounted, names, originals, reader, begin)
                for mounted, reader in zip(mounts, readers, strict=True)
            ]
            begin.wait()
            if fault is not None:
                fault(tier, mounts)
            for play in plays:
                play.result()
        received = server.count()["body_bytes"] - before
    killed = 1 if fault is _kill else 0
    left = sorted(readers, key=lambda reader: reader.seconds)[killed:]
    return Run(
        count,
        received / sum(map(len, originals)),
        max(frame for reader in left for frame in reader.first_frames),
        max(reader.seconds for reader in left),
        max(reader.late for reader in left),
        sum(reader.wrong for reader in readers),
    )


def _mounted(stack: ExitStack, tool: Tool, server: ServerProcess, home: Path, count: int) -> list[Mounted]:
    """So many mounts, a few at a time; each has listed its course."""
    lock = threading.Lock()

    def mount(number: int) -> Mounted:
        place = home / str(number)
        place.mkdir()
        if (home / "shared.key").exists():
            settings = place / "config" / "coursefs"
            settings.mkdir(parents=True)
            (settings / "shared.key").write_bytes((home / "shared.key").read_bytes())
            (settings / "shared.key").chmod(0o600)
        context = tool.mount(server.url, place)
        mounted = context.__enter__()
        with lock:
            stack.push(context)
        for entry in os.scandir(mounted.path / COURSE / FOLDER):
            entry.stat()
        return mounted

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(mount, range(count)))


def _play(
    mounted: Mounted, names: Sequence[str], originals: Sequence[bytes], reader: Reader, begin: threading.Barrier
) -> None:
    """See the lectures one after the other."""
    begin.wait()
    started = time.monotonic()
    for name, original in zip(names, originals, strict=True):
        with suppress(OSError):  # of a mount that is killed
            _lecture(mounted.path / COURSE / FOLDER / name, original, reader)
    reader.seconds = time.monotonic() - started


def _lecture(path: Path, original: bytes, reader: Reader) -> None:
    opened = time.monotonic()
    with path.open("rb", buffering=0) as file:

        def compared(start: int, size: int) -> None:
            data = os.pread(file.fileno(), size, start)
            expected = original[start : start + size]
            if data != expected:
                reader.wrong += sum(one != other for one, other in zip(data, expected, strict=False))
                reader.wrong += abs(len(data) - len(expected))

        compared(0, _END)
        compared(len(original) - _END, _END)
        for start in range(0, _HEAD, _CHUNK):
            compared(start, _CHUNK)
        shown = time.monotonic()
        reader.first_frames.append(shown - opened)
        for start in range(_HEAD, len(original), _CHUNK):
            due = shown + start / _RATE
            compared(start, _CHUNK)
            ahead = due - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            else:
                reader.late -= ahead
                shown -= ahead  # a player pauses, and goes on from there


# -- the tier ----------------------------------------------------------------------------------------------------------


@contextmanager
def _shared(home: Path, tier: Path, url: str) -> Iterator[str]:
    """A machine that serves the tier's folder over the local network; the lines of settings of those that use it."""
    environment = Coursefs(settings=f'[cache]\nshared = "{tier}"\n').environment(url, home / "filler")
    coursefs = [sys.executable, "-m", "coursefs"]
    subprocess.run([*coursefs, "cache", "shared", "key"], env=environment, check=True, stdout=subprocess.DEVNULL)
    key = home / "filler" / "config" / "coursefs" / "shared.key"
    (home / "shared.key").write_bytes(key.read_bytes())
    command = [*coursefs, "serve-cache", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            if "http://" not in said:
                raise Trouble(f"coursefs serve-cache: {said}")
            with paced(int(said.rpartition(":")[2]), _LOCAL) as port:
                yield f'[cache]\nshared = "http://127.0.0.1:{port}"\n'
        finally:
            process.send_signal(signal.SIGTERM)


def _kill(tier: Path, mounts: Sequence[Mounted]) -> None:
    """The first machine is killed while it fetches."""
    end = time.monotonic() + 10
    while not any(tier.glob("*/*.claim")) and time.monotonic() < end:
        time.sleep(0.005)
    os.kill(mounts[0].pid(), signal.SIGKILL)


def _lie(tier: Path, mounts: Sequence[Mounted]) -> None:
    """Pieces are overwritten with noise, and with one another, for as long as the first lectures take."""
    generator = random.Random(_SEED)  # no secret
    end = time.monotonic() + 2 * _SIZE / _RATE
    while time.monotonic() < end:
        pieces = [path for path in tier.glob("*/*") if "." not in path.name]
        for path in pieces:
            with suppress(OSError):
                data = bytearray(
                    generator.choice(pieces).read_bytes() if generator.random() < 0.5 else path.read_bytes()
                )
                data[generator.randrange(len(data))] ^= 1 + generator.randrange(255)
                path.write_bytes(data)
        time.sleep(0.2)
    del mounts


def _full_disk(tier: Path, mounts: Sequence[Mounted]) -> None:
    """The disk has room for less than two lectures: see `_small_disk`."""
    del tier, mounts


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    size = 2 * _SIZE - 2**20
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tier", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


FAULTS: dict[str, Fault] = {"a fetching machine is killed": _kill, "wrong pieces": _lie, "its disk is full": _full_disk}


def _make(root: Path) -> list[str]:
    """Write the lectures; returns their names."""
    place = root / COURSE / FOLDER
    place.mkdir(parents=True)
    generator = random.Random(_SEED)  # no secret
    names = [f"{number:02d} Lecture.mp4" for number in range(1, _LECTURES + 1)]
    for name in names:
        (place / name).write_bytes(bytes(4) + b"ftyp" + generator.randbytes(_SIZE - 8))
    (root / TREE).write_text(json.dumps({COURSE: {FOLDER: names}}), encoding="utf-8")
    return names


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
