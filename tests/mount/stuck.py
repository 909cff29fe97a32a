"""The program, but that it gets stuck at SIGUSR1: `COURSEFS_STUCK=KIND python -m tests.mount.stuck mount …`.

`thread`: threads never come back from the disk.  `memory`: nor is there memory to start a program.  `loop`: the main
thread waits for ever.  `closing`: the cache is never closed.  `loop ended`: the event loop ends by an error of its own,
and there is no memory to tidy up.
"""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
from typing import Any, NoReturn

import pyfuse3
import trio

from coursefs.base import threads
from coursefs.cli.main import main
from coursefs.content.store import CacheStore
from coursefs.mount import last_resort

_for_ever = _thread.allocate_lock()
_for_ever.acquire()


def _no_memory(*_: Any, **__: Any) -> NoReturn:
    raise MemoryError


def _get_stuck(*_: object) -> None:
    kind = os.environ["COURSEFS_STUCK"]
    if kind == "loop ended":
        pyfuse3.close = _no_memory
        trio.lowlevel.current_trio_token().run_sync_soon(_no_memory)
    elif kind == "closing":
        CacheStore.close = _wait_for_ever  # type: ignore[method-assign, assignment]
    else:
        threads._Job.do = _wait_for_ever  # type: ignore[method-assign, assignment]
    if kind == "memory":
        subprocess.run = _no_memory
    os.write(2, b"stuck\n")
    if kind == "loop":
        _for_ever.acquire()


def _wait_for_ever(_: object) -> None:
    _for_ever.acquire()


if __name__ == "__main__":
    last_resort.ENDS_WITHIN = 3.0
    signal.signal(signal.SIGUSR1, _get_stuck)
    sys.exit(main())
