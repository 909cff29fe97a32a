"""A `systemctl` for a machine without systemd: it starts what a unit says, as the user that the unit names.

It knows as much of units as docs/lab.md needs.  That systemd itself understands them is another test's to show.
"""

from __future__ import annotations

import os
import pwd
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.mount.ports import answers
from tests.mount.world import has_ended, until

#: seconds for what is started to be ready
_LIMIT = 90.0
_PROJECT = Path(__file__).resolve().parents[2]
_UNITS = Path("/etc/systemd/system")
#: units of Debian's packages: their program without what only systemd has for it, and the port that it listens on
_PACKAGED = {
    "smbd": ("smbd --foreground --no-process-group", 445),
    "nfs-ganesha": (
        "ganesha.nfsd -F -f /etc/ganesha/ganesha.conf -L /var/log/lab-ganesha.log -p /run/ganesha.pid",
        2049,
    ),
}
#: where what has no Type=notify is heard of
_PORTS = {"courses-dlna": 7879, "courses-webdav": 8080, "courses-shared": 8765}


def main() -> int:
    """Do what one call of systemctl asks for; the exit status."""
    words = [word for word in sys.argv[1:] if word not in {"--system", "--now"}]
    match words:
        case ["enable" | "start" | "restart", unit]:
            _start(unit.removesuffix(".service"))
        case ["show-environment" | "daemon-reload"] | ["add-wants", _, _]:
            pass
        case _:
            print(f"systemctl: not known here: {words}", file=sys.stderr)
            return 1
    return 0


def _start(name: str) -> None:
    if name in _PACKAGED:
        line, port = _PACKAGED[name]
        Path("/run/samba").mkdir(exist_ok=True)
        _run(name, [*_apart(name), *shlex.split(line)], "root", lambda: answers(port))
        return
    template, at, instance = name.partition("@")
    keys = _keys(_UNITS / f"{template}{at}.service")
    place = "/" + instance.replace("-", "/")
    command = [word.replace("%f", place) for word in shlex.split(keys["ExecStart"])]
    if not Path(command[0]).exists():  # the package is not installed here
        command[0] = Path(command[0]).name
    user = "nobody" if keys.get("DynamicUser") == "yes" else keys.get("User", "root")
    if keys.get("Type") != "notify":
        _run(name, command, user, lambda: answers(_PORTS[name]))
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(_LIMIT)
        manager.bind(f"/run/notify-{os.getpid()}")
        Path(f"/run/notify-{os.getpid()}").chmod(0o666)
        _run(name, command, user, lambda: manager.recv(1000).startswith(b"READY=1"), manager.getsockname())


def _keys(file: Path) -> dict[str, str]:
    lines = file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _apart(name: str) -> list[str]:
    """What begins the command of a server that its drop-in keeps from everything beside the mount point."""
    drop_in = _UNITS / f"{name}.service.d" / "courses.conf"
    keys = _keys(drop_in) if drop_in.exists() else {}
    if "TemporaryFileSystem" not in keys:
        return []
    place = keys["BindReadOnlyPaths"]
    assert keys["TemporaryFileSystem"] == f"{Path(place).parent}:ro"
    module = ["env", f"PYTHONPATH={_PROJECT}", sys.executable, "-m", "tests.foreign.apart"]
    return [*"unshare --mount --propagation slave".split(), *module, place]


def _run(name: str, command: list[str], user: str, is_ready: Callable[[], bool], notify: str = "") -> None:
    """Start a program that goes on when this one has ended; return when it is ready."""
    known = pwd.getpwnam(user)
    environment = {"PATH": os.environ["PATH"], "HOME": known.pw_dir, "LANG": "C.UTF-8"}
    if notify:
        environment["NOTIFY_SOCKET"] = notify
    _stop(Path(f"/run/lab-{name}.pid"))
    with Path(f"/var/log/lab-{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=known.pw_uid,
            group=known.pw_gid,
            extra_groups=os.getgrouplist(user, known.pw_gid),
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    Path(f"/run/lab-{name}.pid").write_text(str(process.pid))
    end = time.monotonic() + _LIMIT
    while not is_ready():
        if process.poll() is not None or time.monotonic() > end:
            sys.exit(f"{name} does not answer: {Path(log.name).read_text(errors='replace')[-4000:]}")
        time.sleep(0.05)


def _stop(file: Path) -> None:
    """End what was started under this name before."""
    if not file.exists():
        return
    pid = int(file.read_text())
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    until(lambda: has_ended(pid), "it ended")
