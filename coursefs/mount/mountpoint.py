"""The mount point: whether a directory can be mounted on, with a clear reason if not; and unmounting."""

from __future__ import annotations

import errno
import importlib.util
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

from coursefs.errors import CoursefsError, NoAnswer
from coursefs.mount import mountinfo
from coursefs.mount.holders import holders

#: seconds for a mount to answer
_ANSWERS_WITHIN = 3.0
#: seconds for fusermount3 or umount
_UNMOUNTS_WITHIN = 30.0
#: processes that a message names when a mount is in use
_NAMED = 5
#: not stat: the kernel may have cached the attributes that a dead process gave
_QUESTION = """
import os, sys
try:
    os.statvfs(sys.argv[1])
except OSError as error:
    sys.exit(error.errno)
"""


def require_fuse() -> None:
    """Raise `CoursefsError` if this machine cannot mount FUSE file systems at all."""
    device = Path("/dev/fuse")
    if not device.exists():
        raise CoursefsError(
            "no FUSE here: /dev/fuse is missing (load it with `sudo modprobe fuse`; in a container, start it with"
            " --device /dev/fuse --cap-add SYS_ADMIN)"
        )
    if importlib.util.find_spec("pyfuse3") is None:
        raise CoursefsError(
            "pyfuse3 is not installed: it is built with `sudo apt install libfuse3-dev pkg-config gcc python3-dev`"
            " and then `pip install pyfuse3`"
        )
    if os.geteuid() == 0:
        return
    if not os.access(device, os.R_OK | os.W_OK):
        raise CoursefsError(
            "FUSE is not available to you: this user may not open /dev/fuse (allow it with: sudo chmod 0666 /dev/fuse)"
        )
    if shutil.which("fusermount3") is None:
        raise CoursefsError("fusermount3 is missing: install it with `sudo apt install fuse3`")


#: whose line `user_allow_other` lets other users than root mount with `allow_other`
FUSE_CONF = Path("/etc/fuse.conf")


def users_may_allow_other(conf: Path = FUSE_CONF) -> bool:
    """Whether users may show a mount to other users of the machine; False also where that cannot be read."""
    try:
        lines = conf.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(line.split("#")[0].strip() == "user_allow_other" for line in lines)


def require_binding() -> None:
    """Raise `CoursefsError` if libfuse cannot be loaded. Slow: only for the process that mounts."""
    try:
        import pyfuse3  # noqa: F401  # built with the headers of a libfuse that may be gone by now
    except ImportError as error:
        raise CoursefsError(f"libfuse cannot be loaded ({error}): install it with `sudo apt install fuse3`") from None


def prepare(path: Path) -> Path:
    """The absolute path of a directory that can be mounted on now.

    A dead mount left by a crash is unmounted first. If an automounter waits here, the directory is not touched: any
    access would wait for the mount that is being made. Raises `CoursefsError` with the reason and what to do.
    """
    path = mountinfo.absolute(path)
    while (there := mountinfo.at(path)) is not None and there.is_coursefs:
        _take_away_if_dead(path)
    if there is not None and not there.is_automount_point:
        raise CoursefsError(f"{path}: something else ({there.filesystem}) is mounted there; choose another directory")
    if there is not None:
        if os.geteuid() != 0 and not _is_automounter(there):  # fusermount3 would look into it
            raise CoursefsError(f"{path}: an automounter mounts there by itself at the first access: ls {path}")
        return path
    try:
        status = path.stat()
        if not path.is_dir():
            raise CoursefsError(f"{path}: is not a directory")
        if os.geteuid() not in {0, status.st_uid} or not os.access(path, os.W_OK):
            raise CoursefsError(f"{path}: is not your own directory; choose one that you can write to")
        if any(path.iterdir()):
            raise CoursefsError(f"{path}: is not empty; choose an empty directory (mkdir -p ~/courses)")
    except FileNotFoundError:
        raise CoursefsError(f"{path}: does not exist; make it first: mkdir -p {shlex.quote(str(path))}") from None
    except OSError as error:
        raise CoursefsError(f"{path}: {error.strerror}") from None
    return path


@contextmanager
def made(path: Path) -> Iterator[Path]:
    """The absolute path of a mount point, made if it is missing and its parent is this user's own.

    It is removed again if the context fails. What cannot be made is left to `prepare`, which says why.
    """
    path = mountinfo.absolute(path)
    is_new = _make(path)
    try:
        yield path
    except BaseException:
        if is_new:
            with suppress(OSError):  # something is mounted on it, or in it
                path.rmdir()
        raise


def _make(path: Path) -> bool:
    """Make a missing directory in a directory of this user's own; return whether it was made."""
    if mountinfo.at(path) is not None:  # a dead mount, or an automounter: not to be touched
        return False
    try:
        parent = path.parent.stat()
        if parent.st_uid != os.geteuid() or not os.access(path.parent, os.W_OK | os.X_OK):
            return False
        path.mkdir(mode=0o755)
    except OSError:
        return False
    return True


def is_for_automounter(path: Path) -> bool:
    """Whether an automounter waits for this process to mount at this absolute path.

    A process that mounts must then stay in this process group: the kernel blocks all others until it is mounted.
    """
    there = mountinfo.at(path)
    return there is not None and there.is_automount_point and _is_automounter(there)


def _is_automounter(there: mountinfo.Mounted) -> bool:
    return there.number("pgrp") == os.getpgrp()


def _take_away_if_dead(path: Path) -> None:
    match life(path):
        case Life.ANSWERS:
            raise CoursefsError(f"{path}: coursefs is mounted there already (to unmount: coursefs umount {path})")
        case Life.SILENT:
            raise CoursefsError(
                f"{path}: coursefs is mounted there already and does not answer (to unmount: coursefs umount {path})"
            )
        case Life.GONE:
            _unmount(path, lazily=True)


class Life(Enum):
    """Whether a mount answers."""

    ANSWERS = "answers"
    SILENT = "silent"  # the process does not answer: it is stopped or stuck
    GONE = "gone"  # the process has ended, every call answers ENOTCONN


def life(path: Path, within: float = _ANSWERS_WITHIN) -> Life:
    """Ask the mount at a path for an answer, for at most so many seconds."""
    # in a child process: a call to a stuck mount may block for ever, and no signal can end it
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
        asking.returncode = -signal.SIGKILL  # it ends when it can; mark it as reaped, so that there is no warning
        return Life.SILENT
    return Life.GONE if number in {errno.ENOTCONN, errno.ECONNABORTED} else Life.ANSWERS


def unmount(path: Path, *, lazily: bool = False) -> bool:
    """Unmount; a mount in use only `lazily`, or if its process is gone or does not answer.

    Returns whether, as far as is known, no process uses it any more. Raises `CoursefsError` if it is in use, with the
    names of the processes, or if it cannot be unmounted.
    """
    _require_right(path)
    try:
        _unmount(path, lazily=lazily)
    except _Busy:
        if life(path) is Life.ANSWERS:
            raise CoursefsError(_in_use(path)) from None
        _unmount(path, lazily=True)
        return False
    return not lazily


def _require_right(path: Path) -> None:
    """Raise `CoursefsError` if another user has mounted what is there; fusermount3's message would mislead."""
    there = mountinfo.at(path)
    owner = None if there is None else there.number("user_id")
    if owner is None or os.geteuid() in {0, owner}:
        return
    raise CoursefsError(
        f"{path}: was mounted by {user_name(owner)}, and cannot be unmounted by you;"
        f" try: sudo coursefs umount {shlex.quote(str(path))}"
    )


def user_name(uid: int) -> str:
    """The name of a user, or "user UID"."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _in_use(path: Path) -> str:
    known = [each for each in holders(path) if each.pid != os.getpid()]
    most = ", ".join(map(str, known[:_NAMED]))
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    by = f" by {most}{more}" if known else ""
    return f"{path}: is in use{by}; close that and try again, or: coursefs umount --lazy {shlex.quote(str(path))}"


class _Busy(CoursefsError):
    pass


def take_away(path: Path, *, within: float) -> None:
    """Unmount lazily within so many seconds, whether or not it is in use. Raises `CoursefsError` if that fails."""
    _unmount(path, lazily=True, within=within)


def command_for(path: Path, *, lazily: bool) -> list[str]:
    """The command that unmounts it."""
    program = shutil.which("fusermount3") or shutil.which("fusermount")
    if program is None:
        return ["umount", *(["-l"] if lazily else []), str(path)]
    return [program, "-u", *(["-z"] if lazily else []), str(path)]


def _unmount(path: Path, *, lazily: bool = False, within: float = _UNMOUNTS_WITHIN) -> None:
    command = command_for(path, lazily=lazily)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=within, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"{path}: cannot be unmounted: {command[0]} did not return") from None
    except OSError as error:
        raise CoursefsError(f"{path}: cannot be unmounted: {command[0]}: {error.strerror}") from None
    if done.returncode == 0:
        return
    if "busy" in done.stderr.lower():
        raise _Busy(f"{path}: is in use")
    lines = done.stderr.strip().splitlines()
    raise CoursefsError(f"{path}: cannot be unmounted: {lines[-1] if lines else 'unknown reason'}")
