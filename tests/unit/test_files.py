"""Folders of our own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coursefs.errors import CoursefsError
from coursefs.files import private_folder


def test_a_folder_is_made_for_its_owner_alone_once(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    private_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o750)
    private_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_what_is_in_the_way_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CoursefsError, match=f"{name}: coursefs needs this folder and cannot make it"):
        private_folder(tmp_path / name)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # a read-only disk: root is allowed all on others
    with pytest.raises(CoursefsError, match="cannot write into it"):
        private_folder(tmp_path)
