"""Hooks: programs of the user that are run on an event, without a shell, without secrets, and not for ever."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from coursefs.errors import CoursefsError

#: variables that a hook gets, where they are set: what programs need to find each other, the desktop and the language.
#: A list of what is allowed, because any variable may hold a secret
_PASSED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS"),
    }
)
_PASSED_PREFIXES = ("LC_", "XDG_")
#: seconds after which a hook is ended
PATIENCE = 30.0


def environment(of: Mapping[str, str]) -> dict[str, str]:
    """The variables that a hook gets of an environment (pure)."""
    return {name: value for name, value in of.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}


def run(name: str, command: Sequence[str], text: str, patience: float = PATIENCE) -> None:
    """Run a hook to its end, with a text on its standard input; what it prints is dropped.  Blocking.

    Raises `CoursefsError`, whose one line begins with `name`, if it cannot be started, fails, or takes longer than
    `patience` seconds; then it is ended with all that it has started.
    """
    program = command[0]
    try:
        process = subprocess.Popen(  # noqa: S603  # the user's own command, from their settings
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(os.environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CoursefsError(f"{name}: {program} cannot be run: {reason}") from None
    with process:
        try:
            process.communicate(text.encode(), timeout=patience)  # it need not read all of it
        except subprocess.TimeoutExpired:
            raise CoursefsError(f"{name}: {Path(program).name} was ended after {patience:.0f} s") from None
        finally:
            _end(process)
    if process.returncode:
        raise CoursefsError(f"{name}: {Path(program).name} failed with status {process.returncode}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, with its process group."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
