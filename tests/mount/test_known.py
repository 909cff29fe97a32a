"""`ls`, `tree` and `size` as programs: by the mount that has the path, or from the disk, and without any request."""

from __future__ import annotations

import pytest

from tests.mount.test_life import VIDEO
from tests.mount.test_tree import GRAPHICS
from tests.mount.world import World

pytestmark = pytest.mark.mount


def test_the_catalogue_is_listed_with_a_mount_and_without_one_and_nothing_is_asked(mounted: World) -> None:
    mounted.run("fetch", mounted.path(VIDEO))
    assert list(mounted.path(f"{GRAPHICS}/index.files").iterdir())  # what belongs to a page comes when it is looked at
    mounted.platform.forget()
    folder = VIDEO.rpartition("/")[0]
    listed = mounted.run("ls", mounted.path(folder)).stdout
    assert "    2.0 MiB  01 A Torus in Motion.mp4\n" in listed
    drawn = mounted.run("tree", GRAPHICS).stdout
    assert drawn.startswith(f"{GRAPHICS}\n├── ") and "└── " in drawn
    assert "not known yet: " in mounted.run("ls").stderr
    assert mounted.run("size", "interactive-computer-graphics").stdout.endswith(" or more\n")
    mounted.umount()
    assert mounted.run("ls", folder).stdout == listed
    assert mounted.run("tree", GRAPHICS).stdout == drawn
    assert mounted.run("size", f"{folder}/01*.mp4").stdout == "1 file, 2.0 MiB\n"
    assert "did you mean" in mounted.run("ls", "interactive-computer-grafics", status=2).stderr
    assert mounted.platform.requests() == []


def test_a_path_in_the_demo_is_listed_by_the_demo(world: World) -> None:
    world.run("demo", "--background", world.mountpoint)
    world.path(VIDEO).stat()
    assert "01 A Torus in Motion.mp4" in world.run("ls", world.path(VIDEO).parent).stdout
    assert "no account yet" in world.run("ls", status=3).stderr
    world.umount()
