"""A lock file (flock) for one process at a time; the kernel releases it however the process ends.

It is a module of its own because the daemon, the library and the content cache each hold one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from coursefs.base.atomic_files import open_private
from coursefs.errors import CoursefsError


class FileLock:
    """Holds an exclusive flock on a file until `release` or the end of the process. Also a context manager."""

    def __init__(self, path: Path, *, holder: str, taken: Callable[[str], str], create: bool = True) -> None:
        """Take the lock; does not wait.

        `holder` is one line that is written into the file and tells others which process has the lock. Without `create`
        the file must exist. Raises `CoursefsError` with the message that `taken` makes of the present holder's line, or
        if the name is a link or another user's file, and `OSError`.
        """
        self._descriptor = open_private(path, os.O_RDWR | (os.O_CREAT if create else 0))
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(self._descriptor, 4096, 0).decode(errors="replace").strip() or "another process"
            os.close(self._descriptor)
            raise CoursefsError(taken(other)) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{holder}\n".encode(), 0)

    def release(self) -> None:
        """Release the lock. The file stays: removing it would let two processes lock two files of one name."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
