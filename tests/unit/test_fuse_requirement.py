"""Tests of real mounts are skipped where none can be made, unless they are required."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import conftest


class _Item:
    """As much of a test as the hook asks for."""

    def __init__(self, *markers: str) -> None:
        self.markers = markers

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.markers else None


def _set_up(item: _Item) -> None:
    conftest.pytest_runtest_setup(item)  # type: ignore[arg-type]  # a stand-in


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "fuse"
    path.touch()
    return path


def test_what_is_missing_is_named(device: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert conftest.why_no_fuse(str(tmp_path / "none")) == f"{tmp_path / 'none'}: No such file or directory"
    assert conftest.why_no_fuse(str(device)) == "fusermount3 is not installed"
    (tmp_path / "fusermount3").touch(mode=0o755)
    assert conftest.why_no_fuse(str(device)) is None


def test_a_machine_without_fuse_skips_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "why_no_fuse", lambda: "no such device")
    monkeypatch.delenv("COURSEFS_REQUIRE_FUSE", raising=False)
    _set_up(_Item("logs"))
    with pytest.raises(pytest.skip.Exception, match="cannot mount: no such device"):
        _set_up(_Item("mount"))
    monkeypatch.setenv("COURSEFS_REQUIRE_FUSE", "1")
    _set_up(_Item("logs"))
    with pytest.raises(pytest.fail.Exception, match="cannot mount: no such device"):
        _set_up(_Item("mount"))
    monkeypatch.setattr(conftest, "why_no_fuse", lambda: None)
    _set_up(_Item("mount"))
