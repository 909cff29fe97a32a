"""The unit of systemd, and what systemctl is asked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from coursefs.cli.main import main
from coursefs.daemon.notify import VARIABLE, Manager
from coursefs.daemon.unit import escaped_path, quoted, unit


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/usr/bin/coursefs", "/usr/bin/coursefs"),
        ("/a b/50%$x", '"/a b/50%%$$x"'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("", '""'),
    ],
)
def test_words_of_a_command_line(word: str, written: str) -> None:
    assert quoted(word) == written


@pytest.mark.parametrize("path", ["/home/me/courses", "/", "/a b/ü-x", "/.hidden/a.b", "/x/.y//z/", "/a:b_c\\d"])
def test_paths_are_escaped_as_systemd_does(path: str) -> None:
    program = shutil.which("systemd-escape")
    if program is None:
        pytest.skip("systemd is not installed")
    done = subprocess.run([program, "--path", path], capture_output=True, text=True, check=True)
    assert escaped_path(path) == done.stdout.strip()


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    instance = tmp_path / "coursefs@home-me-courses.service"
    instance.write_text(unit([sys.executable, "-m", "coursefs", "--config", "/a b/%$x"]))
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        [program, "--user", "--man=no", "verify", str(instance)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "coursefs" in line] == []


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that writes down what it is asked, and fails where `fail` is a file beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemctl"
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{folder}/asked\ntest ! -e {folder}/fail || {{ echo "no bus" >&2; exit 1; }}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_install_and_uninstall(
    systemctl: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("coursefs.mount.mountpoint.require_fuse", lambda: None)
    courses = own_home / "my courses"
    courses.mkdir()
    instance = f"coursefs@{escaped_path(str(courses))}.service"
    assert main(["--config", "/etc/c.toml", "service", "install", str(courses)]) == 0
    file = own_home / ".config" / "systemd" / "user" / "coursefs@.service"
    assert "ExecStart=" in file.read_text() and "--config /etc/c.toml mount --foreground -- %f" in file.read_text()
    assert instance in capsys.readouterr().err
    assert main(["service", "uninstall", str(courses)]) == 0
    assert file.exists()
    assert main(["service", "uninstall"]) == 0
    assert not file.exists()
    assert (systemctl / "asked").read_text().splitlines() == [
        "--user daemon-reload",
        f"--user enable --now {instance}",
        f"--user disable --now {instance}",
        "--user disable coursefs@.service",
        "--user stop coursefs@*.service",
        "--user daemon-reload",
    ]
    assert main(["service", "uninstall"]) == 1
    assert "nothing is installed" in capsys.readouterr().err


def test_what_systemctl_says_is_the_reason(
    systemctl: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("coursefs.mount.mountpoint.require_fuse", lambda: None)
    (systemctl / "fail").touch()
    assert main(["service", "install"]) == 1
    assert capsys.readouterr().err.endswith("coursefs: systemctl --user daemon-reload: no bus\n")


@pytest.mark.parametrize("is_abstract", [False, True])
def test_the_service_manager_is_told(tmp_path: Path, is_abstract: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"@coursefs-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(10)
        listening.bind("\0" + name[1:] if is_abstract else name)
        monkeypatch.setenv(VARIABLE, name)
        manager = Manager()
        assert manager and VARIABLE not in os.environ
        manager.ready("it is\nmounted")
        manager.reloading()
        manager.stopping()
        said = [listening.recv(1000).decode() for _ in range(3)]
    assert said[0] == "READY=1\nSTATUS=it is mounted"
    assert said[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[2] == "STOPPING=1"
    manager.ready("nobody listens any more")


def test_without_a_service_manager_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    manager = Manager()
    assert not manager
    manager.ready("x")
