"""The running mount that a command is about: that of its paths, else the user's.

A command that changes settings or sign-ins has it read them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coursefs.cli import output
from coursefs.cli.alone import Show
from coursefs.errors import CoursefsError, UsageError
from coursefs.settings.paths import socket_dirs

#: pairs of an argument and its path below the mount point; None: it is not in this mount
_Targets = list[tuple[str, tuple[str, ...] | None]]


@dataclass(frozen=True, slots=True)
class Located:
    """The mount to be asked, by its socket, and what the arguments are there."""

    root: Path
    socket: Path
    targets: _Targets
    is_named: bool  # whether one of the paths lies in it

    def ask(self, command: str, show: Show, **arguments: Any) -> None:
        """Have the mount run a command; `show` gets each reply. Raises `CoursefsError`."""
        from coursefs.daemon import socket  # slow to import

        try:
            for reply in socket.ask(self.socket, command, targets=self.targets, **arguments):
                show(reply)
        except ConnectionError:
            raise CoursefsError(f"{self.root}: was unmounted just now; try again") from None


def located(texts: Sequence[str], *, demo: bool = False) -> Located | None:
    """The mount for these arguments; None: no mount of the user (or of the `demo`) runs, and no path is in another one.

    Raises `UsageError` if the paths lie in different mounts.
    """
    from coursefs.bulk.targets import below
    from coursefs.daemon import socket  # slow to import

    places = [_place(text) for text in texts]
    mounts = [(Path(found["mountpoint"]), path, found) for path, found in socket.all_mounts(socket_dirs())]
    named = {path: root for root, path, _ in mounts for place in places if place and below(root, place) is not None}
    if len(named) > 1:
        raise UsageError("these paths are in different mounts; run the command once for each mount")
    of_user = {path: root for root, path, found in mounts if found["demo"] == demo}
    for path, root in (named or of_user).items():
        pairs = zip(texts, places, strict=True)
        targets = [(text, None if place is None else below(root, place)) for text, place in pairs]
        return Located(root, path, targets, bool(named))
    return None


def reload_mount() -> None:
    """Have the user's mount, if one runs, read settings and sign-ins again, and say what it does not take up."""
    from coursefs.daemon import socket  # slow to import

    mount = socket.mount_of_user(socket_dirs())
    if mount is None:
        return
    try:
        for reply in socket.ask(mount, "reload"):
            if reply["waiting"]:
                output.message(f"unmount and mount again to apply: {', '.join(reply['waiting'])}")
    except CoursefsError as error:
        output.message(f"the running mount has not taken this up: {error}; unmount and mount again")


def _place(text: str) -> Path | None:
    """The absolute path of an argument, in case it is a path."""
    from coursefs.mount import mountinfo  # slow to import

    if "://" in text:
        return None
    try:
        return mountinfo.absolute(Path(text))
    except UsageError:  # the home of an unknown user
        return None
