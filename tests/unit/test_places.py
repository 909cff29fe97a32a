"""Where things are kept follows the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from coursefs.places import places


def test_every_place_follows_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"XDG_{name}", str(tmp_path / name))
    found = places()
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
    found = places()
    assert found.config_file == own_home / ".config/coursefs/config.toml"
    assert found.data_dir == own_home / ".local/share/coursefs"
    assert found.state_dir == own_home / ".local/state/coursefs"
    assert found.cache_dir == own_home / ".cache/coursefs"
    assert found.runtime_dir == found.state_dir


@pytest.mark.parametrize("folder", ["/nonexistent/run/user/1000", "relative", ""])
def test_a_runtime_folder_that_is_not_there_is_not_used(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
    found = places()
    assert found.runtime_dir == found.state_dir


def test_a_separate_world_shares_no_place_with_the_ordinary_one(own_home: Path) -> None:
    ordinary, demo = places(), places(below="demo")
    assert demo.config_file == own_home / ".config/coursefs/demo/config.toml"
    for name in ("data_dir", "state_dir", "cache_dir", "runtime_dir"):
        assert getattr(demo, name) == getattr(ordinary, name) / "demo"
    assert demo.log_dir == demo.state_dir / "log"


def test_a_settings_file_can_be_named(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert places(Path("mine.toml")).config_file == tmp_path / "mine.toml"
    assert places(Path("~/mine.toml")).config_file == own_home / "mine.toml"
    assert places(Path("~mine.toml")).config_file == tmp_path / "~mine.toml"


def test_nothing_is_created(own_home: Path) -> None:
    before = sorted(own_home.rglob("*"))
    places()
    places(below="demo")
    assert sorted(own_home.rglob("*")) == before
