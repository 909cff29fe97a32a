"""Mounts that were unmounted here but live on in another mount namespace, for example a container's.

A new mount namespace gets copies of all mounts. If unmounting does not propagate into it, its copy keeps the file
system and the process behind it alive, with the locks on catalogue and cache, until the container ends. So the process
watches the mounts of its own namespace, and ends when nothing there uses it any more.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import trio

from coursefs.base import threads
from coursefs.mount.mountinfo import Mounted, parse

log = logging.getLogger(__name__)

_PROC = Path("/proc")
#: seconds for programs to close their files, and for the kernel to end the session by itself
_GRACE = 2.0
#: seconds between two checks for users of an unmounted file system
_LOOK_AGAIN = 5.0
#: seconds between two checks of the mount table without an event: a change between the last look for one and the next
#: wait, some microseconds, gives none
_AT_MOST = 60.0
#: seconds from a change of the mount table to the check; doubled with each change that follows, up to the second one,
#: because some machines mount and unmount all the time
_SOON = 0.2
_LATE = 15.0
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Process:
    """A process in another mount namespace."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"process {self.pid}, {self.name}"


def should_end(*, is_seen_elsewhere: bool, is_used_here: bool, open_files: int, sees_everybody: bool) -> bool:
    """Whether the process behind an unmounted file system must end although the kernel keeps it alive (pure).

    `is_used_here`: a visible process uses the unmounted mount itself. `open_files`: files and directories that are open
    in any namespace. `sees_everybody`: all processes that may use it are visible. If a reader in this namespace cannot
    be excluded, the process goes on serving.
    """
    if is_used_here:
        return False
    if not sees_everybody:
        return is_seen_elsewhere and not open_files
    # if all processes are visible and none uses it, open files belong to the kernel: a loop device, an overlay
    return is_seen_elsewhere or not open_files


def elsewhere(device: tuple[int, int], proc: Path = _PROC) -> list[Process]:
    """Processes in other mount namespaces with this file system mounted, one for each namespace if that is known.

    Call it only for a file system that is not mounted in the namespace of the caller.
    """
    found, namespaces = [], set()
    for pid in _pids(proc):
        # kernel threads have an empty command line
        if not _read(proc / str(pid) / "cmdline") or not _lists(proc / str(pid) / "mountinfo", device):
            continue
        try:
            namespace = os.readlink(proc / str(pid) / "ns" / "mnt")  # noqa: PTH115  # text: it names no path
        except OSError:  # a process of another user
            namespace = str(pid)
        if namespace not in namespaces:
            namespaces.add(namespace)
            found.append(Process(pid, _name(proc / str(pid))))
    return found


def named(processes: list[Process]) -> str:
    """The first processes, for a message."""
    more = f" and {len(processes) - _NAMED} more" if len(processes) > _NAMED else ""
    return "; ".join(map(str, processes[:_NAMED])) + more


def is_used(mount: Mounted, proc: Path = _PROC) -> bool:
    """Whether a visible process uses a mount that was unmounted: an open or mapped file, or a folder.

    The paths of such files no longer begin with the mount point, so they are recognized by the mount's id.
    """
    return any(_uses(proc / str(pid), mount) for pid in _pids(proc))


async def until_left(mount: Mounted, *, open_files: Callable[[], int], sees_everybody: bool) -> None:
    """Wait until a mount was unmounted in this namespace and no process of the namespace uses it.

    If no process at all uses it, the kernel ends the session before this returns. Errors are logged and the check
    repeated. Cancellation leaves nothing behind.
    """

    def is_left() -> bool:
        seen = elsewhere(mount.device)
        is_to_end = should_end(
            is_seen_elsewhere=bool(seen),
            is_used_here=is_used(mount),
            open_files=open_files(),
            sees_everybody=sees_everybody,
        )
        who = f" ({named(seen)})" if seen else ""
        if is_to_end:
            log.info("unmounted, and kept alive by another mount namespace%s: ending", who)
        else:
            log.debug("unmounted, and still in use%s", who)
        return is_to_end

    while True:
        try:
            await _until_unmounted(mount.device)
            await trio.sleep(_GRACE)
            # by polling, in a thread: /proc has a file for every process and no events for closed files
            while not await threads.run_sync(is_left, abandon_on_cancel=True):  # noqa: ASYNC110
                await trio.sleep(_LOOK_AGAIN)
        except Exception as error:  # for example no descriptor or thread left: that must not end the mount
            log.debug("cannot tell which processes use the mount: %s", error)
            await trio.sleep(_LATE)
        else:
            return


async def _until_unmounted(device: tuple[int, int]) -> None:
    # The kernel signals a change of the mount table with POLLPRI (proc(5)). Trio waits only for readability, which the
    # table always has; an epoll descriptor in between is readable exactly when there is an event.
    path = Path("/proc/self/mountinfo")
    with path.open("rb") as table, select.epoll() as events:  # noqa: ASYNC230  # the kernel's memory, no disk
        events.register(table, select.EPOLLPRI)
        pause = _SOON
        while _lists(path, device):
            if not events.poll(0):  # else it has changed during the pause, or while it was read
                began = trio.current_time()
                with trio.move_on_after(_AT_MOST):
                    await trio.lowlevel.wait_readable(events.fileno())
                events.poll(0)
                if trio.current_time() - began >= _LATE:
                    pause = _SOON
            await trio.sleep(pause)
            pause = min(2 * pause, _LATE)


def _lists(table: Path, device: tuple[int, int]) -> bool:
    return b" %d:%d " % device in _read(table)


def _read(file: Path) -> bytes:
    """The content of a file in /proc; empty once its process has ended."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _uses(process: Path, mount: Mounted) -> bool:
    number, mapped = b"%d" % mount.identifier, b" %02x:%02x " % mount.device
    with suppress(OSError):
        is_candidate = any(each == number for each in _mounts_of_files(process))
        is_candidate = is_candidate or mapped in (process / "maps").read_bytes()
        # Mount ids are reused, and a copy of the mount in another namespace is another mount: if the process sees this
        # id or this file system mounted, its files are not those of the unmounted mount.
        return is_candidate and not any(
            one.identifier == mount.identifier or one.device == mount.device
            for one in parse((process / "mountinfo").read_bytes())
        )
    return False


def _mounts_of_files(process: Path) -> Iterator[bytes]:
    """The mount ids of a process's files and folders."""
    with suppress(OSError):
        for each in os.listdir(process / "fdinfo"):  # noqa: PTH208  # names, not paths
            with suppress(OSError):
                yield _mount_of((process / "fdinfo" / each).read_bytes())
    for name in ("cwd", "root", "exe"):
        with suppress(OSError):
            # O_PATH does not touch the file system, which may be stuck
            held = os.open(process / name, os.O_PATH | os.O_CLOEXEC)
            try:
                yield _mount_of(Path(f"/proc/self/fdinfo/{held}").read_bytes())
            finally:
                os.close(held)


def _mount_of(fdinfo: bytes) -> bytes:
    return fdinfo.partition(b"mnt_id:")[2].partition(b"\n")[0].strip()


def _pids(proc: Path) -> list[int]:
    return sorted(int(each) for each in os.listdir(proc) if each.isdecimal())  # noqa: PTH208  # names, not paths


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "a process"
