"""Less address space for threads, so that a mount fits into a limit of it (`ulimit -v`).

It is a module of its own because it must run before the first thread starts.
"""

from __future__ import annotations

import ctypes
import threading
from contextlib import suppress

#: bytes of stack for a thread; glibc's default is what `ulimit -s` says, usually 8 MiB.  Threads read and write files,
#: which does not go deep: replies are parsed in the main thread, whose stack this does not change.
_STACK = 2 << 20
#: M_ARENA_MAX of malloc.h
_M_ARENA_MAX = -8
#: heaps that threads share; each takes 64 MiB of addresses, and glibc would make eight for each processor
_HEAPS = 2


def take_little() -> None:
    """Let threads that start from now on reserve little address space."""
    threading.stack_size(_STACK)
    with suppress(OSError, AttributeError):  # musl has no heaps of this kind
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)
