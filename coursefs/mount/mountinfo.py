"""The mount table of the kernel; no file system is touched, because a dead one would not answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from coursefs.settings.paths import absolute as from_root
from coursefs.settings.paths import expanded

#: the kernel's limit for links in a path
_MAX_LINKS = 40
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")


@dataclass(frozen=True, slots=True)
class Mounted:
    """One line of `/proc/self/mountinfo`."""

    mountpoint: Path
    filesystem: str  # "fuse.coursefs"
    source: str
    device: tuple[int, int]  # major, minor; the minor names a FUSE connection in /sys/fs/fuse/connections
    identifier: int = 0  # of this mount in its namespace, as /proc/<pid>/fdinfo has it
    options: frozenset[str] = frozenset()  # of this mount: "ro", "noexec"
    super_options: frozenset[str] = frozenset()  # of the file system, wherever it is mounted: "user_id=1000"

    @property
    def is_coursefs(self) -> bool:
        """Whether it is a coursefs mount."""
        return self.filesystem == "fuse.coursefs"

    @property
    def is_automount_point(self) -> bool:
        """Whether an automounter (`x-systemd.automount`) waits here: looking into it triggers a mount."""
        return self.filesystem == "autofs"

    def is_same(self, other: Mounted | None) -> bool:
        """Whether it is the same mount, even if its options have changed."""
        return other is not None and (self.identifier, self.device) == (other.identifier, other.device)

    def number(self, name: str) -> int | None:
        """A numeric option of the file system; None if it has no such option."""
        for option in self.super_options:
            key, _, value = option.partition("=")
            if key == name and value.isdecimal():
                return int(value)
        return None


def parse(text: bytes) -> list[Mounted]:
    """The lines of a mountinfo file, in their order; a later mount covers an earlier one at the same path."""
    found = []
    for line in text.strip(b"\n").split(b"\n") if text.strip() else ():  # names may contain other line ends
        fields = line.split(b" ")
        rest = fields[fields.index(b"-") + 1 :]
        major, minor = fields[2].split(b":")
        found.append(
            Mounted(
                Path(_plain(fields[4])),
                _plain(rest[0]),
                _plain(rest[1]),
                (int(major), int(minor)),
                int(fields[0]),
                frozenset(_plain(fields[5]).split(",")),
                frozenset(_plain(rest[2]).split(",")),
            )
        )
    return found


def mounted() -> list[Mounted]:
    """All mounts in this process's mount namespace."""
    return parse(Path("/proc/self/mountinfo").read_bytes())


def of(pid: int) -> list[Mounted]:
    """All mounts in another process's mount namespace; none once it has ended."""
    try:
        return parse(Path(f"/proc/{pid}/mountinfo").read_bytes())
    except OSError:
        return []


def at(path: Path, among: Iterable[Mounted] | None = None) -> Mounted | None:
    """The uppermost mount at exactly this (absolute) path; None if there is none."""
    on_top = None
    for one in mounted() if among is None else among:
        if one.mountpoint == path:
            on_top = one
    return on_top


def absolute(path: Path) -> Path:
    """The path as mountinfo writes it, with links resolved, without touching what is mounted there.

    Raises `UsageError` for the home of an unknown user, and if the working folder was deleted.
    """
    whole = Path(os.path.normpath(from_root(expanded(path))))  # Path.resolve would stat a dead mount
    automount_points = {one.mountpoint for one in mounted() if one.is_automount_point}
    for _ in range(_MAX_LINKS):
        if whole.name in {"", ".."}:
            return Path(os.path.realpath(whole))
        whole = Path(os.path.realpath(whole.parent)) / whole.name
        if whole in automount_points:  # any access would block until something is mounted
            break
        try:
            # the kernel knows that a mount point is no link, so this does not touch its file system
            whole = whole.parent / whole.readlink()
        except OSError:
            break
    return whole


def _plain(field: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field))
