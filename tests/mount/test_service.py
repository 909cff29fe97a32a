"""A mount as a service: ready, read again, busy, ended under load."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.mount.program import PROGRAM
from tests.mount.test_life import VIDEO
from tests.mount.world import LIMIT, World, has_ended, until

pytestmark = pytest.mark.mount


def config(world: World) -> Path:
    return Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"


def test_the_service_manager_hears_of_every_step(world: World, tmp_path: Path) -> None:
    world.login()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(LIMIT)
        manager.bind(str(tmp_path / "notify"))
        environment = {**world.environment, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        command = [*PROGRAM, "mount", "-f", str(world.mountpoint)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert manager.recv(1000).decode().startswith("READY=1\nSTATUS=")
            assert os.listdir(world.mountpoint)
            process.send_signal(signal.SIGHUP)
            assert manager.recv(1000).startswith(b"RELOADING=1\n")
            assert manager.recv(1000).startswith(b"READY=1\n")
            assert os.listdir(world.mountpoint)
            process.send_signal(signal.SIGTERM)
            assert manager.recv(1000) == b"STOPPING=1"
            _, said = process.communicate(timeout=LIMIT)
        assert process.returncode == 0
        assert "INFO coursefs" in said  # as the journal has it


def test_sighup_changes_what_can_change_and_says_what_cannot(mounted: World) -> None:
    pid, before = mounted.pid, config(mounted).read_text()
    config(mounted).write_text(f'{before}\n[cache]\nmax_size = "1GiB"\n[layout]\nnames = "slug"\n')
    os.kill(pid, signal.SIGHUP)
    until(lambda: mounted.status()["cache"]["max_size"] == 2**30, "the cache is smaller")
    until(lambda: "takes effect at the next mount: layout.names" in mounted.log, "it was said")
    config(mounted).write_text("[cache]\nmax_size = 0\n")
    os.kill(pid, signal.SIGHUP)
    until(lambda: "settings not reloaded" in mounted.log, "it was said")
    assert mounted.status()["cache"]["max_size"] == 2**30
    assert mounted.pid == pid


def test_a_new_sign_in_is_used_by_the_mount_at_once(mounted: World) -> None:
    mounted.platform.faults(refuse_sign_in=True)
    assert mounted.run("update", status=3)
    assert not mounted.status()["accounts"][0]["signed_in"]
    mounted.platform.faults()
    other = mounted.platform.cauth
    mounted.run(
        "login", "coursera", "--base-url", mounted.platform.base_url, "--cauth", "-", stdin=other
    )  # the same cookie: the mount hears of it and has nothing to do
    mounted.run("update")
    assert mounted.status()["accounts"][0]["signed_in"]


def test_umount_of_a_busy_mount_says_who_holds_it(mounted: World) -> None:
    with subprocess.Popen(["sleep", "1000"], cwd=mounted.mountpoint) as sleeper, mounted.path(VIDEO).open("rb"):
        try:
            said = mounted.run("umount", mounted.mountpoint, status=1).stderr
            assert f"sleep ({sleeper.pid}: its working directory)" in said
            assert f"({os.getpid()}: {VIDEO})" in said
            assert f"coursefs umount --lazy {mounted.mountpoint}" in said
            assert mounted.is_mounted
            pid = mounted.pid
            assert f"process {pid} ends when" in mounted.run("umount", "--lazy", mounted.mountpoint).stderr
            assert not mounted.is_mounted
        finally:
            sleeper.kill()
    until(lambda: has_ended(pid), "the daemon ended")


def test_umount_from_within_does_not_name_itself(mounted: World) -> None:
    def umount(*before: str) -> subprocess.CompletedProcess[str]:
        command = [*before, *PROGRAM, "umount", "."]
        return subprocess.run(
            command, cwd=mounted.mountpoint, env=mounted.environment, capture_output=True, text=True, check=False
        )

    said = umount("sh", "-c", '"$@"; exit $?', "sh").stderr  # the shell stays in the mount
    assert "sh (" in said and "in use by" in said
    assert said.count("its working directory") == 1
    assert mounted.is_mounted
    done = umount()
    assert (done.returncode, done.stderr) == (0, "")
    assert not mounted.is_mounted


def test_sigterm_under_load_unmounts_within_five_seconds(mounted: World) -> None:
    films = [path for path in mounted.tree() if path.endswith(".mp4")]
    for film in films:
        mounted.path(film).stat()
    mounted.platform.faults(cdn_rate=20_000)
    with ExitStack() as stack:
        readers = [
            stack.enter_context(
                subprocess.Popen(["cat", str(mounted.path(film))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            for film in films * 3
        ]
        until(lambda: len(mounted.status()["fetching"]) > 3, "much was under way")
        pid = mounted.pid
        started = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        until(lambda: has_ended(pid), "the daemon ended")
        assert time.monotonic() - started < 5  # what is promised
        for reader in readers:
            reader.wait(timeout=LIMIT)
    assert not mounted.is_mounted
