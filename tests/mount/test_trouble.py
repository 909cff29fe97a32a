"""Processes that hang, die or come twice, strange mount points, and places where coursefs cannot keep its things."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from coursefs.daemon.claims import claimed
from coursefs.mount import mountinfo
from tests.mount.program import PROGRAM, install
from tests.mount.test_life import VIDEO
from tests.mount.world import LIMIT, World, has_ended, until

pytestmark = pytest.mark.mount


def sockets(world: World) -> list[Path]:
    return list(Path(world.environment["XDG_RUNTIME_DIR"]).rglob("*.sock"))


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does not answer, as long as the context lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        until(lambda: has_ended(pid), "the process ended")


def kill(world: World) -> None:
    pid = world.pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: has_ended(pid), "the process ended")


def test_clients_of_the_control_socket_that_go_at_once_do_not_end_the_mount(mounted: World) -> None:
    (path,) = sockets(mounted)
    for _ in range(200):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert os.listdir(mounted.mountpoint)
    assert mounted.status()["ready"]


def test_closing_the_terminal_unmounts(world: World) -> None:
    world.login()
    command = [*PROGRAM, "mount", "-f", str(world.mountpoint)]
    with subprocess.Popen(command, env=world.environment) as process:
        until(lambda: world.is_mounted and bool(os.listdir(world.mountpoint)), "the mount was there")
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=LIMIT) == 0
    assert not world.is_mounted
    assert sockets(world) == []


def test_a_process_that_does_not_answer_keeps_no_command_waiting(mounted: World) -> None:
    pid = mounted.pid
    with stopped(pid):
        silent = f"its process {pid} does not answer"
        assert silent in mounted.run("status", mounted.mountpoint, status=1).stderr
        assert "does not answer" in mounted.run("mount", mounted.mountpoint, status=1).stderr
        with subprocess.Popen(["cat", str(mounted.path(VIDEO))], stdout=subprocess.DEVNULL) as reader:
            said = mounted.run("umount", mounted.mountpoint, status=1).stderr
            assert f"unmounted, but its process {pid} has not ended yet" in said
            assert not mounted.is_mounted
            reader.kill()


def test_umount_of_a_dead_mount_that_is_in_use_takes_its_socket_away_too(mounted: World) -> None:
    descriptor = os.open(mounted.path(VIDEO), os.O_RDONLY)
    try:
        kill(mounted)
        mounted.umount()
    finally:
        with suppress(OSError):  # the process may have ended
            os.close(descriptor)
    assert not mounted.is_mounted
    assert sockets(mounted) == []


def test_status_of_a_dead_mount(mounted: World) -> None:
    kill(mounted)
    assert "its process is gone" in mounted.run("status", mounted.mountpoint, status=1).stderr
    said = mounted.run("status")
    assert said.stdout == "" and f"{mounted.mountpoint}: its process is gone" in said.stderr
    checks = json.loads(mounted.run("doctor", "--json", status=1, lines=0).stdout)["checks"]
    (found,) = [one for one in checks if one["check"] == f"mount {mounted.mountpoint}"]
    assert (found["state"], found["advice"]) == ("problem", f"coursefs umount {mounted.mountpoint}")


def test_the_mount_point_of_the_demo_after_a_crash(world: World, own_home: Path) -> None:
    there = World(own_home / "courses", world.platform)
    try:
        there.run("demo", "--background")
        kill(there)
        there.run("demo", "--background")
        assert os.listdir(there.mountpoint)
        there.umount()
        there.mountpoint.rmdir()
        there.mountpoint.touch()
        assert "is not a directory" in there.run("demo", "--background", status=1).stderr
    finally:
        there.tidy()


def test_a_mount_point_that_is_a_symbolic_link(world: World) -> None:
    world.login()
    link = world.mountpoint.parent / "link"
    link.symlink_to(world.mountpoint.name)
    world.run("mount", link)
    assert world.is_mounted
    assert str(world.mountpoint) in world.run("status", link).stdout
    assert "mounted there already" in world.run("mount", link, status=1).stderr
    world.run("umount", link)
    assert not world.is_mounted


def test_two_that_start_at_once_do_not_both_mount(world: World) -> None:
    world.login()
    catalogue = world.mountpoint.parent / "elsewhere" / "catalogue.sqlite"
    with claimed(world.mountpoint, catalogue, [Path(world.environment["XDG_RUNTIME_DIR"]) / "coursefs"]):
        for command in (["mount"], ["demo", "--background"]):
            said = world.run(*command, world.mountpoint, status=1).stderr
            assert f"another coursefs (process {os.getpid()}) is starting or ending there" in said
    world.mount()
    world.umount()


def test_a_mount_that_was_taken_away_with_a_file_open_says_what_it_waits_for(mounted: World, tmp_path: Path) -> None:
    pid = mounted.pid
    other = tmp_path / "other"
    other.mkdir()
    with mounted.path(VIDEO).open("rb"):
        subprocess.run(["fusermount3", "-uz", str(mounted.mountpoint)], check=True, timeout=LIMIT)
        for mountpoint in (mounted.mountpoint, other):
            said = mounted.run("mount", mountpoint, status=1).stderr
            assert f"its process {pid} ends when the last of them is closed" in said
    until(lambda: has_ended(pid), "the process ended")
    mounted.mount()


def test_a_relative_cache_folder_is_below_the_folder_of_the_caller(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.login()
    (tmp_path / "a, b").mkdir()
    monkeypatch.chdir(tmp_path / "a, b")
    world.mount("-o", "cache_dir=my cache")
    assert world.status()["cache"]["directory"] == str(tmp_path / "a, b" / "my cache")
    assert "~nobody-of-this-name" in world.run("mount", "-o", "cache_dir=~nobody-of-this-name/x", "x", status=2).stderr
    assert "~nobody-of-this-name" in world.run("status", "~nobody-of-this-name/x", status=2).stderr


@pytest.mark.parametrize(("variable", "status"), [("XDG_STATE_HOME", 1), ("XDG_CACHE_HOME", 0)])
def test_a_folder_of_ours_that_cannot_be_made_is_named(
    world: World, tmp_path: Path, variable: str, status: int
) -> None:
    """Without its cache a mount streams; without its state it knows nothing."""
    world.login()
    (tmp_path / "file").touch()
    world.environment[variable] = str(tmp_path / "file")
    said = world.run("mount", world.mountpoint, status=status).stderr
    assert str(tmp_path / "file") in said and "defect" not in said


def test_without_a_session_folder_the_socket_lies_however_deep(world: World, tmp_path: Path) -> None:
    world.login()
    del world.environment["XDG_RUNTIME_DIR"]
    world.environment["XDG_STATE_HOME"] = str(tmp_path / ("x" * 100))
    world.mount()
    assert world.status()["ready"]
    world.umount()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can give up a right")
def test_why_it_may_not_be_mounted_is_in_the_words_of_fusermount(world: World) -> None:
    world.login()
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", *PROGRAM, "mount", str(world.mountpoint)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 1
    assert "mount failed: Operation not permitted (in a container" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# -- as mount(8) has it ----------------------------------------------------------------------------------------------


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with `coursefs` and the helper for mount(8), as an installation has them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    install(folder)
    return folder


#: what mount(8) makes of the contract's line of fstab
FSTAB = "rw,nosuid,nodev,noexec,noauto,user,ro"


def test_the_helper_as_mount_calls_it(world: World, programs: Path) -> None:
    world.login()
    helper = [str(programs / "mount.fuse.coursefs"), "coursefs", str(world.mountpoint)]
    subprocess.run([*helper, "-f", "-o", FSTAB], env=world.environment, check=True, timeout=LIMIT)
    assert not world.is_mounted
    done = subprocess.run([*helper, "-o", "ofline"], stderr=subprocess.PIPE, text=True, check=False, timeout=LIMIT)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    options = ["-s", "-n", "-o", f"{FSTAB},user=me,uid=4711,no_such", "-t", "fuse.coursefs"]
    subprocess.run([*helper, *options], env=world.environment, check=True, timeout=LIMIT)
    assert world.mountpoint.stat().st_uid == 4711
    world.umount()


@pytest.mark.skipif(shutil.which("mount.fuse3") is None, reason="mount.fuse(8) is not installed")
def test_without_the_helper_mount_fuse_finds_the_way(world: World, programs: Path) -> None:
    world.login()
    path = f"{programs}:{world.environment['PATH']}"
    command = ["mount.fuse3", "coursefs", str(world.mountpoint), "-t", "fuse.coursefs", "-o", FSTAB]
    subprocess.run(command, env={**world.environment, "PATH": path}, check=True, timeout=LIMIT)
    there = mountinfo.at(world.mountpoint)
    assert there is not None and there.is_coursefs
    world.umount()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put a helper where mount(8) looks, for itself alone")
def test_a_line_of_fstab(world: World, programs: Path, tmp_path: Path) -> None:
    world.login()
    fstab = tmp_path / "fstab"
    fstab.write_text(f"coursefs  {world.mountpoint}  fuse.coursefs  noauto,user,ro  0 0\n")
    for name in ("fusermount3", "umount"):
        (programs / name).symlink_to(str(shutil.which(name)))
    script = (
        'mount --bind "$1" /usr/sbin && mount -T "$2" "$3" && ls "$3"'
        ' && "$1"/coursefs umount "$3" && test -z "$(ls "$3")"'
    )
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(programs), str(fstab), str(world.mountpoint)]
    done = subprocess.run(command, capture_output=True, text=True, env=world.environment, check=False, timeout=LIMIT)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert "to unmount: coursefs umount" in done.stderr
    assert "Interactive Computer Graphics" in done.stdout
