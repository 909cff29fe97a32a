"""The real program on a real mount, against the demo platforms in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx

from coursefs.mount import mountinfo
from tests.mount.program import program_in

#: seconds that any command of a test may take
LIMIT = 90.0

COURSES = Path(str(files("coursefs.demo"))) / "courses"


@dataclass
class Platform:
    """The demo platforms, and their control port."""

    process: subprocess.Popen[bytes]
    base_url: str
    cauth: str
    control: str
    logins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    panopto: Mapping[str, str] = field(default_factory=dict)  # the sample Panopto server, and how to sign in to it
    panopto_closed: Mapping[str, str] = field(default_factory=dict)  # one whose users may not make API clients
    panopto_controls: Mapping[str, str] = field(default_factory=dict)  # the control ports of both

    def requests(self, **wanted: object) -> list[Mapping[str, Any]]:
        """What was asked since the last `forget`, of which all these fields are as wanted."""
        asked = httpx.get(f"{self.control}/requests", trust_env=False).json()["requests"]
        return [one for one in asked if all(one[name] == value for name, value in wanted.items())]

    def require_reading(self) -> None:
        """Fail when anything was asked that could have begun or changed something; skipped where it has ended."""
        with suppress(httpx.HTTPError):
            assert httpx.get(f"{self.control}/requests", trust_env=False).json()["mutations"] == 0

    def forget(self) -> None:
        """Forget what was asked so far."""
        httpx.delete(f"{self.control}/requests", trust_env=False).raise_for_status()

    def faults(self, **faults: object) -> None:
        """Make something go wrong from now on; without any, make all well."""
        if faults:
            httpx.post(f"{self.control}/faults", json=faults, trust_env=False).raise_for_status()
        else:
            httpx.delete(f"{self.control}/faults", trust_env=False).raise_for_status()

    def panopto_browser(self, server: str = "panopto") -> dict[str, str]:
        """The cookies of a browser that signs in to a sample Panopto server now."""
        reply = httpx.post(f"{self.panopto_controls[server]}/sign-in", trust_env=False).raise_for_status()
        return dict(reply.json())

    def end_panopto_cookies(self, server: str = "panopto", *, renewable: bool = False) -> None:
        """End all cookies of a sample Panopto server; `renewable`: the sign-in page gives new ones."""
        query = "?renewable=1" if renewable else ""
        httpx.post(f"{self.panopto_controls[server]}/sign-out{query}", trust_env=False).raise_for_status()

    def new_session(self) -> None:
        """End the session of the learner, who signs in again with their browser."""
        reply = httpx.post(f"{self.control}/session", trust_env=False).raise_for_status()
        self.cauth = reply.json()["cauth"]


@contextmanager
def platform(*arguments: str) -> Iterator[Platform]:
    """The demo platforms, as long as the context lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "coursefs.demo", "--control", "--until-stdin-closes", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        coursera = ready["accounts"]["coursera"]
        base_url, cauth = coursera["settings"]["base_url"], coursera["secrets"]["cauth"]
        yield Platform(
            process,
            base_url,
            cauth,
            ready["control"],
            ready["logins"],
            ready["panopto"],
            ready["panopto_closed"],
            ready["panopto_controls"],
        )
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=10)


@dataclass
class World:
    """A user with a home, a mount point and the program."""

    mountpoint: Path
    platform: Platform
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def run(
        self, *arguments: str | Path, status: int = 0, stdin: str | None = None, lines: int = 1
    ) -> subprocess.CompletedProcess[str]:
        """Run `coursefs` to its end; it must end with this status, and say what is wrong in so many lines."""
        done = subprocess.run(
            [*program_in(self.environment), *map(str, arguments)],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=LIMIT,
            env=self.environment,
            check=False,
        )
        assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        if status:
            assert len(done.stderr.strip().splitlines()) == lines, done.stderr
        return done

    def doctor(self) -> tuple[list[dict[str, Any]], int]:
        """The findings of `coursefs doctor`, and the exit status that they make.

        Other mounts of the machine, which may be dead or silent, are left out of both.
        """
        done = subprocess.run(
            [*program_in(self.environment), "doctor", "--json"],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            env=self.environment,
            check=False,
        )
        assert done.returncode in {0, 1, 3}, done.stderr
        found = json.loads(done.stdout)["checks"]
        own = [
            one for one in found if one["check"] == f"mount {self.mountpoint}" or not one["check"].startswith("mount ")
        ]
        states = {one["state"] for one in own}
        status = 1 if "problem" in states else 3 if "sign-in" in states else 0
        assert len(own) < len(found) or done.returncode == status
        return own, status

    def login(self) -> None:
        """Sign in to the demo platform."""
        self.run("login", "coursera", "--base-url", self.platform.base_url, "--cauth", "-", stdin=self.platform.cauth)

    def mount(self, *arguments: str | Path) -> None:
        """Mount, in the background."""
        self.run("mount", *arguments, self.mountpoint)

    def umount(self) -> None:
        """Unmount, and wait for the end of the daemon."""
        self.run("umount", self.mountpoint)

    def status(self) -> Mapping[str, Any]:
        """What `coursefs status --json` says of the mount."""
        (mount,) = json.loads(self.run("status", self.mountpoint, "--json").stdout)["mounts"]
        assert isinstance(mount, dict)
        return mount

    @property
    def pid(self) -> int:
        """The daemon's process."""
        return int(self.status()["pid"])

    @property
    def is_mounted(self) -> bool:
        """Whether anything is mounted there, dead or alive."""
        return mountinfo.at(self.mountpoint) is not None

    @property
    def log(self) -> str:
        """What the daemons of this user have logged."""
        log = Path(self.environment["XDG_STATE_HOME"]) / "coursefs" / "log" / "mount.log"
        return log.read_text() if log.exists() else ""

    def path(self, *parts: str) -> Path:
        """A path in the mount."""
        return self.mountpoint.joinpath(*parts)

    def tree(self) -> list[str]:
        """Every path below the mount point but course pages, directories with a slash behind them."""
        found = []
        for directory, directories, names in os.walk(self.mountpoint, onerror=_raise):
            below = Path(directory).relative_to(self.mountpoint)
            directories[:] = [name for name in directories if name not in PAGES]
            found += [f"{below / name}/" for name in directories]
            found += [str(below / name) for name in names if name not in PAGES]
        return sorted(found)

    def tidy(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.is_mounted:
            subprocess.run(["fusermount3", "-uz", str(self.mountpoint)], timeout=LIMIT, check=False)


#: what coursefs adds to courses and to the root
PAGES = frozenset({"index.html", "index.files", "playlist.m3u8", "deadlines.ics"})


def platform_names(directory: Path | bytes) -> list[Any]:
    """The names in a directory, without those of course pages."""
    return [name for name in os.listdir(directory) if os.fsdecode(name) not in PAGES]


def _raise(error: OSError) -> None:
    raise error


def program(*arguments: str | Path, status: int | None = 0) -> str:
    """Run a foreign program; its standard output and error."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LIMIT,
        check=False,
    )
    assert status is None or done.returncode == status, (arguments, done.returncode, done.stdout)
    return done.stdout


def until(what: Callable[[], bool], why: str) -> None:
    """Wait for something that another process does without an event."""
    end = time.monotonic() + LIMIT
    while not what():
        assert time.monotonic() < end, f"waited in vain until {why}"
        time.sleep(0.02)


def has_ended(pid: int) -> bool:
    """Whether a process has ended; its new parent may not have reaped it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def described() -> list[Mapping[str, Any]]:
    """The demo courses as their descriptions have them, each with the folder that its files lie in."""
    return [
        tomllib.loads((folder / "course.toml").read_text()) | {"folder": folder}
        for folder in COURSES.iterdir()
        if folder.is_dir()
    ]
