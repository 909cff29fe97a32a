"""The store by itself, where the order of steps matters."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from coursefs.content.cached_file import CachedFile
from coursefs.content.data_file import DataFile
from coursefs.content.identity import Key
from coursefs.content.index_database import IndexDatabase, IndexRow
from coursefs.content.quota import QuotaExceeded
from coursefs.content.store import CacheStore
from coursefs.model import Version

KEY = Key("a", "video/1")
DATA = os.urandom(300_000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CacheStore]:
    store = CacheStore(tmp_path / "cache", max_size=2**20, min_free=0)
    yield store
    store.close()


def read(store: CacheStore, file: CachedFile, start: int, end: int) -> bytes | None:
    data = store.read(file, start, end)
    return None if data is None else bytes(data)


def put(store: CacheStore, key: Key = KEY, version: Version | None = None) -> CachedFile:
    file = store.acquire(key, version or Version(len(DATA)))
    store.put(file, 0, memoryview(DATA))
    return file


def test_written_bytes_can_be_read(store: CacheStore) -> None:
    file = put(store)
    assert read(store, file, 5, 250_000) == DATA[5:250_000]
    now = file.read_now(5, 250_000, 0)
    assert now is None or bytes(now) == DATA[5:250_000], "None where the file system cannot say what is in memory"
    assert read(store, file, 5, len(DATA) + 1) is None


def test_a_piece_is_read_from_the_disk_once_by_a_sequential_reader_and_then_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart a piece is checked as a whole: reading it again for each part of it would cost too much."""
    first = CacheStore(tmp_path / "cache", max_size=2**20, min_free=0)
    put(first)
    first.close()
    from_disk: list[tuple[int, int]] = []
    blocking = DataFile.read

    def spy(self: DataFile, start: int, end: int) -> memoryview:
        from_disk.append((start, end))
        return blocking(self, start, end)

    monkeypatch.setattr(DataFile, "read", spy)
    for step in (100_000, len(DATA)):
        from_disk.clear()
        store = CacheStore(tmp_path / "cache", max_size=2**20, min_free=0)
        file = store.acquire(KEY, Version(len(DATA)))
        (piece,) = file.pieces()
        for start in range(0, len(DATA), step):
            assert read(store, file, start, start + step) == DATA[start : start + step]
            assert (file._recent.get(piece) is not None) == (start + step < len(DATA))
        assert from_disk == [(0, len(DATA))]
        store.close()


def test_pieces_never_overlap(store: CacheStore) -> None:
    file = store.acquire(KEY, Version(len(DATA)))
    for start, end in [(1000, 2000), (3000, 4000), (500, 3500), (0, len(DATA))]:
        store.put(file, start, memoryview(DATA)[start:end])
    pieces = file.pieces()
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
    assert store.cached_bytes(KEY) == len(DATA)
    assert read(store, file, 0, len(DATA)) == DATA


def test_another_version_replaces_the_old_one_only_when_its_bytes_are_written(store: CacheStore) -> None:
    old = put(store)
    new = store.acquire(KEY, Version(len(DATA), '"new"'))
    assert read(store, old, 0, 10) == DATA[:10]
    assert new.present.total == 0
    store.put(new, 0, memoryview(DATA)[:1000])
    assert old.stale
    assert read(store, old, 0, 10) is None
    assert store.version(KEY) == Version(len(DATA), '"new"')
    assert store.cached_bytes(KEY) == 1000
    store.put(old, 0, memoryview(DATA))
    assert store.cached_bytes(KEY) == 1000, "what is dead keeps nothing"
    store.release(old)
    assert read(store, new, 0, 1000) == DATA[:1000]


def test_a_version_that_returns_is_not_stale(store: CacheStore) -> None:
    first = put(store)
    store.discard(first)
    again = put(store)
    store.release(first)
    assert not again.stale
    assert read(store, again, 0, len(DATA)) == DATA
    assert again.data.path.exists()


def test_a_stale_file_has_no_version_in_the_index(store: CacheStore, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(store)
    seen: list[Version | None] = []
    mark_stale = CachedFile.mark_stale

    def spy(self: CachedFile) -> None:
        mark_stale(self)
        seen.append(store.version(KEY))

    monkeypatch.setattr(CachedFile, "mark_stale", spy)
    store.discard(file)
    assert seen == [None]


def test_bytes_that_are_evicted_while_they_are_read_are_not_returned(
    store: CacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(store)
    read_page_cache, blocking = DataFile.read_page_cache, DataFile.read

    def evicted_first(self: DataFile, start: int, end: int) -> memoryview:
        with monkeypatch.context() as patch:
            patch.setattr(DataFile, "read", blocking)
            store._drop(file, file.pieces())
        data = blocking(self, start, end)
        assert bytes(data) != DATA[start:end], "gone by now"
        return data

    def evicted_first_now(self: DataFile, start: int, end: int) -> memoryview | None:
        store._drop(file, file.pieces())
        return read_page_cache(self, start, end)

    monkeypatch.setattr(DataFile, "read", evicted_first)
    assert read(store, file, 0, 1000) is None
    store.put(file, 0, memoryview(DATA))
    monkeypatch.setattr(DataFile, "read_page_cache", evicted_first_now)
    assert file.read_now(0, 1000, 0) is None


@pytest.mark.parametrize("way", ["read", "read_now"])
@pytest.mark.parametrize("change", ["discarded", "evicted"])
def test_a_read_answers_nothing_when_its_pieces_are_forgotten_meanwhile(
    store: CacheStore, monkeypatch: pytest.MonkeyPatch, way: str, change: str
) -> None:
    """The generation is compared after the bytes were read.

    Without that a read that began before the platform's file changed answers with bytes of the old version, and one
    that an eviction overtakes has nothing but a checksum of 32 bits between it and a hole in the data file.
    """
    file = put(store)
    blocking = DataFile.read

    def changed_after(self: DataFile, start: int, end: int) -> memoryview:
        data = blocking(self, start, end)
        with monkeypatch.context() as patch:
            patch.setattr(DataFile, "read", blocking)
            store.discard(file) if change == "discarded" else store._drop(file, file.pieces())
        return data

    monkeypatch.setattr(DataFile, "read", changed_after)
    monkeypatch.setattr(DataFile, "read_page_cache", changed_after)  # everything is in the page cache
    monkeypatch.setattr("coursefs.content.cached_file.IS_QUICK", True)
    data = file.read_now(0, 1000, 1) if way == "read_now" else file.read(0, 1000, 1)[0]
    assert data is None


def test_a_file_that_is_read_while_it_is_evicted_is_not_closed(
    store: CacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = store.acquire(KEY, Version(len(DATA)))
    store.put(file, 0, memoryview(DATA)[:100_000])
    store.put(file, 100_000, memoryview(DATA)[100_000:])
    store.release(file)
    release_blocks = DataFile.release_blocks

    def read_meanwhile(self: DataFile, start: int, end: int) -> bool:
        assert store.acquire(KEY, Version(len(DATA))) is file
        assert read(store, file, 0, 10) == DATA[:10]
        store.release(file)
        return release_blocks(self, start, end)

    monkeypatch.setattr(DataFile, "release_blocks", read_meanwhile)
    store._drop(file, file.pieces()[1:])
    assert store.cached_bytes(KEY) == 100_000
    assert file.users == 0
    assert read(store, store.acquire(KEY, Version(len(DATA))), 0, 100_000) == DATA[:100_000]


def test_dropping_a_damaged_piece_keeps_its_successor(store: CacheStore) -> None:
    file = put(store)
    damaged = file.pieces()
    store._drop(file, damaged)
    store.put(file, 0, memoryview(DATA))
    store._drop(file, damaged)
    assert read(store, file, 0, len(DATA)) == DATA
    assert store.cached_bytes(KEY) == len(DATA)


def test_what_is_being_read_is_not_evicted(store: CacheStore) -> None:
    first, second = put(store, Key("a", "1")), put(store, Key("a", "2"))
    first.in_use.append(first.present.spans[0])
    put(store, Key("a", "3"))
    put(store, Key("a", "4"))
    assert first.present.total == len(DATA)
    assert second.present.total == 0


@pytest.mark.logs
def test_a_failed_write_leaves_no_trace(store: CacheStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: IndexDatabase, number: int, pieces: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    file = store.acquire(KEY, Version(len(DATA)))
    with monkeypatch.context() as patch:
        patch.setattr(IndexDatabase, "add_pieces", full)
        with pytest.raises(QuotaExceeded):
            store.put(file, 0, memoryview(DATA))
    assert store.cached_bytes(KEY) == file.present.total == 0
    store.put(file, 0, memoryview(DATA))
    assert read(store, file, 0, len(DATA)) == DATA


def test_an_unused_data_file_is_deleted(store: CacheStore) -> None:
    put(store)
    other = store.acquire(KEY, Version(5))
    store.release(other)
    assert not other.data.path.exists()


def test_a_spool_file_becomes_the_data_file(store: CacheStore) -> None:
    spool_file = store.spool_file()
    store.append(spool_file, memoryview(DATA)[:100_000])
    store.append(spool_file, memoryview(DATA)[100_000:])
    store.adopt(spool_file, KEY, Version(len(DATA)))
    assert store.totals() == (len(DATA), 1)
    assert read(store, store.acquire(KEY, Version(len(DATA))), 0, len(DATA)) == DATA


@pytest.mark.logs
def test_a_spool_file_obeys_the_limit(store: CacheStore) -> None:
    spool_file = store.spool_file()
    for _ in range(3):
        store.append(spool_file, memoryview(DATA))
    with pytest.raises(QuotaExceeded):
        store.append(spool_file, memoryview(DATA))
    store.remove_spool_file(spool_file)
    put(store)
    assert store.totals() == (len(DATA), 1)


@pytest.mark.parametrize("error", [errno.EACCES, errno.ENOSPC])
def test_an_unusable_directory_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    rows, loaded = IndexDatabase.rows, []

    def fail(self: IndexDatabase) -> dict[Key, IndexRow]:
        loaded.append(self)
        if len(loaded) == 2:  # the first and the third are in memory
            raise OSError(error, os.strerror(error))
        return rows(self)

    with monkeypatch.context() as patch:
        patch.setattr(IndexDatabase, "rows", fail)
        with pytest.raises(OSError, match=os.strerror(error)):
            CacheStore(tmp_path, max_size=1, min_free=0)
    assert len(loaded) == 3
    for database in loaded:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            database.pins()
    CacheStore(tmp_path, max_size=1, min_free=0).close()


@pytest.mark.logs
def test_pieces_whose_rows_cannot_be_deleted_still_count_and_can_be_cached_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, where the index cannot be written either."""

    def full(self: IndexDatabase, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    store = CacheStore(tmp_path / "cache", max_size=2**20, min_free=0)
    file = put(store)
    with monkeypatch.context() as patch:
        patch.setattr(IndexDatabase, "remove_pieces", full)
        assert store.drop(file, file.pieces()) == []
    assert read(store, file, 0, 10) is None
    assert store.totals() == (len(DATA), 1), "it takes its room on the disk as before"
    store.put(file, 0, memoryview(DATA)[:1000])
    assert read(store, file, 0, 1000) == DATA[:1000]
    store.put(file, 1000, memoryview(DATA)[1000:])
    assert read(store, file, 0, len(DATA)) == DATA
    assert store.totals() == (len(DATA), 1)
    store.close()
    later = CacheStore(tmp_path / "cache", max_size=2**20, min_free=0)
    file = later.acquire(KEY, Version(len(DATA)))
    assert [(piece.start, piece.end) for piece in file.pieces()] == [(0, 1000), (1000, len(DATA))]
    assert read(later, file, 0, len(DATA)) == DATA
    assert later.totals() == (len(DATA), 1)
    later.close()


@pytest.mark.logs
def test_a_version_whose_row_cannot_be_deleted_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: IndexDatabase, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    store = CacheStore(tmp_path / "cache", max_size=2**20, min_free=0)
    put(store)
    new = store.acquire(KEY, Version(len(DATA), '"new"'))
    with monkeypatch.context() as patch:
        patch.setattr(IndexDatabase, "remove_file", full)
        with pytest.raises(QuotaExceeded):
            store.put(new, 0, memoryview(DATA))
    store.put(new, 0, memoryview(DATA)[:1000])
    store.close()
    later = CacheStore(tmp_path / "cache", max_size=2**20, min_free=0)
    assert later.version(KEY) == new.version
    assert later.totals() == (1000, 1)
    assert len(list((tmp_path / "cache/v1").glob("??/*"))) == 1
    later.close()


@pytest.mark.logs
def test_pieces_of_an_old_version_that_could_not_be_deleted_are_not_taken_from_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: IndexDatabase, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    store = CacheStore(tmp_path / "cache", max_size=2**20, min_free=0)
    old = put(store)
    with monkeypatch.context() as patch:
        patch.setattr(IndexDatabase, "remove_pieces", full)
        assert store.drop(old, old.pieces()) == []
    new = put(store, version=Version(len(DATA), '"new"'))
    assert old.stale
    assert store.drop(old, []) == []
    assert store.totals() == (len(DATA), 1)
    store.close()
    later = CacheStore(tmp_path / "cache", max_size=2**20, min_free=0)
    file = later.acquire(KEY, new.version)
    assert read(later, file, 0, len(DATA)) == DATA
    later.close()


@pytest.mark.logs
def test_what_stands_in_the_place_of_a_data_file_is_deleted_and_not_followed(store: CacheStore, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(DATA)
    first = put(store)
    store.release(first)
    first.data.path.unlink()
    first.data.path.symlink_to(precious)
    file = store.acquire(KEY, first.version)
    assert read(store, file, 0, 10) is None
    assert not os.path.lexists(file.data.path)
    assert precious.read_bytes() == DATA


def test_on_a_full_disk_clear_frees_bytes_before_it_deletes_rows(
    store: CacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(store)
    remove_pieces = IndexDatabase.remove_pieces

    def full(self: IndexDatabase, number: int, starts: list[int]) -> None:
        if file.data.path.stat().st_blocks:
            raise sqlite3.OperationalError("database or disk is full")
        remove_pieces(self, number, starts)

    monkeypatch.setattr(IndexDatabase, "remove_pieces", full)
    assert store.clear(KEY) == len(DATA)
    assert store.totals() == (0, 0)
    assert read(store, file, 0, 10) is None
    store.put(file, 0, memoryview(DATA))
    assert read(store, file, 0, len(DATA)) == DATA
