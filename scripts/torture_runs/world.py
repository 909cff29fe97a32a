"""A user with a home, a mount point and the program: how it is mounted, killed, mounted again and looked at."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from torture_runs import children, provider

SCRIPTS = Path(__file__).resolve().parents[1]
_ENTRY_POINTS = f"[coursefs.providers]\n{provider.NAME} = torture_runs.provider:PLATFORM\n"
_METADATA = "Metadata-Version: 2.1\nName: coursefs-torture\nVersion: 1\n"
#: seconds that mounting and unmounting may take
LIMIT = 60.0
READ_TIMEOUT = 5.0
_SETTINGS = """\
[cache]
max_size = "6MiB"
min_free = "1MiB"
[network]
read_timeout = "{timeout}s"
[refresh]
courses = "2s"
outline = "2s"
files = "2s"
[accounts.torture]
provider = "torture"
base_url = "http://127.0.0.1:{port}"
folder = "Torture"
"""


class Trouble(Exception):
    """The run itself cannot go on."""


@dataclass
class World:
    """The home and its mount; everything lies below one folder."""

    root: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    preload: dict[str, str] = field(default_factory=dict)
    kills: int = 0
    mounts: int = 0
    most_memory: int = 0  # bytes, of any daemon so far
    demo: str = ""  # further accounts for the settings

    def __post_init__(self) -> None:
        for folder in ("mount", "home", "run", "config/coursefs", "state", "cache", "data", "tmp"):
            (self.root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        dist_info = self.root / "site" / "coursefs_torture-1.dist-info"
        dist_info.mkdir(parents=True)
        (dist_info / "entry_points.txt").write_text(_ENTRY_POINTS)
        (dist_info / "METADATA").write_text(_METADATA)
        settings = _SETTINGS.format(port=self.port, timeout=int(READ_TIMEOUT))
        (self.root / "config/coursefs/config.toml").write_text(settings)
        self.own(self.root)
        self.own(self.root / "config")

    def own(self, folder: Path) -> None:
        """Give a folder and all that is in it to the ordinary user."""
        for path in [folder, *folder.rglob("*")]:
            self.own_one(path)

    def own_one(self, path: Path) -> None:
        """Give one file to the ordinary user."""
        if children.has_ordinary_user():
            os.lchown(path, children.USER, children.USER)

    @property
    def mountpoint(self) -> Path:
        """Where it is mounted."""
        return self.root / "mount"

    @property
    def files(self) -> Path:
        """The folder with the files of the hostile server."""
        return self.mountpoint / "Torture" / "Torture" / "Files"

    @property
    def cache(self) -> Path:
        """The content cache."""
        return self.root / "cache" / "coursefs"

    @property
    def state(self) -> Path:
        """The catalogue."""
        return self.root / "state" / "coursefs"

    @property
    def environment(self) -> dict[str, str]:
        """Of every command of the user's."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("COURSE", "XDG_", "PYTHON"))}
        places = {name.upper(): str(self.root / name) for name in ("home",)}
        return (
            own
            | places
            | {
                "XDG_CONFIG_HOME": str(self.root / "config"),
                "XDG_DATA_HOME": str(self.root / "data"),
                "XDG_STATE_HOME": str(self.root / "state"),
                "XDG_CACHE_HOME": str(self.root / "cache"),
                "XDG_RUNTIME_DIR": str(self.root / "run"),
                "TMPDIR": str(self.root / "tmp"),
                "PYTHONPATH": os.pathsep.join([str(self.root / "site"), str(SCRIPTS), str(SCRIPTS.parent)]),
                "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
                "PYTHONDONTWRITEBYTECODE": "1",
            }
        )

    def command(self, *arguments: str | Path, seconds: float = LIMIT) -> subprocess.CompletedProcess[str]:
        """Run `coursefs` to its end."""
        return children.run([sys.executable, "-m", "coursefs", *arguments], self.environment, seconds=seconds)

    def mount(
        self, *, limits: Callable[[], None] | None = None, extra: tuple[str, ...] = (), empty: bool = False
    ) -> bool:
        """Mount in the foreground, as a child of this process; whether it answers.

        It must list the files of the hostile server, or may have nothing to list yet (`empty`).
        """
        self.mounts += 1
        with (self.root / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "coursefs", "mount", "-f", *extra, str(self.mountpoint)],
                env=self.environment | self.preload,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=children.dies_with_parent(limits),  # noqa: PLW1509  # this process has no threads
                **children.ordinary(),  # type: ignore[call-overload]
            )
        until = time.monotonic() + LIMIT
        while time.monotonic() < until:
            if self.process.poll() is not None:
                return False
            if self.is_mounted and (self.lists(self.mountpoint, 5.0) if empty else self.answers(5.0)):
                return True
            time.sleep(0.05)
        return False

    def mount_in_background(self, *, closed: tuple[int, ...] = (), full: bool = False) -> int:
        """Mount as most people do, with these descriptors closed and the others full if so; the exit status."""
        device = "/dev/full" if full else "/dev/null"
        redirections = " ".join(f"{number}>&-" if number in closed else f"{number}<>{device}" for number in range(3))
        words = shlex.join([sys.executable, "-m", "coursefs", "mount", str(self.mountpoint)])
        self.mounts += 1
        self.process = None
        return children.run(["sh", "-c", f"exec {words} {redirections}"], self.environment, seconds=LIMIT).returncode

    @property
    def is_mounted(self) -> bool:
        """Whether anything is mounted there, dead or alive."""
        where = str(self.mountpoint)
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
        return any(line.split(" ")[4] == where for line in lines)

    def answers(self, seconds: float) -> bool:
        """Whether the mount lists its files in so many seconds; asked by a child, which may hang with it.

        Their course may have any name: that they come back under their own ones is for the check to see.
        """
        account, folder = self.files.parents[1], self.files.name
        command = ["sh", "-c", 'ls -- "$1"/*/"$2"', "sh", str(account), folder]
        return children.run(command, self.environment, seconds=seconds).returncode == 0

    def lists(self, folder: Path, seconds: float) -> bool:
        """Whether a folder of the mount can be listed in so many seconds; asked by a child too."""
        return children.run(["ls", "--", folder], self.environment, seconds=seconds).returncode == 0

    @property
    def is_running(self) -> bool:
        """Whether the daemon's process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The daemon's process."""
        if self.process is None:
            raise Trouble("nothing is mounted")
        return self.process.pid

    def look_at_memory(self) -> int:
        """The most memory (bytes) that this daemon and its children have had since the last look."""
        if self.process is None:
            return 0
        most = 0
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    most = int(line.split()[1]) * 1024
            Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # begin anew
        self.most_memory = max(self.most_memory, most)
        return most

    def kill(self, number: int) -> int | None:
        """Send a signal and wait for the end; the exit status, None when it did not end."""
        if self.process is None:
            return None
        self.process.send_signal(number)
        self.kills += 1
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            return None

    def clear(self) -> None:
        """Take away whatever is mounted and running."""
        self.look_at_memory()
        if self.process is not None:
            children.end(self.process)
        for options in (["-u"], ["-u", "-z"], ["-u", "-z"], ["-u", "-z"]):
            if not self.is_mounted:
                break
            done = children.run(["fusermount3", *options, self.mountpoint], self.environment, seconds=10)
            if done.returncode and os.geteuid() == 0:
                subprocess.run(["umount", "-l", str(self.mountpoint)], capture_output=True, timeout=10, check=False)

    def log(self, characters: int = 3000) -> str:
        """The end of what the daemons have logged."""
        with suppress(OSError):
            return (self.root / "daemon.log").read_text(errors="replace")[-characters:]
        return ""

    def forget(self) -> None:
        """Remove catalogue and cache: the next mount begins anew."""
        for folder in (self.state, self.cache):
            shutil.rmtree(folder, ignore_errors=True)


def limit_memory(size: int) -> Callable[[], None]:
    """What a child does to have no more address space than this."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))


def limit_descriptors(count: int) -> Callable[[], None]:
    """What a child does to have no more descriptors than this."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
