"""The child process that builds the index, at the lowest priority: `python -m coursefs.search.process`.

A thread would hold the interpreter's lock while it takes texts apart, and reads of the mount would wait for it.  The
parent has the content cache, and hands over what is cached.  On the pipes, each line is JSON:

    -> {"catalogue": …, "index": …, "accounts": […], "is_background": …}
    -> [account, identity, size]            for each content that is cached completely
    ->                                      an empty line
    <- {"want": [[account, identity], …], "done": 0, "of": 12}
    -> 1234                                 for each wanted one: its size and its bytes, or null
    ->                                      an empty line: go on
    <- {"done": 12, "of": 12}               the end
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from coursefs.search.builder import build
from coursefs.search.index import SearchIndex, SearchIndexDamaged, forget

#: bytes of address space: a text may be made to exhaust the memory
_MEMORY = 1 << 30
#: seconds to wait for the process that writes the catalogue
_LOCK_TIMEOUT = 10.0


def main() -> int:
    """Do what the parent asks on standard input."""
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    request = json.loads(asked.readline())
    if request["is_background"]:
        _give_way()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    is_cached = {(account, identity): size for account, identity, size in _lines(asked)}

    def step(wanted: Sequence[tuple[str, str]], done: int, of: int) -> list[bytes | None]:
        _say(answers, {"want": wanted, "done": done, "of": of})
        bodies = []
        for _ in wanted:
            size = json.loads(asked.readline() or _ended())
            bodies.append(None if size is None else asked.read(size))
        asked.readline() or _ended()
        return bodies

    def build_once() -> int:
        with closing(_catalogue(request["catalogue"])) as catalogue, closing(SearchIndex(path)) as index:
            return build(index, catalogue, request["accounts"], is_cached, step)

    path = Path(request["index"])
    try:
        try:
            done = build_once()
        except SearchIndexDamaged:  # which opening it has not shown
            forget(path)
            done = build_once()
    except (sqlite3.Error, OSError) as error:
        _say(answers, {"error": str(error)})
        return 1
    _say(answers, {"done": done, "of": done})
    return 0


def _give_way() -> None:
    """Run only when nothing else wants the processor or the disk."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, 19)


def _catalogue(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=_LOCK_TIMEOUT)


def _lines(pipe: BinaryIO) -> Iterator[tuple[str, str, int]]:
    while line := pipe.readline().strip():
        account, identity, size = json.loads(line)
        yield account, identity, size


def _say(pipe: BinaryIO, reply: object) -> None:
    pipe.write(json.dumps(reply).encode() + b"\n")
    pipe.flush()


def _ended() -> bytes:
    """The parent has ended: what is in the index stays, and the next one goes on."""
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())
