"""A shared cache in a folder that fails as network disks do: it goes, fills up, becomes read-only, or hangs."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from coursefs.shared import folder as module
from coursefs.shared.folder import FolderTier
from coursefs.shared.pieces import MOST_SEALED
from coursefs.shared.shared_cache import ANSWER
from coursefs.shared.tier import FullTier, TierFailed
from tests.engine.content_bench import CONTENT, MIB, bench, noise, settled
from tests.engine.shared_tiers import claim, from_platform, machine, piece, sealed, studied_by

BODY = noise(5 * MIB + 12345)
NAME = piece().name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "tier"
    place.mkdir()
    return place


@pytest.fixture
def disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of three and a half MiB, to which one object is written at a time: two could leave no room for either."""
    monkeypatch.setattr(module, "_THREADS", 1)
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3584k", "tmpfs", folder], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def stored(folder: Path) -> list[int]:
    """The points in the names of what is stored: 0 of a piece, 1 of a claim, 2 and more of what was left."""
    return [path.name.count(".") for path in folder.rglob("*") if path.is_file()]


async def test_objects_go_there_and_back(folder: Path) -> None:
    tier, data = FolderTier(folder), sealed()
    assert tier.place == str(folder)
    assert await tier.get(NAME) is None
    assert await tier.age(NAME) is None
    assert await tier.put(NAME, data)
    assert await tier.put(NAME, data)
    assert await tier.get(NAME) == data
    assert await tier.put(claim(), b"", only_new=True)
    assert not await tier.put(claim(), b"", only_new=True)
    os.utime(folder / NAME[:2] / claim(), (0, 0))
    assert await tier.age(claim()) > 10**9  # type: ignore[operator]
    assert await tier.put(claim(), b"")
    assert await tier.age(claim()) < 5  # type: ignore[operator]
    assert {entry.name: entry.size async for entry in tier.entries()} == {NAME: MOST_SEALED, claim(): 0}
    await tier.remove(claim())
    await tier.remove(claim())
    assert stored(folder) == [0]
    await tier.aclose()


async def test_others_may_write_into_new_folders(folder: Path) -> None:
    folder.chmod(0o2775)  # a group, which new folders inherit
    await FolderTier(folder).put(NAME, sealed())
    assert (folder / NAME[:2]).stat().st_mode & 0o7777 == 0o2775


@pytest.mark.parametrize("error", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
async def test_a_disk_without_hard_links_has_claims_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """FAT, and most servers of SMB."""

    def link(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "link", link)
    tier = FolderTier(folder)
    assert await tier.put(claim(), b"", only_new=True)
    assert not await tier.put(claim(), b"", only_new=True)
    assert stored(folder) == [1]


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
async def test_the_age_is_by_the_clock_of_the_file_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    """Here our own clock is wrong, which is the same: of two claimants one would take over from the other at once."""
    right = time.time
    monkeypatch.setattr("coursefs.shared.folder.time.time", lambda: right() - ahead)
    other, tier = FolderTier(folder), FolderTier(folder)
    assert await other.put(claim(), b"", only_new=True)
    assert not await tier.put(claim(), b"", only_new=True)
    assert await tier.age(claim()) < 5  # type: ignore[operator]


async def test_a_folder_that_is_not_there_is_named_and_not_created(folder: Path) -> None:
    folder.rmdir()
    tier = FolderTier(folder)
    assert await tier.get(NAME) is None
    with pytest.raises(TierFailed, match=f"^{folder}: No such file or directory$"):
        await tier.put(NAME, sealed())
    assert not folder.exists()


@pytest.mark.logs
async def test_a_folder_that_goes_stops_no_reader(tmp_path: Path, folder: Path) -> None:
    async with bench(tmp_path, BODY) as it, machine(it, tmp_path, 0, lambda: FolderTier(folder)) as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        assert await reader.read(0, 100) == BODY[:100]
        await settled(contents)
        shutil.rmtree(folder)
        for start in range(0, len(BODY), MIB):
            assert await reader.read(start, MIB) == BODY[start : start + MIB]
        reader.close()
        await settled(contents)
        assert contents.shared is not None
        assert "No such file or directory" in contents.shared.trouble
    assert not folder.exists()


@pytest.mark.logs
async def test_a_disk_that_is_really_full_keeps_what_it_has(tmp_path: Path, disk: Path) -> None:
    async with bench(tmp_path, BODY) as it:
        async with machine(it, tmp_path, 0, lambda: FolderTier(disk)) as contents:
            assert await it.read_all(contents) == BODY
            await settled(contents)
            assert contents.shared is not None
            assert "the disk is full" in contents.shared.trouble
            assert contents.shared.use.put_pieces == 3
        assert stored(disk) == [0] * 3  # no claim is left, and no temporary file
        it.server.requests.clear()
        async with machine(it, tmp_path, 1, lambda: FolderTier(disk)) as contents:
            assert await it.read_all(contents) == BODY
            await settled(contents)
            assert contents.shared is not None
            assert contents.shared.use.taken_pieces == 3
        assert from_platform(it) == len(BODY) - 3 * MIB


async def test_a_disk_that_fills_up_while_a_piece_is_written_has_no_half_one(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others write to it as well, so that it is full although there was room before."""
    full = disk / "others"
    full.write_bytes(bytes(3 * MIB))

    class Roomy:
        f_bavail = f_frsize = 2**20

    monkeypatch.setattr(os, "statvfs", lambda _: Roomy)
    tier = FolderTier(disk)
    with pytest.raises(FullTier, match="No space left on device"):
        await tier.put(NAME, sealed())
    assert [path.name for path in disk.rglob("*") if path.is_file()] == ["others"]


@pytest.mark.logs
async def test_a_folder_that_is_read_only_is_still_read(tmp_path: Path, disk: Path) -> None:
    async with bench(tmp_path, BODY) as it:
        await studied_by(it, tmp_path / "filling", 1, lambda: FolderTier(disk))
        subprocess.run(["mount", "-o", "remount,ro,size=64m", disk], check=True)
        it.server.requests.clear()
        async with machine(it, tmp_path, 1, lambda: FolderTier(disk)) as contents:
            assert await it.read_all(contents) == BODY
            await settled(contents)
            assert contents.shared is not None
            assert contents.shared.use.taken_pieces == 3
            assert "Read-only file system" in contents.shared.trouble
        assert from_platform(it) == len(BODY) - 3 * MIB


@pytest.mark.logs
async def test_a_disk_that_hangs_costs_one_answer(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NFS without `soft` does when its server is away: no call ever returns."""
    hangs = threading.Event()

    def read(path: Path) -> bytes | None:
        hangs.wait()
        return None

    monkeypatch.setattr(module, "_read", read)
    try:
        async with bench(tmp_path, BODY) as it:
            began = trio.current_time()
            async with machine(it, tmp_path, 0, lambda: FolderTier(folder)) as contents:
                assert await it.read_all(contents) == BODY
                await settled(contents)
                assert contents.shared is not None
                assert contents.shared.trouble == f"{folder}: does not answer"
            assert ANSWER <= trio.current_time() - began < ANSWER + 4
            assert from_platform(it) == len(BODY)
    finally:
        hangs.set()


@pytest.mark.parametrize("made", ["FIFO", "link", "folder", "device"])
async def test_what_is_no_file_is_no_piece(folder: Path, made: str) -> None:
    place = folder / NAME[:2] / NAME
    place.parent.mkdir()
    if made == "FIFO":
        os.mkfifo(place)
    elif made == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero" if made == "device" else folder / "secret")
        (folder / "secret").write_bytes(b"secret")
    tier = FolderTier(folder)
    for _ in range(6):  # more than there are threads
        with trio.fail_after(5):
            assert await tier.get(NAME) == b""
