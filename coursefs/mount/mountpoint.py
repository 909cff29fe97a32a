"""Whether a directory can be mounted on, said in one clear line when it cannot; and taking a mount away again."""

from __future__ import annotations

import errno
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
from enum import Enum
from pathlib import Path

from coursefs.errors import CoursefsError, NoAnswer
from coursefs.mount import mountinfo
from coursefs.mount.holders import holders

#: seconds that a mount gets to answer
_ANSWERS_WITHIN = 3.0
#: processes that are named when a mount is in use
_NAMED = 5
#: not stat: the kernel may still remember what a dead process said
_QUESTION = """
import os, sys
try:
    os.statvfs(sys.argv[1])
except OSError as error:
    sys.exit(error.errno)
"""


def require_fuse() -> None:
    """Raise `CoursefsError` when this machine cannot mount FUSE file systems at all."""
    device = Path("/dev/fuse")
    if not device.exists():
        raise CoursefsError(
            "no FUSE here: /dev/fuse is missing (load it with `sudo modprobe fuse`; in a container, start it with"
            " --device /dev/fuse --cap-add SYS_ADMIN)"
        )
    if importlib.util.find_spec("pyfuse3") is None:
        raise CoursefsError(
            "pyfuse3 is not installed: it is built with `sudo apt install libfuse3-dev pkg-config gcc` and then"
            " `pip install pyfuse3`"
        )
    if os.geteuid() == 0:
        return
    if not os.access(device, os.R_OK | os.W_OK):
        raise CoursefsError("no FUSE for you: /dev/fuse may not be opened by this user")
    if shutil.which("fusermount3") is None:
        raise CoursefsError("fusermount3 is missing: install it with `sudo apt install fuse3`")


def require_binding() -> None:
    """Raise `CoursefsError` when libfuse cannot be loaded: slow, so for the process that mounts."""
    try:
        import pyfuse3  # noqa: F401, PLC0415  # built with the headers of a libfuse that may be gone by now
    except ImportError as error:
        raise CoursefsError(
            f"libfuse cannot be loaded ({error}): install it with `sudo apt install libfuse3-3`"
        ) from None


def prepare(path: Path) -> Path:
    """The absolute path of a directory that can be mounted on now.

    A dead mount that a crash left there is taken away first.  Raises `CoursefsError` with what is wrong and what to do.
    """
    path = mountinfo.absolute(path)
    there = mountinfo.at(path)
    if there is not None:
        if not there.is_coursefs:
            raise CoursefsError(
                f"{path}: something else ({there.filesystem}) is mounted there; choose another directory"
            )
        match life(path):
            case Life.ANSWERS:
                raise CoursefsError(f"{path}: coursefs is mounted there already (to end it: coursefs umount {path})")
            case Life.SILENT:
                raise CoursefsError(
                    f"{path}: coursefs is mounted there already and does not answer (to end it: coursefs umount {path})"
                )
            case Life.GONE:
                _unmount(path, lazily=True)
    try:
        status = path.stat()
        if not path.is_dir():
            raise CoursefsError(f"{path}: is not a directory")
        if os.geteuid() not in {0, status.st_uid} or not os.access(path, os.W_OK):
            raise CoursefsError(f"{path}: is not yours to mount on; choose a directory of your own")
        if any(path.iterdir()):
            raise CoursefsError(f"{path}: is not empty; choose an empty directory (mkdir -p ~/courses)")
    except FileNotFoundError:
        raise CoursefsError(f"{path}: does not exist; make it first: mkdir -p {path}") from None
    except OSError as error:
        raise CoursefsError(f"{path}: {error.strerror}") from None
    return path


class Life(Enum):
    """What becomes of a question to a mount."""

    ANSWERS = "answers"
    SILENT = "silent"  # there is a process, which does not answer: it is stopped or stuck
    GONE = "gone"  # the process has ended, every call answers ENOTCONN


def life(path: Path, within: float = _ANSWERS_WITHIN) -> Life:
    """Ask the mount at a path for an answer, for so many seconds at most."""
    # in a process of its own: whoever asks a stuck mount may get stuck for good, out of reach of every signal
    asking = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", "-c", _QUESTION, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        number = asking.wait(timeout=within)
    except subprocess.TimeoutExpired:
        asking.kill()
        asking.returncode = -signal.SIGKILL  # it ends when it can; nobody waits for it
        return Life.SILENT
    return Life.GONE if number in {errno.ENOTCONN, errno.ECONNABORTED} else Life.ANSWERS


def unmount(path: Path, *, lazily: bool = False) -> bool:
    """Take a mount away: one that is in use too if nobody is behind it any more, or does not answer, or `lazily`.

    Returns whether nobody uses it any more, as far as is known.  Raises `CoursefsError` when it is in use, which says
    by whom, or when it cannot be taken away.
    """
    try:
        _unmount(path, lazily=lazily)
    except _Busy:
        if life(path) is Life.ANSWERS:
            raise CoursefsError(_in_use(path)) from None
        _unmount(path, lazily=True)
        return False
    return not lazily


def _in_use(path: Path) -> str:
    known = holders(path)
    most = ", ".join(map(str, known[:_NAMED]))
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    by = f" by {most}{more}" if known else ""
    return f"{path}: is in use{by}; close that and try again, or: coursefs umount --lazy {shlex.quote(str(path))}"


class _Busy(CoursefsError):
    pass


def _unmount(path: Path, *, lazily: bool = False) -> None:
    program = shutil.which("fusermount3") or shutil.which("fusermount")
    if program is None:
        command = ["umount", *(["-l"] if lazily else []), str(path)]
    else:
        command = [program, "-u", *(["-z"] if lazily else []), str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"{path}: cannot be unmounted: {command[0]} does not come back") from None
    except OSError as error:
        raise CoursefsError(f"{path}: cannot be unmounted: {command[0]}: {error.strerror}") from None
    if done.returncode == 0:
        return
    if "busy" in done.stderr.lower():
        raise _Busy(f"{path}: is in use")
    lines = done.stderr.strip().splitlines()
    raise CoursefsError(f"{path}: cannot be unmounted: {lines[-1] if lines else 'unknown reason'}")
