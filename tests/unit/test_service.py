"""The unit of systemd, and what systemctl is asked."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from coursefs.cli import service
from coursefs.cli.main import main
from coursefs.daemon.readiness import NOTIFY_VARIABLE, Manager
from coursefs.daemon.systemd_unit import escaped_path, packaged_unit, quoted, unit


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


COMMAND = [sys.executable, "-m", "coursefs", "--config", "/a b/%$x"]


@pytest.mark.parametrize(
    ("manager", "text"),
    [
        ("--user", unit(COMMAND, "umask=077")),
        ("--user", packaged_unit(COMMAND, for_system=False)),
        ("--system", unit(COMMAND, "allow_other", for_system=True, account="daemon")),
    ],
)
def test_systemd_understands_the_unit(manager: str, text: str, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    instance = tmp_path / "coursefs@home-me-courses.service"
    instance.write_text(text)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        [program, manager, "--man=no", "verify", str(instance)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "coursefs" in line] == []


def test_a_packaged_unit_says_how_to_enable_it_and_does_the_same() -> None:
    for for_system, enable in ((False, "systemctl --user enable --now"), (True, "systemctl enable --now")):
        first, *packaged = packaged_unit(["/usr/bin/coursefs"], for_system=for_system).splitlines()
        assert enable in first
        assert packaged == unit(["/usr/bin/coursefs"], for_system=for_system).splitlines()[1:]


def test_the_unit_starts_the_launcher_of_the_self_contained_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the interpreter in it, whose place in a one-file program changes with the version."""
    monkeypatch.setitem(sys._xoptions, "coursefs-program", "/opt/coursefs/coursefs")
    assert service._program() == ["/opt/coursefs/coursefs"]


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
    settings = own_home / "c.toml"
    settings.touch()
    assert main(["--config", str(settings), "service", "install", str(courses)]) == 0
    file = own_home / ".config" / "systemd" / "user" / "coursefs@.service"
    assert "ExecStart=" in file.read_text() and f"--config {settings} mount --foreground -- %f" in file.read_text()
    assert instance in capsys.readouterr().err
    assert main(["service", "uninstall", str(courses)]) == 0
    assert file.exists()
    assert main(["service", "uninstall"]) == 0
    assert not file.exists()
    assert (systemctl / "asked").read_text().splitlines() == [
        "--user show-environment",
        "--user daemon-reload",
        f"--user enable --now {instance}",
        f"--user disable --now {instance}",
        "--user disable coursefs@.service",
        "--user stop coursefs@*.service",
        "--user daemon-reload",
    ]
    assert main(["service", "uninstall"]) == 1
    assert "nothing is installed" in capsys.readouterr().err


def test_without_a_bus_what_to_do_is_said_and_nothing_is_left(
    systemctl: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("coursefs.mount.mountpoint.require_fuse", lambda: None)
    (systemctl / "fail").touch()
    courses = own_home / "courses"
    assert main(["service", "install", str(courses)]) == 1
    said = capsys.readouterr().err
    assert (
        said.startswith("coursefs: systemctl --user show-environment: no bus; log in as ") and "enable-linger" in said
    )
    assert not list((own_home / ".config").iterdir()) and not courses.exists(), "nothing is left"


def test_an_install_that_fails_half_way_leaves_everything_as_it_was(
    systemctl: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("coursefs.mount.mountpoint.require_fuse", lambda: None)
    program = systemctl / "systemctl"
    program.write_text('#!/bin/sh\ntest "$2" != enable || { echo "cannot mount" >&2; exit 1; }\n')
    courses = own_home / "courses"
    assert main(["service", "install", str(courses)]) == 1
    assert capsys.readouterr().err == "coursefs: systemctl --user enable: cannot mount\n"
    assert not list((own_home / ".config").iterdir()) and not courses.exists()
    assert main(["service", "install"]) == 0
    file = own_home / ".config" / "systemd" / "user" / "coursefs@.service"
    before = file.read_text()
    assert main(["service", "install", "-o", "umask=077", str(courses)]) == 1
    assert file.read_text() == before and not courses.exists()


def test_a_service_of_the_machine(
    systemctl: Path, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("coursefs.mount.mountpoint.require_fuse", lambda: None)
    units = tmp_path / "system"
    monkeypatch.setattr("coursefs.cli.service._SYSTEM_UNITS", units)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["service", "install", "--system"]) == 2
    assert "sudo coursefs service install --system" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{systemctl}:{os.environ['PATH']}")
    monkeypatch.setattr("coursefs.mount.mountpoint.require_fuse", lambda: None)
    monkeypatch.setattr("coursefs.cli.service._SYSTEM_UNITS", units)
    if os.geteuid() != 0:
        pytest.skip("only root may do this")
    settings = tmp_path / "c.toml"
    settings.touch(mode=0o644)
    assert main(["service", "install", "--system", "-o", f"config={settings}", str(tmp_path / "courses")]) == 0
    text = (units / "coursefs@.service").read_text()
    assert f"mount --foreground -o uid=0,gid=0,umask=022,allow_other,config={settings} -- %f" in text
    assert "WantedBy=multi-user.target" in text and "After=network-online.target" in text and "--user" not in text
    assert "at every login" not in capsys.readouterr().err
    assert main(["service", "uninstall", "--system"]) == 0
    assert not (units / "coursefs@.service").exists()
    assert "--system daemon-reload" in (systemctl / "asked").read_text()


@pytest.fixture
def by_root(systemctl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The unit that root installs, on a machine whose users may show their mounts to others."""
    if os.geteuid() != 0:
        pytest.skip("only root may do this")
    conf = tmp_path / "fuse.conf"
    conf.write_text("user_allow_other\n")
    monkeypatch.setattr("coursefs.mount.mountpoint.require_fuse", lambda: None)
    monkeypatch.setattr("coursefs.mount.mountpoint.FUSE_CONF", conf)
    monkeypatch.setattr("coursefs.cli.service._SYSTEM_UNITS", tmp_path / "system")
    return tmp_path / "system" / "coursefs@.service"


def test_a_service_of_the_machine_with_an_account_of_its_own(by_root: Path, tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    courses = tmp_path / "courses"
    assert main(["service", "install", "--system", "--user", "nobody", "-o", "gid=77,umask=027", str(courses)]) == 0
    text = by_root.read_text()
    assert "\nUser=nobody\n" in text
    assert f"mount --foreground -o uid={nobody.pw_uid},gid=77,umask=027,allow_other -- %f" in text
    assert courses.stat().st_uid == nobody.pw_uid
    for forbidden in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "ProtectSystem", "DynamicUser"):
        assert not re.search(rf"^{forbidden}", text, re.MULTILINE)  # fusermount3 could not mount, or only for itself


def test_what_is_missing_for_an_account_is_said_before_anything_is_written(
    by_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: str, status: int = 1) -> str:
        assert main(["service", "install", *arguments]) == status
        assert not by_root.exists()
        return capsys.readouterr().err

    courses = tmp_path / "courses"
    courses.mkdir()
    assert "add --system" in refused("--user", "nobody", status=2)
    assert "sudo useradd --system" in refused("--system", "--user", "no-such-user", str(courses))
    assert f"sudo chown nobody: {courses}" in refused("--system", "--user", "nobody", str(courses))
    assert courses.stat().st_uid == 0
    (tmp_path / "fuse.conf").write_text("#user_allow_other\n")
    assert f"echo user_allow_other | sudo tee -a {tmp_path}/fuse.conf" in refused("--system", "--user", "nobody")


@pytest.mark.parametrize("is_abstract", [False, True])
def test_the_service_manager_is_told(tmp_path: Path, is_abstract: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"@coursefs-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(10)
        listening.bind("\0" + name[1:] if is_abstract else name)
        monkeypatch.setenv(NOTIFY_VARIABLE, name)
        manager = Manager()
        assert manager and NOTIFY_VARIABLE not in os.environ
        manager.ready("it is\nmounted")
        manager.reloading()
        manager.stopping()
        said = [listening.recv(1000).decode() for _ in range(3)]
    assert said[0] == "READY=1\nSTATUS=it is mounted"
    assert said[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[2] == "STOPPING=1"
    manager.ready("no process listens any more")


def test_without_a_service_manager_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NOTIFY_VARIABLE, raising=False)
    manager = Manager()
    assert not manager
    manager.ready("x")
