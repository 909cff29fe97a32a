"""Freshness on a real mount: what is new shows at once when it is asked for, and the network may go and come."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.mount.program import PROGRAM
from tests.mount.test_life import VIDEO
from tests.mount.test_transfers import running
from tests.mount.test_tree import GRAPHICS
from tests.mount.world import LIMIT, World, until

pytestmark = pytest.mark.mount


def test_update_goes_through_the_running_mount(mounted: World) -> None:
    lesson = mounted.path(GRAPHICS, "01 Getting Started", "01 Welcome")
    before = {entry.name: entry.inode() for entry in os.scandir(lesson)}
    mounted.platform.forget()
    assert mounted.run("update", GRAPHICS).stdout == "nothing new\n"
    asked = [one["path"] for one in mounted.platform.requests()]
    assert any("onDemandCourseMaterials" in path for path in asked)
    assert any(one["status"] == 304 for one in mounted.platform.requests())
    assert {entry.name: entry.inode() for entry in os.scandir(lesson)} == before
    assert "no course is called Nonsense" in mounted.run("update", "Nonsense", status=2).stderr


def test_update_without_a_mount_says_what_is_new(world: World) -> None:
    world.login()
    first = world.run("update", "all").stdout
    assert f"  new      {GRAPHICS}\n" in first
    (summed_up,) = (line for line in first.splitlines() if line.startswith(f"{GRAPHICS}: "))
    assert re.fullmatch(r".*: a new course, with [0-9]+ items", summed_up)
    assert "01 Introduction" not in first, "what a new course has is one line"
    assert world.run("update", "interactive-computer-graphics").stdout == "nothing new\n"
    world.platform.forget()
    world.mount()
    assert GRAPHICS in os.listdir(world.mountpoint)
    assert os.listdir(world.path(GRAPHICS))[:2] == ["01 Getting Started", "02 Shapes That Move"]
    asked = [one["path"] for one in world.platform.requests() if "Permissions" not in one["path"]]
    assert [path for path in asked if "References" not in path and "assets" not in path] == []  # its Resources tab


@pytest.mark.parametrize("is_mounted", [True, False])
def test_ctrl_c_ends_an_update_in_one_line(mounted: World, is_mounted: bool) -> None:
    if not is_mounted:
        mounted.umount()
    mounted.platform.forget()
    mounted.platform.faults(api_delay=2.0)  # longer than a busy machine takes to notice
    with running(mounted, "update") as process:
        # by the update, not by the mount in the background: a process that only begins has no handler yet
        until(
            lambda: any("memberships" in one["path"] for one in mounted.platform.requests()), "the platform was asked"
        )
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    mounted.platform.faults()
    assert process.returncode == 130
    assert err == "coursefs: interrupted; changes so far are kept\n"
    assert "nothing new" not in out
    mounted.run("update")


def test_on_a_terminal_an_update_says_that_it_waits(world: World) -> None:
    world.login()
    ours, terminal = pty.openpty()
    done = subprocess.run(
        [*PROGRAM, "update"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**world.environment, "TERM": "xterm", "COLUMNS": "100"},
        timeout=LIMIT,
        check=True,
    )
    os.close(terminal)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert "asking the platforms" in said and GRAPHICS not in said
    assert f"  new      {GRAPHICS}\n".encode() in done.stdout and b"\x1b" not in done.stdout


def test_the_network_may_go_and_come_back(mounted: World) -> None:
    tree = mounted.tree()
    data = mounted.path(VIDEO).read_bytes()
    unread = mounted.path(
        GRAPHICS, "01 Getting Started", "02 Points, Lines, Triangles", "01 From Vertices to Pixels.mp4"
    )
    size = unread.stat().st_size
    mounted.platform.faults(api_down=True, cdn_stall=True)
    assert mounted.tree() == tree
    assert mounted.path(VIDEO).read_bytes() == data
    mounted.platform.faults()
    assert len(unread.read_bytes()) == size


def test_probes_of_file_managers_ask_no_platform(mounted: World) -> None:
    mounted.platform.forget()
    for name in (".hidden", ".Trash-1000", ".directory", "autorun.inf", "desktop.ini", ".git", "Thumbs.db"):
        assert not mounted.path(GRAPHICS, name).exists()
    assert mounted.platform.requests() == []


def test_other_names_in_the_settings_show_after_a_remount(mounted: World) -> None:
    inodes = {entry.inode() for entry in os.scandir(mounted.mountpoint)}
    config = Path(mounted.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    mounted.umount()
    config.write_text(config.read_text() + '\n[layout]\nnames = "slug"\nsubtitles = ["de"]\nvideo = "360p"\n')
    mounted.mount()
    assert {entry.inode() for entry in os.scandir(mounted.mountpoint)} == inodes
    lesson = mounted.path("interactive-computer-graphics", "01_getting-started", "01_welcome")
    assert "01_introduction.de.srt" in os.listdir(lesson)
    assert "01_introduction.mp4" in os.listdir(lesson)
    assert "01_introduction_Slides.pdf" in os.listdir(lesson)
