"""Accounts that come and go, and sign-ins that end, under a mount that runs."""

from __future__ import annotations

import pytest

from coursefs.settings.paths import app_paths
from tests.mount.world import World, platform_names, until

pytestmark = pytest.mark.mount

OPTICS = "How Far, How Loud?"


def log_in_to_openedx(world: World) -> str:
    learner = world.platform.logins["openedx"]
    who = ["--server", learner["server"], "--username", learner["username"], "--password-stdin"]
    return world.run("login", "openedx", *who, stdin=learner["password"]).stderr


def test_accounts_come_and_go_in_a_mount_that_runs(mounted: World) -> None:
    coursera = sorted(platform_names(mounted.mountpoint))
    pid = mounted.pid
    assert "mount again" not in log_in_to_openedx(mounted)
    assert sorted(platform_names(mounted.mountpoint)) == sorted([*coursera, "edX"])
    course = mounted.path("edX", OPTICS)
    assert (course / "Handouts.html").stat().st_size
    inode = course.stat().st_ino
    assert {one["name"] for one in mounted.status()["accounts"]} == {"coursera", "openedx"}

    with (course / "Handouts.html").open("rb") as opened:
        assert opened.read(1)
        assert mounted.run("logout", "openedx").stderr == "openedx: signed out\n"
        assert sorted(platform_names(mounted.mountpoint)) == coursera
        assert not course.exists()
    assert [one["name"] for one in mounted.status()["accounts"]] == ["coursera"]

    mounted.run("logout", "coursera")
    assert platform_names(mounted.mountpoint) == []
    log_in_to_openedx(mounted)
    assert course.stat().st_ino == inode
    assert mounted.pid == pid
    for line in ("openedx: is shown from now on", "openedx: is no longer shown", "coursera: is no longer shown"):
        assert line in mounted.log
    mounted.umount()


def test_other_settings_of_an_account_are_taken_up(mounted: World) -> None:
    courses = sorted(platform_names(mounted.mountpoint))
    file = app_paths().config_file
    file.write_text(file.read_text() + 'folder = "Mine"\n')
    mounted.login()
    assert platform_names(mounted.mountpoint) == ["Mine"]
    assert sorted(platform_names(mounted.mountpoint / "Mine")) == courses


def test_a_sign_in_that_ends_is_one_warning_and_the_next_one_no_trouble(mounted: World) -> None:
    course = mounted.path(sorted(platform_names(mounted.mountpoint))[0])
    platform_names(course)
    mounted.platform.new_session()
    for _ in range(3):
        mounted.run("update", status=3)
    (account,) = mounted.status()["accounts"]
    assert not account["signed_in"] and "coursefs login" in account["trouble"]
    assert mounted.log.count("WARNING") == 1, mounted.log
    mounted.login()
    until(lambda: "coursera: the sign-in is accepted again" in mounted.log, "the sign-in is accepted")
    mounted.run("update")
    (account,) = mounted.status()["accounts"]
    assert account["signed_in"] and account["trouble"] is None
    assert mounted.status()["errors"] == []
    assert mounted.log.count("is accepted again") == 1
    assert mounted.log.count("WARNING") == 1, mounted.log
