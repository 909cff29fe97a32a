"""The engine over a thin link: a jump is the next thing that is fetched, and large reads are made page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.content import Contents, Reader
from coursefs.content.link import THIN
from coursefs.content.range_request import RangeRequest
from coursefs.content.scheduler import QueuedRequest
from coursefs.errors import ReadByPages
from tests.engine.content_bench import CONTENT, MIB, Bench, bench, content, noise, settled, until
from tests.engine.content_server import Request
from tests.unit.test_content_thin_link import a_film

KIB = 2**10
PAGE = 4 * KIB
BODY = noise(24 * MIB)


class SlowServer:
    """Sends a body a little at a time, each part when it is told to; it learns that a client has hung up."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.bodies: list[tuple[int, int]] = []  # ranges whose bodies were begun
        self.ended: list[tuple[int, int]] = []  # ranges whose clients hung up, or that were sent whole
        self.may_send = trio.Event()

    def has_begun(self, place: int) -> bool:
        """Whether a body that begins at this offset was begun."""
        return any(start == place for start, _ in self.bodies)

    async def serve(self, request: Request) -> bool:
        assert request.range is not None
        start, end = request.range
        body = self.bench.server.body
        head = {
            "Content-Range": f"bytes {start}-{end - 1}/{len(body)}",
            "Content-Length": str(end - start),
            **self.bench.server.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        self.bodies.append((start, end))
        await request.stream.send_all(f"HTTP/1.1 206 X\r\n{lines}\r\n".encode())
        async with trio.open_nursery() as nursery:

            async def hangs_up() -> None:
                with suppress(trio.BrokenResourceError):
                    await request.stream.receive_some()
                nursery.cancel_scope.cancel()

            nursery.start_soon(hangs_up)
            with suppress(trio.BrokenResourceError):
                while start < end:
                    await self.may_send.wait()
                    await request.stream.send_all(body[start : min(start + PAGE, end)])
                    start += PAGE
            nursery.cancel_scope.cancel()
        self.ended.append((request.range[0], request.range[1]))
        return True


@asynccontextmanager
async def thin(
    folder: Path, body: bytes = BODY, *, rate: float | None = 300e3
) -> AsyncIterator[tuple[Bench, Contents, SlowServer]]:
    """An engine that knows its link already, and a server that sends nothing yet."""
    async with bench(folder, body) as b, b.contents() as contents:
        await contents.probe(CONTENT)
        contents._scheduler.link.rate = rate
        contents._scheduler.link.answered(0.05)
        server = SlowServer(b)
        b.server.always = server.serve
        yield b, contents, server
        server.may_send.set()


async def opened(contents: Contents, *, by_pages: bool = False) -> Reader:
    return contents.open(CONTENT, await contents.probe(CONTENT), by_pages=by_pages)


async def test_a_jump_is_the_next_thing_that_is_fetched(tmp_path: Path) -> None:
    async with thin(tmp_path) as (_, contents, server), trio.open_nursery() as nursery:
        server.may_send.set()
        reader = await opened(contents)
        for start in range(0, 2 * MIB, 128 * KIB):
            assert await reader.read(start, 128 * KIB) == BODY[start : start + 128 * KIB]
        server.may_send = trio.Event()
        await until(lambda: len(server.bodies) > len(server.ended))
        before = [span for span in server.bodies if span not in server.ended]
        got: list[bytes] = []

        async def jump() -> None:
            got.append(bytes(await reader.read(16 * MIB, PAGE)))

        nursery.start_soon(jump)
        await until(lambda: any(start == 16 * MIB for start, _ in server.bodies))
        await until(lambda: all(span in server.ended for span in before))
        running = [span for span in server.bodies if span not in server.ended]
        assert [start for start, _ in running] == [16 * MIB], "nothing else takes a part of the link"
        server.may_send.set()
        await until(lambda: got)
        assert got == [BODY[16 * MIB : 16 * MIB + PAGE]]
        reader.close()
        await settled(contents)


async def test_requests_come_one_after_the_other(tmp_path: Path) -> None:
    async with thin(tmp_path) as (_, contents, server), trio.open_nursery() as nursery:
        reader = await opened(contents)
        for start in range(0, MIB, 128 * KIB):  # as the kernel does: several at once
            nursery.start_soon(reader.read, start, 128 * KIB)
            await trio.testing.wait_all_tasks_blocked()
        await until(lambda: server.bodies)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert [start for start, _ in server.bodies] == [0]
        server.may_send.set()
    starts = [start for start, _ in server.bodies]
    assert starts == sorted(starts)


async def test_two_places_that_are_waited_for_share_the_link(tmp_path: Path) -> None:
    async with thin(tmp_path) as (_, contents, server), trio.open_nursery() as nursery:
        reader, other = await opened(contents), await opened(contents)
        for one, place in ((reader, 0), (other, 4 * MIB), (reader, 12 * MIB)):
            nursery.start_soon(one.read, place, PAGE)
            await until(partial(server.has_begun, place))
        server.may_send.set()


@pytest.mark.parametrize("rate", [None, 2.0 * THIN])
async def test_over_another_link_several_run_at_once(tmp_path: Path, rate: float | None) -> None:
    async with thin(tmp_path, rate=rate) as (_, contents, server), trio.open_nursery() as nursery:
        reader = await opened(contents)
        for start in range(0, MIB, 128 * KIB):
            nursery.start_soon(reader.read, start, 128 * KIB)
        await until(lambda: len(server.bodies) > 1)
        server.may_send.set()


async def test_a_large_read_is_made_page_by_page(tmp_path: Path) -> None:
    async with thin(tmp_path) as (b, contents, server):
        reader = await opened(contents, by_pages=True)
        asked = len(b.server.requests)
        with pytest.raises(ReadByPages):
            await reader.read(8 * MIB, 128 * KIB)
        assert len(b.server.requests) == asked, "what is needed is said by the reads of pages"
        got: list[bytes] = []

        async def read() -> None:
            got.append(bytes(await reader.read(8 * MIB, PAGE)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await until(lambda: server.bodies)
            assert server.bodies[0][0] == 8 * MIB
            server.may_send.set()
        assert got == [BODY[8 * MIB : 8 * MIB + PAGE]]


async def test_the_same_bytes_are_refused_once(tmp_path: Path) -> None:
    """A kernel with large pages repeats a read of more than 4 KiB, and other programs wait for the same pages."""
    async with thin(tmp_path) as (_, contents, server):
        one, other = await opened(contents, by_pages=True), await opened(contents, by_pages=True)
        with pytest.raises(ReadByPages):
            await one.read(8 * MIB, 512 * KIB)
        server.may_send.set()
        at = 8 * MIB + 64 * KIB
        assert await other.read(at, 128 * KIB) == BODY[at : at + 128 * KIB]
        assert await one.read(8 * MIB, 512 * KIB) == BODY[8 * MIB : 8 * MIB + 512 * KIB]


@pytest.mark.parametrize(
    ("rate", "by_pages", "length"),
    [
        (None, True, 512 * KIB),
        (2.0 * THIN, True, 512 * KIB),
        (300e3, False, 512 * KIB),
        (300e3, True, PAGE),
        (3e6, True, 512 * KIB),  # takes less than a fifth of a second
    ],
)
async def test_other_reads_are_answered(tmp_path: Path, rate: float | None, by_pages: bool, length: int) -> None:
    async with thin(tmp_path, rate=rate) as (_, contents, server):
        server.may_send.set()
        reader = await opened(contents, by_pages=by_pages)
        assert await reader.read(8 * MIB, length) == BODY[8 * MIB : 8 * MIB + length]


async def test_cached_bytes_are_read_at_once(tmp_path: Path) -> None:
    async with thin(tmp_path, rate=None) as (_, contents, server):
        server.may_send.set()
        reader = await opened(contents, by_pages=True)
        assert await reader.read(0, 512 * KIB) == BODY[: 512 * KIB]
        contents._scheduler.link.rate = 300e3
        assert await reader.read(0, 512 * KIB) == BODY[: 512 * KIB]


async def test_a_player_that_is_early_leaves_the_link_to_the_background(tmp_path: Path) -> None:
    body = a_film(400_000 // 1000)  # 1000 bytes a second: a machine may stand still for some of them
    async with thin(tmp_path, body, rate=None) as (_, contents, server), trio.open_nursery() as nursery:
        server.may_send.set()
        reader = await opened(contents)
        assert await reader.read(0, len(body)) == body, "the head and the index are cached"
        other = content("another")
        await contents.probe(other)
        await contents.prefetch(CONTENT)
        open_file = reader._open_file
        assert await open_file.cached(0, PAGE) is not None
        contents._scheduler.link.rate = 20e3
        server.may_send = trio.Event()
        nursery.start_soon(contents.prefetch, other)
        await until(lambda: contents._scheduler.has_background)
        await reader.read(PAGE, PAGE)
        assert reader._is_early(len(body)), "minutes of film at once"
        assert not reader._is_early(2 * PAGE)
        server.may_send.set()
        await until(lambda: contents.cached_bytes(other) == len(body) and not contents._scheduler.has_background)
        assert not reader._is_early(len(body)), "nothing wants the link any more"


async def test_a_player_that_comes_back_to_a_place_has_played_up_to_it(tmp_path: Path) -> None:
    """Demuxers go to and fro between two places: what was read before is no film that is still to be played."""
    seconds = 200
    body = a_film(seconds, 8 * MIB)
    rate, place = len(body) // seconds, len(body) // 2 // PAGE * PAGE
    async with thin(tmp_path, body, rate=None) as (_, contents, server), trio.open_nursery() as nursery:
        server.may_send.set()
        reader = await opened(contents)
        assert await reader.read(0, len(body)) == body, "the head and the index are cached"
        reader.close()
        other = content("another")
        await contents.probe(other)
        contents._scheduler.link.rate, contents._scheduler.link._is_quick = 20e3, False
        server.may_send = trio.Event()
        nursery.start_soon(contents.prefetch, other)
        await until(lambda: contents._scheduler.has_background)
        reader = await opened(contents)
        for start in range(0, place, MIB):
            await reader.read(start, min(MIB, place - start))
        assert reader._is_early(place), "half of the film at once"
        await reader.read(len(body) - PAGE, PAGE)
        await reader.read(place, PAGE)
        assert not reader._is_early(place + PAGE)
        assert reader._is_early(place + 60 * rate), "it goes on from there"
        server.may_send.set()


async def test_a_player_waits_for_the_background_only_while_it_is_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with thin(tmp_path) as (_, contents, server), trio.open_nursery() as nursery:
        server.may_send.set()
        reader, other = await opened(contents), content("another")
        await contents.probe(other)
        server.may_send, probed = trio.Event(), len(server.bodies)
        nursery.start_soon(contents.prefetch, other)
        await until(lambda: len(server.bodies) > probed)  # it has the link, and nothing comes
        early_until = trio.current_time() + 0.3
        monkeypatch.setattr(reader, "_early_until", lambda _: early_until)
        nursery.start_soon(reader.read, 8 * MIB, PAGE)
        await until(lambda: server.has_begun(8 * MIB))
        assert trio.current_time() >= early_until
        server.may_send.set()


@pytest.mark.parametrize("rate", [300e3, THIN - 1, THIN])
async def test_what_no_read_waits_for_is_received_a_few_times_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float
) -> None:
    """After each receive of less than 32 KiB but the last one that many may come, or a twentieth of a second go by."""
    body = noise(512 * KIB)
    few = 0
    gathered: list[tuple[int, float, float]] = []

    async def gather(_: RangeRequest, size: int, rate: float, most: float) -> None:
        gathered.append((size, rate, most))

    async with thin(tmp_path, body, rate=None) as (b, contents, server):
        arrived = contents._scheduler.arrived

        def counted(queued: QueuedRequest, size: int, remaining: int) -> None:
            nonlocal few
            few += size < 32 * KIB and remaining > 0
            arrived(queued, size, remaining)
            contents._scheduler.link.rate, contents._scheduler.link._is_quick = rate, False

        monkeypatch.setattr(contents._scheduler, "arrived", counted)
        monkeypatch.setattr(RangeRequest, "gather", gather)
        server.may_send.set()
        await contents.prefetch(CONTENT)
        assert await b.read_all(contents) == body
        assert few, "the server sends 4 KiB at once"
        assert gathered == [(32 * KIB, rate, 0.05)] * (few if rate < THIN else 0)


@pytest.mark.parametrize(("rate", "expected"), [(None, 2 * MIB), (300e3, 256 * KIB), (6e6, 5_898_240), (THIN, 2 * MIB)])
async def test_a_fetch_asks_for_a_second_of_a_thin_link(tmp_path: Path, rate: float | None, expected: int) -> None:
    async with thin(tmp_path, rate=None) as (_, contents, server), trio.open_nursery() as nursery:
        server.may_send.set()
        other = content("another")
        await contents.probe(other)
        contents._scheduler.link.rate = rate
        server.may_send, probed = trio.Event(), len(server.bodies)
        nursery.start_soon(contents.prefetch, other)
        await until(lambda: len(server.bodies) > probed)
        start, end = server.bodies[probed]
        assert (start, end - start) == (0, expected)
        server.may_send.set()


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(None, 16 * KIB), (20e3, 16 * KIB), (300e3, 16 * KIB), (2e6, 40_000), (THIN - 1, 128 * KIB), (THIN, 128 * KIB)],
)
async def test_what_is_worth_an_answer_of_its_own(tmp_path: Path, rate: float | None, expected: int) -> None:
    async with thin(tmp_path, rate=rate) as (_, contents, server):
        reader = await opened(contents)
        assert await reader.soon(5, 128 * KIB) == expected
        assert await reader.soon(5, PAGE) == PAGE, "never more than was asked for"
        assert await reader.soon(len(BODY) - 9, 20) == 20, "the end is found by reading"
        server.may_send.set()
        await reader.read(0, 200 * KIB)
        contents._scheduler.link.rate = rate
        assert await reader.soon(5, 128 * KIB) == 128 * KIB, "all that is there"


async def nothing(*_: object) -> int:
    """Nothing is there yet."""
    return 0


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 0.02), (3.0, 0.06), (10.0, 0.2), (25.0, 0.5), (900.0, 0.5)])
async def test_a_reader_that_reads_on_gets_more_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, expected: float
) -> None:
    """A fiftieth of the seconds for which it has read on, and half a second at most; after a jump little again."""
    async with thin(tmp_path, rate=None) as (_, contents, server):
        server.may_send.set()
        reader = await opened(contents)
        await reader.read(0, 16 * KIB)
        assert reader._playing is not None
        now = reader._playing.began + seconds
        contents._scheduler.link.rate, contents._scheduler.link._is_quick = 300e3, False
        monkeypatch.setattr(reader._open_file, "ready", nothing)
        monkeypatch.setattr("coursefs.content.reader.trio.current_time", lambda: now)
        assert reader._patience(16 * KIB) == pytest.approx(expected)
        at_once = await reader.soon(16 * KIB, 128 * KIB)
        assert at_once == pytest.approx(min(max(expected * 300e3, 16 * KIB), 128 * KIB), abs=1)
        for place in (0, MIB):
            assert (reader._patience(place), await reader.soon(place, 128 * KIB)) == (0.02, 16 * KIB), "it jumps"
        monkeypatch.undo()
