"""Where things are kept follows the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coursefs.errors import CoursefsError
from coursefs.settings.paths import app_paths, require_own, session_folder, socket_dirs


def test_every_place_follows_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR"):
        (tmp_path / name).mkdir(mode=0o700)
        monkeypatch.setenv(f"XDG_{name}", str(tmp_path / name))
    found = app_paths()
    assert found.config_file == tmp_path / "CONFIG_HOME/coursefs/config.toml"
    assert found.data_dir == tmp_path / "DATA_HOME/coursefs"
    assert found.credentials_dir == tmp_path / "DATA_HOME/coursefs/credentials"
    assert found.state_dir == tmp_path / "STATE_HOME/coursefs"
    assert found.log_dir == tmp_path / "STATE_HOME/coursefs/log"
    assert found.cache_dir == tmp_path / "CACHE_HOME/coursefs"
    assert found.runtime_dir == tmp_path / "RUNTIME_DIR/coursefs"


def test_without_variables_the_places_are_those_of_the_xdg_specification(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR"):
        monkeypatch.delenv(f"XDG_{name}")
    found = app_paths()
    assert found.config_file == own_home / ".config/coursefs/config.toml"
    assert found.data_dir == own_home / ".local/share/coursefs"
    assert found.state_dir == own_home / ".local/state/coursefs"
    assert found.cache_dir == own_home / ".cache/coursefs"
    assert found.runtime_dir == found.state_dir


@pytest.mark.parametrize("folder", ["/nonexistent/run/user/1000", "relative", ""])
def test_a_runtime_folder_that_is_not_there_is_not_used(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
    found = app_paths()
    assert found.runtime_dir == found.state_dir


@pytest.mark.parametrize("name", ["CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR"])
def test_a_variable_that_is_not_absolute_is_ignored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(f"XDG_{name}")
    without = app_paths()
    for value in ("relative/folder", "", " ", "~/x"):
        monkeypatch.setenv(f"XDG_{name}", value)
        assert app_paths() == without


def test_a_session_folder_that_others_can_write_to_is_not_used_and_it_is_said(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session_folder() == (own_home / "run", None)
    (own_home / "run").chmod(0o777)
    folder, trouble = session_folder()
    assert folder is None and trouble is not None and "can be written to by other users" in trouble
    assert app_paths().runtime_dir == app_paths().state_dir
    assert socket_dirs() == (app_paths().state_dir,)


def test_the_session_folder_of_another_user_is_not_used_and_it_is_said(own_home: Path, another_uid: int) -> None:
    os.chown(own_home / "run", another_uid, another_uid)
    folder, trouble = session_folder()
    assert folder is None and trouble is not None and "belongs to another user" in trouble
    assert app_paths().runtime_dir == app_paths().state_dir


def test_the_sockets_are_in_the_state_folder_too(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert socket_dirs() == (own_home / "run/coursefs", own_home / ".local/state/coursefs")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert socket_dirs() == (own_home / ".local/state/coursefs",)


@pytest.mark.parametrize("variable", ["HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"])
def test_root_is_not_let_into_the_folders_of_a_user(
    variable: str, own_home: Path, tmp_path: Path, another_uid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_own(app_paths())
    os.chown(tmp_path, another_uid, another_uid)
    if variable == "HOME":
        for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME"):
            monkeypatch.delenv(f"XDG_{name}")
    monkeypatch.setenv(variable, str(tmp_path / "not" / "there" / "yet"))
    with pytest.raises(CoursefsError, match=f"{tmp_path} belongs to user {another_uid}, and you are root"):
        require_own(app_paths())


def test_a_separate_world_shares_no_place_with_the_ordinary_one(own_home: Path) -> None:
    ordinary, demo = app_paths(), app_paths(below="demo")
    assert demo.config_file == own_home / ".config/coursefs/demo/config.toml"
    for name in ("data_dir", "state_dir", "cache_dir", "runtime_dir"):
        assert getattr(demo, name) == getattr(ordinary, name) / "demo"
    assert demo.log_dir == demo.state_dir / "log"


def test_a_settings_file_can_be_named(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert app_paths(Path("mine.toml")).config_file == tmp_path / "mine.toml"
    assert app_paths(Path("~/mine.toml")).config_file == own_home / "mine.toml"
    assert app_paths(Path("~mine.toml")).config_file == tmp_path / "~mine.toml"


def test_nothing_is_created(own_home: Path) -> None:
    before = sorted(own_home.rglob("*"))
    app_paths()
    app_paths(below="demo")
    assert sorted(own_home.rglob("*")) == before
