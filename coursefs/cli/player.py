"""The player for a hit of a search: mpv at the right time, else what the desktop opens such files with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from coursefs.errors import CoursefsError


def command_for(
    file: Path, at: float | None, environment: Mapping[str, str], which: Callable[[str], str | None]
) -> list[str]:
    """The command that plays or opens a file (pure); `at`: seconds from its beginning.

    `which` finds a program.  Raises `CoursefsError` where there is no player, or no display.
    """
    has_display = bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
    if not has_display:
        raise CoursefsError(f"there is no display to play it on; the file is {file}")
    if at is not None and (mpv := which("mpv")):
        return [mpv, f"--start={at:.3f}", "--", str(file)]
    if opener := which("xdg-open"):
        return [opener, str(file)]
    raise CoursefsError(f"no player was found; install mpv, or open {file}")


def play(file: Path, at: float | None) -> None:
    """Play or open a file, and wait for the end of the player.  Raises `CoursefsError` if it fails."""
    command = command_for(file, at, os.environ, shutil.which)
    try:
        status = subprocess.run(command, check=False).returncode  # noqa: S603  # a list, and a file of the mount
    except OSError as error:
        raise CoursefsError(f"{command[0]} cannot be run: {error.strerror}") from None
    if status:
        raise CoursefsError(f"{Path(command[0]).name} failed with status {status}")
