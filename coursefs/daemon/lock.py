"""One mount for a catalogue: a lock that the kernel releases whenever its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coursefs.errors import CoursefsError


@contextmanager
def catalogue_lock(path: Path, mountpoint: Path) -> Iterator[None]:
    """Hold the lock.  Raises `CoursefsError` that names the mount which has it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 4096).decode(errors="replace").strip() or "another process"
            raise CoursefsError(
                f"your courses are mounted already at {holder}; to have them elsewhere, unmount there first"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{mountpoint} (pid {os.getpid()})\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
