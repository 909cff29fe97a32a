"""The store by itself, where order decides."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from coursefs.content.cachedfile import CachedFile
from coursefs.content.datafile import DataFile
from coursefs.content.identity import Key
from coursefs.content.record import Record
from coursefs.content.store import NoRoom, Store
from coursefs.model import Version

KEY = Key("a", "video/1")
DATA = os.urandom(300_000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "cache", max_size=2**20, min_free=0)
    yield store
    store.close()


def read(store: Store, file: CachedFile, start: int, end: int) -> bytes | None:
    data = store.read(file, start, end)
    return None if data is None else bytes(data)


def put(store: Store, key: Key = KEY, version: Version | None = None) -> CachedFile:
    file = store.acquire(key, version or Version(len(DATA)))
    store.put(file, 0, memoryview(DATA))
    return file


def test_what_was_put_can_be_read(store: Store) -> None:
    file = put(store)
    assert read(store, file, 5, 250_000) == DATA[5:250_000]
    now = file.read_now(5, 250_000, 0)
    assert now is None or bytes(now) == DATA[5:250_000], "None where the file system cannot say what is in memory"
    assert read(store, file, 5, len(DATA) + 1) is None


def test_pieces_never_overlap(store: Store) -> None:
    file = store.acquire(KEY, Version(len(DATA)))
    for start, end in [(1000, 2000), (3000, 4000), (500, 3500), (0, len(DATA))]:
        store.put(file, start, memoryview(DATA)[start:end])
    pieces = file.pieces()
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
    assert store.cached_bytes(KEY) == len(DATA)
    assert read(store, file, 0, len(DATA)) == DATA


def test_another_version_replaces_the_old_only_when_its_bytes_come(store: Store) -> None:
    old = put(store)
    new = store.acquire(KEY, Version(len(DATA), '"new"'))
    assert read(store, old, 0, 10) == DATA[:10]
    assert new.present.total == 0
    store.put(new, 0, memoryview(DATA)[:1000])
    assert old.dead
    assert read(store, old, 0, 10) is None
    assert store.version(KEY) == Version(len(DATA), '"new"')
    assert store.cached_bytes(KEY) == 1000
    store.put(old, 0, memoryview(DATA))
    assert store.cached_bytes(KEY) == 1000, "what is dead keeps nothing"
    store.release(old)
    assert read(store, new, 0, 1000) == DATA[:1000]


def test_a_version_that_comes_back_has_its_own_life(store: Store) -> None:
    first = put(store)
    store.discard(first)
    again = put(store)
    store.release(first)
    assert not again.dead
    assert read(store, again, 0, len(DATA)) == DATA
    assert again.data.path.exists()


def test_who_sees_that_a_file_is_dead_finds_no_version_of_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(store)
    seen: list[Version | None] = []
    end_life = CachedFile.end_life

    def spy(self: CachedFile) -> None:
        end_life(self)
        seen.append(store.version(KEY))

    monkeypatch.setattr(CachedFile, "end_life", spy)
    store.discard(file)
    assert seen == [None]


def test_bytes_that_are_evicted_while_they_are_read_are_not_answered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(store)
    read_now, blocking = DataFile.read_now, DataFile.read

    def evicted_first(self: DataFile, start: int, end: int) -> memoryview:
        with monkeypatch.context() as patch:
            patch.setattr(DataFile, "read", blocking)
            store._drop(file, file.pieces())
        data = blocking(self, start, end)
        assert bytes(data) != DATA[start:end], "gone by now"
        return data

    def evicted_first_now(self: DataFile, start: int, end: int) -> memoryview | None:
        store._drop(file, file.pieces())
        return read_now(self, start, end)

    monkeypatch.setattr(DataFile, "read", evicted_first)
    assert read(store, file, 0, 1000) is None
    store.put(file, 0, memoryview(DATA))
    monkeypatch.setattr(DataFile, "read_now", evicted_first_now)
    assert file.read_now(0, 1000, 0) is None


def test_a_file_that_is_read_while_it_is_evicted_is_not_closed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_piece_that_was_damaged_takes_no_successor_with_it(store: Store) -> None:
    file = put(store)
    damaged = file.pieces()
    store._drop(file, damaged)
    store.put(file, 0, memoryview(DATA))
    store._drop(file, damaged)
    assert read(store, file, 0, len(DATA)) == DATA
    assert store.cached_bytes(KEY) == len(DATA)


def test_what_is_being_read_is_not_evicted(store: Store) -> None:
    first, second = put(store, Key("a", "1")), put(store, Key("a", "2"))
    first.wanted.append(first.present.spans[0])
    put(store, Key("a", "3"))
    put(store, Key("a", "4"))
    assert first.present.total == len(DATA)
    assert second.present.total == 0


@pytest.mark.logs
def test_a_failed_write_leaves_no_trace(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Record, number: int, pieces: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    file = store.acquire(KEY, Version(len(DATA)))
    with monkeypatch.context() as patch:
        patch.setattr(Record, "add_pieces", full)
        with pytest.raises(NoRoom):
            store.put(file, 0, memoryview(DATA))
    assert store.cached_bytes(KEY) == file.present.total == 0
    store.put(file, 0, memoryview(DATA))
    assert read(store, file, 0, len(DATA)) == DATA


def test_an_unused_data_file_is_not_left_behind(store: Store) -> None:
    put(store)
    other = store.acquire(KEY, Version(5))
    store.release(other)
    assert not other.data.path.exists()


def test_a_draft_becomes_the_content(store: Store) -> None:
    draft = store.draft()
    store.append(draft, memoryview(DATA)[:100_000])
    store.append(draft, memoryview(DATA)[100_000:])
    store.keep(draft, KEY, Version(len(DATA)))
    assert store.totals() == (len(DATA), 1)
    assert read(store, store.acquire(KEY, Version(len(DATA))), 0, len(DATA)) == DATA


@pytest.mark.logs
def test_a_draft_obeys_the_limit(store: Store) -> None:
    draft = store.draft()
    for _ in range(3):
        store.append(draft, memoryview(DATA))
    with pytest.raises(NoRoom):
        store.append(draft, memoryview(DATA))
    store.give_up(draft)
    put(store)
    assert store.totals() == (len(DATA), 1)


@pytest.mark.parametrize("error", [errno.EACCES, errno.ENOSPC])
def test_a_directory_that_cannot_be_used_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def fail(self: Record) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(Record, "rows", fail)
        with pytest.raises(OSError, match=os.strerror(error)):
            Store(tmp_path, max_size=1, min_free=0)
    Store(tmp_path, max_size=1, min_free=0).close()


@pytest.mark.logs
def test_what_cannot_be_forgotten_on_record_still_counts_and_can_be_kept_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, where the record cannot be written either."""

    def full(self: Record, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    store = Store(tmp_path / "cache", max_size=2**20, min_free=0)
    file = put(store)
    with monkeypatch.context() as patch:
        patch.setattr(Record, "remove_pieces", full)
        assert store.drop(file, file.pieces()) == []
    assert read(store, file, 0, 10) is None
    assert store.totals() == (len(DATA), 1), "it takes its room on the disk as before"
    store.put(file, 0, memoryview(DATA)[:1000])
    assert read(store, file, 0, 1000) == DATA[:1000]
    store.put(file, 1000, memoryview(DATA)[1000:])
    assert read(store, file, 0, len(DATA)) == DATA
    assert store.totals() == (len(DATA), 1)
    store.close()
    later = Store(tmp_path / "cache", max_size=2**20, min_free=0)
    file = later.acquire(KEY, Version(len(DATA)))
    assert [(piece.start, piece.end) for piece in file.pieces()] == [(0, 1000), (1000, len(DATA))]
    assert read(later, file, 0, len(DATA)) == DATA
    assert later.totals() == (len(DATA), 1)
    later.close()


@pytest.mark.logs
def test_a_version_that_cannot_be_forgotten_on_record_is_replaced_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Record, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    store = Store(tmp_path / "cache", max_size=2**20, min_free=0)
    put(store)
    new = store.acquire(KEY, Version(len(DATA), '"new"'))
    with monkeypatch.context() as patch:
        patch.setattr(Record, "remove_file", full)
        with pytest.raises(NoRoom):
            store.put(new, 0, memoryview(DATA))
    store.put(new, 0, memoryview(DATA)[:1000])
    store.close()
    later = Store(tmp_path / "cache", max_size=2**20, min_free=0)
    assert later.version(KEY) == new.version
    assert later.totals() == (1000, 1)
    assert len(list((tmp_path / "cache/v1").glob("??/*"))) == 1
    later.close()


def test_a_full_disk_is_cleared_of_bytes_before_that_is_recorded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(store)
    remove_pieces = Record.remove_pieces

    def full(self: Record, number: int, starts: list[int]) -> None:
        if file.data.path.stat().st_blocks:
            raise sqlite3.OperationalError("database or disk is full")
        remove_pieces(self, number, starts)

    monkeypatch.setattr(Record, "remove_pieces", full)
    assert store.clear(KEY) == len(DATA)
    assert store.totals() == (0, 0)
    assert read(store, file, 0, 10) is None
    store.put(file, 0, memoryview(DATA))
    assert read(store, file, 0, len(DATA)) == DATA
