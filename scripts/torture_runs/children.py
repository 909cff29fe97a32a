"""Processes of a run: each has a parent that ends it, whatever becomes of the runner."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

#: the ordinary user that a run of root's uses for everything but the faults themselves (nobody's number)
USER = 65534
#: set in the environment of a run of root's that no ordinary user can be let into
AS_ROOT = "COURSEFS_TORTURE_AS_ROOT"


def has_ordinary_user() -> bool:
    """Whether this is root, and children are somebody else."""
    return os.geteuid() == 0 and AS_ROOT not in os.environ


def ordinary() -> Mapping[str, object]:
    """Arguments of `subprocess` that run a child as an ordinary user; none where this is one."""
    return {"user": USER, "group": USER, "extra_groups": []} if has_ordinary_user() else {}


def dies_with_parent(also: Callable[[], None] | None = None) -> Callable[[], None]:
    """What a child does first: it is killed when its parent ends."""

    def first() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if also is not None:
            also()

    return first


def start(command: Sequence[str | Path], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a command as the ordinary user."""
    process: subprocess.Popen[str] = subprocess.Popen(
        [str(one) for one in command],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=dies_with_parent(),  # noqa: PLW1509  # there are no threads
        **ordinary(),  # type: ignore[call-overload]
    )
    return process


def run(
    command: Sequence[str | Path], environment: Mapping[str, str], *, seconds: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run a command as the ordinary user to its end; status 124 when it takes too long."""
    process = start(command, environment)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        try:
            out, err = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:  # it waits for a dead file system
            out, err = "", "killed after its time"
        return subprocess.CompletedProcess(command, 124, out, err)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str], seconds: float = 5.0) -> None:
    """Kill a child and take leave of it."""
    if process.poll() is None:
        process.kill()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
