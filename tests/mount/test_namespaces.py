"""A mount that another mount namespace has a copy of, as a container with the home folder has."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from coursefs.mount import mountinfo
from tests.mount.program import PROGRAM
from tests.mount.test_life import VIDEO
from tests.mount.world import LIMIT, World, has_ended, until

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare (util-linux) is not installed"),
]


@contextmanager
def namespace(script: str = "", *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A process with copies of all mounts, into which no unmounting propagates; it runs the script before it waits."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *user, "--mount", "--propagation", "private", "sh", "-c", f"{script}\necho ready; exec cat"]
    with subprocess.Popen(
        [*command, "sh", *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "ready\n":
                pytest.skip("no namespace can be made here")
            yield process
        finally:
            process.kill()


def test_umount_ends_what_another_namespace_keeps_alive_and_says_who_it_was(mounted: World) -> None:
    pid = mounted.pid
    with namespace() as other:
        said = mounted.run("umount", mounted.mountpoint).stderr
        # tests that run beside this one have namespaces, too
        named = rf"another mount namespace \((process \d+, cat; )*process {other.pid}, cat(; process \d+, cat)*\)"
        assert re.search(named, said), said
        assert has_ended(pid)
        mounted.mount()
        assert os.listdir(mounted.mountpoint)
        assert mounted.path(VIDEO).read_bytes()
        mounted.umount()
    assert not mounted.is_mounted


@pytest.mark.parametrize("option", ["-u", "-uz"])
def test_the_process_ends_by_itself_where_another_program_unmounts(mounted: World, option: str) -> None:
    pid = mounted.pid
    with namespace():
        subprocess.run(["fusermount3", option, str(mounted.mountpoint)], check=True, timeout=LIMIT)
        until(lambda: has_ended(pid), "the process ended")
        mounted.mount()


def test_a_file_that_is_open_in_the_other_namespace_alone_does_not_keep_it(mounted: World) -> None:
    pid = mounted.pid
    with namespace('exec 5< "$1"', mounted.path(VIDEO)):
        mounted.run("umount", mounted.mountpoint)
        assert has_ended(pid)


@pytest.fixture
def talkative(world: World) -> World:
    """A mount that says in its log what it decides."""
    world.login()
    world.run("-v", "mount", world.mountpoint)
    return world


def test_a_file_that_is_open_here_stays_readable_after_a_lazy_umount(talkative: World) -> None:
    pid = talkative.pid
    data = talkative.path(VIDEO).read_bytes()
    with namespace() as other:
        with talkative.path(VIDEO).open("rb") as file:
            said = talkative.run("umount", "--lazy", talkative.mountpoint).stderr
            assert f"its process {pid} ends when all its open files are closed" in said
            said = talkative.run("mount", talkative.mountpoint, status=1).stderr
            assert "is unmounted, but programs have files of it open" in said
            decided = f"unmounted, and still in use (process {other.pid}, cat)"
            until(lambda: decided in talkative.log, "the time of grace was over")
            assert file.read() == data
        until(lambda: has_ended(pid), "the process ended")


def test_a_working_folder_of_a_process_stays_after_a_lazy_umount(talkative: World) -> None:
    pid = talkative.pid
    folder = talkative.path(VIDEO).parent
    with namespace(), subprocess.Popen(["cat"], cwd=folder, stdin=subprocess.PIPE) as inside:
        try:
            talkative.run("umount", "--lazy", talkative.mountpoint)
            until(lambda: "unmounted, and still in use" in talkative.log, "the time of grace was over")
            assert set(os.listdir(f"/proc/{inside.pid}/cwd")) >= {Path(VIDEO).name}
            said = talkative.run("mount", talkative.mountpoint, status=1).stderr
            assert f"its process {pid} has not ended yet; it ends when no program uses it any more" in said
        finally:
            inside.kill()
        inside.wait(timeout=LIMIT)
        until(lambda: has_ended(pid), "the process ended")


def test_umount_in_the_other_namespace_leaves_it_mounted_here(mounted: World) -> None:
    if os.geteuid() != 0:
        pytest.skip("in a user namespace, mounts of the first one are locked")
    pid = mounted.pid
    said_there = mounted.mountpoint.parent / "said"
    script = 'mountpoint=$1 said=$2; shift 2; "$@" umount "$mountpoint" 2>"$said"'
    with namespace(script, mounted.mountpoint, said_there, *PROGRAM):
        said = said_there.read_text()
        assert f"its process {pid} is in another mount namespace, where it is still mounted" in said
    assert mounted.is_mounted and mounted.path(VIDEO).read_bytes()
    assert mounted.pid == pid


def test_what_is_mounted_somewhere_else_too_goes_on_there(mounted: World, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can bind a mount to another place")
    other = tmp_path / "other place"
    other.mkdir()
    subprocess.run(["mount", "--bind", str(mounted.mountpoint), str(other)], check=True, timeout=LIMIT)
    pid = mounted.pid
    try:
        said = mounted.run("umount", mounted.mountpoint).stderr
        assert f"it is mounted at {other} too, so its process {pid} goes on" in said
        assert (other / VIDEO).read_bytes()
    finally:
        subprocess.run(["umount", str(other)], check=True, timeout=LIMIT)
    until(lambda: has_ended(pid), "the process ended")


def test_a_process_whose_mount_is_gone_leaves_alone_what_is_mounted_there_since(mounted: World, tmp_path: Path) -> None:
    pid = mounted.pid
    with mounted.path(VIDEO).open("rb") as file:
        mounted.run("umount", "--lazy", mounted.mountpoint)
        other = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("STATE", "CACHE")}
        later = World(
            mounted.mountpoint, mounted.platform, mounted.environment | other | {"XDG_RUNTIME_DIR": str(tmp_path)}
        )
        later.mount()
        os.kill(pid, signal.SIGTERM)
        until(lambda: has_ended(pid), "the first process ended")
        with pytest.raises(OSError) as caught:
            os.pread(file.fileno(), 1, 0)
        assert caught.value.errno in {errno.ENOTCONN, errno.ECONNABORTED}
        with suppress(OSError):
            file.close()
    there = mountinfo.at(mounted.mountpoint)
    assert there is not None and there.is_coursefs
    assert os.listdir(mounted.mountpoint)
    later.umount()
