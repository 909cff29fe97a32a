"""Whether a directory can be mounted on, said in one clear line when it cannot; and taking a mount away again."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from coursefs.errors import CoursefsError
from coursefs.mount import mountinfo


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


def prepare(path: Path) -> Path:
    """The absolute path of a directory that can be mounted on now.

    A dead mount that a crash left there is taken away first.  Raises `CoursefsError` with what is wrong and what to do.
    """
    path = mountinfo.absolute(path)
    there = mountinfo.at(path)
    if there is not None:
        if not is_dead(path):
            if there.is_coursefs:
                raise CoursefsError(f"{path}: coursefs is mounted there already (to end it: coursefs umount {path})")
            raise CoursefsError(
                f"{path}: something else ({there.filesystem}) is mounted there; choose another directory"
            )
        detach(path)
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


def is_dead(path: Path) -> bool:
    """Whether the daemon behind a mount is gone (every call on it answers ENOTCONN)."""
    try:
        os.statvfs(path)  # not stat: the kernel may still remember what the dead daemon said
    except OSError as error:
        return error.errno in {errno.ENOTCONN, errno.ECONNABORTED}
    return False


def detach(path: Path) -> None:
    """Take a mount away at once, open files or not."""
    _unmount(path, "-z")


def unmount(path: Path) -> None:
    """Take a mount away.  Raises `CoursefsError` when it is in use."""
    _unmount(path)


def _unmount(path: Path, *options: str) -> None:
    program = shutil.which("fusermount3") or shutil.which("fusermount")
    if program is None:
        command = ["umount", *(["-l"] if options else []), str(path)]
    else:
        command = [program, "-u", *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    if done.returncode == 0:
        return
    if "busy" in done.stderr.lower():
        raise CoursefsError(f"{path}: is in use; close what is open there and try again (or: fusermount3 -uz {path})")
    lines = done.stderr.strip().splitlines()
    raise CoursefsError(f"{path}: cannot be unmounted: {lines[-1] if lines else 'unknown reason'}")
