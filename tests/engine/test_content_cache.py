"""The cache: what it keeps, what it evicts, and that it returns no damaged byte."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.content import Contents, open_cache
from coursefs.content.cached_file import CachedFile, Piece
from coursefs.content.data_file import IS_QUICK, DataFile
from coursefs.errors import CoursefsError, NoAnswer, Unreachable
from coursefs.model import Version
from tests.engine.content_bench import (
    CONTENT,
    MIB,
    Bench,
    bench,
    content,
    noise,
    open_files,
    read_as_mount,
    settled,
    until,
    waiting,
)
from tests.engine.content_server import Request

BODY = noise(4 * MIB + 777)


def data_files(directory: Path) -> list[Path]:
    return [path for path in (directory / "v1").glob("??/*") if path.is_file()]


async def filled(b: Bench) -> None:
    """A cache with the whole content, after its engine was closed."""
    async with b.contents() as contents:
        assert await b.read_all(contents) == BODY


async def test_what_was_read_is_there_after_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        await filled(b)
        b.transport.offline = True
        async with b.contents() as contents:
            assert contents.cached_bytes(CONTENT) == len(BODY)
            assert contents.use().bytes == len(BODY)
            assert contents.use().files == 1
            assert await b.read_all(contents) == BODY


async def test_the_cache_is_private_and_left_out_of_backups(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        await filled(b)
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    (data,) = data_files(tmp_path / "cache")
    assert data.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "cache/CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


async def test_a_killed_process_loses_unfinished_pieces_only(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents(streams=1) as contents:
        version = await contents.probe(CONTENT)

        async def half(request: Request) -> None:
            assert request.range
            start, end = request.range
            head = f'HTTP/1.1 206 X\r\nETag: "one"\r\nContent-Range: bytes {start}-{end - 1}/{len(BODY)}\r\n\r\n'
            await request.stream.send_all(head.encode() + BODY[start : 2 * MIB + 5000])
            await trio.sleep_forever()

        b.server.always = half
        assert await contents.open(CONTENT, version).read(0, 2 * MIB) == BODY[: 2 * MIB]
        shutil.copytree(b.directory, tmp_path / "after")
        b.transport.offline = True
        async with b.contents(tmp_path / "after") as later:
            assert later.cached_bytes(CONTENT) == 2 * MIB
            reader = later.open(CONTENT, version)
            assert await reader.read(0, 2 * MIB) == BODY[: 2 * MIB]
            with pytest.raises(Unreachable):
                await reader.read(2 * MIB, 1)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.logs
@pytest.mark.parametrize("damage", ["zeros", "one bit", "short", "empty", "unreadable"])
async def test_damaged_bytes_are_fetched_again(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path, BODY) as b:
        await filled(b)
        asked = len(b.server.requests)
        (data,) = data_files(b.directory)
        assert data.read_bytes() == BODY
        match damage:
            case "zeros":
                overwrite(data, 2 * MIB, bytes(MIB))
            case "one bit":
                overwrite(data, 2 * MIB + 9, bytes([BODY[2 * MIB + 9] ^ 1]))
            case "short":
                os.truncate(data, 2 * MIB + 9)
            case "empty":
                os.truncate(data, 0)
            case "unreadable":
                read = DataFile.read

                def fail_once(self: DataFile, start: int, end: int) -> memoryview:
                    monkeypatch.setattr(DataFile, "read", read)
                    raise OSError(errno.EIO, "bad sector")

                monkeypatch.setattr(DataFile, "read", fail_once)
                monkeypatch.setattr(DataFile, "read_page_cache", lambda *_: None)  # a bad sector is not cached
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY
            assert contents.cached_bytes(CONTENT) == contents.use().bytes == len(BODY)
        assert len(b.server.requests) > asked
        async with b.contents() as contents:
            asked = len(b.server.requests)
            assert await b.read_all(contents) == BODY
            assert len(b.server.requests) == asked


async def test_a_data_file_that_was_removed_is_fetched_again(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        await filled(b)
        data_files(b.directory)[0].unlink()
        async with b.contents() as contents:
            assert contents.cached_bytes(CONTENT) == 0
            assert await b.read_all(contents) == BODY


async def test_files_without_a_row_are_deleted(tmp_path: Path) -> None:
    stray = tmp_path / "cache/v1/ab" / ("ab" * 32)
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"left behind")
    async with bench(tmp_path, BODY) as b:
        await filled(b)
        assert not stray.exists()


@pytest.mark.logs
@pytest.mark.parametrize("damage", [b"this is no database", b"SQLite format 3\0" + bytes(4000)])
async def test_a_damaged_index_is_set_aside(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with bench(tmp_path, BODY) as b:
        await filled(b)
        record = b.directory / "v1/record.sqlite"
        record.write_bytes(damage)
        async with b.contents() as contents:
            assert contents.use().bytes == 0
            assert await b.read_all(contents) == BODY
        (aside,) = record.parent.glob("record.sqlite.damaged-*")
        assert aside.read_bytes() == damage
        assert [r.levelname for r in caplog.records if r.name.startswith("coursefs")] == ["WARNING"]


@pytest.mark.logs
async def test_an_index_of_a_later_coursefs_is_set_aside(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        await filled(b)
        database = sqlite3.connect(b.directory / "v1/record.sqlite")
        database.execute("PRAGMA user_version = 99")
        database.close()
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    code = "import sys, fcntl; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    (tmp_path / "cache").mkdir()
    lock = tmp_path / "cache/lock"
    lock.write_text("pid 4321\n")
    async with bench(tmp_path, BODY) as b:
        with subprocess.Popen(
            [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout
            other.stdout.readline()
            with pytest.raises(CoursefsError, match=r"in use by another mount \(pid 4321\)"):
                async with b.contents():
                    pass
            other.communicate(b"\n")
        async with b.contents():
            assert lock.read_text() == f"pid {os.getpid()}\n"
            with pytest.raises(CoursefsError, match=f"pid {os.getpid()}"):
                async with b.contents():
                    pass


@pytest.mark.logs
async def test_a_place_that_cannot_be_a_cache_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_text("a file")
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY
        with pytest.raises(CoursefsError, match="cannot use the cache"):
            async with open_cache(b.directory, max_size=2**30, min_free=0):
                pass
    assert len([r for r in caplog.records if r.name.startswith("coursefs")]) == 1


async def test_an_error_inside_comes_out_as_it_is(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        with pytest.raises(ZeroDivisionError):
            async with b.contents() as contents:
                contents.open(CONTENT, Version(1))
                raise ZeroDivisionError
        async with b.contents():
            pass


async def test_the_least_recently_read_leaves_first(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents(max_size=10 * MIB) as contents:
        first, second, third = content("1"), content("2"), content("3")
        for each in (first, second):
            await b.read_all(contents, each)
            await settled(contents)
        await b.read_all(contents, first)
        await settled(contents)
        assert await b.read_all(contents, third) == BODY
        await settled(contents)
        assert contents.cached_bytes(first) == contents.cached_bytes(third) == len(BODY)
        assert contents.cached_bytes(second) < len(BODY)
        assert contents.use().bytes <= 10 * MIB
        assert contents.cached_bytes(second) > 0, "no more than necessary"
        asked = len(b.server.requests)
        assert await b.read_all(contents, second) == BODY
        assert len(b.server.requests) > asked


async def test_the_limit_holds_while_one_big_file_is_read(tmp_path: Path) -> None:
    body = noise(12 * MIB)
    async with bench(tmp_path, body) as b:
        async with b.contents(max_size=3 * MIB) as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            for start in range(0, len(body), 128 * 1024):
                assert await reader.read(start, 128 * 1024) == body[start : start + 128 * 1024]
                assert contents.use().bytes <= 3 * MIB
                assert sum(path.stat().st_blocks * 512 for path in data_files(b.directory)) <= 4 * MIB
            assert contents.use().bytes > MIB
            reader.close()
        async with b.contents(max_size=3 * MIB) as contents:
            assert await b.read_all(contents) == body


async def test_head_and_tail_of_a_film_outlive_its_middle(tmp_path: Path) -> None:
    body = noise(12 * MIB)
    async with bench(tmp_path, body) as b:
        async with b.contents(max_size=20 * MIB) as contents:
            await b.read_all(contents, content("old"))
            await settled(contents)
        async with b.contents(max_size=20 * MIB) as contents:
            await b.read_all(contents, content("new"))
            await settled(contents)
            assert contents.cached_bytes(content("old")) < len(body)
            asked = len(b.server.requests)
            reader = contents.open(content("old"), await contents.probe(content("old")))
            for offset in (0, 200_000, len(body) - 200_000, len(body) - 10):
                assert await reader.read(offset, 10) == body[offset : offset + 10]
            reader.close()
            assert len(b.server.requests) == asked


@pytest.mark.skipif(not IS_QUICK, reason="this machine has no quick checksums: a thread sees to them")
async def test_what_was_cached_before_a_restart_is_verified_without_waiting_for_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = noise(8 * MIB)
    waited: list[int] = []
    read = CachedFile.read

    def spy(self: CachedFile, start: int, end: int, now_ns: int) -> tuple[memoryview | None, list[Piece]]:
        waited.append(start)
        return read(self, start, end, now_ns)

    async with bench(tmp_path, body) as b:
        async with b.contents() as contents:
            assert await b.read_all(contents) == body
        monkeypatch.setattr(CachedFile, "read", spy)
        async with b.contents() as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            for start in range(0, len(body), 128 * 1024):
                assert await read_as_mount(reader, start, 128 * 1024) == body[start : start + 128 * 1024]
                await settled(contents)
            file = open_files(contents)[0].file
            assert file
            now = file.read_now(0, 10, 0)
            assert now is None or all(piece.running is not None for piece in file.pieces())
            assert now is None or not waited, "None where the file system cannot say what is in memory"
            reader.close()


@pytest.mark.logs
async def test_damage_that_a_sequential_read_finds_is_repaired(tmp_path: Path) -> None:
    body = noise(24 * MIB)
    async with bench(tmp_path, body) as b:
        async with b.contents() as contents:
            assert await b.read_all(contents) == body
        for place in range(MIB, len(body), 5 * MIB):
            overwrite(data_files(b.directory)[0], place, b"damage")
        async with b.contents() as contents:
            assert await b.read_all(contents) == body
            assert contents.cached_bytes(CONTENT) == len(body)


async def test_order_of_reading_survives_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        first, second = content("1"), content("2")
        async with b.contents() as contents:
            for each in (first, second, first):
                await b.read_all(contents, each)
                await settled(contents)
        async with b.contents(max_size=9 * MIB) as contents:
            await b.read_all(contents, content("3"))
            assert contents.cached_bytes(first) == len(BODY)
            assert contents.cached_bytes(second) < len(BODY)


@pytest.mark.logs
async def test_without_hole_punching_whole_files_are_evicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DataFile, "release_blocks", lambda self, start, end: False)
    async with bench(tmp_path, BODY) as b, b.contents(max_size=3 * MIB) as contents:
        assert await b.read_all(contents) == BODY
        assert contents.use().bytes <= 3 * MIB
        assert sum(path.stat().st_size for path in data_files(b.directory)) <= len(BODY)


@pytest.mark.logs
async def test_some_of_the_disk_stays_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = os.fstatvfs

    class Full:
        f_bavail, f_frsize = 0, 4096

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await b.read_all(contents, content("1"))
        await settled(contents)
        monkeypatch.setattr(os, "fstatvfs", lambda descriptor: Full)
        assert await b.read_all(contents, content("2")) == BODY
        assert contents.use().bytes == 0
        assert len([r for r in caplog.records if r.name.startswith("coursefs")]) == 1
        monkeypatch.setattr(os, "fstatvfs", real)
        assert await b.read_all(contents, content("3")) == BODY
        assert contents.cached_bytes(content("3")) == len(BODY)


@pytest.mark.logs
async def test_a_full_disk_is_a_warning_and_no_failed_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(self: DataFile, start: int, data: memoryview) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        with monkeypatch.context() as patch:
            patch.setattr(DataFile, "write", full)
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            for start in range(0, len(BODY), 128 * 1024):
                assert await reader.read(start, 128 * 1024) == BODY[start : start + 128 * 1024]
            assert contents.cached_bytes(CONTENT) == 0
            spans = sorted(span for span in b.server.ranges[1:] if span)
            assert [span[0] for span in spans] == [0, *(span[1] for span in spans[:-1])], "every byte came once"

            async def everything(request: Request) -> None:
                await request.stream.send_all(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n" + BODY)
                await request.stream.aclose()

            b.server.next.append(everything)
            assert (await contents.probe(content("no length"))).size == len(BODY)
            assert [r.levelname for r in caplog.records if r.name.startswith("coursefs")] == ["WARNING"]
        reader.close()
        assert await b.read_all(contents) == BODY
        assert contents.cached_bytes(CONTENT) == len(BODY)


@pytest.mark.logs
async def test_no_cache_at_all(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents(max_size=0) as contents:
        assert await b.read_all(contents) == BODY
        assert contents.use().bytes == 0


async def test_a_file_system_without_nowait_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.preadv

    def preadv(descriptor: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
        if flags:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return real(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", preadv)
    async with bench(tmp_path, BODY) as b:
        await filled(b)
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY
            assert await b.read_all(contents) == BODY


async def stall(request: Request) -> None:
    await trio.sleep_forever()


async def test_a_cancelled_reader_leaves_nothing_behind(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        b.server.always = stall
        reader = contents.open(CONTENT, version)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reader.read, 0, 10)
                await b.server.asked(2)
                scope.cancel()
        await settled(contents)
        (open_file,) = open_files(contents)
        assert open_file._requests == []
        assert not contents._scheduler._running
        assert open_file.file is not None
        assert open_file.file.in_use == []
        b.server.always = None
        assert await reader.read(0, 10) == BODY[:10]
        reader.close()
        await settled(contents)
        assert open_files(contents) == []


async def test_one_of_two_readers_leaves_and_the_other_is_served(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        go = trio.Event()

        async def late(request: Request) -> None:
            await go.wait()
            await b.server.serve(request)

        b.server.always = late
        got: list[bytes | memoryview] = []

        async def read() -> None:
            got.append(await contents.open(CONTENT, version).read(0, 10))

        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as leaving:
                    leaving.start_soon(contents.open(CONTENT, version).read, 0, 10)
                    await until(lambda: waiting(contents) == 1)
                    nursery.start_soon(read)
                    await until(lambda: waiting(contents) == 2)
                    scope.cancel()
            go.set()
        assert got == [BODY[:10]]
        assert len(b.server.requests) == 2


async def test_closing_gives_read_ahead_up(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        await reader.read(0, 128 * 1024)
        b.server.always = stall
        await reader.read(128 * 1024, 128 * 1024)
        (open_file,) = open_files(contents)
        assert open_file._requests
        reader.close()
        reader.close()
        await settled(contents)
        assert open_files(contents) == []
        with pytest.raises(ValueError, match="closed"):
            await reader.read(0, 1)


async def test_a_jump_is_served_though_read_ahead_holds_the_only_slot(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents(streams=1) as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        await reader.read(0, 128 * 1024)
        b.server.next.append(stall)  # what is fetched ahead
        await reader.read(128 * 1024, 128 * 1024)
        await b.server.asked(3)
        assert await reader.read(3 * MIB, 10) == BODY[3 * MIB : 3 * MIB + 10]


async def test_a_read_takes_the_only_slot_from_the_read_ahead_of_another_reader(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents(streams=1, read_timeout=5.0) as contents:
        version = await contents.probe(CONTENT)
        reader = contents.open(CONTENT, version)
        await reader.read(0, 128 * 1024)
        b.server.next.append(stall)  # the read-ahead
        await reader.read(128 * 1024, 128 * 1024)
        await b.server.asked(3)
        other = contents.open(CONTENT, version)
        assert await other.read(3 * MIB, 10) == BODY[3 * MIB : 3 * MIB + 10]


async def test_two_jumps_later_the_old_read_ahead_is_cancelled(tmp_path: Path) -> None:
    async with bench(tmp_path, noise(40 * MIB)) as b, b.contents() as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        await reader.read(0, 128 * 1024)
        b.server.next.append(stall)
        await reader.read(128 * 1024, 128 * 1024)
        await b.server.asked(3)
        (open_file,) = open_files(contents)
        await reader.read(20 * MIB, 10)
        assert [fetch.start for fetch in open_file._requests if fetch.start < MIB] == [256 * 1024]
        await reader.read(30 * MIB, 10)
        await settled(contents)
        assert open_file._requests == []


async def test_stalled_reads_do_not_delay_cached_ones(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents(read_timeout=20) as contents:
        await b.read_all(contents)
        b.server.always = stall
        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(contents.open(content(f"stalled {number}"), Version(len(BODY))).read, 0, 10)
            await until(lambda: waiting(contents) == 40)
            assert await b.read_all(contents) == BODY
            nursery.cancel_scope.cancel()


async def test_reads_while_the_engine_closes_fail(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, trio.open_nursery() as nursery:
        errors: list[Exception] = []

        async def read(contents: Contents, version: Version) -> None:
            try:
                await contents.open(CONTENT, version).read(0, 10)
            except CoursefsError as error:
                errors.append(error)

        async with b.contents() as contents:
            version = await contents.probe(CONTENT)
            b.server.always = stall
            nursery.start_soon(read, contents, version)
            await b.server.asked(2)
        await until(lambda: errors)
        assert [type(error) for error in errors] == [CoursefsError]
        with pytest.raises(CoursefsError, match="closed"):
            await contents.probe(content("another"))


async def test_what_is_cached_is_served_after_a_deadline(tmp_path: Path) -> None:
    body = noise(40 * MIB)  # more than is read ahead
    async with bench(tmp_path, body) as b:
        async with b.contents() as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            assert await reader.read(0, 2 * MIB) == body[: 2 * MIB]
        b.server.always = stall
        async with b.contents(read_timeout=0.5) as contents:
            reader = contents.open(CONTENT, await contents.probe(CONTENT))
            with pytest.raises(NoAnswer):
                await reader.read(0, len(body))
            assert await reader.read(0, 2 * MIB) == body[: 2 * MIB]
