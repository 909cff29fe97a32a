"""Bad input: one line that says what is wrong and what to do, a proper exit status, and nothing half-done."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from coursefs.demo.sessions import EMAIL, PASSWORD
from coursefs.errors import CoursefsError
from coursefs.mount.mountpoint import prepare
from tests.mount.program import PROGRAM
from tests.mount.world import LIMIT, World, platform

pytestmark = pytest.mark.mount


@pytest.fixture(autouse=True)
def nothing_is_left_behind(world: World) -> Iterator[None]:
    """No dead mount, no stale socket."""
    yield
    assert not world.is_mounted
    assert list(Path(world.environment["XDG_RUNTIME_DIR"]).rglob("*.sock")) == []


def test_mount_without_an_account(world: World) -> None:
    assert "coursefs login" in world.run("mount", world.mountpoint, status=3).stderr


def test_an_unknown_key_is_named_with_its_line(world: World) -> None:
    config = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    config.parent.mkdir()
    config.write_text("# mine\n[cache]\nmax_sise = 3\n")
    said = world.run("mount", world.mountpoint, status=2).stderr
    assert "config.toml:3" in said and "max_sise" in said and "max_size" in said


def test_a_mount_point_that_is_not_empty(world: World) -> None:
    world.login()
    (world.mountpoint / "mine").touch()
    assert "not empty" in world.run("mount", world.mountpoint, status=1).stderr


def test_a_mount_point_that_is_not_there(world: World) -> None:
    world.login()
    assert "mkdir" in world.run("mount", world.mountpoint / "no" / "such", status=1).stderr


def test_a_mount_point_that_is_a_file(world: World, tmp_path: Path) -> None:
    world.login()
    (tmp_path / "file").touch()
    assert "not a directory" in world.run("mount", tmp_path / "file", status=1).stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_mount_point_that_is_not_ours(world: World) -> None:
    for folder in world.mountpoint.parents:
        folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        with pytest.raises(CoursefsError, match="is not your own directory"):
            prepare(world.mountpoint)
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide /dev/fuse from a process")
def test_no_fuse(world: World) -> None:
    world.login()
    script = 'mount -t tmpfs tmpfs /dev && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *PROGRAM, "mount", str(world.mountpoint)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("coursefs: no FUSE here") and len(done.stderr.splitlines()) == 1


def test_a_sign_in_that_ends_under_a_mount_is_eacces_and_what_is_known_stays(world: World) -> None:
    world.login()
    world.mount()
    course = world.path("Interactive Computer Graphics")
    known = os.listdir(course)
    world.platform.faults(refuse_sign_in=True)
    with pytest.raises(PermissionError):
        os.listdir(course / known[0] / os.listdir(course / known[0])[0])
    assert os.listdir(course) == known
    assert "sign in again" in world.status()["accounts"][0]["trouble"]
    world.platform.faults()
    assert os.listdir(course / known[0] / os.listdir(course / known[0])[0])
    world.umount()


def test_a_new_sign_in_is_taken_up_by_the_mount(world: World) -> None:
    world.login()
    world.mount()
    course = world.path("Interactive Computer Graphics")
    module = course / os.listdir(course)[0]
    lesson = module / os.listdir(module)[0]
    pid = world.pid
    world.platform.new_session()
    with pytest.raises(PermissionError):
        os.listdir(lesson)
    world.login()
    assert os.listdir(lesson)
    assert (world.pid, world.status()["accounts"][0]["trouble"]) == (pid, None)
    world.umount()


def test_mounted_already(world: World) -> None:
    world.login()
    world.mount()
    try:
        assert "mounted there already" in world.run("mount", world.mountpoint, status=1).stderr
        other = world.mountpoint.parent / "other"
        other.mkdir()
        assert str(world.mountpoint) in world.run("mount", other, status=1).stderr
    finally:
        world.umount()


def test_something_else_is_mounted_there(world: World) -> None:
    world.login()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(world.mountpoint)], check=False).returncode:
        pytest.skip("only root can mount something else")
    try:
        assert "something else (tmpfs)" in world.run("mount", world.mountpoint, status=1).stderr
    finally:
        subprocess.run(["umount", str(world.mountpoint)], check=True)


def test_no_network_and_nothing_known(world: World) -> None:
    world.login()
    world.platform.faults(api_down=True)
    assert "nothing to show" in world.run("mount", world.mountpoint, status=1).stderr


def test_offline_and_nothing_known(world: World) -> None:
    world.login()
    assert "nothing to show" in world.run("mount", "-o", "offline", world.mountpoint, status=1).stderr


@pytest.mark.parametrize("is_known", [False, True])
def test_an_expired_sign_in(world: World, is_known: bool) -> None:
    world.login()
    if is_known:
        world.mount()
        world.umount()
    world.platform.faults(refuse_sign_in=True)
    said = world.run("mount", world.mountpoint, status=3).stderr
    assert "coursefs login coursera" in said
    assert ("-o offline" in said) == is_known


def test_login_with_what_the_platform_refuses_keeps_nothing(world: World) -> None:
    said = world.run(
        "login", "coursera", "--base-url", world.platform.base_url, "--cauth", "forged-value", status=3
    ).stderr
    assert "forged-value" not in said
    assert world.run("accounts", "--json").stdout.strip() == "[]"


def test_cookies_file_that_cannot_be_read(world: World) -> None:
    url = world.platform.base_url
    done = world.run("login", "coursera", "--base-url", url, "--cookies", "/no/such/cookies.txt", status=2)
    assert "/no/such/cookies.txt" in done.stderr


def test_plain_http_to_another_machine(world: World) -> None:
    done = world.run("login", "coursera", "--base-url", "http://www.example.org", "--cauth", "x" * 40, status=2)
    assert "https" in done.stderr


def test_unknown_options_and_commands(world: World) -> None:
    assert "ofline" in world.run("mount", "-o", "ofline", world.mountpoint, status=2).stderr
    assert "mont" in world.run("mont", status=2).stderr


def test_umount_and_status_of_what_is_not_mounted(world: World) -> None:
    assert "no coursefs" in world.run("umount", world.mountpoint, status=1).stderr
    assert "no coursefs" in world.run("status", world.mountpoint, status=1).stderr
    assert world.run("status", "--json").stdout.split() == ["{", '"mounts":', "[]", "}"]


def test_no_secret_is_ever_said_or_logged(world: World) -> None:
    world.login()
    world.run("-v", "mount", world.mountpoint)
    world.tree()
    world.umount()
    config = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    for text in (world.log, config.read_text(), world.run("-v", "accounts", "--json").stdout):
        assert world.platform.cauth not in text
        assert "Signature=" not in text and "hmac=" not in text


def test_a_password_is_tried_once_and_never_said(world: World) -> None:
    arguments = ["login", "coursera", "--base-url", world.platform.base_url, "--email", EMAIL, "--password-stdin"]
    done = world.run(*arguments, status=3, stdin=f"{PASSWORD}\n")
    assert "(HTTP 400): the site now asks for a captcha" in done.stderr
    assert PASSWORD not in done.stderr and EMAIL not in done.stderr
    assert len(world.platform.requests()) == 1
    assert "the password on standard input is empty" in world.run(*arguments, status=2, stdin="\n").stderr
    assert world.run("accounts", "--json").stdout.strip() == "[]"

    with platform("--no-captcha") as without:
        arguments[3] = without.base_url
        assert "signed in as 1000001 until " in world.run(*arguments, stdin=f"{PASSWORD}\r\n").stderr
        (account,) = json.loads(world.run("accounts", "--json").stdout)
        assert account["signed_in"] and account["expires"]
        kept = [file.read_text() for file in Path(world.environment["HOME"]).rglob("*") if file.is_file()]
        assert kept and not any(PASSWORD in text or EMAIL in text for text in kept)
