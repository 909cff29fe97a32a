"""Files and folders of our own, and what others may have put in their place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from coursefs.base import safe_open
from coursefs.base.safe_open import NotOurs

PRECIOUS = b"something that must stay as it is"


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def hard_link(path: Path, target: Path) -> None:
    path.hardlink_to(target)


def fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


PLANTED = pytest.mark.parametrize("plant", [link, hard_link, fifo])


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.write_bytes(PRECIOUS)
    return path


def test_a_file_is_created_private_and_opened_again(tmp_path: Path) -> None:
    os.close(safe_open.open_file(tmp_path / "data", os.O_RDWR | os.O_CREAT))
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o600
    descriptor = safe_open.open_file(tmp_path / "data", os.O_RDWR)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


@PLANTED
def test_what_is_not_ours_is_refused_and_left_as_it_is(
    tmp_path: Path, target: Path, plant: Callable[[Path, Path], None]
) -> None:
    plant(tmp_path / "data", target)
    for flags in (os.O_RDONLY, os.O_RDWR, os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
        with pytest.raises(NotOurs):
            os.close(safe_open.open_file(tmp_path / "data", flags))
    assert target.read_bytes() == PRECIOUS


@PLANTED
def test_it_is_replaced_where_that_is_asked_for(
    tmp_path: Path, target: Path, plant: Callable[[Path, Path], None]
) -> None:
    plant(tmp_path / "data", target)
    descriptor = safe_open.open_file(tmp_path / "data", os.O_RDWR | os.O_CREAT | os.O_TRUNC, replace=True)
    os.write(descriptor, b"ours")
    os.close(descriptor)
    assert (tmp_path / "data").read_bytes() == b"ours"
    assert target.read_bytes() == PRECIOUS


def test_a_link_to_nothing_creates_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotOurs):
        safe_open.open_file(tmp_path / "data", os.O_RDWR | os.O_CREAT)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_or_folder_of_another_user_is_refused(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: target.stat().st_uid + 1)
    with pytest.raises(NotOurs, match="another user"):
        safe_open.open_file(target, os.O_RDONLY)
    with pytest.raises(NotOurs, match="another user"):
        safe_open.open_folder(tmp_path)


def test_a_folder_is_created_private_and_serves_for_looking_up(tmp_path: Path) -> None:
    folder = safe_open.open_folder(tmp_path / "own", create=True)
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700
    os.close(safe_open.open_file("data", os.O_RDWR | os.O_CREAT, dir_fd=folder))
    os.close(folder)
    assert (tmp_path / "own/data").exists()


def test_a_folder_that_everybody_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own").chmod(0o777)
    with pytest.raises(NotOurs, match="everybody"):
        safe_open.open_folder(tmp_path / "own", create=True)


def test_a_link_in_place_of_a_folder_is_followed_only_where_people_may_have_made_it(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "own").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotOurs):
        safe_open.open_folder(tmp_path / "own", create=True)
    os.close(safe_open.open_folder(tmp_path / "own", create=True, follow=True))


def test_a_link_of_another_user_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "own").symlink_to(tmp_path / "elsewhere")
    uid = (tmp_path / "own").lstat().st_uid
    if uid == 0:
        os.lchown(tmp_path / "own", 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(NotOurs, match="link"):
        safe_open.open_folder(tmp_path / "own", follow=True)
