"""`scripts/bench links`: a lecture played over slow links, by mpv on mounts and on the plain URL.

Each profile is a link of a rate and a round-trip time (`benchmarks.link.LINKS`); its film needs 70 % of the rate.  The
tools are measured at the same time, each behind a link of its own: they share nothing but the machine, and wait most of
the time.  The plain URL is the limit: nothing lies between mpv, or curl, and the server there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import machine
from benchmarks.contents import TREE
from benchmarks.link import LINKS, STALLS, THIN
from benchmarks.player import Player, player
from benchmarks.rows import RCLONE_STREAMS, aligned
from benchmarks.serverprocess import ServerProcess, server_process
from benchmarks.tools import Coursefs, Mounted, Rclone, Tool, carried_out, scratch_folder

COURSE, FOLDER = "Bench", "Lectures"
FILM, HALF, OTHER = "Film.mp4", "Half.mp4", "Other.mp4"
PLAIN = "plain URL"
#: the part of the link that the film needs, and each of two films at once
_PART, _HALF = 0.7, 0.35
_SECONDS = 600
_CLIP = 20
_SOUND = 96_000  # bits a second
_SEED = 5
#: seconds after which no tool begins another seek
_MOST_SEEKING = 240.0
#: seconds that are played before the first seek, and after each
_BEFORE, _AFTER = 8.0, 3.0
#: seconds for which a film is read in order
_READING = 20


@dataclass
class Found:
    """What one tool did over one link."""

    first_frame: float = 0.0  # seconds
    seeks: list[float] = field(default_factory=list)  # seconds
    underruns: int | None = None  # while it played, pauses for lack of bytes
    fetched_bytes: int | None = None  # while it played
    ls: float | None = None  # seconds
    in_order: float = 0.0  # bytes a second of a film that is read from its beginning on, a plain URL by curl
    with_fetch: int | None = None  # underruns while all is fetched
    fetched: float | None = None  # the part that the fetch got of what the film left of the link
    two: int | None = None  # underruns of two players at once


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    seeks: int
    seconds: float  # of playing, for each of the three rows that play


def main() -> int:
    """Measure, print a table, write what was asked for."""
    parser = argparse.ArgumentParser(prog="bench links", description=__doc__)
    parser.add_argument(
        "--links", metavar="NAME,…", default="300k-150,1m-50,6m-50,stalls", help=f"of {', '.join(_known())}, or all"
    )
    parser.add_argument("--seeks", type=int, default=30, metavar="N", help="seeks (default: 30)")
    parser.add_argument(
        "--seconds", type=float, default=300.0, metavar="N", help="seconds of playing; 0: none (default: 300)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    names = _known() if options.links == "all" else [name for name in options.links.split(",") if name]
    if unknown := [name for name in names if name not in _known()]:
        print(f"bench: no link is called {unknown[0]!r}; there are: {', '.join(_known())}", file=sys.stderr)
        return 2
    plan = Plan(options.seeks, options.seconds)
    found: dict[str, dict[str, Found]] = {}

    def measure() -> None:
        with scratch_folder() as folder:
            for name in names:
                print(f"bench: {name}", file=sys.stderr, flush=True)
                found[name] = _measure(name, plan, folder)

    if status := carried_out(measure):
        return status
    surroundings = machine.describe()
    print(f"\n{plan.seeks} seeks; {', '.join(f'{name} {value}' for name, value in surroundings.items())}\n")
    print(as_table(found))
    if options.json:
        figures = {name: {tool: asdict(one) for tool, one in tools.items()} for name, tools in found.items()}
        options.json.write_text(
            json.dumps({"machine": surroundings, "links": figures}, indent=2) + "\n", encoding="utf-8"
        )
    return 0


def as_table(found: dict[str, dict[str, Found]]) -> str:
    """The figures in Markdown; those of a seek with the median and the worst."""
    lines = [
        [
            "link",
            "",
            "first frame (s)",
            "seek (s)",
            "worst",
            "pauses",
            "fetched",
            "ls -l (s)",
            "in order (KB/s)",
            "with a fetch",
            "it gets",
            "two",
        ]
    ]
    for name, tools in found.items():
        for number, (tool, one) in enumerate(tools.items()):
            seek = (f"{statistics.median(one.seeks):.2f}", f"{max(one.seeks):.2f}") if one.seeks else ("", "")
            lines.append(
                [
                    "" if number else name,
                    tool,
                    f"{one.first_frame:.2f}",
                    *seek,
                    _shown(one.underruns),
                    _shown(of_plain(one, tools), " ×"),
                    _shown(one.ls),
                    f"{one.in_order / 1e3:.0f}",
                    _shown(one.with_fetch),
                    "" if one.fetched is None else f"{one.fetched:.0%}",
                    _shown(one.two),
                ]
            )
    return aligned(lines)


def of_plain(one: Found, tools: Mapping[str, Found]) -> float | None:
    """The bytes that were fetched while it played, as a multiple of those that the plain URL took."""
    plain = tools.get(PLAIN)
    if one.fetched_bytes is None or plain is None or not plain.fetched_bytes:
        return None
    return one.fetched_bytes / plain.fetched_bytes


def _shown(figure: float | None, unit: str = "") -> str:
    if figure is None:
        return ""
    return f"{figure}" if isinstance(figure, int) else f"{figure:.2f}{unit}"


def _known() -> list[str]:
    return [*THIN, "stalls"]


def _measure(link: str, plan: Plan, folder: Path) -> dict[str, Found]:
    """All tools over one link, at the same time."""
    root = _course(link, folder)
    tools: dict[str, Tool | None] = {
        PLAIN: None,
        "rclone": Rclone(),
        RCLONE_STREAMS: Rclone(RCLONE_STREAMS, ("--vfs-read-chunk-streams", "4", "--vfs-read-chunk-size", "4M")),
        "coursefs": Coursefs(),
    }
    found = {name: Found() for name in tools}
    errors: list[BaseException] = []

    def one(name: str, tool: Tool | None) -> None:
        try:
            _one(link, root, plan, folder, tool, found[name])
        except BaseException as error:  # for the main thread
            errors.append(error)

    threads = [threading.Thread(target=one, args=pair) for pair in tools.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return found


def _one(link: str, root: Path, plan: Plan, folder: Path, tool: Tool | None, found: Found) -> None:
    with _shown_by(link, root, folder, tool) as (server, place, mounted), player() as one:
        if mounted is not None:
            found.ls = _listed(mounted.path / COURSE / FOLDER)
        found.first_frame = one.play(place(FILM))
        one.watch(_BEFORE)
        generator = random.Random(_SEED)  # no secret
        end = time.monotonic() + _MOST_SEEKING
        for _ in range(plan.seeks):
            if time.monotonic() > end:
                break  # a minute for each seek is known by then
            found.seeks.append(one.seek(generator.uniform(10, _SECONDS - 10)))
            one.watch(_AFTER)
    with _shown_by(link, root, folder, tool) as (_, place, mounted):
        found.in_order = _curl(place(FILM)) if mounted is None else _read(Path(place(FILM)))
    if not plan.seconds:
        return
    with _shown_by(link, root, folder, tool) as (server, place, _), player() as one:
        found.underruns = _played(one, place(FILM), plan.seconds)
        found.fetched_bytes = server.count()["body_bytes"]
    with _shown_by(link, root, folder, tool) as (server, place, mounted), player() as one, player() as other:
        counts: list[int] = []
        second = threading.Thread(target=lambda: counts.append(_played(other, place(OTHER), plan.seconds)))
        second.start()
        counts.append(_played(one, place(HALF), plan.seconds))
        second.join()
        found.two = sum(counts)
    if isinstance(tool, Coursefs):
        _with_fetch(link, root, plan, folder, tool, found)


def _with_fetch(link: str, root: Path, plan: Plan, folder: Path, tool: Coursefs, found: Found) -> None:
    with (
        tempfile.TemporaryDirectory(dir=folder) as home,
        server_process(root, link) as server,
        tool.mount(server.url, Path(home)) as mounted,
        player() as one,
    ):
        course = mounted.path / COURSE / FOLDER

        def fetched() -> int:
            return sum(server.bytes_of(f"/{COURSE}/{FOLDER}/{name}") for name in (OTHER, HALF))

        fetch = subprocess.Popen(
            [sys.executable, "-m", "coursefs", "fetch", str(course / OTHER), str(course / HALF)],
            env=tool.environment(server.url, Path(home)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _begin(one, str(course / FILM))
            before = fetched()
            found.with_fetch = _go_on(one, plan.seconds)
            got = fetched() - before
        finally:
            fetch.terminate()
            fetch.wait()
        needs = (root / COURSE / FOLDER / FILM).stat().st_size / _SECONDS  # an encoder keeps to a rate by and large
        found.fetched = got / ((_rate(link) - needs) * plan.seconds)


def _rate(link: str) -> float:
    rate = LINKS[link].total_rate
    assert rate is not None
    if link == "stalls":
        assert STALLS.stall_every is not None
        return rate * (1 - STALLS.stall / STALLS.stall_every)
    return rate


def _played(one: Player, what: str, seconds: float) -> int:
    """Play for so long; returns how often it paused after it had begun to play smoothly."""
    _begin(one, what)
    return _go_on(one, seconds)


def _begin(one: Player, what: str) -> None:
    one.play(what)
    one.watch(_BEFORE)


def _go_on(one: Player, seconds: float) -> int:
    one.underruns.clear()
    one.watch(seconds)
    return len(one.underruns)


def _curl(url: str) -> float:
    """How many bytes a second curl reads."""
    command = ["curl", "-s", "-o", os.devnull, "--max-time", str(_READING), "-w", "%{size_download}", url]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # 28: it was not done in time
    return int(done.stdout) / _READING


def _read(path: Path) -> float:
    """How many bytes a second a program reads of a file, 128 KiB at once."""
    end, count = time.monotonic() + _READING, 0
    with path.open("rb", buffering=0) as file:
        while time.monotonic() < end and (part := file.read(128 * 2**10)):
            count += len(part)
    return count / _READING


def _listed(folder: Path) -> float:
    begun = time.perf_counter()
    subprocess.run(["ls", "-l", folder], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


@contextmanager
def _shown_by(
    link: str, root: Path, folder: Path, tool: Tool | None
) -> Iterator[tuple[ServerProcess, Callable[[str], str], Mounted | None]]:
    """A server behind the link, and what mpv is to play for a file's name: a URL, or a path of a mount."""
    with ExitStack() as stack:
        server = stack.enter_context(server_process(root, link))
        if tool is None:
            yield server, lambda name: f"{server.url}/{COURSE}/{FOLDER}/{name}", None
            return
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        mounted = stack.enter_context(tool.mount(server.url, home))
        yield server, lambda name: str(mounted.path / COURSE / FOLDER / name), mounted


def _course(link: str, folder: Path) -> Path:
    """The course for a link of this rate: a film that needs 70 % of it, and two that need half as much."""
    rate = int(_rate(link))
    root = folder / f"server-{rate}"
    place = root / COURSE / FOLDER
    if not root.exists():
        place.mkdir(parents=True)
        for name, part in ((FILM, _PART), (HALF, _HALF)):
            _encode(place / name, int(rate * part * 8), root)
        os.link(place / HALF, place / OTHER)
        names = sorted(one.name for one in place.iterdir())
        (root / TREE).write_text(json.dumps({COURSE: {FOLDER: names}}), encoding="utf-8")
    return root


def _encode(path: Path, bits: int, scratch: Path) -> None:
    """An MP4 of ten minutes and so many bits a second, with a key frame each two seconds and its index at the end."""
    clip = scratch / "clip.mp4"
    size = "640x360" if bits < 12e6 else "1280x720"
    picture = f"testsrc2=size={size}:rate=25:duration={_CLIP},noise=alls=60:allf=t"
    sound = f"anoisesrc=duration={_CLIP}:sample_rate=44100:amplitude=0.1:seed=1"
    rate = bits - _SOUND
    coding = f"-c:v libx264 -preset ultrafast -b:v {rate} -maxrate {rate} -bufsize {2 * rate} -g 50 -pix_fmt yuv420p"
    _ffmpeg(
        "-f",
        "lavfi",
        "-i",
        picture,
        "-f",
        "lavfi",
        "-i",
        sound,
        *coding.split(),
        "-c:a",
        "aac",
        "-b:a",
        str(_SOUND),
        str(clip),
    )
    _ffmpeg("-stream_loop", str(_SECONDS // _CLIP - 1), "-i", str(clip), "-c", "copy", str(path))
    clip.unlink()


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
