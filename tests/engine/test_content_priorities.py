"""Priorities: which requests are served first, what is read ahead, and how much of it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.content import Progress
from coursefs.content.overflow import MOST_OVERFLOW
from coursefs.content.ranges import Range
from coursefs.content.scheduler import Priority
from coursefs.errors import CoursefsError, Gone
from tests.engine.content_bench import CONTENT, MIB, bench, content, noise, open_files, read_as_mount, settled, until
from tests.engine.content_server import Request

KIB = 2**10
BODY = noise(4 * MIB + 777)


def fetched(ranges: list[tuple[int, int] | None]) -> int:
    return sum(span[1] - span[0] for span in ranges if span)


async def test_prefetch_caches_everything_and_reports_progress(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        told: list[Progress] = []
        await contents.prefetch(CONTENT, told.append)
        assert contents.cached_bytes(CONTENT) == len(BODY)
        assert [told[0].chunk, told[0].done, told[-1].done] == [0, 0, len(BODY)]
        assert sum(each.chunk for each in told) == len(BODY)
        assert [each.done for each in told] == sorted({each.done for each in told}), "only when there is more"
        assert {(each.total, each.name) for each in told} == {(len(BODY), CONTENT.remote.identity)}
        asked = len(b.server.requests)
        await contents.prefetch(CONTENT)
        assert await b.read_all(contents) == BODY
        assert len(b.server.requests) == asked
        await settled(contents)
        assert open_files(contents) == []


async def test_prefetch_of_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, b"") as b, b.contents() as contents:
        told: list[Progress] = []
        await contents.prefetch(CONTENT, told.append)
        assert told == [Progress(0, 0, 0, CONTENT.remote.identity)]


async def test_prefetch_goes_on_where_it_was(tmp_path: Path) -> None:
    body = noise(24 * MIB)
    async with bench(tmp_path, body) as b, b.contents() as contents:
        await contents.probe(CONTENT)
        with trio.CancelScope() as scope:

            def stop(progress: Progress) -> None:
                if progress.done >= 2 * MIB:
                    scope.cancel()

            await contents.prefetch(CONTENT, stop)
        await settled(contents)
        assert open_files(contents) == []
        had, asked = contents.cached_bytes(CONTENT), len(b.server.requests)
        assert 2 * MIB <= had < len(body)
        await contents.prefetch(CONTENT)
        assert fetched(b.server.ranges[asked:]) == len(body) - had


@pytest.mark.logs
@pytest.mark.parametrize("max_size", [0, 5 * MIB])
async def test_prefetch_of_more_than_the_cache_can_keep(tmp_path: Path, max_size: int) -> None:
    async with bench(tmp_path, noise(12 * MIB)) as b, b.contents(max_size=max_size) as contents:
        with pytest.raises(CoursefsError, match="no room"):
            await contents.prefetch(CONTENT)
        assert fetched(b.server.ranges) <= 12 * MIB + 1, "nothing twice"
        await settled(contents)
        assert contents._context.overflow.used == 0


@pytest.mark.logs
async def test_prefetch_of_what_is_in_memory_because_the_cache_is_full_ends(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY[: 300 * KIB]) as b, b.contents(max_size=0) as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        assert await reader.read(0, 300 * KIB) == b.server.body
        await settled(contents)
        asked = len(b.server.requests)
        with trio.fail_after(20), pytest.raises(CoursefsError, match="no room"):
            await contents.prefetch(CONTENT)
        assert len(b.server.requests) == asked
        reader.close()


async def test_prefetch_of_a_file_that_is_gone(tmp_path: Path) -> None:
    async def gone(request: Request) -> None:
        await request.send(404, {}, b"")

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await contents.probe(CONTENT)
        b.server.always = gone
        with pytest.raises(Gone):
            await contents.prefetch(CONTENT)


async def test_a_reader_goes_before_prefetch(tmp_path: Path) -> None:
    async def stall(request: Request) -> None:
        await trio.sleep_forever()

    async with bench(tmp_path, noise(60 * MIB)) as b, b.contents() as contents:
        for name in "12":
            await contents.probe(content(name))
        async with trio.open_nursery() as nursery:
            b.server.always = stall
            nursery.start_soon(contents.prefetch, content("1"))
            await b.server.asked(7)
            b.server.always = None
            for name in "12":
                reader = contents.open(content(name), await contents.probe(content(name)))
                assert await reader.read(40 * MIB, 4096) == b.server.body[40 * MIB : 40 * MIB + 4096]
                reader.close()
            nursery.cancel_scope.cancel()


async def test_a_read_takes_the_slot_of_the_farthest_read_ahead(tmp_path: Path) -> None:
    """A read finds all slots of its file taken, two of them by read-ahead: the farther one of these is given up.

    Without that the read waits until some other request ends, which over a slow link takes longer than its timeout.
    Were the nearer one given up, the bytes that are needed next would come last.
    """

    async def stall(request: Request) -> None:
        await trio.sleep_forever()

    async with bench(tmp_path, noise(60 * MIB)) as b, b.contents(streams=3) as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        await reader.read(0, 4 * KIB)
        await settled(contents)
        (file,) = open_files(contents)
        owner, before = object(), len(b.server.requests)
        b.server.always = stall
        near = file.start(Range(10 * MIB, 11 * MIB), owner, Priority.AHEAD)
        far = file.start(Range(40 * MIB, 41 * MIB), owner, Priority.AHEAD)
        urgent = file.start(Range(50 * MIB, 51 * MIB), owner, Priority.READ)
        await b.server.asked(before + 3)
        b.server.always = None
        with trio.fail_after(20):
            assert await reader.read(20 * MIB, 4 * KIB) == b.server.body[20 * MIB : 20 * MIB + 4 * KIB]
        assert [one.scope.cancel_called for one in (near, far, urgent)] == [False, True, False]
        file.cancel_requests(owner)
        reader.close()
        await settled(contents)


async def test_a_read_takes_a_slot_and_no_place_in_the_queue(tmp_path: Path) -> None:
    """Two reads come at once, and the farthest read-ahead is only queued: each read gets the slot of one that runs.

    To give up a request that holds no slot frees none, and the reads would wait until their timeout.
    """

    async def stall(request: Request) -> None:
        await trio.sleep_forever()

    async with bench(tmp_path, noise(60 * MIB)) as b, b.contents(streams=3) as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        await reader.read(0, 4 * KIB)
        await settled(contents)
        (file,) = open_files(contents)
        owner, before = object(), len(b.server.requests)
        b.server.always = stall
        ahead = [file.start(Range(at * MIB, (at + 1) * MIB), owner, Priority.AHEAD) for at in (10, 15, 40, 45)]
        waiting = file.start(Range(50 * MIB, 51 * MIB), owner, Priority.READ)
        await b.server.asked(before + 3)
        assert [one.queued.runs for one in (*ahead, waiting)] == [True, True, False, False, True]
        b.server.always = None
        reads = [file.start(Range(at * MIB, (at + 1) * MIB), owner, Priority.READ) for at in (20, 25)]
        with trio.fail_after(20):
            for one in reads:
                await one.wait(one.end, owner)
        assert [one.scope.cancel_called for one in ahead] == [True, True, False, False]
        file.cancel_requests(owner)
        reader.close()
        await settled(contents)


async def test_fifty_thumbnails_are_not_fifty_downloads(tmp_path: Path) -> None:
    async with bench(tmp_path, noise(20 * MIB)) as b, b.contents() as contents:

        async def look(name: str) -> None:
            reader = contents.open(content(name), await contents.probe(content(name)))
            for offset in (0, 4 * KIB, 8 * KIB, 64 * KIB):
                await reader.read(offset, 4 * KIB)
            reader.close()

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(look, str(number))
        await settled(contents)
        assert fetched(b.server.ranges) <= 50 * (512 * KIB + 1)


def film(*, index: int, size: int) -> bytes:
    """An MP4 of which nothing but the boxes is right; its index comes last."""
    ftyp = (32).to_bytes(4, "big") + b"ftyp" + bytes(24)
    mdat = size - len(ftyp) - index
    return (
        ftyp
        + mdat.to_bytes(4, "big")
        + b"mdat"
        + noise(mdat - 8)
        + index.to_bytes(4, "big")
        + b"moov"
        + noise(index - 8)
    )


async def test_the_index_of_a_film_is_fetched_as_soon_as_its_head_is_read(tmp_path: Path) -> None:
    body = film(index=300 * KIB, size=20 * MIB)
    async with bench(tmp_path, body) as b, b.contents() as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        assert await reader.read(0, 4 * KIB) == body[: 4 * KIB]
        await b.server.asked(3)
        assert b.server.ranges[1:] == [(0, 256 * KIB), (20 * MIB - 300 * KIB, 20 * MIB)]
        await until(lambda: contents.cached_bytes(CONTENT) == 556 * KIB)
        for offset in range(len(body) - 300 * KIB, len(body), 64 * KIB):
            assert await reader.read(offset, 64 * KIB) == body[offset : offset + 64 * KIB]
        await settled(contents)
        assert fetched(b.server.ranges) < MIB, "what a probe costs"
        reader.close()


@pytest.mark.parametrize(
    ("size", "streams", "least", "most"),
    [(256 * KIB, 6, 1, 1), (4 * MIB, 6, 3, 4), (4 * MIB, 2, 1, 2), (4 * MIB, 1, 1, 1)],
)
async def test_a_first_read_of_a_large_file_opens_connections_ahead(
    tmp_path: Path, size: int, streams: int, least: int, most: int
) -> None:
    async with bench(tmp_path, noise(size)) as it, it.contents(streams=streams) as contents:
        version = await contents.probe(CONTENT)
        reader = contents.open(CONTENT, version)
        await reader.read(0, 4 * KIB)
        await until(lambda: it.server.connections >= least)
        await reader.read(0, 4 * KIB)
        reader.close()
        await settled(contents)
        assert it.server.connections <= most  # the first request may have taken its own already


async def test_the_media_index_is_not_dropped_when_the_reader_jumps(tmp_path: Path) -> None:
    body = film(index=300 * KIB, size=20 * MIB)
    async with bench(tmp_path, body) as b, b.contents() as contents:
        go = trio.Event()

        async def late(request: Request) -> None:
            if request.range and request.range[0] > 19 * MIB:
                await go.wait()
            await b.server.serve(request)

        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        b.server.always = late
        for offset in (0, 5 * MIB, 10 * MIB, 15 * MIB):
            await reader.read(offset, 4 * KIB)
        go.set()
        before = len(b.server.requests)
        assert await reader.read(len(body) - 10, 10) == body[-10:]
        assert len(b.server.requests) == before
        reader.close()


@pytest.mark.logs
async def test_without_a_cache_ten_readers_share_a_budget_of_memory(tmp_path: Path) -> None:
    body = noise(10 * MIB)
    async with bench(tmp_path, body) as b, b.contents(max_size=0) as contents:
        most = 0

        async def read(name: str) -> None:
            nonlocal most
            reader = contents.open(content(name), await contents.probe(content(name)))
            for start in range(0, len(body), 128 * KIB):
                assert await read_as_mount(reader, start, 128 * KIB) == body[start : start + 128 * KIB]
                most = max(most, contents._context.overflow.used)
            reader.close()

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(read, str(number))
        assert 0 < most <= MOST_OVERFLOW
        assert fetched(b.server.ranges) < 10 * len(body) * 1.25, (
            "what was fetched ahead was not lost before it was read"
        )
        await settled(contents)
        assert contents._context.overflow.used == 0


async def test_reads_that_need_no_plan_count_for_the_read_ahead_that_follows(tmp_path: Path) -> None:
    async with bench(tmp_path, noise(40 * MIB)) as b, b.contents() as contents:
        await contents.prefetch_beginning(CONTENT, 26 * MIB)
        asked = len(b.server.requests)
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        for start in range(0, 9 * MIB, 128 * KIB):  # the first two MiB without a plan: so much is cached after them
            assert await read_as_mount(reader, start, 128 * KIB) == b.server.body[start : start + 128 * KIB]
        await settled(contents)
        assert b.server.ranges[asked:], "a program that has read 9 MiB goes on"
        assert [span for span in b.server.ranges[asked:] if span and span[0] == 26 * MIB]
        reader.close()


async def test_a_player_that_reads_two_places_alternately_stays_sequential(tmp_path: Path) -> None:
    body = noise(40 * MIB)
    async with bench(tmp_path, body) as b, b.contents() as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        for step in range(0, 10 * MIB, 128 * KIB):  # sound and picture, far from each other
            for place in (step, 20 * MIB + step):
                assert await read_as_mount(reader, place, 128 * KIB) == body[place : place + 128 * KIB]
        assert len(b.server.requests) < 80, "of 160 reads"
        spans = sorted(span for span in b.server.ranges[1:] if span)
        assert all(one[1] <= other[0] for one, other in pairwise(spans)), "nothing comes twice"
        reader.close()
