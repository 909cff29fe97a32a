"""The kernel's limits are worth trying, and no reason to end a mount."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from coursefs.mount import kernel, mountinfo

HERE = mountinfo.Mounted(Path("/m"), "fuse.coursefs", "coursefs", (0, 35))


@pytest.fixture(autouse=True)
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mountinfo, "mounted", lambda: [HERE])
    monkeypatch.setattr("os.geteuid", lambda: 0)


def test_they_are_written_where_the_kernel_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("35", "0:35"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(kernel, "CONNECTIONS", tmp_path)
    monkeypatch.setattr(kernel, "DEVICES", tmp_path)
    assert kernel.raise_limits(Path("/m"))
    assert (tmp_path / "35" / "max_background").read_text() == "128"
    assert (tmp_path / "0:35" / "read_ahead_kb").read_text() == "512"
    assert not kernel.raise_limits(Path("/elsewhere"))


def test_reading_ahead_is_roots_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("35", "0:35"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(kernel, "CONNECTIONS", tmp_path)
    monkeypatch.setattr(kernel, "DEVICES", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert kernel.raise_limits(Path("/m"))
    assert not (tmp_path / "0:35" / "read_ahead_kb").exists()
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(kernel, "DEVICES", tmp_path / "missing")
    assert kernel.raise_limits(Path("/m")), "the others are raised all the same"


@pytest.mark.parametrize(
    "error",
    [
        subprocess.TimeoutExpired("mount", 10),
        FileNotFoundError(2, "No such file or directory", "mount"),
        PermissionError(13, "Permission denied", "mount"),
    ],
)
def test_whatever_keeps_them_from_being_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(kernel, "CONNECTIONS", tmp_path)
    monkeypatch.setattr(subprocess, "run", fail)
    assert not kernel.raise_limits(Path("/m"))
