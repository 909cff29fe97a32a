"""What is mounted where, as the kernel tells it, without touching any file system (a dead one would not answer)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from coursefs.places import expanded

#: as many links in a row as the kernel follows
_MAX_LINKS = 40
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mounted:
    """One line of `/proc/self/mountinfo`."""

    mountpoint: Path
    filesystem: str  # "fuse.coursefs"
    source: str
    device: tuple[int, int]  # major, minor; the minor names a FUSE connection in /sys/fs/fuse/connections

    @property
    def is_coursefs(self) -> bool:
        """Whether it is one of ours."""
        return self.filesystem == "fuse.coursefs"


def parse(text: bytes) -> list[Mounted]:
    """The lines of a mountinfo file, in their order; later ones lie on top of earlier ones."""
    found = []
    for line in text.splitlines():
        fields = line.split(b" ")
        rest = fields[fields.index(b"-") + 1 :]
        major, minor = fields[2].split(b":")
        found.append(Mounted(Path(_plain(fields[4])), _plain(rest[0]), _plain(rest[1]), (int(major), int(minor))))
    return found


def mounted() -> list[Mounted]:
    """Everything that this process sees mounted."""
    return parse(Path("/proc/self/mountinfo").read_bytes())


def at(path: Path, among: Iterable[Mounted] | None = None) -> Mounted | None:
    """What is mounted at exactly this (absolute) path, the uppermost; None when nothing is."""
    on_top = None
    for one in mounted() if among is None else among:
        if one.mountpoint == path:
            on_top = one
    return on_top


def absolute(path: Path) -> Path:
    """The path as mountinfo would write it, links followed, without asking the thing that may be mounted there.

    Raises `UsageError` for the home of a user that there is not.
    """
    whole = Path(os.path.abspath(expanded(path)))  # noqa: PTH100  # Path.resolve would stat a dead mount
    for _ in range(_MAX_LINKS):
        if whole.name in {"", ".."}:
            return Path(os.path.realpath(whole))
        whole = Path(os.path.realpath(whole.parent)) / whole.name
        try:
            # the kernel itself says of a mount point that it is no link, its file system is not asked
            whole = whole.parent / whole.readlink()
        except OSError:
            break
    return whole


def _plain(field: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field))
