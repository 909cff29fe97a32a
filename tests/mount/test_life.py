"""The life of a mount: ready, ended, killed, offline; nothing half-done is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.mount.program import PROGRAM
from tests.mount.test_tree import GRAPHICS, expected_files
from tests.mount.world import LIMIT, World, has_ended, platform_names, until

pytestmark = pytest.mark.mount

VIDEO = f"{GRAPHICS}/02 Shapes That Move/02 Depth/01 A Torus in Motion.mp4"


def attributes(world: World) -> dict[str, tuple[int, int, int, int]]:
    """Inode, size, mtime and ctime of every path."""
    statuses = {path: world.path(path).stat() for path in world.tree()}
    return {path: (one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for path, one in statuses.items()}


def test_mount_answers_when_it_returns_and_umount_waits_for_the_end(world: World) -> None:
    world.login()
    world.mount()
    assert GRAPHICS in platform_names(world.mountpoint)
    pid = world.pid
    world.umount()
    assert not world.is_mounted
    assert has_ended(pid)
    assert platform_names(world.mountpoint) == []
    assert list(Path(world.environment["XDG_RUNTIME_DIR"]).rglob("*.sock")) == []
    assert "WARNING" not in world.log and "ERROR" not in world.log


def test_unmounting_by_fusermount_ends_the_daemon_too(mounted: World) -> None:
    pid = mounted.pid
    subprocess.run(["fusermount3", "-u", str(mounted.mountpoint)], check=True, timeout=LIMIT)
    until(lambda: has_ended(pid), "the daemon ended")


def test_remounted_offline_it_is_the_same_and_serves_what_was_read(mounted: World) -> None:
    before = attributes(mounted)
    data = mounted.path(VIDEO).read_bytes()
    mounted.umount()
    mounted.platform.forget()
    mounted.mount("-o", "offline")
    assert attributes(mounted) == before
    assert mounted.path(VIDEO).read_bytes() == data
    unread = mounted.path(
        GRAPHICS, "01 Getting Started", "02 Points, Lines, Triangles", "01 From Vertices to Pixels.mp4"
    )
    with pytest.raises(OSError) as caught:
        unread.read_bytes()
    assert caught.value.errno == 5
    assert b"offline" in os.getxattr(unread, "user.coursefs.error")
    assert mounted.platform.requests() == []


def test_without_a_network_a_known_account_mounts_from_what_is_known(mounted: World) -> None:
    tree = mounted.tree()
    mounted.umount()
    mounted.platform.faults(api_down=True)
    done = mounted.run("mount", mounted.mountpoint)
    assert "showing what is known" in done.stderr
    assert mounted.tree() == tree
    with pytest.raises(OSError) as caught:
        mounted.path(VIDEO).read_bytes()
    assert caught.value.errno == 5
    mounted.platform.faults()
    assert mounted.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()  # it comes back by itself


def test_a_damaged_catalogue_is_set_aside_and_made_anew_with_the_same_paths_and_inodes(mounted: World) -> None:
    before = attributes(mounted)
    mounted.umount()
    catalogue = Path(mounted.environment["XDG_STATE_HOME"]) / "coursefs" / "catalogue.sqlite"
    catalogue.write_bytes(catalogue.read_bytes()[:100] + bytes(range(256)) * 99)
    said = mounted.run("mount", mounted.mountpoint).stderr
    (aside,) = catalogue.parent.glob("*.set-aside-*")
    assert f"the catalogue is damaged; it was set aside as {aside} and replaced by a new one" in said
    after = attributes(mounted)
    assert {path: one[:2] for path, one in after.items()} == {path: one[:2] for path, one in before.items()}
    dated = [path for path in before if path.endswith(".mp4")]
    assert dated and {path: after[path] for path in dated} == {path: before[path] for path in dated}


def test_kill_9_loses_nothing_that_was_read(mounted: World) -> None:
    data = mounted.path(VIDEO).read_bytes()
    before = attributes(mounted)
    os.kill(mounted.pid, signal.SIGKILL)
    until(lambda: _is_dead(mounted.mountpoint), "the mount was dead")
    mounted.platform.forget()
    mounted.mount()  # takes the dead mount away by itself
    assert attributes(mounted) == before
    assert mounted.path(VIDEO).read_bytes() == data == expected_files()[VIDEO].read_bytes()
    assert [one for one in mounted.platform.requests(port="cdn") if one["path"].endswith(".mp4")] == []


def test_the_kernel_keeps_the_pages_across_opens(mounted: World) -> None:
    video = mounted.path(VIDEO)  # a path that was never listed: all of it becomes known while it is looked up
    data = video.read_bytes()
    pid = mounted.pid
    before = _reads(pid)
    assert video.read_bytes() == data
    assert _reads(pid) == before


def test_umount_takes_a_dead_mount_away(mounted: World) -> None:
    os.kill(mounted.pid, signal.SIGKILL)
    until(lambda: _is_dead(mounted.mountpoint), "the mount was dead")
    mounted.umount()
    assert platform_names(mounted.mountpoint) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_a_read_leaves_no_mount_behind(mounted: World, number: int) -> None:
    mounted.path(VIDEO).stat()
    mounted.platform.faults(cdn_stall=True)
    with subprocess.Popen(
        ["cat", str(mounted.path(VIDEO))], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as reader:
        until(lambda: mounted.status()["open_files"] == 1, "the file was open")
        pid = mounted.pid
        os.kill(pid, number)
        until(lambda: has_ended(pid), "the daemon ended")
        assert reader.wait(timeout=LIMIT) != 0
    assert not mounted.is_mounted
    assert list(Path(mounted.environment["XDG_RUNTIME_DIR"]).rglob("*.sock")) == []


def test_a_killed_reader_ends_at_once_and_its_request_with_it(mounted: World) -> None:
    mounted.path(VIDEO).stat()  # its size is known from here on
    mounted.platform.faults(cdn_stall=0)
    reader = subprocess.Popen(["cat", str(mounted.path(VIDEO))], stdout=subprocess.DEVNULL)
    try:
        until(lambda: bool(mounted.status()["fetching"]), "the platform is asked")
        assert reader.poll() is None
    finally:
        reader.kill()
        reader.wait(timeout=LIMIT)
    until(lambda: not mounted.status()["fetching"] and not mounted.status()["open_files"], "the request is given up")
    mounted.platform.faults()
    assert mounted.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()


def test_a_stalled_platform_times_out_and_the_mount_goes_on(world: World) -> None:
    config = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    world.login()
    config.write_text(config.read_text() + '\n[network]\nread_timeout = "2s"\n')
    world.mount()
    world.path(VIDEO).stat()
    world.platform.faults(cdn_stall=True)
    begun = time.monotonic()
    with pytest.raises(OSError) as caught:
        world.path(VIDEO).read_bytes()
    took = time.monotonic() - begun
    assert caught.value.errno == 110
    assert 1.9 < took < 3.0, "once, though the kernel asks again after its own read-ahead has failed"
    assert b"no answer" in os.getxattr(world.path(VIDEO), "user.coursefs.error")
    world.platform.faults()
    assert world.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()


def test_signed_urls_that_have_ended_are_renewed_unnoticed(mounted: World) -> None:
    with mounted.path(VIDEO).open("rb", buffering=0) as file:
        assert len(os.pread(file.fileno(), 1000, 0)) == 1000
        mounted.platform.faults(expire_urls=True)
        assert mounted.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()
    assert any(one["status"] == 403 for one in mounted.platform.requests(port="cdn"))


def test_in_the_foreground_it_ends_with_ctrl_c(world: World) -> None:
    world.login()
    command = [*PROGRAM, "mount", "-f", str(world.mountpoint)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=world.environment) as process:
        until(lambda: world.is_mounted and bool(platform_names(world.mountpoint)), "the mount was there")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert said == ""
    assert not world.is_mounted


def test_demo_needs_no_account_and_ends_whole(world: World) -> None:
    world.run("demo", "--background", world.mountpoint)
    assert GRAPHICS in platform_names(world.mountpoint)
    assert world.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()
    edx = world.path("edX", "How Far, How Loud?", "01 How far?", "01 Stars that do not move", "02 Parallax.html")
    assert "Which star is nearest" in edx.read_text()
    status = world.status()
    assert status["demo"] and {one["name"]: one["courses"] for one in status["accounts"]} == {
        "coursera": 3,
        "openedx": 2,
        "panopto": 2,
    }
    assert "demo" in world.run("status").stdout
    world.umount()
    assert has_ended(status["pid"])
    assert not (Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs").exists()


def test_courses_list(mounted: World) -> None:
    header, *lines = mounted.run("courses", "list").stdout.splitlines()
    assert header.split() == ["COURSE", "DONE", "DUE", "NAME", "TO", "TYPE"]
    assert len(lines) == 3 and any(line.startswith(GRAPHICS) and " % " in line for line in lines)
    for name in (line.split()[-1] for line in lines):
        assert mounted.run("size", name).stdout
    every = json.loads(mounted.run("courses", "list", "--all", "--json").stdout)
    assert len(every) > 3
    assert {one["directory"] for one in every if one["shown"]} == set(platform_names(mounted.mountpoint))
    mounted.platform.faults(api_down=True)
    done = mounted.run("courses", "list")
    assert [line.split()[-1] for line in done.stdout.splitlines()[1:]] == [line.split()[-1] for line in lines]
    assert "as last seen" in done.stderr


def _reads(pid: int) -> int:
    """How many bytes a daemon has written to anything: answers to reads, above all."""
    io = Path(f"/proc/{pid}/io").read_text()
    return int(io.split("wchar: ")[1].split()[0]) // 2**20


def _is_dead(path: Path) -> bool:
    try:
        os.statvfs(path)
    except OSError:
        return True
    return False
