"""A mount is found from wherever its user asks: from cron, by ssh, after su, and at the next login."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from tests.mount.world import World, platform_names, until

pytestmark = pytest.mark.mount


@pytest.fixture(params=["cron", "another session", "the next login"])
def elsewhere(mounted: World, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    """The same user in another session than the one that has mounted."""
    session = Path(mounted.environment["XDG_RUNTIME_DIR"])
    if request.param == "cron":
        del mounted.environment["XDG_RUNTIME_DIR"]
    elif request.param == "another session":
        (tmp_path / "run").mkdir(mode=0o700)
        mounted.environment["XDG_RUNTIME_DIR"] = str(tmp_path / "run")
    else:  # the login manager empties the folder when the last session ends
        shutil.rmtree(session)
        session.mkdir(mode=0o700)
    return mounted


def test_every_command_finds_the_mount_of_another_session(elsewhere: World) -> None:
    assert elsewhere.status()["ready"]
    (listed,) = json.loads(elsewhere.run("status", "--json").stdout)["mounts"]
    assert listed["mountpoint"] == str(elsewhere.mountpoint)
    elsewhere.run("update")
    elsewhere.run("courses", "remove", "sound-and-hearing")
    until(lambda: len(platform_names(elsewhere.mountpoint)) == 2, "the course was gone from the mount")
    elsewhere.run("courses", "add", "sound-and-hearing")
    elsewhere.run("fetch", "reading-the-night-sky")
    assert json.loads(elsewhere.run("cache", "info", "--json").stdout)["files"] > 0
    again = elsewhere.run("mount", elsewhere.mountpoint, status=1).stderr
    assert "mounted there already" in again
    elsewhere.umount()
    assert not elsewhere.is_mounted
    state = Path(elsewhere.environment["XDG_STATE_HOME"]) / "coursefs"
    assert list(state.rglob("*.sock")) == []


def test_everything_in_the_state_folder_is_its_owners_alone(mounted: World) -> None:
    state = Path(mounted.environment["XDG_STATE_HOME"]) / "coursefs"
    open_to_others = [str(path) for path in (state, *state.rglob("*")) if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert open_to_others == []
    assert {"catalogue.sqlite", "catalogue.sqlite-wal", "lock", "log"} <= {path.name for path in state.iterdir()}


def test_a_session_folder_that_others_can_write_to_is_not_used(world: World) -> None:
    world.login()
    session = Path(world.environment["XDG_RUNTIME_DIR"])
    session.chmod(0o777)
    said = world.run("mount", world.mountpoint).stderr
    assert [line for line in said.splitlines() if "to unmount: " not in line] == said.splitlines()[:1]
    assert "can be written to by other users" in said.splitlines()[0]
    assert list(session.iterdir()) == []
    assert world.status()["ready"]
    world.umount()


@pytest.mark.parametrize("name", ["lock", "log/mount.log", "catalogue.sqlite", "catalogue.sqlite-wal"])
def test_a_planted_link_is_refused_in_one_line_and_what_it_leads_to_is_untouched(
    world: World, tmp_path: Path, name: str
) -> None:
    world.login()
    precious = tmp_path / "precious"
    precious.write_text("precious")
    link = Path(world.environment["XDG_STATE_HOME"]) / "coursefs" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(precious)
    said = world.run("mount", world.mountpoint, status=1).stderr
    assert str(link) in said and "move it away" in said
    assert precious.read_text() == "precious"
    link.unlink()
    world.mount()
    world.umount()
