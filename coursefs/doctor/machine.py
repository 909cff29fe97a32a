"""What the machine has for FUSE file systems."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from coursefs.doctor.finding import Finding, State
from coursefs.errors import CoursefsError
from coursefs.mount.kernel import CONNECTIONS
from coursefs.mount.mountpoint import require_binding

_DEVICE = Path("/dev/fuse")
_FUSE_CONF = Path("/etc/fuse.conf")
#: the first kernel of which everything is used that it has for us: reads of a MiB (FUSE_MAX_PAGES)
_KERNEL = (4, 20)
_CONTAINER = "in a container: start it with --device /dev/fuse --cap-add SYS_ADMIN"


def machine() -> Iterator[Finding]:
    """Everything that is looked at, in this order; nothing is mounted."""
    yield device(_DEVICE)
    yield fusermount(os.geteuid() == 0)
    yield binding()
    yield kernel(os.uname().release, CONNECTIONS)
    yield allow_other(_FUSE_CONF)


def device(path: Path) -> Finding:
    """Whether the FUSE device can be opened."""
    name = "FUSE device"
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return Finding(name, State.PROBLEM, f"{path} is missing", f"sudo modprobe fuse   # {_CONTAINER}")
    except PermissionError:
        return Finding(
            name, State.PROBLEM, f"{path} may not be opened by you", f"sudo chmod 666 {path}   # {_CONTAINER}"
        )
    except OSError as error:
        return Finding(name, State.PROBLEM, f"{path}: {error.strerror}", f"sudo modprobe fuse   # {_CONTAINER}")
    return Finding(name, State.OK, f"{path} can be opened")


def fusermount(is_root: bool) -> Finding:
    """Whether the program is there by which users who are not root mount."""
    found = shutil.which("fusermount3")
    if found is not None:
        return Finding("fusermount3", State.OK, found)
    state = State.NOTE if is_root else State.PROBLEM
    return Finding(
        "fusermount3", state, "is not installed", "sudo apt install fuse3   # or your system's package fuse3"
    )


def binding() -> Finding:
    """Whether libfuse's binding for Python is there and of a version that is known to work."""
    if importlib.util.find_spec("pyfuse3") is None:
        return Finding(
            "pyfuse3",
            State.PROBLEM,
            "is not installed",
            "sudo apt install libfuse3-dev pkg-config gcc python3-dev && pip install pyfuse3",
        )
    try:
        require_binding()
    except CoursefsError as error:
        return Finding("pyfuse3", State.PROBLEM, str(error), "sudo apt install libfuse3-3")
    return Finding("pyfuse3", State.OK, f"version {importlib.metadata.version('pyfuse3')}")


def kernel(release: str, connections: Path) -> Finding:
    """Whether the kernel has what makes reading quick."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) < _KERNEL:
        old = ".".join(map(str, _KERNEL))
        return Finding("kernel", State.NOTE, f"{release} is older than {old}: long reads are made in small steps")
    if not connections.is_mount():
        message = f"{release}; {connections} is not mounted, so the limit of reads at once stays at 12"
        return Finding("kernel", State.NOTE, message, f"sudo mount -t fusectl fusectl {connections}")
    return Finding("kernel", State.OK, release)


def allow_other(conf: Path) -> Finding:
    """Whether users may show a mount to other users of the machine (`-o allow_other`)."""
    name = "user_allow_other"
    try:
        lines = conf.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    if any(line.split("#")[0].strip() == name for line in lines):
        return Finding(name, State.OK, f"is set in {conf}")
    return Finding(
        name,
        State.OK if os.geteuid() == 0 else State.NOTE,
        "is not set: you can mount for yourself, but not with -o allow_other",
        None
        if os.geteuid() == 0
        else f"echo {name} | sudo tee -a {conf}   # only if other users are to see your mount",
    )
