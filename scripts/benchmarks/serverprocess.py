"""The file server in a process of its own, as whoever started it sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that runs."""

    url: str
    _process: subprocess.Popen[str]

    def count(self) -> Mapping[str, int]:
        """What it was asked and has sent so far: `requests`, `connections`, `body_bytes`, and bytes by path."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("count\n")
        self._process.stdin.flush()
        counters: Mapping[str, int] = json.loads(self._process.stdout.readline())
        return counters

    def bytes_of(self, path: str) -> int:
        """How many bytes of this file it has sent."""
        return self.count().get(path, 0)


@contextmanager
def server_process(root: Path, link: str) -> Iterator[ServerProcess]:
    """A server of `root` behind the link `near` or `far`, as long as the context lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", str(root), link],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C is for us: the server is there until all is unmounted
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield ServerProcess(json.loads(process.stdout.readline())["url"], process)
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
