"""The lock files of a mount: one for its mount point, one for the catalogue."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from coursefs.base.atomic_files import private_folder
from coursefs.base.lock import FileLock
from coursefs.daemon import socket
from coursefs.errors import CoursefsError
from coursefs.mount import mountinfo

_MOUNT = re.compile(r"(?P<mountpoint>/.*) \(pid (?P<pid>[0-9]+)\)", re.DOTALL)


@contextmanager
def claimed(mountpoint: Path, catalogue: Path, socket_dirs: Sequence[Path]) -> Iterator[None]:
    """Hold the locks of a mount point and a catalogue while the context lasts, or until the process ends.

    Missing folders of the locks are created. Raises `CoursefsError` that names the holder.
    """

    def taken(holder: str) -> str:
        return _held(holder, socket_dirs)

    holder = f"{mountpoint} (pid {os.getpid()})"
    locks = [socket.lock_for(socket.path_for(folder, mountpoint)) for folder in socket_dirs]
    with ExitStack() as held:
        for lock in (*locks, catalogue.with_name("lock")):
            private_folder(lock.parent)
            held.enter_context(FileLock(lock, holder=holder, taken=taken))
        yield


def _held(holder: str, socket_dirs: Sequence[Path]) -> str:
    found = _MOUNT.fullmatch(holder)
    if found is None:
        return f"the catalogue is in use by {holder}; try again when that is done"
    mountpoint, pid = Path(found["mountpoint"]), found["pid"]
    there = mountinfo.at(mountpoint)
    if there is not None and there.is_coursefs:
        return f"your courses are mounted already at {holder}; to have them elsewhere, unmount there first"
    try:
        control = socket.find(socket_dirs, mountpoint)
        status = None if control is None else socket.status(control)
    except CoursefsError:
        return f"{mountpoint}: is unmounted, but its process {pid} has not ended and does not answer"
    if status is None or not status.get("ready", True):
        return f"{mountpoint}: another coursefs (process {pid}) is starting or ending there; try again in a moment"
    if mountinfo.at(mountpoint, mountinfo.of(int(pid))) is not None:
        return f"{mountpoint}: is mounted in another mount namespace, that of its process {pid}; unmount it there first"
    if not status.get("open_files"):
        return (
            f"{mountpoint}: is unmounted, but its process {pid} has not ended yet;"
            f" it ends when no program uses it any more; try again then"
        )
    return (
        f"{mountpoint}: is unmounted, but programs have files of it open;"
        f" its process {pid} ends when the last of them is closed"
    )
