"""The work itself: what is done on a fresh mount, and what of it is measured.

Every session begins with empty caches and a mount of its own.  Whatever was read inside a measured time is compared
with the original outside of it: a wrong byte ends the benchmark.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import account, provider
from benchmarks.contents import BEFORE, BIG, COURSE, LECTURE, SMALL, Sizes
from benchmarks.rows import Figures
from benchmarks.serverprocess import ServerProcess
from benchmarks.tools import Mounted, Tool, Trouble

_READER = Path(__file__).with_name("reader.py")
_SEED = 20
_CACHED_READS = 2000
_LIMIT = 600.0
#: files of course pages, which are no files of the account
_OF_PAGES = re.compile(rb"/index\.files/|/(index\.html|playlist\.m3u8|deadlines\.ics)$")


@dataclass(frozen=True, slots=True)
class Bench:
    """What every session needs."""

    originals: Path  # the server's course folder
    near: ServerProcess
    far: ServerProcess
    sizes: Sizes
    figures: Figures


def lecture(bench: Bench, tool: Tool, home: Path) -> None:
    """A film, once from start to end."""
    with tool.mount(bench.far.url, home) as mounted:
        before = bench.far.count()
        bench.figures.add("lecture", tool.name, _megabytes_a_second(mounted, LECTURE))
        fetched = bench.far.count()["body_bytes"] - before["body_bytes"]
        bench.figures.note("MB fetched for the lecture", tool.name, fetched / 1e6)
        _compare(bench, mounted, LECTURE)


def scattered(bench: Bench, tool: Tool, home: Path) -> None:
    """Small reads all over a large file that is open."""
    with tool.mount(bench.far.url, home) as mounted:
        path, count = mounted.path / COURSE / BIG, bench.sizes.random_reads
        path.stat()
        before = bench.far.count()
        found = reader("random", path, bench.originals / BIG, _SEED, count)
        fetched = bench.far.count()["body_bytes"] - before["body_bytes"]
        if found["wrong"]:
            raise Trouble(f"WRONG BYTES: {tool.name}: {found['wrong']} of {count} random reads gave wrong bytes")
        bench.figures.add("random", tool.name, statistics.median(found["seconds"]) * 1e3)
        bench.figures.note("ms of a random read, mean", tool.name, statistics.mean(found["seconds"]) * 1e3)
        bench.figures.note("ms of a random read, slowest", tool.name, max(found["seconds"]) * 1e3)
        bench.figures.add("fetched", tool.name, fetched / count / 1024)


def ffprobe(bench: Bench, tool: Tool, home: Path) -> None:
    """Look what is in a film, as players, scanners and thumbnailers begin with."""
    with tool.mount(bench.far.url, home) as mounted:
        before = bench.far.count()
        seconds, said = _timed(*_FFPROBE, mounted.path / COURSE / LECTURE)
        after = bench.far.count()
        if said != _timed(*_FFPROBE, bench.originals / LECTURE)[1]:
            raise Trouble(f"WRONG BYTES: {tool.name}: ffprobe sees another film")
        bench.figures.add("ffprobe", tool.name, seconds)
        bench.figures.note("KiB fetched for ffprobe", tool.name, (after["body_bytes"] - before["body_bytes"]) / 1024)
        bench.figures.note("requests for ffprobe", tool.name, after["requests"] - before["requests"])


def first_frame(bench: Bench, tool: Tool, home: Path) -> None:
    """Open a lecture, as a player does, until there is a picture."""
    with tool.mount(bench.far.url, home) as mounted:
        bench.figures.add("frame", tool.name, _timed(*_first_frame(mounted))[0])
        _compare(bench, mounted, LECTURE)


def next_lecture(bench: Bench, tool: Tool, home: Path) -> None:
    """The same after the lecture before it was played to its end, at the speed of a person."""
    with tool.mount(bench.far.url, home) as mounted:
        _timed("ffmpeg", "-v", "error", "-nostdin", "-re", "-i", mounted.path / COURSE / BEFORE, "-f", "null", "-")
        before = bench.far.count()
        bench.figures.add("next", tool.name, _timed(*_first_frame(mounted))[0])
        asked = bench.far.count()["requests"] - before["requests"]
        bench.figures.note("requests for the first frame of the next lecture", tool.name, asked)
        _compare(bench, mounted, LECTURE)


def listing(bench: Bench, tool: Tool, home: Path) -> None:
    """The sizes of the files of a folder that nobody has looked into yet."""
    with tool.mount(bench.far.url, home) as mounted:
        seconds, _ = _timed("ls", "-l", mounted.path / COURSE / SMALL)
        bench.figures.add("ls", tool.name, seconds)
        for original in (bench.originals / SMALL).iterdir():
            if (mounted.path / COURSE / SMALL / original.name).stat().st_size != original.stat().st_size:
                raise Trouble(f"WRONG SIZE: {tool.name}: {original.name} has a wrong size")


def loopback(bench: Bench, tool: Tool, home: Path) -> None:
    """A large file without any limit: cold, again, after everything else, and after a remount."""
    with tool.mount(bench.near.url, home) as mounted:
        bench.figures.add("cold", tool.name, _megabytes_a_second(mounted, BIG))
        bench.figures.add("again", tool.name, _megabytes_a_second(mounted, BIG))
        seconds, _ = _timed("dd", f"if={mounted.path / COURSE / BIG}", "of=/dev/null", "bs=1M", "status=none")
        bench.figures.note("MB/s of dd in the page cache", tool.name, bench.sizes.big / seconds / 1e6)
        _compare(bench, mounted, BIG)
        _compare(bench, mounted, LECTURE)
        _timed(*_FFPROBE, mounted.path / COURSE / LECTURE)
        _timed("ls", "-l", mounted.path / COURSE / SMALL)
        bench.figures.add("memory", tool.name, mounted.resident_bytes() / 1e6)
    with tool.mount(bench.near.url, home) as mounted:
        bench.figures.add("remount", tool.name, _megabytes_a_second(mounted, BIG))
        _compare(bench, mounted, BIG)
        bench.figures.add("cached", tool.name, _microseconds_at_random(bench, tool, mounted))
    with tool.mount(bench.near.url, home) as mounted:
        what = "µs of such a read where nothing of it was read since the mount"
        bench.figures.note(what, tool.name, _microseconds_at_random(bench, tool, mounted))


def large_account(bench: Bench, tool: Tool, home: Path) -> None:
    """Walk over everything that a large account has, of which no platform is asked anything."""
    catalogue = home / "state" / "coursefs" / "catalogue.sqlite"
    catalogue.parent.mkdir(parents=True)
    account.make(catalogue, provider.NAME)
    begun = time.perf_counter()
    with tool.mount(bench.near.url, home) as mounted:
        if sum(one.name.startswith("Course") for one in mounted.path.iterdir()) != account.COURSES:
            raise Trouble(f"{tool.name}: not every course is there")
        bench.figures.add("first", tool.name, time.perf_counter() - begun)
        for row in ("find", "found"):
            seconds, said = _timed("find", mounted.path, "-type", "f")
            if sum(not _OF_PAGES.search(line) for line in said.splitlines()) != account.FILES:
                raise Trouble(f"{tool.name}: not every file is there")
            bench.figures.add(row, tool.name, seconds)
        _timed("ls", "-lR", mounted.path)
        bench.figures.add("lslr", tool.name, _timed("ls", "-lR", mounted.path)[0])
        bench.figures.add("rss", tool.name, mounted.resident_bytes() / 1e6)


@dataclass(frozen=True, slots=True)
class Session:
    """Some work, the rows that come of it, and who else does it: rclone with more streams as well, or nobody."""

    rows: frozenset[str]
    work: Callable[[Bench, Tool, Path], None]
    with_streams: bool = False
    is_ours_alone: bool = False


SESSIONS = (
    Session(frozenset({"lecture"}), lecture, with_streams=True),
    Session(frozenset({"random", "fetched"}), scattered),
    Session(frozenset({"ffprobe"}), ffprobe),
    Session(frozenset({"frame"}), first_frame),
    Session(frozenset({"next"}), next_lecture, is_ours_alone=True),
    Session(frozenset({"ls"}), listing),
    Session(frozenset({"cold", "again", "remount", "cached", "memory"}), loopback),
    Session(frozenset({"first", "find", "found", "lslr", "rss"}), large_account, is_ours_alone=True),
)

_FFPROBE = ("ffprobe", "-v", "error", "-show_entries", "format=duration,size:stream=codec_name,duration,nb_frames")


def _first_frame(mounted: Mounted) -> tuple[str | Path, ...]:
    lecture = mounted.path / COURSE / LECTURE
    return ("ffmpeg", "-v", "error", "-nostdin", "-i", lecture, "-frames:v", "1", "-f", "null", "-")


def _megabytes_a_second(mounted: Mounted, name: str) -> float:
    found = reader("sequential", mounted.path / COURSE / name)
    return float(found["bytes"] / found["seconds"] / 1e6)


def _microseconds_at_random(bench: Bench, tool: Tool, mounted: Mounted) -> float:
    """The median of small reads all over the large file, all of which is in the cache."""
    found = reader("random", mounted.path / COURSE / BIG, bench.originals / BIG, _SEED, _CACHED_READS)
    if found["wrong"]:
        raise Trouble(f"WRONG BYTES: {tool.name}: {found['wrong']} of {_CACHED_READS} random reads gave wrong bytes")
    return float(statistics.median(found["seconds"]) * 1e6)


def reader(*arguments: object) -> Mapping[str, Any]:
    done = subprocess.run(
        [sys.executable, "-I", _READER, *map(str, arguments)], stdout=subprocess.PIPE, timeout=_LIMIT, check=True
    )
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def _timed(*command: str | Path) -> tuple[float, bytes]:
    """How long a command takes, and what it says: into a file, because who reads a pipe meanwhile needs a processor.

    The limit is not that of `subprocess`, which without a pipe looks every 50 ms whether the command has ended.
    """
    with tempfile.TemporaryFile() as said:
        begun = time.perf_counter()
        with subprocess.Popen(command, stdout=said, env=os.environ | {"LC_ALL": "C"}) as process:
            limit = threading.Timer(_LIMIT, process.kill)
            limit.start()
            status = process.wait()
            seconds = time.perf_counter() - begun
            limit.cancel()
        if status:
            raise subprocess.CalledProcessError(status, [str(word) for word in command])
        said.seek(0)
        return seconds, said.read()


def _compare(bench: Bench, mounted: Mounted, name: str) -> None:
    """Read a file once more, with every byte compared."""
    command = ["cmp", str(mounted.path / COURSE / name), str(bench.originals / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        raise Trouble("WRONG BYTES: " + (done.stdout + done.stderr).strip())
