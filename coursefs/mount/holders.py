"""The processes that have a mount open, from /proc; the file system itself, which may be stuck, is not touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from coursefs.mount import mountinfo
from coursefs.mount.pending_signals import is_ending

_PROC = Path("/proc")
_DELETED = " (deleted)"
#: files whose last process is remembered
_MOST_FILES = 64


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that keeps a mount busy."""

    pid: int
    name: str
    what: str  # the file, below the mount point; ".": the mount point is its working folder

    def __str__(self) -> str:
        what = "its working directory" if self.what == "." else self.what
        return f"{self.name} ({self.pid}: {what})"


class HeldFiles:
    """Tells whether any process has a file of a mount open.  May be called by several threads.

    All processes and all their files are looked at only when the one that had the file the last time has it no more:
    a film that plays over a slow link waits several times a second.
    """

    def __init__(self, mountpoint: Path, proc: Path = _PROC) -> None:
        self._mountpoint = mountpoint
        self._proc = proc
        self._last: dict[str, str] = {}  # the process that had the file at a path

    def __call__(self, path: str) -> bool:
        """Whether any process has the file at this path below the mount point open or mapped into memory.

        A process that a signal is ending does not count: it may wait for this file in a system call.
        True if that cannot be known: after an unmount, paths in /proc no longer show which mount they belong to.
        """
        if mountinfo.at(self._mountpoint) is None:
            return True
        last = self._last.pop(path, None)
        pid = last if last is not None and self._has(last, path) else self._found(path)
        if pid is not None:
            if len(self._last) >= _MOST_FILES:
                self._last.clear()
            self._last[path] = pid
        return pid is not None

    def _found(self, path: str) -> str | None:
        pids = (each for each in os.listdir(self._proc) if each.isdecimal())  # noqa: PTH208  # names, not paths
        return next((pid for pid in pids if self._has(pid, path)), None)

    def _has(self, pid: str, path: str) -> bool:
        return path in _held(self._proc / pid, self._mountpoint) and not is_ending(int(pid), self._proc)


def holders(mountpoint: Path, proc: Path = _PROC) -> list[Holder]:
    """The processes that hold the mount, by number. Only root sees those of other users."""
    pids = sorted(int(each) for each in os.listdir(proc) if each.isdecimal())  # noqa: PTH208  # names, not paths
    found = ((pid, next(_held(proc / str(pid), mountpoint), None)) for pid in pids)
    return [Holder(pid, _name(proc / str(pid)), what) for pid, what in found if what is not None]


def _held(process: Path, mountpoint: Path) -> Iterator[str]:
    """What a process holds of the mount: open files first, then its folders, then mapped files."""
    links = []
    with suppress(OSError):
        links += [process / "fd" / each for each in os.listdir(process / "fd")]  # noqa: PTH208  # as above
    for link in (*links, process / "cwd", process / "root", process / "exe"):
        with suppress(OSError):
            yield from _below(os.fsencode(os.readlink(link)), mountpoint)  # noqa: PTH115  # text, and quick
    with suppress(OSError):
        for line in (process / "maps").read_bytes().splitlines():
            yield from _below(b" ".join(line.split(maxsplit=5)[5:]), mountpoint)


def _below(path: bytes, mountpoint: Path) -> Iterator[str]:
    text = os.fsdecode(path).removesuffix(_DELETED)
    if text == str(mountpoint):
        yield "."
    elif text.startswith(f"{mountpoint}/"):
        yield text[len(str(mountpoint)) + 1 :]


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "a process"
