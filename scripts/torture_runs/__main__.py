"""`scripts/torture`: a seeded run of the real program against everything that can go wrong."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torture_runs import children, demo, privacy, report
from torture_runs.counters import Counters
from torture_runs.disk_faults import tmpfs
from torture_runs.kinds import Kind, kinds
from torture_runs.process_faults import again, alive
from torture_runs.scene import Scene, Server
from torture_runs.shim import Shim
from torture_runs.world import SCRIPTS, Trouble, World

_INSIDE = "COURSEFS_TORTURE_INSIDE"  # set in the mount namespace that is ours alone


def main() -> int:
    """Run, print the table, write what was asked for; the exit status."""
    options = _parser().parse_args()
    known = kinds()
    if options.list:
        for one in known.values():
            print(f"{one.group:10} {one.name:20} {one.says}")
        return 0
    only = options.only.split(",") if options.only else list(known)
    if unknown := [name for name in only if name not in known]:
        print(f"torture: not a kind of fault here: {', '.join(unknown)}; see --list", file=sys.stderr)
        return 2
    if os.geteuid() == 0 and _INSIDE not in os.environ and shutil.which("unshare"):
        return _in_a_namespace_of_its_own()
    signal.signal(signal.SIGTERM, _end)
    with _folder() as root:
        if os.geteuid() == 0 and not (_INSIDE in os.environ and privacy.let_in(root)):
            os.environ[children.AS_ROOT] = "1"
        with_demo = any(known[name].group == "replies" for name in only)
        scene = _scene(root, options.seed)
        try:
            _begin(scene, root, with_demo=with_demo)
            begun = time.monotonic()
            _run(scene, [known[name] for name in only], options, begun)
            seconds = time.monotonic() - begun
        except Trouble as error:
            print(f"torture: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("torture: interrupted; everything is unmounted and removed", file=sys.stderr)
            return 130
        finally:
            _tidy(scene)
        result = report.result(scene, seconds)
        print(report.table(result))
        if options.json:
            options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        return 1 if result["broken"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, metavar="N", help="how long (default: 1)")
    parser.add_argument("--seconds", type=float, metavar="N", help="how long, in seconds")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed gives the same steps")
    parser.add_argument("--step", type=int, metavar="K", help="only this step of the run")
    parser.add_argument("--only", metavar="KIND,…", help="only these kinds of faults")
    parser.add_argument("--verbose", action="store_true", help="say each step and how long it took")
    parser.add_argument("--list", action="store_true", help="say which kinds there are")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    return parser


def _in_a_namespace_of_its_own() -> int:
    """What is mounted there is gone with its last process, however that ends; nobody else sees it."""
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "torture_runs", *sys.argv[1:]]
    process = subprocess.Popen(command, env=os.environ | {_INSIDE: "1"})
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda given, _: process.send_signal(given))
    return process.wait()


def steps(deck: list[Kind], seed: int) -> Iterator[tuple[int, Kind]]:
    """Every kind once in a round, each round in an order of its own; a short run has something of every group."""
    number = 0
    while True:
        source = random.Random(f"{seed}/{number}")
        groups = {one.group: list[Kind]() for one in deck}
        for one in source.sample(deck, len(deck)):
            groups[one.group].append(one)
        while groups := {name: left for name, left in groups.items() if left}:
            for left in groups.values():
                number += 1
                yield number, left.pop()


def _scene(root: Path, seed: int) -> Scene:
    """The server and the home, with nothing mounted yet."""
    Counters.create(root / "counters")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent)])}
    server = Server(root / "counters", dict(environment))
    world = World(root / "world", server.port)
    (root / "counters").rename(world.root / "counters")
    return Scene(world.root, seed, Counters(world.root / "counters"), server, world)


def _begin(scene: Scene, root: Path, *, with_demo: bool) -> None:
    """Mount, and look at everything once while all is well."""
    world = scene.world
    scene.heartbeat = children.start(
        [sys.executable, "-m", "torture_runs.heartbeat", world.root / "counters"], world.environment
    )
    try:
        scene.shim = Shim(root)
        world.preload = scene.shim.environment
    except OSError as error:
        print(f"torture: without failing disks: {error}", file=sys.stderr)
    if os.geteuid() == 0 and _INSIDE in os.environ:
        tmpfs(world.root / "cache", 48)
        tmpfs(world.root / "state", 96)
    process = None
    if with_demo:
        process, address, cauth = demo.start()
        scene.server.tell(demo=address)
        demo.sign_in(world, cauth)
    if not world.mount():
        raise Trouble(f"cannot mount at all: {world.log()}")
    scene.check()  # every file was known before anything went wrong
    if process is not None:
        world.command("update", "all")
        golden = demo.look(world, seconds=120)
        if golden is None or any(value[0] == "error" for value in golden.values()):
            raise Trouble("the demo's courses cannot be looked at")
        scene.demo = demo.Demo(process, golden)


def _run(scene: Scene, deck: list[Kind], options: argparse.Namespace, begun: float) -> None:
    seconds = options.seconds or options.minutes * 60
    for number, one in steps(deck, scene.seed):
        if options.step and number != options.step:
            if number > options.step:
                return
            continue
        if not options.step and time.monotonic() - begun > seconds:
            return
        scene.step = scene.counters.step = number
        scene.kind = scene.kinds[number] = one.name
        scene.random = random.Random(f"{scene.seed}/{number}/{one.name}")
        scene.revive()
        started, before = time.monotonic(), len(scene.findings)
        try:
            one.work(scene)
        except OSError as error:  # something of ours is in the way of the fault, not of the program
            print(f"torture: step {number} ({one.name}) could not be made: {error}", file=sys.stderr)
        finally:
            scene.server.tell(fault="none")
            if scene.shim is not None:
                scene.shim.stop()
        _recover(scene, before)
        if options.verbose:
            print(
                f"torture: step {number} ({one.name}): {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True
            )


def _recover(scene: Scene, before: int) -> None:
    """After a fault: the mount is alive, and every byte of every file can be had again.

    `before`: how many findings there were before the fault.
    """
    scene.hear()
    if not alive(scene):
        scene.stop_readers()
        scene.world.clear()
        again(scene)
    lost = scene.check()
    # every file was there, under its own name
    scene.counters.has_wrong_titles = scene.counters.began_anew = scene.counters.may_lack_some = False
    for one in lost:
        scene.found("files lost", one)
    memory = scene.world.look_at_memory()
    if memory > report.MEMORY:
        scene.found("memory", f"{memory / 2**20:.0f} MiB resident")
    scene.hear()
    now = time.monotonic_ns()
    for slot, process in enumerate(scene.readers):
        since = scene.counters.get(slot, "begun")
        if since and now - since > 30e9 and process.poll() is None:
            scene.found("past the deadline", "an operation that has not ended after 30 s")
            scene.kill_readers(len(scene.readers))
            break
    if len(scene.findings) > before:  # begin anew, so that the next step is judged by itself
        scene.stop_readers()
        scene.world.clear()
        scene.world.forget()
        again(scene)
        scene.check()
        scene.hear()


def _tidy(scene: Scene) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    scene.stop_readers()
    if scene.world.is_running:
        scene.world.look_at_memory()
        scene.world.kill(signal.SIGTERM)
    scene.world.clear()
    scene.hear()
    children.end(scene.server.process)
    if scene.heartbeat is not None:
        children.end(scene.heartbeat)
    if scene.demo is not None:
        children.end(scene.demo.process)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that is gone when the context ends, and everything that was mounted in it."""
    path = Path(tempfile.mkdtemp(prefix="coursefs-torture-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        _take_away_mounts(path)
        shutil.rmtree(path, ignore_errors=True)


def _take_away_mounts(below: Path) -> None:
    """Nothing may be mounted in a folder that is removed."""
    lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    for where in reversed([line.split(" ")[4] for line in lines]):
        if Path(where).is_relative_to(below):
            subprocess.run(["umount", "-l", where], capture_output=True, timeout=30, check=False)


def _end(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
