"""What a fault has to work with: the server, the mount, the readers, and its own random numbers."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torture_runs import children, world
from torture_runs.counters import Counters
from torture_runs.demo import Demo
from torture_runs.shim import Shim
from torture_runs.world import Trouble, World

#: seconds that any operation may take beyond the read timeout
GRACE = 1.0
CHECK_SLOT = 200
READERS = 4


class Server:
    """The hostile server, in a process of its own."""

    def __init__(self, counters: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "torture_runs.server", str(counters)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            preexec_fn=children.dies_with_parent(),  # noqa: PLW1509  # this process has no threads
            start_new_session=True,
        )
        self.counts: dict[str, int] = {}
        self.port = int(self._answer()["port"])

    def tell(self, **command: object) -> None:
        """From now on it does this."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()
        self.counts = self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Trouble("the server of the run itself has ended")
        return json.loads(line)


@dataclass
class Finding:
    """Something that broke a goal."""

    step: int
    kind: str
    goal: str
    text: str


@dataclass
class Scene:
    """The whole run, as the functions of the faults see it."""

    root: Path
    seed: int
    counters: Counters
    server: Server
    world: World
    random: random.Random = field(default_factory=random.Random)
    step: int = 0
    kind: str = ""
    kinds: dict[int, str] = field(default_factory=dict)  # of each step so far
    faults: Counter[str] = field(default_factory=Counter)
    goals: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    readers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    read_so_far: dict[str, int] = field(default_factory=dict)
    begun: int = 0  # readers so far
    shim: Shim | None = None
    heartbeat: subprocess.Popen[str] | None = None
    demo: Demo | None = None

    def count(self, number: int = 1) -> None:
        """So many faults of the present kind have been made."""
        self.faults[self.kind] += number

    def found(self, goal: str, text: str, *, step: int | None = None) -> None:
        """A goal is broken, at this step or at the one that a reader says."""
        number = self.step if step is None else step
        kind = self.kinds.get(number, self.kind)
        self.goals[goal] += 1
        self.findings.append(Finding(number, kind, goal, text))
        if self.goals[goal] <= 20:
            print(f"torture: step {number} ({kind}): {goal}: {text}", file=sys.stderr, flush=True)

    def read_for(self, seconds: float) -> None:
        """Let the readers read for so long; whoever was ended by SIGBUS begins again."""
        until = time.monotonic() + seconds
        while True:
            self.revive()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(0.1, left))

    def revive(self) -> None:
        """Have as many readers as there should be."""
        for slot in range(READERS):
            if slot >= len(self.readers):
                self.readers.append(self.reader(slot))
            elif self.readers[slot].poll() is not None:
                self.readers[slot] = self.reader(slot)

    def reader(self, slot: int, *more: str) -> subprocess.Popen[bytes]:
        """A new reader; the last of the standing ones maps files."""
        self.begun += 1
        self.counters.set(slot, "begun", 0)
        way = list(more) if more else ["mmap"] if slot == READERS - 1 else []
        with (self.root / f"reader-{slot}.out").open("ab") as out:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                self._reader(slot, f"{self.seed}/{self.step}/{slot}/{self.begun}", *way),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.world.environment,
                preexec_fn=children.dies_with_parent(),  # noqa: PLW1509  # this process has no threads
                **children.ordinary(),  # type: ignore[call-overload]
            )
        return process

    def _reader(self, slot: int, seed: str, *more: str) -> list[str]:
        """The command of a reader."""
        where = [str(self.world.files), str(self.root / "counters"), str(slot), seed]
        return [sys.executable, "-m", "torture_runs.reader", *where, str(world.READ_TIMEOUT + GRACE), *more]

    def hear(self) -> None:
        """What the readers have said since the last time."""
        for path in self.root.glob("reader-*.out"):
            said = path.read_bytes()[self.read_so_far.get(path.name, 0) :]
            whole = said[: said.rfind(b"\n") + 1]
            self.read_so_far[path.name] = self.read_so_far.get(path.name, 0) + len(whole)
            for line in whole.splitlines():
                with suppress(ValueError):
                    one = json.loads(line)
                    if isinstance(one, dict) and one.get("what") in ("wrong", "late"):
                        goal = "wrong bytes" if one["what"] == "wrong" else "past the deadline"
                        self.found(goal, one["text"], step=one["step"])

    def check(self, seconds: float = 20.0) -> Sequence[str]:
        """Read every file whole, as soon as it can be; those that cannot be had."""
        command = self._reader(CHECK_SLOT, "check", "check", str(seconds))
        done = children.run(command, self.world.environment, seconds=seconds * 3 + 30)
        for line in done.stdout.splitlines():
            with suppress(ValueError):
                one = json.loads(line)
                if one["what"] == "checked":
                    return [f"file {file}: {why}" for file, why in one["lost"].items()]
                self.found("wrong bytes" if one["what"] == "wrong" else "past the deadline", f"(check) {one['text']}")
        return [f"the check itself ended with {done.returncode}: {done.stderr[-400:]}"]

    def stop_readers(self) -> None:
        """End all of them."""
        for process in self.readers:
            children.end(process)
        self.readers.clear()

    def kill_readers(self, count: int) -> None:
        """Kill some of them in the middle of what they do."""
        for process in self.random.sample(self.readers, min(count, len(self.readers))):
            process.kill()
            process.wait(20)
            self.goals["readers killed"] += 1

    def files_below(self, folder: Path) -> list[Path]:
        """Every regular file there."""
        found = []
        for directory, _, names in os.walk(folder):
            found += [Path(directory, name) for name in names]
        return sorted(path for path in found if path.is_file() and not path.is_symlink())
