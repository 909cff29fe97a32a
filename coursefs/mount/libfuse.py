"""Mounting through libfuse, and hearing why it does not: it says so on standard error alone."""

from __future__ import annotations

import os
from collections.abc import Set as AbstractSet
from pathlib import Path

import pyfuse3

from coursefs.errors import CoursefsError

_NOT_PERMITTED = "Operation not permitted"


def init(operations: pyfuse3.Operations, mountpoint: Path, options: AbstractSet[str]) -> None:
    """Mount, and begin the one session that a process can have.

    Raises `CoursefsError` with what libfuse or fusermount3 said last.
    """
    kept, heard = os.dup(2), os.memfd_create("libfuse")
    os.dup2(heard, 2)
    try:
        pyfuse3.init(operations, str(mountpoint), set(options))
    except (RuntimeError, OSError) as error:
        said = os.pread(heard, 1 << 16, 0).decode(errors="replace")
        raise CoursefsError(f"{mountpoint}: cannot be mounted: {reason(said) or error}") from None
    else:
        os.write(kept, os.pread(heard, 1 << 16, 0))  # warnings, and what other threads said meanwhile
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(heard)


def reason(said: str) -> str:
    """The last line of what was said, and what can be done about it where it does not say so itself."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if last.endswith(_NOT_PERMITTED):
        return f"{last} (in a container, start it with --device /dev/fuse --cap-add SYS_ADMIN)"
    return last
