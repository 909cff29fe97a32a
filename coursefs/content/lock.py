"""One process for one cache directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from coursefs.errors import CoursefsError


class DirectoryLock:
    """Holds a directory until `release` or the end of the process, however it ends (flock)."""

    def __init__(self, directory: Path) -> None:
        """Take the lock.  Raises `CoursefsError`, with the pid of the other process, where it is held."""
        self._descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise CoursefsError(f"the cache {directory} is in use by another mount (pid {pid})") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others have the directory."""
        os.close(self._descriptor)
