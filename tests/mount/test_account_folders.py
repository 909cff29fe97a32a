"""Several accounts on a real mount: a folder each, and no path or inode number that was shown changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mount.test_tree import GRAPHICS
from tests.mount.world import World, platform_names

pytestmark = pytest.mark.mount


def login_openedx(world: World) -> None:
    login = world.platform.logins["openedx"]
    who = ["--client-id", login["app"], "--username", login["username"], "--password-stdin"]
    world.run("login", "openedx", "--server", login["server"], *who, stdin=login["password"])


def known(world: World) -> dict[str, int]:
    """The inode numbers of the courses at the root and in the folders there, by path."""
    tops = [world.path(name) for name in sorted(platform_names(world.mountpoint))]
    below = [path for top in tops for path in sorted(top.iterdir()) if path.is_dir()]
    return {str(path.relative_to(world.mountpoint)): path.stat().st_ino for path in (*tops, *below)}


def test_a_second_account_moves_nothing_of_the_first(world: World) -> None:
    world.login()
    world.mount()
    before = known(world)
    assert GRAPHICS in before
    world.umount()
    login_openedx(world)
    world.mount()
    after = known(world)
    assert before.items() <= after.items()
    assert {path.split("/")[0] for path in after.keys() - before.keys()} == {"edX"}
    world.umount()
    config = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    config.write_text(config.read_text().replace("[accounts.coursera]", '[accounts.coursera]\nfolder = "Mine"'))
    world.mount()
    assert sorted(platform_names(world.mountpoint)) == ["Mine", "edX"]
    assert world.path("Mine", GRAPHICS).stat().st_ino == before[GRAPHICS]
    assert world.path("edX").stat().st_ino == after["edX"]


def test_two_accounts_of_a_first_mount_have_a_folder_each(world: World) -> None:
    world.login()
    login_openedx(world)
    world.mount()
    assert sorted(platform_names(world.mountpoint)) == ["Coursera", "edX"]
    assert world.path("Coursera", GRAPHICS).is_dir()
