"""Who has something of a mount open: read from /proc, without touching the file system itself, which may be stuck."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_DELETED = " (deleted)"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that keeps a mount busy."""

    pid: int
    name: str
    what: str  # the file, below the mount point; "." for the mount point itself, where it is its working folder

    def __str__(self) -> str:
        what = "is in there" if self.what == "." else self.what
        return f"{self.name} ({self.pid}: {what})"


def is_open(mountpoint: Path, path: str, proc: Path = _PROC) -> bool:
    """Whether any process has the file at this path below the mount point open, or mapped into memory."""
    pids = [each for each in os.listdir(proc) if each.isdecimal()]  # noqa: PTH208  # names, not paths
    return any(path == what for pid in pids for what in _held(proc / pid, mountpoint))


def holders(mountpoint: Path, proc: Path = _PROC) -> list[Holder]:
    """The processes, by number.  Those of other users are not to be seen but by root."""
    pids = sorted(int(each) for each in os.listdir(proc) if each.isdecimal())  # noqa: PTH208  # names, not paths
    found = ((pid, next(_held(proc / str(pid), mountpoint), None)) for pid in pids)
    return [Holder(pid, _name(proc / str(pid)), what) for pid, what in found if what is not None]


def _held(process: Path, mountpoint: Path) -> Iterator[str]:
    """What a process has of the mount: open files first, then folders it is in, then what is mapped into memory."""
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
