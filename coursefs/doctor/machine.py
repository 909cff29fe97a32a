"""Checks of the machine: FUSE, proxies and certificate authorities."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from coursefs.doctor.finding import Finding, Severity
from coursefs.errors import CoursefsError
from coursefs.mount.kernel import CONNECTIONS
from coursefs.mount.mountpoint import FUSE_CONF, require_binding, users_may_allow_other
from coursefs.transport.proxies import Proxies
from coursefs.transport.trust import Trust

_DEVICE = Path("/dev/fuse")
#: the first kernel with reads of 1 MiB (FUSE_MAX_PAGES)
_KERNEL = (4, 20)
#: where programs and desktop files are that cannot read every folder
_SNAP = (Path("/snap/bin"), Path("/var/lib/snapd/desktop/applications"))
_FLATPAK = (Path("/var/lib/flatpak/exports/bin"), Path("/var/lib/flatpak/exports/share/applications"))
_OWN_FLATPAK = (".local/share/flatpak/exports/bin", ".local/share/flatpak/exports/share/applications")
_CONTAINER = "in a container: start it with --device /dev/fuse --cap-add SYS_ADMIN"


def machine() -> Iterator[Finding]:
    """All checks of the machine, in this order; nothing is mounted."""
    yield device(_DEVICE)
    yield fusermount(os.geteuid() == 0)
    yield binding()
    yield kernel(os.uname().release, CONNECTIONS)
    yield allow_other(FUSE_CONF)
    home = os.environ.get("HOME")
    own = [Path(home, folder) for folder in _OWN_FLATPAK] if home else []
    yield from browser(default_browser(os.environ), {"Snap": _SNAP, "Flatpak": [*_FLATPAK, *own]})


def default_browser(environment: Mapping[str, str]) -> str:
    """The browser that opens pages: a program, or the name of a desktop file; "" where it is not known."""
    if named := environment.get("BROWSER"):
        return named
    try:
        asked = subprocess.run(
            ["xdg-settings", "get", "default-web-browser"],  # noqa: S607  # the desktop's own, wherever it is
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip()


def browser(name: str, sandboxed: Mapping[str, Sequence[Path]]) -> Iterator[Finding]:
    """Say so where the browser may not read the files beside a page; `sandboxed`: the folders of such programs."""
    for kind, folders in sandboxed.items():
        is_program = "/" in name
        if name and any(Path(name).parent == folder if is_program else (folder / name).exists() for folder in folders):
            message = f"the default browser is a {kind}: it may not read the files beside a page"
            yield Finding("browser", Severity.NOTE, message, "coursefs open")


def device(path: Path) -> Finding:
    """Check that the FUSE device can be opened."""
    name = "FUSE device"
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return Finding(name, Severity.PROBLEM, f"{path} is missing", f"sudo modprobe fuse   # {_CONTAINER}")
    except PermissionError:
        return Finding(
            name, Severity.PROBLEM, f"{path} cannot be opened by you", f"sudo chmod 666 {path}   # {_CONTAINER}"
        )
    except OSError as error:
        return Finding(name, Severity.PROBLEM, f"{path}: {error.strerror}", f"sudo modprobe fuse   # {_CONTAINER}")
    return Finding(name, Severity.OK, f"{path} can be opened")


def fusermount(is_root: bool) -> Finding:
    """Check that fusermount3 is installed, which users other than root need to mount."""
    found = shutil.which("fusermount3")
    if found is not None:
        return Finding("fusermount3", Severity.OK, found)
    state = Severity.NOTE if is_root else Severity.PROBLEM
    return Finding(
        "fusermount3", state, "is not installed", "sudo apt install fuse3   # or your system's package fuse3"
    )


def binding() -> Finding:
    """Check that pyfuse3 is installed in a version that works."""
    if importlib.util.find_spec("pyfuse3") is None:
        return Finding(
            "pyfuse3",
            Severity.PROBLEM,
            "is not installed",
            "sudo apt install libfuse3-dev pkg-config gcc python3-dev && pip install pyfuse3",
        )
    try:
        require_binding()
    except CoursefsError as error:
        return Finding("pyfuse3", Severity.PROBLEM, str(error), "sudo apt install fuse3")
    return Finding("pyfuse3", Severity.OK, f"version {importlib.metadata.version('pyfuse3')}")


def kernel(release: str, connections: Path) -> Finding:
    """Check that the kernel has the features for fast reads."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) < _KERNEL:
        old = ".".join(map(str, _KERNEL))
        return Finding("kernel", Severity.NOTE, f"{release} is older than {old}: long reads are made in small steps")
    if not connections.is_mount():
        message = f"{release}; {connections} is not mounted, so only 12 reads run at once"
        return Finding("kernel", Severity.NOTE, message, f"sudo mount -t fusectl fusectl {connections}")
    return Finding("kernel", Severity.OK, release)


def allow_other(conf: Path) -> Finding:
    """Check whether users may show a mount to other users of the machine (`-o allow_other`)."""
    name = "user_allow_other"
    if users_may_allow_other(conf):
        return Finding(name, Severity.OK, f"is set in {conf}")
    return Finding(
        name,
        Severity.OK if os.geteuid() == 0 else Severity.NOTE,
        "is not set: you can mount for yourself, but not with -o allow_other",
        None
        if os.geteuid() == 0
        else f"echo {name} | sudo tee -a {conf}   # only if other users are to see your mount",
    )


def environment(proxies: Proxies, trust: Trust) -> Iterator[Finding]:
    """The proxy and the certificate authorities in use, and each environment variable that cannot be used."""
    proxy = proxies.proxy
    if proxy is None:
        yield Finding("proxy", Severity.OK, "none is used")
    elif proxy.trouble is None:
        yield Finding("proxy", Severity.OK, f"{proxy} is used")
    else:
        yield Finding("proxy", Severity.PROBLEM, f"{proxy.variable}: {proxy.trouble}", f"unset {proxy.variable}")
    yield Finding("certificate authorities", Severity.OK, f"those in {trust.source}")
    for line in (*proxies.passed_over, *trust.passed_over):
        yield Finding("environment", Severity.NOTE, line, f"unset {line.partition(':')[0]}")
