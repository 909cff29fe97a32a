"""The first commands of a person: the mount point is made, and one line says what is there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.mount.test_tree import GRAPHICS
from tests.mount.world import World, platform_names

pytestmark = pytest.mark.mount


def test_a_missing_mount_point_is_made_and_one_line_says_what_is_there(world: World) -> None:
    world.login()
    world.mountpoint = world.mountpoint / "my courses"
    said = world.run("mount", world.mountpoint).stderr
    assert said == (f"{world.mountpoint}: 3 courses of coursera; to unmount: coursefs umount '{world.mountpoint}'\n")
    assert GRAPHICS in platform_names(world.mountpoint)
    world.umount()
    assert world.mountpoint.is_dir(), "it may be in fstab by now"


def test_a_mount_that_fails_leaves_no_mount_point(world: World) -> None:
    missing = world.mountpoint / "missing"
    assert "no account yet" in world.run("mount", missing, status=3).stderr
    assert "no account yet" in world.run("mount", "-f", missing, status=3).stderr
    assert not missing.exists()


def test_the_settings_file_may_be_a_mount_option(world: World, tmp_path: Path) -> None:
    world.login()
    own = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    other = tmp_path / "other, one.toml"
    other.write_text(own.read_text().replace("[accounts.coursera]", '[accounts.coursera]\nfolder = "Here"'))
    other.chmod(0o644)
    option = f"config={other}".replace(",", r"\,")
    world.mount("-o", option)
    assert platform_names(world.mountpoint) == ["Here"]
    world.umount()
    assert "No such file" in world.run("mount", "-o", "config=/none.toml", world.mountpoint, status=2).stderr
    if os.geteuid() == 0:
        for mode, owner in ((0o664, 0), (0o644, 65534)):
            other.chmod(mode)
            os.chown(other, owner, -1)
            said = world.run("mount", "-o", option, world.mountpoint, status=2).stderr
            assert "root reads only files that belong to root" in said


def test_commands_can_be_practised_on_the_sample_courses(world: World) -> None:
    accounts = json.loads(world.run("--demo", "accounts", "--json").stdout)
    assert [one["account"] for one in accounts] == ["coursera", "openedx", "panopto"]
    assert "nothing new" not in world.run("--demo", "update").stdout
    assert world.run("--demo", "update").stdout == "nothing new\n"
    assert "coursefs demo" in world.run("--demo", "mount", world.mountpoint, status=2).stderr
    world.run("demo", "--background", world.mountpoint)
    titles = [one["title"] for one in json.loads(world.run("--demo", "courses", "list", "--json").stdout)]
    assert GRAPHICS in titles and GRAPHICS in platform_names(world.mountpoint)
    world.run("--demo", "courses", "remove", "interactive-computer-graphics")
    assert GRAPHICS not in platform_names(world.mountpoint)
    world.run("--demo", "courses", "add", "interactive-computer-graphics")
    assert GRAPHICS in platform_names(world.mountpoint)
    world.umount()
    assert "no account" in world.run("courses", "list", status=3).stderr, "nothing of it is the user's own"
    assert not (Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml").exists()
