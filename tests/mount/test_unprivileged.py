"""What an ordinary user may not do is refused in one line that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from coursefs.errors import CoursefsError
from coursefs.mount import mountinfo
from coursefs.mount.mountpoint import unmount
from tests.mount.world import LIMIT, World

pytestmark = pytest.mark.mount

ordinary = pytest.mark.skipif(os.geteuid() == 0, reason="root may do this; it is run by an ordinary user too")


@ordinary
def test_a_mount_for_others_has_to_be_allowed(world: World) -> None:
    conf = Path("/etc/fuse.conf")
    if conf.exists() and "user_allow_other" in {line.strip() for line in conf.read_text().splitlines()}:
        pytest.skip("it is allowed here")
    world.login()
    for option in ("allow_other", "allow_root"):
        said = world.run("mount", "-o", option, world.mountpoint, status=1).stderr
        assert "only allowed if 'user_allow_other' is set in /etc/fuse.conf" in said
        assert "echo user_allow_other | sudo tee -a /etc/fuse.conf" in said
        assert not world.is_mounted
    world.mount()
    world.umount()


@ordinary
def test_a_folder_of_another_user_is_not_mounted_on(world: World) -> None:
    world.login()
    assert "is not your own directory" in world.run("mount", "/etc", status=1).stderr


@ordinary
def test_a_folder_with_something_in_it_is_not_covered(world: World) -> None:
    world.login()
    (world.mountpoint / "mine").touch()
    assert "is not empty" in world.run("mount", world.mountpoint, status=1).stderr
    assert (world.mountpoint / "mine").exists() and not world.is_mounted


@ordinary
def test_other_users_cannot_look_into_it(mounted: World) -> None:
    there = mountinfo.at(mounted.mountpoint)
    assert there is not None
    assert there.number("user_id") == os.geteuid()
    assert "allow_other" not in there.super_options
    assert {mounted.path(path).lstat().st_uid for path in mounted.tree()} == {os.geteuid()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_users_are_told_who_has_mounted_it(mounted: World) -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(CoursefsError) as caught:
            unmount(mounted.mountpoint)
    finally:
        os.seteuid(0)
    assert str(caught.value) == (
        f"{mounted.mountpoint}: was mounted by root, and cannot be unmounted by you; "
        f"try: sudo coursefs umount {mounted.mountpoint}"
    )
    assert mounted.is_mounted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide /dev/fuse from a process")
def test_a_device_that_may_not_be_opened_is_named_with_what_to_type(world: World) -> None:
    world.login()
    script = (
        "import os, sys; from coursefs.mount.mountpoint import require_fuse; os.setresuid(65534, 65534, 65534)\n"
        "try:\n    require_fuse()\nexcept Exception as error:\n    print(error)"
    )
    shell = 'mount -t tmpfs -o mode=755 tmpfs /dev && mknod -m 600 /dev/fuse c 10 229 && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", shell, sys.executable, script],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "FUSE is not available to you: this user may not open /dev/fuse (allow it with: sudo chmod 0666 /dev/fuse)"
    ], done.stderr
