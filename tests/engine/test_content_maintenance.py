"""Maintenance: pin, verify and clear, with a running engine and without one."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from coursefs.base import threads
from coursefs.content import CacheUse, Cleared, Contents, Verified, engine_context, open_cache
from coursefs.content.cached_file import CachedFile
from coursefs.content.data_file import DataFile
from coursefs.content.index_database import IndexDatabase
from coursefs.errors import CoursefsError
from coursefs.model import Version
from tests.engine.content_bench import CONTENT, MIB, bench, content, noise, settled, until, waiting
from tests.engine.content_server import Request

BODY = noise(4 * MIB + 777)


def damage(directory: Path, offset: int, body: bytes = BODY) -> None:
    """Change a byte on the disk, of every file that has it."""
    for path in (directory / "v1").glob("??/*"):
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(bytes([body[offset] ^ 1]))


async def test_what_is_pinned_never_leaves(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        async with b.contents(max_size=10 * MIB) as contents:
            await contents.pin(content("1"))
            assert contents.pinned(content("1"))
            await b.read_all(contents, content("1"))
        async with b.contents(max_size=10 * MIB) as contents:
            assert contents.pinned(content("1"))
            for name in "2345":
                assert await b.read_all(contents, content(name)) == BODY
                await settled(contents)
            assert contents.cached_bytes(content("1")) == len(BODY)
            assert contents.use().bytes <= 10 * MIB
            await contents.unpin(content("1"))
            assert not contents.pinned(content("1"))
            for name in "23":
                await b.read_all(contents, content(name))
            assert contents.cached_bytes(content("1")) < len(BODY)
        async with b.contents() as contents:
            assert not contents.pinned(content("1"))


@pytest.mark.logs
async def test_a_cache_full_of_pins_is_read_through(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents(max_size=5 * MIB) as contents:
        await contents.pin(content("1"))
        await b.read_all(contents, content("1"))
        await settled(contents)
        assert await b.read_all(contents, content("2")) == BODY
        assert contents.cached_bytes(content("1")) == len(BODY)


async def test_a_pin_outlives_the_version(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await contents.pin(CONTENT)
        await b.read_all(contents)
        b.server.body, b.server.headers = BODY[:-1], {"ETag": '"two"'}
        assert await contents.probe(CONTENT, Version(5)) == Version(len(BODY) - 1, '"two"')
        assert contents.pinned(CONTENT)


async def test_a_pin_that_cannot_be_remembered_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: IndexDatabase, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        monkeypatch.setattr(IndexDatabase, "set_pinned", full)
        with pytest.raises(CoursefsError, match="full"):
            await contents.pin(CONTENT)
        assert not contents.pinned(CONTENT)


async def test_a_record_of_the_first_coursefs_is_taken_over(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            await b.read_all(contents)
        record = sqlite3.connect(b.directory / "v1/record.sqlite")
        record.executescript("ALTER TABLE files DROP COLUMN checked_ns; DROP TABLE pins; PRAGMA user_version = 1;")
        record.close()
        b.transport.offline = True
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY
            assert contents.checked_ns(CONTENT) == 0
            await contents.pin(CONTENT)
            assert contents.pinned(CONTENT)


@pytest.mark.logs
@pytest.mark.parametrize("is_open", [True, False])
async def test_verify_finds_what_is_wrong_and_only_that(tmp_path: Path, is_open: bool) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        reader = contents.open(CONTENT, version)
        await reader.read(0, len(BODY))
        await b.read_all(contents, content("another"))
        if not is_open:
            reader.close()
        await settled(contents)
        assert await contents.verify() == Verified(files=2, bytes=2 * len(BODY))
        damage(b.directory, 2 * MIB + 9)
        told: list[Verified] = []
        found = await contents.verify(told.append)
        assert (found.files, found.bytes, found.bad_files) == (2, 2 * len(BODY), 2)
        assert found.bad_bytes == 2 * len(BODY) - contents.use().bytes
        assert 0 < found.bad_bytes <= 2 * MIB, "only the pieces that the two bytes are in"
        assert told[-1] == found
        assert [each.bytes for each in told] == sorted(each.bytes for each in told)
        if is_open:
            assert await reader.read(0, len(BODY)) == BODY
        assert await b.read_all(contents) == BODY
        assert await b.read_all(contents, content("another")) == BODY
        await settled(contents)
        assert await contents.verify() == Verified(files=2, bytes=2 * len(BODY))


async def test_verify_does_not_change_the_order_of_eviction(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        first, second = content("1"), content("2")
        async with b.contents() as contents:
            for each in (second, first):
                await b.read_all(contents, each)
                await settled(contents)
            await contents.verify()
        async with b.contents(max_size=9 * MIB) as contents:
            await b.read_all(contents, content("3"))
            assert contents.cached_bytes(first) == len(BODY)
            assert contents.cached_bytes(second) < len(BODY)


async def test_verify_can_be_cancelled(tmp_path: Path) -> None:
    async with bench(tmp_path, noise(20 * MIB)) as b, b.contents() as contents:
        await b.read_all(contents)
        await settled(contents)
        told: list[Verified] = []
        with trio.CancelScope() as scope:

            def stop(done: Verified) -> None:
                told.append(done)
                scope.cancel()

            await contents.verify(stop)
        assert scope.cancelled_caught
        assert len(told) == 1
        assert 0 < told[0].bytes < 20 * MIB
        (file,) = contents._context.store._files.known.values()
        assert file.users == 0


@pytest.mark.logs
async def test_a_cache_without_a_mount_can_be_looked_after(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            await contents.pin(content("1"))
            await b.read_all(contents, content("1"))
            await b.read_all(contents, content("2"))
        damage(b.directory, 9)
        asked = len(b.server.requests)
        async with open_cache(b.directory, max_size=2**30, min_free=0) as maintenance:
            assert maintenance.use() == CacheUse(2 * len(BODY), 2, 2**30, b.directory, len(BODY), 1)
            found = await maintenance.verify()
            assert found.bad_files == 2
            left = len(BODY) - found.bad_bytes // 2
            assert await maintenance.clear() == Cleared(1, left, 1, left)
            assert await maintenance.clear(keep_pinned=False) == Cleared(1, left)
            assert maintenance.use().bytes == 0
            with pytest.raises(CoursefsError, match="in use"):
                async with b.contents():
                    pass
        assert len(b.server.requests) == asked
        async with b.contents() as contents:
            assert contents.pinned(content("1"))
            assert await b.read_all(contents, content("1")) == BODY


async def test_clear_frees_the_disk_and_open_files_go_on(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        reader = contents.open(CONTENT, version)
        assert await reader.read(0, len(BODY)) == BODY
        await b.read_all(contents, content("closed"))
        await settled(contents)
        assert await contents.clear() == Cleared(2, 2 * len(BODY))
        assert contents.use().bytes == 0
        assert sum(path.stat().st_blocks for path in (b.directory / "v1").glob("??/*")) == 0
        asked = len(b.server.requests)
        assert await reader.read(5, MIB) == BODY[5 : 5 + MIB]
        assert len(b.server.requests) > asked
        assert await contents.probe(CONTENT) == version
        assert await b.read_all(contents, content("closed")) == BODY


@contextmanager
def hanging_writes(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Writes to the disk hang as long as the context lasts; the event is set when one does."""
    hangs, go_on = threading.Event(), threading.Event()
    write = DataFile.write

    def hang(self: DataFile, start: int, data: memoryview) -> None:
        hangs.set()
        go_on.wait()
        write(self, start, data)

    with monkeypatch.context() as patch:
        patch.setattr(DataFile, "write", hang)
        try:
            yield hangs
        finally:
            go_on.set()


async def test_a_disk_that_hangs_delays_no_cached_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            await b.read_all(contents, content("cached"))
        async with b.contents() as contents, trio.open_nursery() as nursery:
            with hanging_writes(monkeypatch) as hangs:
                for number in range(30):
                    reader = contents.open(content(f"slow {number}"), Version(len(BODY)))
                    nursery.start_soon(reader.read, 0, len(BODY))
                await until(lambda: hangs.is_set() and waiting(contents) == 30)
                for _ in range(12):  # opened, read and closed again: more often than there are threads
                    assert await b.read_all(contents, content("cached"), step=MIB) == BODY


@pytest.mark.logs
async def test_a_disk_that_hangs_keeps_few_readers_of_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_context, "_PATIENCE", 0.1)
    done: list[int] = []

    async def read(contents: Contents, number: int) -> None:
        assert await b.read_all(contents, content(f"slow {number}"), step=MIB) == BODY
        done.append(number)

    async with bench(tmp_path, BODY) as b, b.contents() as contents, trio.open_nursery() as nursery:
        with hanging_writes(monkeypatch):
            for number in range(30):
                nursery.start_soon(read, contents, number)
            # those whose pieces are in the threads that hang wait for them; there are eight such threads
            await until(lambda: len(done) >= 22)
        await until(lambda: len(done) == 30)


async def test_a_check_that_takes_long_delays_no_other_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(self: CachedFile, pieces: object) -> tuple[list[object], list[object]]:
        begun.set()
        go_on.wait()
        return [], []

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await b.read_all(contents)
        monkeypatch.setattr(CachedFile, "verify", slow)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(contents.verify)
                await until(begun.is_set)
                assert await b.read_all(contents) == BODY
                assert await b.read_all(contents, content("another")) == BODY
                go_on.set()
        finally:
            go_on.set()


async def test_each_read_of_cached_bytes_lets_other_tasks_run(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await b.read_all(contents)
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        for _ in range(20):
            with trio.testing.assert_checkpoints():
                assert await reader.read(0, MIB) == BODY[:MIB]
        reader.close()


async def test_twenty_stalled_reads_delay_no_cached_one(tmp_path: Path) -> None:
    async def stall(request: Request) -> None:
        await trio.sleep_forever()

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await b.read_all(contents)
        b.server.always = stall
        async with trio.open_nursery() as nursery:
            for place in range(20):
                reader = contents.open(content(f"stalled {place % 7}"), Version(len(BODY)))
                nursery.start_soon(reader.read, place * 200_000, 10)
            await until(lambda: waiting(contents) == 20)
            assert await b.read_all(contents) == BODY
            nursery.cancel_scope.cancel()


@pytest.mark.logs
@pytest.mark.parametrize("lasting", [True, False])
async def test_without_new_threads_reads_go_on_or_fail_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lasting: bool
) -> None:
    """As under a limit of memory or of processes."""
    run_sync = threads.run_sync
    refused = 0

    async def none(*args: Any, **kwargs: Any) -> Any:
        nonlocal refused
        if kwargs.get("limiter") is None or (not lasting and refused % 2):
            return await run_sync(*args, **kwargs)
        refused += 1
        raise threads.NoThread

    monkeypatch.setattr(engine_context, "_PATIENCE", 0.02)
    monkeypatch.setattr(engine_context, "_PAUSE", 0.01)
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await b.read_all(contents)
        with monkeypatch.context() as patch:
            patch.setattr(threads, "run_sync", none)
            for name in "12":
                try:
                    assert await b.read_all(contents, content(name)) == BODY
                except CoursefsError:
                    assert lasting
            assert refused
            await settled(contents)
        assert await b.read_all(contents, content("1")) == BODY
        assert await b.read_all(contents) == BODY
