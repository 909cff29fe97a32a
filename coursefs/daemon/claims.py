"""What a mount has for itself alone: its mount point, and the catalogue."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coursefs.daemon import socket
from coursefs.errors import CoursefsError
from coursefs.files import private_folder
from coursefs.lock import FileLock
from coursefs.mount import mountinfo

_MOUNT = re.compile(r"(?P<mountpoint>/.*) \(pid (?P<pid>[0-9]+)\)", re.DOTALL)


@contextmanager
def claimed(mountpoint: Path, catalogue: Path, runtime_dir: Path) -> Iterator[None]:
    """Hold a mount point and a catalogue as long as the context lasts, or the process, however it ends.

    The folders of both are made where they are missing.  Raises `CoursefsError` that says who has them.
    """

    def taken(holder: str) -> str:
        return _held(holder, runtime_dir)

    holder = f"{mountpoint} (pid {os.getpid()})"
    private_folder(runtime_dir)
    private_folder(catalogue.parent)
    with (
        FileLock(socket.lock_for(socket.path_for(runtime_dir, mountpoint)), holder=holder, taken=taken),
        FileLock(catalogue.with_name("lock"), holder=holder, taken=taken),
    ):
        yield


def _held(holder: str, runtime_dir: Path) -> str:
    found = _MOUNT.fullmatch(holder)
    if found is None:
        return f"the catalogue is in use by {holder}; try again when that is done"
    mountpoint, pid = Path(found["mountpoint"]), found["pid"]
    there = mountinfo.at(mountpoint)
    if there is not None and there.is_coursefs:
        return f"your courses are mounted already at {holder}; to have them elsewhere, unmount there first"
    try:
        status = socket.status(socket.path_for(runtime_dir, mountpoint))
    except CoursefsError:
        return f"{mountpoint}: is unmounted, but its process {pid} has not ended and does not answer"
    if status is None or not status.get("ready", True):
        return f"{mountpoint}: another coursefs (process {pid}) is starting or ending there; try again in a moment"
    return (
        f"{mountpoint}: is unmounted, but programs have files of it open;"
        f" its process {pid} ends when the last of them is closed"
    )
