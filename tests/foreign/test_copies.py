"""Copies of a mount that are written to and deleted as any other folder, by root and by ordinary users."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.foreign.test_programs import needs
from tests.mount.conftest import demo_platform, mounted, world
from tests.mount.test_tree import GRAPHICS, expected_files
from tests.mount.world import PAGES, World, program

__all__ = ["demo_platform", "mounted", "needs", "world"]

pytestmark = [pytest.mark.mount, pytest.mark.foreign]


def platform_paths(root: Path) -> list[Path]:
    """Every path below a folder, without those of course pages."""
    found = sorted(path.relative_to(root) for path in root.rglob("*"))
    return [path for path in found if not set(path.parts) & PAGES]


@pytest.mark.parametrize("command", ["rsync -r", "rsync -a", "rsync -aX", "cp -r", "cp -a"])
def test_a_copy_is_complete_and_can_be_changed_and_deleted(
    mounted: World, tmp_path: Path, needs: Callable[[str], None], command: str
) -> None:
    name, option = command.split()
    needs(name)
    copy = tmp_path / "copy"
    source = f"{mounted.mountpoint}/" if name == "rsync" else mounted.mountpoint
    program(name, option, source, copy)
    assert platform_paths(copy) == platform_paths(mounted.mountpoint)
    without = [f"--exclude={name}" for name in sorted(PAGES)]  # course pages show what has become known since
    assert program("diff", "-r", *without, mounted.mountpoint, copy) == ""
    for path, expected in expected_files().items():
        assert filecmp.cmp(copy / path, expected, shallow=False)
    folder = copy / GRAPHICS
    (folder / "notes.txt").write_text("mine")
    with next(folder.rglob("*.mp4")).open("ab") as film:
        film.write(b"mine")
    program("rm", "-rf", copy)
    assert not copy.exists()


def test_the_second_rsync_with_extended_attributes_transfers_nothing(
    mounted: World, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs("rsync")
    probe = tmp_path / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.coursefs.id", b"1")
    except OSError:
        pytest.skip("this file system keeps no extended attributes")
    rsync = ["rsync", "-aX", "--itemize-changes", "--stats", f"{mounted.mountpoint}/", str(tmp_path / "copy")]
    program(*rsync)
    film = next((tmp_path / "copy").rglob("*.mp4"))
    assert set(os.listxattr(film)) == {
        "user.coursefs.id",
        "user.coursefs.kind",
        "user.mime_type",
        "user.xdg.origin.url",
    }
    second = program(*rsync)
    assert "Number of regular files transferred: 0" in second
    assert [line for line in second.splitlines() if line.startswith((">", "<", "c", "."))] == []


def test_a_copy_without_owner_is_the_users_own(mounted: World, tmp_path: Path) -> None:
    copied = shutil.copytree(mounted.mountpoint, tmp_path / "copy")
    assert {path.stat().st_uid for path in Path(copied).rglob("*")} == {os.geteuid()}
