"""Folders of our own, and small files of which no reader, and no crash, ever meets half."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from coursefs.errors import CoursefsError


def private_folder(path: Path) -> None:
    """Make a folder that its owner alone can read, where it is missing.

    Raises `CoursefsError` when there is no such folder then, or nothing can be written into it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        reason = "something else has its name" if isinstance(error, FileExistsError) else error.strerror
        raise CoursefsError(f"{path}: coursefs needs this folder and cannot make it: {reason}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise CoursefsError(f"{path}: coursefs needs this folder and cannot write into it")


def write_atomically(path: Path, data: bytes, *, mode: int) -> None:
    """Put `data` into `path`, in place of what was there, all or nothing; durable when this returns.

    The file has exactly the permissions `mode` from the moment it exists under any name that others can guess.  Its
    folder must exist.  Blocking.  Raises `OSError`.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
