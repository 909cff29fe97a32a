"""What others do to the files of the cache, before and under a running engine: never a wrong byte, nothing of theirs
changed, and the cache is in use again afterwards."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from coursefs.content import Contents, Verified, open_cache
from coursefs.content.cache_folder import CacheFolder
from coursefs.content.data_file import BLOCK, DataFile
from coursefs.content.reader import Reader
from coursefs.errors import CoursefsError
from tests.engine.content_bench import CONTENT, MIB, Bench, bench, content, noise, read_as_mount, settled

BODY = noise(2 * MIB + 777)
PRECIOUS = b"a user's own words"

Damage = Callable[[Path, Path], None]


def _data(directory: Path) -> Path:
    (path,) = (directory / "v1").glob("??/*")
    return path


def delete(directory: Path, _: Path) -> None:
    _data(directory).unlink()


def empty(directory: Path, _: Path) -> None:
    os.truncate(_data(directory), 0)


def cut(directory: Path, _: Path) -> None:
    os.truncate(_data(directory), MIB + 5)


def cut_and_stretch(directory: Path, _: Path) -> None:
    os.truncate(_data(directory), 5)
    os.truncate(_data(directory), len(BODY))


def punch_a_hole(directory: Path, _: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    with _data(directory).open("r+b") as file:
        if libc.fallocate(file.fileno(), 3, 65_536, 131_072):
            pytest.skip("no holes can be made here")


def flip(directory: Path, _: Path) -> None:
    with _data(directory).open("r+b") as file:
        file.seek(700_000)
        file.write(bytes([BODY[700_000] ^ 1]))


def put_zeros_in_its_place(directory: Path, _: Path) -> None:
    path = _data(directory)
    path.with_name("new").write_bytes(bytes(len(BODY)))
    path.with_name("new").replace(path)


def link_to_a_file(directory: Path, precious: Path) -> None:
    path = _data(directory)
    path.unlink()
    path.symlink_to(precious)


def link_to_nothing(directory: Path, precious: Path) -> None:
    path = _data(directory)
    path.unlink()
    path.symlink_to(precious.with_name("not there"))


def hard_link(directory: Path, precious: Path) -> None:
    path = _data(directory)
    path.unlink()
    path.hardlink_to(precious)


def fifo(directory: Path, _: Path) -> None:
    path = _data(directory)
    path.unlink()
    os.mkfifo(path)


def link_to_a_folder(directory: Path, precious: Path) -> None:
    path = _data(directory)
    elsewhere = precious.parent / "elsewhere"
    shutil.copytree(path.parent, elsewhere)
    (elsewhere / path.name).write_bytes(bytes(len(BODY)))
    shutil.rmtree(path.parent)
    path.parent.symlink_to(elsewhere)


def link_to_another_place(directory: Path, precious: Path) -> None:
    (directory / "v1").rename(precious.parent / "moved")
    (directory / "v1").symlink_to(precious.parent / "moved")


def delete_the_index(directory: Path, _: Path) -> None:
    for path in (directory / "v1").glob("record*"):
        path.unlink()


def cut_the_index(directory: Path, _: Path) -> None:
    for path in (directory / "v1").glob("record*"):
        os.truncate(path, 0)


def cut_everything(directory: Path, _: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


def delete_what_is_inside(directory: Path, _: Path) -> None:
    shutil.rmtree(directory / "v1")


def delete_the_folder(directory: Path, _: Path) -> None:
    shutil.rmtree(directory)


def delete_the_lock(directory: Path, _: Path) -> None:
    (directory / "lock").unlink()


DAMAGES = [
    delete,
    empty,
    cut,
    cut_and_stretch,
    punch_a_hole,
    flip,
    put_zeros_in_its_place,
    link_to_a_file,
    link_to_nothing,
    hard_link,
    fifo,
    link_to_a_folder,
    link_to_another_place,
    delete_the_index,
    cut_the_index,
    cut_everything,
    delete_what_is_inside,
    delete_the_folder,
    delete_the_lock,
]


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    path = tmp_path / "precious"
    path.write_bytes(PRECIOUS)
    return path


async def _all_is_well(b: Bench, contents: Contents) -> None:
    """Every byte is right, is cached, and is read without a request afterwards."""
    assert await b.read_all(contents) == BODY
    await b.read_all(contents, content("another"))
    await settled(contents)
    assert await b.read_all(contents) == BODY
    await settled(contents)
    asked = len(b.server.requests)
    assert await b.read_all(contents) == BODY
    assert len(b.server.requests) == asked
    assert contents.cached_bytes(CONTENT) == len(BODY)


@pytest.mark.logs
@pytest.mark.parametrize("is_open", [True, False], ids=["open", "closed"])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_whatever_is_done_to_the_files_under_it(
    tmp_path: Path, precious: Path, damage: Damage, is_open: bool
) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await b.read_all(contents)
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        if is_open:
            assert await reader.read(0, 10) == BODY[:10]
        else:
            reader.close()
        await settled(contents)
        damage(b.directory, precious)
        if is_open:
            assert await reader.read(600_000, 200_000) == BODY[600_000:800_000]
            assert await reader.read(0, len(BODY)) == BODY
            reader.close()
            await settled(contents)
        await _all_is_well(b, contents)
        with pytest.raises(CoursefsError, match="in use"):
            async with open_cache(b.directory, max_size=2**30, min_free=0):
                pass
    assert precious.read_bytes() == PRECIOUS
    assert not precious.with_name("not there").exists()
    async with b.contents() as contents:
        assert contents.cached_bytes(CONTENT) == len(BODY)


@pytest.mark.logs
@pytest.mark.parametrize("damage", DAMAGES)
async def test_whatever_is_done_to_the_files_between_mounts(tmp_path: Path, precious: Path, damage: Damage) -> None:
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            await b.read_all(contents)
        damage(b.directory, precious)
        async with b.contents() as contents:
            await _all_is_well(b, contents)
        assert precious.read_bytes() == PRECIOUS
        assert not precious.with_name("not there").exists()


@pytest.mark.logs
async def test_what_is_damaged_again_and_again_while_it_is_read(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        for start in range(0, len(BODY), 64 * 1024):
            assert await read_as_mount(reader, start, 64 * 1024) == BODY[start : start + 64 * 1024]
            for path in (b.directory / "v1").glob("??/*"):
                with path.open("r+b") as file:
                    file.seek(max(0, start - 30_000))
                    file.write(bytes(60_000))
            back = max(0, start - 64 * 1024)
            assert await read_as_mount(reader, back, 128 * 1024) == BODY[back : back + 128 * 1024]
        reader.close()


PLANTED = ["lock", "CACHEDIR.TAG", "v1", "v1/record.sqlite", "v1/record.sqlite-wal", "v1/record.sqlite-shm"]


@pytest.mark.logs
@pytest.mark.parametrize("kind", ["link", "hard link", "fifo"])
@pytest.mark.parametrize("name", PLANTED)
async def test_what_was_planted_is_never_followed(tmp_path: Path, precious: Path, name: str, kind: str) -> None:
    path = tmp_path / "cache" / name
    path.parent.mkdir(parents=True, mode=0o700)
    if kind == "link":
        path.symlink_to(precious)
    elif kind == "hard link":
        path.hardlink_to(precious)
    else:
        os.mkfifo(path)
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await _all_is_well(b, contents)
    assert precious.read_bytes() == PRECIOUS


@pytest.mark.logs
async def test_a_place_that_belongs_to_everybody_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY
        assert not list((tmp_path / "cache").iterdir())
        with pytest.raises(CoursefsError, match="chmod o-w"):
            async with open_cache(b.directory, max_size=2**30, min_free=0):
                pass
    assert len(caplog.records) == 1
    assert "chmod o-w" in caplog.text


@pytest.mark.logs
async def test_a_folder_that_cannot_be_written_to_is_a_warning_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def read_only(self: CacheFolder) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("coursefs.content.recovery._BETWEEN_TRIALS", 0.0)
    take = CacheFolder.take
    monkeypatch.setattr(CacheFolder, "take", read_only)
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        assert await b.read_all(contents) == BODY
        assert await b.read_all(contents, content("another")) == BODY
        assert contents.use().bytes == 0
        with pytest.raises(CoursefsError, match="Read-only"):
            await contents.pin(CONTENT)
        with pytest.raises(CoursefsError, match="Read-only"):
            await contents.prefetch(content("third"))
        assert len(caplog.records) == 1, "one line, however much is read"
        monkeypatch.setattr(CacheFolder, "take", take)
        await _all_is_well(b, contents)


@pytest.mark.logs
async def test_a_folder_that_another_mount_was_quicker_to_take_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coursefs.content.recovery._BETWEEN_TRIALS", 0.0)
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await b.read_all(contents)
        shutil.rmtree(b.directory)
        async with b.contents() as other:
            await b.read_all(other)
            await settled(contents)
            assert await b.read_all(contents, content("another")) == BODY
            assert other.use().files == 1
        await _all_is_well(b, contents)


@pytest.mark.logs
@pytest.mark.parametrize("damage", [delete, put_zeros_in_its_place, delete_the_folder])
async def test_fetching_brings_what_was_deleted_while_it_is_open(
    tmp_path: Path, precious: Path, damage: Damage
) -> None:
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            assert await reader.read(0, len(BODY)) == BODY
            await settled(contents)
            damage(b.directory, precious)
            await contents.prefetch(CONTENT)
            assert await reader.read(0, len(BODY)) == BODY
            reader.close()
        b.transport.offline = True
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY


@pytest.mark.logs
async def test_pins_outlive_the_folder(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            await contents.pin(CONTENT)
            shutil.rmtree(b.directory)
            await b.read_all(contents)
            assert contents.pinned(CONTENT)
        async with b.contents() as contents:
            assert contents.pinned(CONTENT)


@pytest.mark.logs
async def test_a_close_that_fails_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close = os.close
    failed: list[int] = []

    def fail(descriptor: int) -> None:
        is_data = os.fstat(descriptor).st_size == len(BODY)
        close(descriptor)
        if is_data:
            failed.append(descriptor)
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        monkeypatch.setattr(os, "close", fail)
        for _ in range(2):
            assert await b.read_all(contents) == BODY
            await settled(contents)
        assert failed
        monkeypatch.setattr(os, "close", close)


@pytest.mark.logs
@pytest.mark.parametrize("where", ["open", "read"])
async def test_verify_says_what_the_disk_does_not_give_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            await b.read_all(contents)
        async with open_cache(b.directory, max_size=2**30, min_free=0) as maintenance:
            monkeypatch.setattr(*((CacheFolder, "open_file", fail) if where == "open" else (DataFile, "read", fail)))
            size = len(BODY)
            expected = Verified(files=1, bytes=size, unreadable_files=1, unreadable_bytes=size)
            assert await maintenance.verify() == expected


class WrongDisk:
    """A disk that returns other bits than were written, while the times of the file do not change."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wrong: set[int] = set()  # where one bit is wrong, until it is written anew
        self.chance = 0.0  # of one bit anywhere in what is read, each time
        self.hits = 0
        self._random = random.Random(1)
        self._read, self._write = os.preadv, os.pwrite
        monkeypatch.setattr(os, "preadv", self._preadv)
        monkeypatch.setattr(os, "pwrite", self._pwrite)

    def _preadv(self, descriptor: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
        count = self._read(descriptor, buffers, offset, flags)
        places = [place - offset for place in self.wrong if offset <= place < offset + count]
        if count and self._random.random() < self.chance:
            places.append(self._random.randrange(count))
        for place in places:
            buffers[0][place] ^= 1 << self._random.randrange(8)
        self.hits += len(places)
        return count

    def _pwrite(self, descriptor: int, data: memoryview, offset: int) -> int:
        self.wrong = {place for place in self.wrong if not offset <= place < offset + len(data)}
        return self._write(descriptor, data, offset)


PLACES = {
    "first": 0,
    "inside": 700_000,
    "end of a block": 2 * BLOCK - 1,
    "begin of a block": 2 * BLOCK,
    "end of a piece": MIB - 1,
    "begin of a piece": MIB,
    "begin of the last, short piece": 2 * MIB,
    "last": len(BODY) - 1,
}


@pytest.mark.logs
@pytest.mark.parametrize("size", [1, 4096, 100_000, len(BODY)])
@pytest.mark.parametrize("when", ["first read", "when it was read before", "after a restart"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_a_bit_that_is_wrong_at_any_place_and_time_is_never_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int, when: str, size: int
) -> None:
    disk = WrongDisk(monkeypatch)
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY
            await settled(contents)
            if when == "first read":
                disk.wrong = {place}
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            if when == "when it was read before":
                for _ in range(3):
                    assert await reader.read(0, len(BODY)) == BODY
                disk.wrong = {place}
            if when != "after a restart":
                await _is_right_at(reader, place, size)
            reader.close()
        async with b.contents() as contents:
            if when == "after a restart":
                disk.wrong = {place}
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            await _is_right_at(reader, place, size)
            reader.close()
    assert disk.hits
    assert not disk.wrong, "it was fetched again"


async def _is_right_at(reader: Reader, place: int, size: int) -> None:
    """Reads that end there, that begin there, and that have it inside; each twice."""
    for wanted in (place - size + 1, place, place - size // 2):
        start = min(max(0, wanted), len(BODY) - 1)
        for _ in range(2):
            assert await read_as_mount(reader, start, size) == BODY[start : start + size]


@pytest.mark.logs
@pytest.mark.parametrize("chance", [0.01, 0.3])
async def test_of_bits_that_are_wrong_now_and_then_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chance: float
) -> None:
    source = random.Random(7)
    disk = WrongDisk(monkeypatch)
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        assert await b.read_all(contents) == BODY
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        disk.chance = chance
        for _ in range(2000):
            start, size = source.randrange(len(BODY)), source.choice([1, 512, 4096, 70_000, 131_072])
            assert await read_as_mount(reader, start, size) == BODY[start : start + size]
        reader.close()
        assert disk.hits > 10


@pytest.mark.logs
async def test_where_the_disk_gives_back_nothing_right_what_comes_is_read_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = WrongDisk(monkeypatch)
    async with bench(tmp_path, BODY) as b, b.contents(read_timeout=5.0) as contents:
        disk.chance = 1.0
        for _ in range(2):
            assert await b.read_all(contents) == BODY
            await settled(contents)
        assert disk.hits
        assert len(b.server.requests) < 100
        disk.chance = 0.0
        await _all_is_well(b, contents)
