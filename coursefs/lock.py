"""One process at a time: a lock that the kernel releases whenever its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from coursefs.errors import CoursefsError


class FileLock:
    """Holds a file (flock) until `release` or the end of the process.  Also a context manager."""

    def __init__(self, path: Path, *, holder: str, taken: Callable[[str], str]) -> None:
        """Take the lock.

        `holder` is one line that tells others who has it.  Raises `CoursefsError` with the message that `taken` makes
        of the present holder's line, and `OSError`.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(self._descriptor, 4096, 0).decode(errors="replace").strip() or "another process"
            os.close(self._descriptor)
            raise CoursefsError(taken(other)) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{holder}\n".encode(), 0)

    def release(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
