"""The cache from outside: how full it is, whether it is right, and empty again; under a mount and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mount.test_life import VIDEO
from tests.mount.world import World

pytestmark = pytest.mark.mount


def damage(world: World, length: int) -> None:
    """Turn bytes of the largest cached file to zeros, as a power cut may."""
    folder = Path(world.environment["XDG_CACHE_HOME"]) / "coursefs" / "v1"
    largest = max((path for path in folder.rglob("*") if path.is_file() and "sqlite" not in path.name), key=_size)
    with largest.open("r+b") as file:
        file.seek(100_000)
        file.write(bytes(length))


def _size(path: Path) -> int:
    return path.stat().st_size


@pytest.mark.parametrize("is_mounted", [True, False])
def test_info_verify_and_clear(mounted: World, is_mounted: bool) -> None:
    data = mounted.path(VIDEO).read_bytes()
    if not is_mounted:
        mounted.umount()
    info = json.loads(mounted.run("cache", "info", "--json").stdout)
    assert info["bytes"] >= len(data) and info["files"] >= 1
    assert "no damage found" in mounted.run("cache", "verify").stdout
    damage(mounted, 1000)
    found = json.loads(mounted.run("cache", "verify", "--json", status=1, lines=0).stdout)
    assert found["bad_files"] == 1 and found["bad_bytes"] >= 1000
    assert "no damage found" in mounted.run("cache", "verify").stdout
    cleared = json.loads(mounted.run("cache", "clear", "--json").stdout)
    assert cleared["bytes"] == info["bytes"] - found["bad_bytes"] and cleared["kept_bytes"] == 0
    assert mounted.run("cache", "info").stdout.startswith("0 bytes of 20.0 GiB in 0 files")
    if not is_mounted:
        mounted.mount()
    assert mounted.path(VIDEO).read_bytes() == data


def test_what_was_damaged_under_us_is_fetched_again(mounted: World) -> None:
    data = mounted.path(VIDEO).read_bytes()
    mounted.umount()
    damage(mounted, 200_000)
    mounted.mount()
    assert mounted.path(VIDEO).read_bytes() == data
