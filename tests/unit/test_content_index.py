"""A damaged cache index: it is set aside and created anew, without an error or a wrong byte for readers."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from coursefs.content.identity import Key
from coursefs.content.index import Index
from coursefs.content.quota import QuotaExceeded
from coursefs.content.store import CacheStore
from coursefs.model import Version

#: enough for several pages of rows
KEYS = [Key("account", f"video/{number}/ümläut/720p.mp4") for number in range(12)]
BODIES = {key: random.Random(number).randbytes(9_000 + number) for number, key in enumerate(KEYS)}
VERSIONS = {key: Version(len(body), f'"etag-{key.identity}"', 1_700_000_000 * 10**9) for key, body in BODIES.items()}
_STEP = 1500


def open_store(directory: Path) -> CacheStore:
    return CacheStore(directory, max_size=2**30, min_free=0)


def fill(directory: Path) -> None:
    store = open_store(directory)
    for key, body in BODIES.items():
        file = store.acquire(key, VERSIONS[key])
        for start in range(0, len(body), _STEP):
            store.put(file, start, memoryview(body)[start : start + _STEP])
        store.release(file)
        if key.identity.startswith("video/1"):
            store.pin(key, True)
    store.close()


def use(store: CacheStore) -> None:
    """What an engine does: read cached bytes, write missing ones, look at sums, drop and pin."""
    for key, body in BODIES.items():
        version = store.version(key)
        if version is not None:
            assert version == VERSIONS[key], "a version that was never recorded"
        file = store.acquire(key, VERSIONS[key])
        for span in list(file.present):
            data = store.read(file, span.start, min(span.end, len(body)))
            assert data is None or bytes(data) == body[span.start : span.end]
        try:
            store.put(file, 0, memoryview(body))
        except QuotaExceeded:  # the damage was found by this very call
            store.put(file, 0, memoryview(body))
        data = store.read(file, 0, len(body))
        assert data is None or bytes(data) == body
        store.release(file)
    store.set_version(KEYS[0], VERSIONS[KEYS[0]])
    store.drop(store.acquire(KEYS[1], VERSIONS[KEYS[1]]), [])
    assert store.totals()[0] >= 0
    assert store.index.used >= 0


def flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 2, 8, 100])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def scribble(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    size = min(chance.choice([1, 4, 16, 300, 4096]), len(data) - start)
    data[start : start + size] = chance.randbytes(size)


def zeros(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data)) & ~511
    size = min(chance.choice([512, 4096]), len(data) - start)
    data[start : start + size] = bytes(size)


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def swap(data: bytearray, chance: random.Random) -> None:
    one, other = (chance.randrange(len(data) // 4096) * 4096 for _ in range(2))
    data[one : one + 4096], data[other : other + 4096] = data[other : other + 4096], data[one : one + 4096]


def texts(data: bytearray, chance: random.Random) -> None:
    """Bytes that are not UTF-8, in the middle of a text."""
    app_paths = [place for place in range(len(data)) if data.startswith(b"video/", place)]
    data[chance.choice(app_paths)] = 0xFF


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("filled")
    fill(directory)
    return directory


@pytest.mark.logs
@pytest.mark.parametrize("damage", [flip, scribble, zeros, cut, swap, texts])
def test_a_damaged_record_raises_nothing_and_gives_no_wrong_byte(
    tmp_path: Path, filled: Path, damage: Callable[[bytearray, random.Random], None]
) -> None:
    for seed in range(50):
        directory = tmp_path / str(seed)
        shutil.copytree(filled, directory)
        record = directory / "v1/record.sqlite"
        data = bytearray(record.read_bytes())
        damage(data, random.Random(seed))
        record.write_bytes(data)
        try:
            for _ in range(2):
                store = open_store(directory)
                use(store)
                store.close()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        shutil.rmtree(directory)


@pytest.mark.logs
@pytest.mark.parametrize("damage", [scribble, zeros, cut, texts])
def test_nor_does_one_that_is_damaged_while_it_is_in_use(
    tmp_path: Path, filled: Path, damage: Callable[[bytearray, random.Random], None]
) -> None:
    for seed in range(20):
        directory = tmp_path / str(seed)
        shutil.copytree(filled, directory)
        record = directory / "v1/record.sqlite"
        store = open_store(directory)
        data = bytearray(record.read_bytes())
        damage(data, random.Random(seed))
        record.write_bytes(data)
        use(store)
        store.close()
        store = open_store(directory)
        use(store)
        store.close()
        shutil.rmtree(directory)


@pytest.mark.logs
@pytest.mark.parametrize(
    "statement",
    [
        """INSERT INTO pieces VALUES ((SELECT id FROM files LIMIT 1), 5, 100, 7)""",
        """UPDATE pieces SET "end" = 1000000000000 WHERE "start" = 0""",
        """UPDATE pieces SET crc32 = -1""",
        """UPDATE files SET size = -5""",
        """UPDATE files SET modified_ns = -5""",
        """INSERT INTO files VALUES (999, CAST(x'ff' AS TEXT), 'x', 5, NULL, NULL, 1, 1)""",
        """INSERT INTO pins VALUES (CAST(x'ff' AS TEXT), 'x')""",
        """DROP TABLE pieces""",
        """ALTER TABLE files RENAME COLUMN etag TO tag""",
    ],
)
def test_impossible_rows_are_damage_too(
    tmp_path: Path, filled: Path, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "cache"
    shutil.copytree(filled, directory)
    database = sqlite3.connect(directory / "v1/record.sqlite")
    database.execute(statement)
    database.commit()
    database.close()
    store = open_store(directory)
    assert "the cache index is damaged" in caplog.text
    assert len(caplog.records) == 1
    assert len(list((directory / "v1").glob("record.sqlite.damaged-*"))) == 1
    use(store)
    store.close()


def test_the_index_in_memory_is_closed_when_that_on_disk_is_used(tmp_path: Path) -> None:
    index = Index()
    in_memory = index.database
    assert in_memory.pins() == set()
    index.begin(tmp_path / "record.sqlite")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        in_memory.pins()
    index.close()


def test_a_time_in_the_future_is_not_believed(tmp_path: Path, filled: Path) -> None:
    directory = tmp_path / "cache"
    shutil.copytree(filled, directory)
    database = sqlite3.connect(directory / "v1/record.sqlite")
    database.execute("UPDATE files SET checked_ns = ?, read_ns = ?", (2**62, 2**62))
    database.commit()
    database.close()
    store = open_store(directory)
    row = store.index.row(KEYS[0])
    assert row
    assert row.checked_ns == 0
    assert row.read_ns < 2**62
    store.close()


@pytest.mark.logs
def test_only_the_last_damaged_index_is_kept(tmp_path: Path) -> None:
    for _ in range(3):
        (tmp_path / "v1").mkdir(exist_ok=True)
        (tmp_path / "v1/record.sqlite").write_bytes(b"no database at all" * 100)
        open_store(tmp_path).close()
    assert len(list((tmp_path / "v1").glob("record.sqlite.damaged-*"))) == 1
