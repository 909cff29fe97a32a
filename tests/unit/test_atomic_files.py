"""Folders and files of our own: private, and never reached through what others planted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from coursefs.base.atomic_files import open_private, private_folder, usable_folder, write_atomically
from coursefs.base.lock import FileLock
from coursefs.errors import CoursefsError

_CREATE = os.O_RDWR | os.O_CREAT


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_made_for_its_owner_alone_and_so_are_those_above(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    assert [_mode(path) for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700, 0o700]


def test_a_private_folder_that_others_can_read_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    private_folder(folder)
    assert _mode(folder) == 0o700


@pytest.mark.logs
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_private_folder_that_others_can_write_to_is_closed_and_said(
    mode: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(mode)
    private_folder(folder)
    assert _mode(folder) == 0o700
    assert str(folder) in caplog.text


def test_a_cache_folder_keeps_the_mode_that_its_owner_gave_it(tmp_path: Path) -> None:
    usable_folder(tmp_path / "cache")
    assert _mode(tmp_path / "cache") == 0o700
    (tmp_path / "cache").chmod(0o750)
    usable_folder(tmp_path / "cache")
    assert _mode(tmp_path / "cache") == 0o750


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_what_is_in_the_way_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CoursefsError, match=f"{name}: coursefs needs this folder and cannot make it"):
        private_folder(tmp_path / name)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # a read-only disk: root is allowed all on others
    with pytest.raises(CoursefsError, match="cannot write into it"):
        private_folder(tmp_path)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, another_uid: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    os.chown(folder, another_uid, another_uid)
    with pytest.raises(CoursefsError, match=f"state: belongs to another user \\(uid {another_uid}\\)"):
        private_folder(folder)
    assert _mode(folder) == 0o755, "it is left as it is"


def test_a_link_to_a_folder_is_followed_if_its_owner_made_it(tmp_path: Path, another_uid: int) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "mine").symlink_to(tmp_path / "disk")
    (tmp_path / "theirs").symlink_to(tmp_path / "disk")
    os.chown(tmp_path / "theirs", another_uid, another_uid, follow_symlinks=False)
    private_folder(tmp_path / "mine")
    with pytest.raises(CoursefsError, match="theirs: is a link that belongs to another user"):
        private_folder(tmp_path / "theirs")


def test_a_private_file_is_for_its_owner_alone_also_one_that_was_open_to_others(tmp_path: Path) -> None:
    for _ in range(2):
        os.close(open_private(tmp_path / "log", _CREATE))
        assert _mode(tmp_path / "log") == 0o600
        (tmp_path / "log").chmod(0o644)


def test_a_link_in_place_of_a_private_file_is_refused_and_its_target_untouched(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "log").symlink_to(target)
    (tmp_path / "dangling").symlink_to(tmp_path / "made")
    for name in ("log", "dangling"):
        with pytest.raises(CoursefsError, match=f"{name}: is not a regular file of our own"):
            open_private(tmp_path / name, _CREATE)
    assert target.read_text() == "precious"
    assert not (tmp_path / "made").exists()


def test_a_planted_lock_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "link.lock").symlink_to(target)
    (tmp_path / "hard.lock").hardlink_to(target)
    os.mkfifo(tmp_path / "fifo.lock")
    for name in ("link.lock", "hard.lock", "fifo.lock"):
        with pytest.raises(CoursefsError, match=f"{name}: .*move it away"):
            FileLock(tmp_path / name, holder="me", taken=str)
    assert target.read_text() == "precious"


def test_a_lock_of_another_user_is_refused(tmp_path: Path, another_uid: int) -> None:
    (tmp_path / "lock").touch()
    os.chown(tmp_path / "lock", another_uid, another_uid)
    with pytest.raises(CoursefsError, match=f"lock: belongs to another user \\(uid {another_uid}\\)"):
        FileLock(tmp_path / "lock", holder="me", taken=str)


def test_a_lock_that_is_only_to_be_looked_at_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "lock", holder="me", taken=str, create=False)


def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path, another_uid: int) -> None:
    path = tmp_path / "config.toml"
    path.touch()
    os.chown(path, another_uid, another_uid)
    write_atomically(path, b"new", mode=0o600, owner=path.stat())
    assert (path.stat().st_uid, path.read_bytes()) == (another_uid, b"new")
