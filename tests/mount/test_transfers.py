"""`fetch`, `pin` and `download` as programs: through a mount or without one, interrupted, killed, and gone on with."""

from __future__ import annotations

import filecmp
import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.mount.program import PROGRAM
from tests.mount.test_life import VIDEO
from tests.mount.test_tree import GRAPHICS, expected_files
from tests.mount.world import LIMIT, PAGES, World, until

pytestmark = pytest.mark.mount


@contextmanager
def running(world: World, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on while the test does."""
    with subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=world.environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def files(folder: Path) -> set[str]:
    """The files below a folder, but for course pages, which show what has become known meanwhile."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if not set(path.parts) & PAGES}


def same(one: Path, other: Path) -> bool:
    """Whether two trees are the same, in names, bytes, sizes and dates."""
    names = files(one)
    return names == files(other) and all(
        filecmp.cmp(one / name, other / name, shallow=False)
        and (one / name).stat().st_mtime_ns == (other / name).stat().st_mtime_ns
        for name in names
    )


def as_nobody(world: World, folder: Path) -> World:
    """The same user without any account: what works must be the mount's doing."""
    environment = world.environment | {"XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    return World(world.mountpoint, world.platform, environment)


def test_fetched_it_is_read_without_a_network(mounted: World, tmp_path: Path) -> None:
    nobody = as_nobody(mounted, tmp_path / "nothing")
    assert nobody.run("fetch", "all").stdout.endswith(" already there, 0 failed\n")
    mounted.platform.forget()
    assert nobody.run("fetch", "all").stdout.startswith("0 new, ")
    assert mounted.platform.requests(port="cdn") == []
    mounted.umount()
    mounted.mount("-o", "offline")
    mounted.platform.forget()
    for name, source in expected_files().items():
        assert mounted.path(name).read_bytes() == source.read_bytes()
    assert mounted.platform.requests() == []


def test_paths_are_those_of_the_mount_and_reasons_are_one_line(mounted: World) -> None:
    done = subprocess.run(
        [*PROGRAM, "fetch", "02 Depth/01 A Torus in Motion.mp4"],
        cwd=mounted.path(VIDEO).parent.parent,
        env=mounted.environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 new (2.0 MiB), 0 already there")
    size = mounted.path(VIDEO).stat().st_size
    assert os.getxattr(mounted.path(VIDEO), "user.coursefs.cached") == str(size).encode()
    assert mounted.run("fetch", mounted.path(VIDEO)).stdout.startswith("0 new, 1 already there")
    assert "no such file or folder" in mounted.run("fetch", f"{mounted.path(VIDEO)}x", status=2).stderr
    assert "no course is called" in mounted.run("fetch", "x", status=2).stderr
    mounted.platform.faults(refuse_sign_in=True)
    said = mounted.run("fetch", "interactive-computer-graphics", status=3).stderr
    assert "files that are not cached yet were skipped" in said


def test_a_path_in_the_demo_is_fetched_by_the_demo(world: World) -> None:
    world.run("demo", "--background", world.mountpoint)
    assert "1 new" in world.run("fetch", world.path(VIDEO)).stdout
    assert "no account yet" in world.run("fetch", "all", status=3).stderr
    world.umount()


def test_download_is_the_same_tree_with_a_mount_and_without_and_the_next_run_has_nothing_to_do(
    mounted: World, tmp_path: Path
) -> None:
    by_mount, alone = tmp_path / "one", tmp_path / "other"
    assert mounted.run("download", "all", "--to", by_mount).stdout.endswith(" 0 skipped, 0 failed\n")
    assert same(mounted.mountpoint, by_mount)
    assert "is inside the mount" in mounted.run("download", "all", "--to", mounted.path("x"), status=2).stderr
    mounted.umount()
    assert mounted.run("download", "all", "--to", alone).stdout.endswith(" 0 skipped, 0 failed\n")
    assert same(by_mount, alone)
    mounted.platform.forget()
    mounted.run("download", "all", "--to", by_mount)  # course pages show what the first one has made known
    assert mounted.run("download", "all", "--to", by_mount).stdout.startswith("0 new, ")
    assert mounted.platform.requests(port="cdn") == []
    assert not any(Path(name).name.startswith(".") for name in files(by_mount))


def test_other_videos_and_subtitles_for_one_download(mounted: World, tmp_path: Path) -> None:
    folder = VIDEO.rpartition("/")[0]
    tree = mounted.tree()
    options = ["--only", "*.mp4", "--only", "*.srt", "--video", "360p", "--subtitles", "all"]
    mounted.run("download", folder, "--to", tmp_path / "small", *options)
    small = files(tmp_path / "small")
    assert VIDEO in small and small > {name for name in tree if name.startswith(folder) and name.endswith(".srt")}
    assert 0 < (tmp_path / "small" / VIDEO).stat().st_size < mounted.path(VIDEO).stat().st_size
    assert mounted.tree() == tree
    mounted.platform.forget()
    assert mounted.run("download", folder, "--to", tmp_path / "small", *options).stdout.startswith("0 new, ")
    assert mounted.platform.requests(port="cdn") == []


@pytest.mark.parametrize("is_mounted", [True, False])
def test_ctrl_c_is_one_line_and_the_next_run_goes_on(mounted: World, tmp_path: Path, is_mounted: bool) -> None:
    copies = tmp_path / "copies"
    if not is_mounted:
        mounted.umount()
    mounted.platform.faults(cdn_stall=100_000)
    with running(mounted, "download", "all", "--to", copies) as process:
        until(lambda: len(mounted.platform.requests(port="cdn", bytes=100_000)) >= 3, "films were on their way")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, out) == (130, "")
    assert err.startswith("coursefs: interrupted") and err.count("\n") == 1
    until(lambda: not list(copies.rglob(".*")), "nothing half was left")
    whole = {name: (copies / name).stat().st_ctime_ns for name in files(copies)}
    assert whole and VIDEO not in whole
    mounted.platform.faults()
    done = mounted.run("download", "all", "--to", copies)
    skipped = re.search(r", (\d+) skipped, 0 failed", done.stdout)
    assert skipped and int(skipped[1]) >= len(whole)  # course pages besides
    assert {name: (copies / name).stat().st_ctime_ns for name in whole} == whole
    if not is_mounted:
        mounted.mount()
    assert same(mounted.mountpoint, copies)


def test_what_came_before_ctrl_c_is_not_asked_for_again(mounted: World) -> None:
    video = mounted.path(VIDEO)
    size = video.stat().st_size
    mounted.platform.faults(cdn_stall=100_000)
    with running(mounted, "fetch", video) as process:
        until(lambda: bool(mounted.platform.requests(port="cdn", bytes=100_000)), "the film was on its way")
        short = size - 2 * 2**20  # the second of two requests, which is complete before the signal comes
        until(lambda: int(os.getxattr(video, "user.coursefs.cached")) >= short, "the second request was complete")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=LIMIT) == 130
    until(lambda: int(os.getxattr(video, "user.coursefs.cached")) > short, "what had come of the first was kept")
    had = int(os.getxattr(video, "user.coursefs.cached"))
    mounted.platform.faults()
    mounted.platform.forget()
    assert mounted.run("fetch", video).stdout.startswith("1 new")
    assert sum(one["bytes"] for one in mounted.platform.requests(port="cdn")) == size - had
    assert video.read_bytes() == expected_files()[VIDEO].read_bytes()


@pytest.mark.parametrize("is_mounted", [True, False])
def test_kill_9_leaves_no_half_file_under_its_name(mounted: World, tmp_path: Path, is_mounted: bool) -> None:
    """The process that writes is killed: the command alone, or the mount."""
    copies = tmp_path / "copies"
    if not is_mounted:
        mounted.umount()
    mounted.platform.faults(cdn_stall=100_000)
    with running(mounted, "download", "all", "--to", copies) as process:
        until(lambda: len(mounted.platform.requests(port="cdn", bytes=100_000)) >= 3, "films were on their way")
        os.kill(mounted.pid if is_mounted else process.pid, signal.SIGKILL)
        _, err = process.communicate(timeout=LIMIT)
    if is_mounted:
        assert process.returncode == 1
        assert err == "coursefs: the mount ended before it was done\n"
        mounted.umount()
    left = files(copies)
    assert any(name.endswith(".part") for name in left)
    expected = expected_files()
    for name in left & expected.keys():
        assert (copies / name).read_bytes() == expected[name].read_bytes()
    mounted.platform.faults()
    mounted.run("download", "all", "--to", copies)
    mounted.mount()
    assert same(mounted.mountpoint, copies)


def test_a_command_alone_and_a_mount_do_not_meet(mounted: World, tmp_path: Path) -> None:
    mounted.umount()
    mounted.platform.faults(cdn_stall=100_000)
    with running(mounted, "fetch", "all") as process:
        until(lambda: bool(mounted.platform.requests(port="cdn", bytes=100_000)), "a film was on its way")
        assert "in use by coursefs fetch" in mounted.run("mount", mounted.mountpoint, status=1).stderr
        assert "in use by coursefs fetch" in mounted.run("fetch", "all", status=1).stderr
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + signal.SIGTERM
    assert err.count("\n") == 1


def test_pins_are_shown_and_kept(mounted: World) -> None:
    mounted.path(VIDEO).read_bytes()
    size = mounted.path(VIDEO).stat().st_size
    pinned = mounted.run("pin", f"{GRAPHICS}/02 Shapes That Move").stdout
    counted, words = pinned.split(" ", 1)
    files = [path for path in mounted.tree() if path.startswith(f"{GRAPHICS}/02 Shapes") and not path.endswith("/")]
    assert int(counted) == len(files)
    assert words.startswith("files pinned, ") and words.endswith(" completely cached (for the rest: coursefs fetch)\n")
    found = json.loads(mounted.run("cache", "info", "--json").stdout)
    number = found["pinned_files"]
    assert 0 < number < len(files), "pages of our own need no pin"
    assert found["pinned_bytes"] >= size
    assert f"pinned, in {number} files" in mounted.run("cache", "info").stdout
    assert json.loads(mounted.run("cache", "clear", "--json").stdout)["kept_bytes"] == found["pinned_bytes"]
    assert mounted.run("unpin", "all").stdout == f"{number} files unpinned\n"
    assert "pinned" not in mounted.run("cache", "info").stdout


@pytest.mark.parametrize(
    ("columns", "name"), [(50, "01 A….mp4"), (80, "01 A Torus in Motion.mp4"), (200, "01 A Torus in Motion.mp4")]
)
def test_on_a_terminal_there_are_bars_and_they_leave_nothing_behind(mounted: World, columns: int, name: str) -> None:
    mounted.platform.faults(cdn_stall=100_000)
    main, terminal = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "fetch", str(mounted.path(VIDEO))],
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        env=mounted.environment | {"TERM": "xterm", "COLUMNS": str(columns)},
    ) as process:
        os.close(terminal)
        said = _until(main, b" KiB of 2.0 MiB")
        mounted.platform.faults()
        said += _rest(main)
        assert process.stdout is not None
        assert process.stdout.read().startswith("1 new (2.0 MiB)")
    os.close(main)
    assert name in said.decode()
    lines = re.split(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]+", said.decode())
    assert max(map(len, lines)) <= columns
    assert said.endswith(b"\x1b[1A\x1b[2K"), "the last line is taken back"


def _until(terminal: int, words: bytes) -> bytes:
    said = b""
    while words not in said:
        said += os.read(terminal, 65536)
    return said


def _rest(terminal: int) -> bytes:
    said = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            return said
        said += part
