"""What is mounted where, and who may unmount it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coursefs.errors import CoursefsError, UsageError
from coursefs.mount import mountinfo, mountpoint
from coursefs.mount.holders import Holder
from coursefs.mount.mountpoint import Life, unmount

TEXT = rb"""22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
40 22 0:35 / /home/me/my\040courses ro,nosuid shared:1 - fuse.coursefs coursefs ro,user_id=1000
41 22 0:36 / /home/me/K\303\274che rw - fuse.sshfs host: rw
42 41 0:37 / /home/me/K\303\274che rw - tmpfs tmpfs rw
"""


def test_parse() -> None:
    ours = mountinfo.at(Path("/home/me/my courses"), mountinfo.parse(TEXT))
    assert ours is not None and ours.is_coursefs
    assert ours.device == (0, 35)
    assert (ours.identifier, ours.options, ours.number("user_id")) == (40, frozenset({"ro", "nosuid"}), 1000)
    assert ours.number("group_id") is None


def test_the_uppermost_mount_counts() -> None:
    upper = mountinfo.at(Path("/home/me/Küche"), mountinfo.parse(TEXT))
    assert upper is not None and upper.filesystem == "tmpfs" and not upper.is_coursefs
    assert mountinfo.at(Path("/home/me"), mountinfo.parse(TEXT)) is None


def test_absolute_follows_links(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "courses").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (real / "mine").symlink_to("courses")
    (tmp_path / "chain").symlink_to("link/mine")
    (tmp_path / "up").symlink_to("real/courses/..")
    (tmp_path / "round").symlink_to("round")
    assert mountinfo.absolute(tmp_path / "link" / "x" / ".." / "courses") == real / "courses"
    assert mountinfo.absolute(tmp_path / "chain") == real / "courses"
    assert mountinfo.absolute(tmp_path / "link" / "nothing" / "here") == real / "nothing" / "here"
    assert mountinfo.absolute(tmp_path / "up") == real
    assert mountinfo.absolute(tmp_path / "round") == tmp_path / "round"
    assert mountinfo.absolute(Path("/")) == Path("/")


def test_absolute_knows_homes(own_home: Path) -> None:
    assert mountinfo.absolute(Path("~/courses")) == own_home.resolve() / "courses"
    with pytest.raises(UsageError, match="~nobody-of-this-name"):
        mountinfo.absolute(Path("~nobody-of-this-name/courses"))


def test_this_machine_has_a_root() -> None:
    assert mountinfo.at(Path("/")) is not None


AUTOMOUNT = rb"""22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
50 22 0:40 / /home/me/courses rw,relatime shared:9 - autofs systemd-1 rw,fd=31,pgrp=1,maxproto=5,direct
"""


def test_an_automount_point_is_known_by_its_line_alone() -> None:
    there = mountinfo.at(Path("/home/me/courses"), mountinfo.parse(AUTOMOUNT))
    assert there is not None and there.is_automount_point and not there.is_coursefs
    assert there.number("pgrp") == 1
    upper = AUTOMOUNT + rb"51 50 0:41 / /home/me/courses ro - fuse.coursefs coursefs ro,user_id=0" + b"\n"
    there = mountinfo.at(Path("/home/me/courses"), mountinfo.parse(upper))
    assert there is not None and there.is_coursefs


def test_nothing_is_asked_of_an_automount_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mountinfo, "mounted", lambda: mountinfo.parse(AUTOMOUNT))
    monkeypatch.setattr(Path, "readlink", lambda path: pytest.fail(f"{path} was asked"))
    assert mountinfo.absolute(Path("/home/me/courses")) == Path("/home/me/courses")


HERE = Path("/home/me/my courses")


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A mount of the user 1000 that is in use; returns how it was unmounted: lazily or not."""
    tried: list[bool] = []

    def command(path: Path, *, lazily: bool) -> None:
        tried.append(lazily)
        if not lazily:
            raise mountpoint._Busy(f"{path}: is in use")

    monkeypatch.setattr(mountinfo, "mounted", lambda: mountinfo.parse(TEXT))
    monkeypatch.setattr(mountpoint, "_unmount", command)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tried


@pytest.mark.parametrize(("user", "may"), [(0, True), (1000, True), (1001, False)])
def test_a_mount_is_unmounted_by_its_user_and_by_root(
    monkeypatch: pytest.MonkeyPatch, busy: list[bool], user: int, may: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if may:
        assert not unmount(HERE, lazily=True), "a program may go on using it"
        assert busy == [True]
    else:
        with pytest.raises(CoursefsError, match=r"was mounted by .+, and cannot be unmounted by you; try: sudo "):
            unmount(HERE, lazily=True)
        assert busy == []
    unmount(Path("/home/me"), lazily=True)  # nothing is mounted there: that is said by the command


def test_what_is_in_use_stays_mounted_and_who_uses_it_is_named(
    monkeypatch: pytest.MonkeyPatch, busy: list[bool]
) -> None:
    monkeypatch.setattr(mountpoint, "life", lambda path: Life.ANSWERS)
    users = [Holder(os.getpid(), "coursefs", "."), Holder(7, "mpv", "01 Intro.mp4")]
    monkeypatch.setattr(mountpoint, "holders", lambda path: users)
    advice = "close that and try again, or: coursefs umount --lazy '/home/me/my courses'"
    with pytest.raises(CoursefsError) as caught:
        unmount(HERE)
    assert str(caught.value) == f"{HERE}: is in use by mpv (7: 01 Intro.mp4); {advice}"
    users[1:] = [Holder(pid, "sh", ".") for pid in range(10**9, 10**9 + 7)]
    with pytest.raises(CoursefsError, match=r"1000000004: its working directory\) and 2 more; close"):
        unmount(HERE)
    del users[1:]
    with pytest.raises(CoursefsError) as caught:
        unmount(HERE)
    assert str(caught.value) == f"{HERE}: is in use; {advice}"
    assert busy == [False] * 3


@pytest.mark.parametrize("life", [Life.SILENT, Life.GONE])
def test_what_does_not_answer_is_unmounted_although_it_is_in_use(
    monkeypatch: pytest.MonkeyPatch, busy: list[bool], life: Life
) -> None:
    monkeypatch.setattr(mountpoint, "life", lambda path: life)
    assert not unmount(HERE), "a program may go on using it"
    assert busy == [False, True]


def test_what_nobody_uses_is_unmounted(monkeypatch: pytest.MonkeyPatch, busy: list[bool]) -> None:
    monkeypatch.setattr(mountpoint, "_unmount", lambda path, *, lazily: busy.append(lazily))
    assert unmount(HERE)
    assert busy == [False]
