"""The engine against misbehaving servers, over real sockets."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.content import Content
from coursefs.content.range_response import CompressedPart, PageInstead
from coursefs.errors import (
    BadReply,
    CaptivePortal,
    CoursefsError,
    Gone,
    NoAnswer,
    NotAllowed,
    RefusedByServer,
    Stale,
    Unreachable,
)
from coursefs.model import Source, Version
from tests.engine.content_bench import CONTENT, MIB, bench, content, noise, open_files, settled, until, waiting
from tests.engine.content_server import Handler, Request, Server

BODY = noise(3 * MIB + 777)
MEDIA = {"ETag": '"one"', "Content-Type": "video/mp4"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Do not back off between attempts; returns the `Retry-After` values that were obeyed."""
    asked: list[float | None] = []

    def pause(attempt: int, retry_after: float | None, jitter: float) -> float:
        asked.append(retry_after)
        return 0.0 if retry_after is None or retry_after < 10 else retry_after

    monkeypatch.setattr("coursefs.content.retries.pause", pause)
    return asked


def answer(status: int, body: bytes = b"", **headers: str) -> Handler:
    async def handler(request: Request) -> None:
        await request.send(status, {name.replace("_", "-").title(): value for name, value in headers.items()}, body)

    return handler


async def hang_up(request: Request) -> bool:
    return True


async def whole(request: Request) -> None:
    await request.send(200, MEDIA, BODY)


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 1), (0, 4096), (MIB - 5, 10), (len(BODY) - 10, 10), (len(BODY) - 10, 99), (len(BODY), 5), (99 * MIB, 1)],
)
async def test_exactly_the_bytes_asked_for(tmp_path: Path, offset: int, length: int) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        assert version == Version(len(BODY), '"one"')
        reader = contents.open(CONTENT, version)
        assert await reader.read(offset, length) == BODY[offset : offset + length]
        reader.close()
        assert b.server.ranges[0] == (0, 1)
        assert all(span for span in b.server.ranges)


async def test_one_read_of_everything(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        assert await reader.read(0, len(BODY)) == BODY


async def test_read_sequentially_every_byte_comes_once(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        assert await b.read_all(contents) == BODY
        spans = sorted(span for span in b.server.ranges[1:] if span)
        assert [span[0] for span in spans] == [0, *(span[1] for span in spans[:-1])]
        assert contents.cached_bytes(CONTENT) == len(BODY)
        asked = len(b.server.requests)
        assert await b.read_all(contents) == BODY
        assert len(b.server.requests) == asked


async def test_everyone_who_wants_the_same_bytes_waits_for_one_request(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        go = trio.Event()

        async def late(request: Request) -> None:
            await go.wait()
            await b.server.serve(request)

        b.server.always = late
        got: list[bytes] = []

        async def read(offset: int) -> None:
            got.append(bytes(await contents.open(CONTENT, version).read(offset, 4096)))

        async with trio.open_nursery() as nursery:
            for offset in [0, 100, 4096, 8192] * 5:
                nursery.start_soon(read, offset)
            await until(lambda: waiting(contents) == 20)
            go.set()
        assert sorted(got) == sorted(BODY[offset : offset + 4096] for offset in [0, 100, 4096, 8192] * 5)
        assert b.server.ranges[1:] == [(0, 256 * 1024)]


async def test_a_read_is_answered_when_its_own_bytes_are_there(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        go = trio.Event()

        async def slowly(request: Request) -> None:
            assert request.range
            start, end = request.range
            head = f'HTTP/1.1 206 X\r\nETag: "one"\r\nContent-Range: bytes {start}-{end - 1}/{len(BODY)}\r\n'
            await request.stream.send_all(f"{head}Content-Length: {end - start}\r\n\r\n".encode() + BODY[start:9000])
            await go.wait()
            await request.stream.send_all(BODY[9000:end])

        b.server.next.append(slowly)
        reader = contents.open(CONTENT, version)
        assert await reader.read(0, 4096) == BODY[:4096]
        assert await reader.read(4096, 4096) == BODY[4096:8192]
        assert contents.cached_bytes(CONTENT) == 0
        go.set()
        assert await reader.read(8192, 4096) == BODY[8192:12288]
        assert b.server.ranges[1] == (0, 256 * 1024)


async def test_no_ranges_the_beginning_of_a_film_does_not_bring_all_of_it(tmp_path: Path) -> None:
    """Its index lies at the end, which comes after everything else."""
    film = (16).to_bytes(4, "big") + b"ftypisom0000" + (len(BODY) - 116).to_bytes(4, "big") + b"mdat" + BODY
    film = film[: len(BODY) - 100] + (100).to_bytes(4, "big") + b"moov" + bytes(92)
    async with bench(tmp_path, film) as b, b.contents() as contents:
        await contents.probe(CONTENT)

        async def endless(request: Request) -> None:
            head = f'HTTP/1.1 200 X\r\nETag: "one"\r\nContent-Length: {len(film)}\r\n\r\n'
            await request.stream.send_all(head.encode() + film[: 2 * MIB + 4096])
            await trio.sleep_forever()

        b.server.always = endless
        with trio.fail_after(20):
            assert not await contents.prefetch_beginning(CONTENT, 2 * MIB)
        assert MIB <= contents.cached_bytes(CONTENT) < len(film)
        assert len(b.server.requests) <= 3


async def test_the_beginning_of_a_film_and_its_index(tmp_path: Path) -> None:
    film = (16).to_bytes(4, "big") + b"ftypisom0000" + (len(BODY) - 116).to_bytes(4, "big") + b"mdat" + BODY
    film = film[: len(BODY) - 100] + (100).to_bytes(4, "big") + b"moov" + bytes(92)
    async with bench(tmp_path, film) as b, b.contents() as contents:
        assert await contents.prefetch_beginning(CONTENT, MIB)
        assert contents.cached_bytes(CONTENT) == MIB
        asked = len(b.server.requests)
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        assert await reader.read(len(film) - 100, 100) == film[-100:]
        assert bytes(await reader.read(MIB - 4096, 3996)) == film[MIB - 4096 : MIB - 100]
        reader.close()
        assert len(b.server.requests) == asked


async def test_no_ranges_the_body_is_streamed_once(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.always = whole
        version = await contents.probe(CONTENT)
        assert version.size == len(BODY)
        go = trio.Event()

        async def slowly(request: Request) -> None:
            head = f'HTTP/1.1 200 X\r\nETag: "one"\r\nContent-Length: {len(BODY)}\r\n\r\n'
            await request.stream.send_all(head.encode() + BODY[:MIB])
            await go.wait()
            await request.stream.send_all(BODY[MIB:])

        b.server.next.append(slowly)
        reader = contents.open(CONTENT, version)
        assert await reader.read(MIB - 4096, 4096) == BODY[MIB - 4096 : MIB]
        assert await reader.read(0, 4096) == BODY[:4096]
        async with trio.open_nursery() as nursery:
            tail: list[bytes | memoryview] = []

            async def read_tail() -> None:
                tail.append(await reader.read(len(BODY) - 10, 10))

            nursery.start_soon(read_tail)
            await until(lambda: waiting(contents) == 1)
            assert tail == []
            go.set()
        assert tail == [BODY[-10:]]
        assert await b.read_all(contents) == BODY
        assert len(b.server.requests) == 2


async def test_no_ranges_a_fetch_goes_on_when_the_reader_that_it_relied_on_is_closed(tmp_path: Path) -> None:
    """The reader's response brings the whole file, so the fetch leaves its bytes to it; then the player is closed."""
    body = BODY[: MIB + 500_000]
    fetching, published = trio.Event(), trio.Event()

    async def for_the_reader(request: Request) -> None:
        await fetching.wait()
        head = f'HTTP/1.1 200 X\r\nETag: "one"\r\nContent-Length: {len(body)}\r\n\r\n'
        await request.stream.send_all(head.encode() + body[: MIB + 4096])
        await trio.sleep_forever()

    async def for_the_fetch(request: Request) -> None:
        fetching.set()
        await published.wait()
        await request.send(200, MEDIA, body)

    async with bench(tmp_path, body) as b, b.contents() as contents:
        b.server.always = answer(200, body, etag='"one"', content_type="video/mp4")
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        b.server.next.extend([for_the_reader, for_the_fetch])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader.read, 0, 4096)
            await b.server.asked(2)
            nursery.start_soon(contents.prefetch, CONTENT)
            await until(lambda: contents.cached_bytes(CONTENT) == MIB)
            published.set()
            await until(lambda: len(open_files(contents)[0].requests) == 1)
            reader.close()
        assert contents.cached_bytes(CONTENT) == len(body)


async def test_no_ranges_and_many_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.always = whole
        version = await contents.probe(CONTENT)

        async def read(offset: int) -> None:
            assert await contents.open(CONTENT, version).read(offset, 5000) == BODY[offset : offset + 5000]

        async with trio.open_nursery() as nursery:
            for offset in range(0, len(BODY), 300_000):
                nursery.start_soon(read, offset)
        # all reads before the first answer were answered as well; none begins again after that
        assert len([r for r in b.server.requests if r.range != (0, 1)]) <= 7


async def test_no_ranges_and_a_reset_in_the_middle(tmp_path: Path) -> None:
    async def broken(request: Request) -> bool:
        await request.send(200, MEDIA, BODY[: 2 * MIB + 5], length=len(BODY))
        return True

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        b.server.always = whole
        b.server.next.append(broken)
        assert await contents.open(CONTENT, version).read(0, len(BODY)) == BODY
        assert b.server.ranges[2] == (2 * MIB + 5, len(BODY)), "a server with ranges could go on from there"


@pytest.mark.parametrize("size", [0, 1, 40_000, len(BODY)])
async def test_no_length_the_body_is_cached_by_the_probe(tmp_path: Path, size: int) -> None:
    async def unknown(request: Request) -> None:
        await request.stream.send_all(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, size, 100_000):
            part = BODY[start : min(start + 100_000, size)]
            await request.stream.send_all(b"%x\r\n%b\r\n" % (len(part), part))
        await request.stream.send_all(b"0\r\n\r\n")

    async with bench(tmp_path, BODY) as b:
        b.server.always = unknown
        async with b.contents() as contents:
            assert await contents.probe(CONTENT) == Version(size)
            assert contents.cached_bytes(CONTENT) == size
            assert await b.read_all(contents) == BODY[:size]
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY[:size]
        assert len(b.server.requests) == 1


async def test_a_short_whole_body_is_cached_by_the_probe(tmp_path: Path) -> None:
    async with bench(tmp_path, b"1\n00:00") as b, b.contents() as contents:
        b.server.always = answer(200, b"1\n00:00", content_type="text/plain")
        assert await b.read_all(contents) == b"1\n00:00"
        assert len(b.server.requests) == 1


async def test_an_empty_file(tmp_path: Path) -> None:
    async with bench(tmp_path, b"") as b, b.contents() as contents:
        assert (await contents.probe(CONTENT)).size == 0
        assert await b.read_all(contents) == b""


async def test_short_parts_are_resumed(tmp_path: Path) -> None:
    async def short(request: Request) -> None:
        assert request.range
        start = request.range[0]
        end = min(start + 100_000, request.range[1])
        await request.send(206, {**MEDIA, "Content-Range": f"bytes {start}-{end - 1}/{len(BODY)}"}, BODY[start:end])

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        b.server.always = short
        assert await contents.open(CONTENT, version).read(0, 250_000) == BODY[:250_000]
        assert [span[0] for span in b.server.ranges[1:] if span] == [0, 100_000, 200_000]


async def test_a_broken_body_is_resumed(tmp_path: Path) -> None:
    async def broken(request: Request) -> bool:
        assert request.range
        start, end = request.range
        part = {"Content-Range": f"bytes {start}-{end - 1}/{len(BODY)}"}
        await request.send(206, {**MEDIA, **part}, BODY[start : start + 100_000], length=end - start)
        return True

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        b.server.next.append(broken)
        assert await contents.open(CONTENT, version).read(0, 250_000) == BODY[:250_000]
        assert b.server.ranges[1:] == [(0, 262144), (100_000, 262144)]


@pytest.mark.parametrize(
    "fault",
    [
        hang_up,
        answer(500),
        answer(503, retry_after="1", content_type="text/html"),
        answer(429),
        answer(421),
        answer(507),
        answer(520),
        answer(530),
        answer(599),
    ],
)
async def test_faults_that_pass(tmp_path: Path, fault: Handler) -> None:
    async def twice(request: Request) -> bool:
        return bool(await fault(request)) or True

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.next.extend([hang_up, hang_up])
        version = await contents.probe(CONTENT)
        b.server.next.extend([twice, twice])
        assert await contents.open(CONTENT, version).read(0, 5000) == BODY[:5000]
        assert len(b.server.requests) == 6


async def test_retry_after_is_obeyed(tmp_path: Path, impatient: list[float | None]) -> None:
    async with bench(tmp_path, BODY) as b, b.contents(read_timeout=5) as contents:
        b.server.next.append(answer(429, retry_after="3600"))
        with pytest.raises(NoAnswer, match="429"):
            await contents.probe(CONTENT)
        assert impatient == [3600.0]
        assert len(b.server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error", "requests"),
    [
        (hang_up, Unreachable, 6),
        (answer(500), BadReply, 6),
        (answer(503), NoAnswer, 6),
        (answer(404), Gone, 1),
        (answer(410), Gone, 1),
        (answer(403), RefusedByServer, 2),
        (answer(401), RefusedByServer, 2),
        (answer(400), BadReply, 1),
        (answer(200, b"<html>", content_type="text/html"), CaptivePortal, 2),
        (answer(206, b"<html>", content_range=f"bytes 0-5/{len(BODY)}", content_type="text/html"), PageInstead, 2),
        (answer(206, b"12345"), BadReply, 1),
        (answer(206, b"12345", content_range=f"bytes 7-11/{len(BODY)}"), BadReply, 1),
        (answer(206, b"12345", content_range=f"bytes 0-4/{len(BODY)}", content_encoding="gzip"), CompressedPart, 2),
        (answer(416), BadReply, 1),
        (answer(416, content_range=f"bytes */{len(BODY)}"), BadReply, 1),
    ],
)
async def test_faults_that_do_not_pass(
    tmp_path: Path, fault: Handler, error: type[CoursefsError], requests: int
) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        b.server.always = fault
        reader = contents.open(CONTENT, version)
        with pytest.raises(error) as raised:
            await reader.read(0, 5000)
        assert type(raised.value) is error
        # a request that a connection that lay idle does not answer is made by another one at once
        idle = 4 if fault is hang_up else 0
        assert 1 + requests <= len(b.server.requests) <= 1 + requests + idle
        assert contents.cached_bytes(CONTENT) == 0
        b.server.always = None
        assert await reader.read(0, 5000) == BODY[:5000], "the next read tries again"
        b.server.always = fault
        with pytest.raises(error):
            await contents.probe(content("another"))
        assert contents.cached_bytes(content("another")) == 0


async def test_an_empty_file_whose_server_has_no_first_byte_of_it(tmp_path: Path) -> None:
    """Open edX answers a request for the first byte of an empty file with 416, without a size."""

    async def empty(request: Request) -> None:
        await request.send(*((416, {}, b"") if "range" in request.headers else (200, {"Content-Length": "0"}, b"")))

    async with bench(tmp_path, b"") as b, b.contents() as contents:
        b.server.always = empty
        version = await contents.probe(CONTENT)
        assert version.size == 0
        assert len(b.server.requests) == 2
        reader = contents.open(CONTENT, version)
        assert await reader.read(0, 5000) == b""


async def test_a_server_that_does_not_listen(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.source = Source("http://127.0.0.1:1/video.mp4")
        with pytest.raises(Unreachable):
            await contents.probe(CONTENT)


async def test_a_stall_ends_at_the_deadline(tmp_path: Path) -> None:
    async def stall(request: Request) -> None:
        await trio.sleep_forever()

    async with bench(tmp_path, BODY) as b:
        b.server.always = stall
        async with b.contents(read_timeout=0.05) as contents:
            reader = contents.open(CONTENT, Version(len(BODY)))
            with pytest.raises(NoAnswer):
                await reader.read(0, 10)
            with pytest.raises(NoAnswer):
                await contents.probe(content("another"))
            reader.close()


async def test_a_read_repeated_at_once_does_not_wait_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel does after its own read-ahead has failed."""

    async def stall(request: Request) -> None:
        await trio.sleep_forever()

    async with bench(tmp_path, BODY) as b:
        b.server.always = stall
        async with b.contents(read_timeout=0.5) as contents:
            reader = contents.open(CONTENT, Version(len(BODY)))
            other = contents.open(CONTENT, Version(len(BODY)))
            with pytest.raises(NoAnswer):
                await reader.read(0, 131_072)
            asked = len(b.server.requests)
            for each in (reader, other):
                begun = trio.current_time()
                with pytest.raises(NoAnswer):
                    await each.read(0, 4096)
                assert trio.current_time() - begun < 0.4
            assert len(b.server.requests) == asked
            b.server.always = None
            assert await other.read(2 * MIB, 10) == BODY[2 * MIB : 2 * MIB + 10], "other bytes have their own time"
            monkeypatch.setattr("coursefs.content.failed_reads._SAME", 0.0)
            assert await reader.read(0, 10) == BODY[:10], "a later read begins again"
            reader.close()
            other.close()


async def test_a_refused_url_is_renewed_once_and_asked_for_the_same(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        b.server.next.append(answer(403, b"<Error>", content_type="application/xml"))
        assert await contents.open(CONTENT, version).read(0, 10) == BODY[:10]
        assert b.found == [False, True]
        assert b.server.ranges[1:] == [(0, 262144), (0, 262144)]


async def test_a_url_is_renewed_before_it_expires(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.source = Source(b.server.url, expires=time.time() + 10)
        version = await contents.probe(CONTENT)
        assert b.found == [False]
        b.source = Source(b.server.url, expires=time.time() + 10_000)
        reader = contents.open(CONTENT, version)
        await reader.read(0, 10)
        await reader.read(2 * MIB, 10)
        assert b.found == [False, True]


async def test_headers_of_the_source_go_with_every_request(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.source = Source(b.server.url, headers={"X-Token": "secret"})
        await contents.open(CONTENT, await contents.probe(CONTENT)).read(0, 10)
        assert [request.headers["x-token"] for request in b.server.requests] == ["secret", "secret"]


async def test_a_redirect_to_another_host_takes_the_range_but_no_secret(tmp_path: Path) -> None:
    other = Server(BODY)
    async with bench(tmp_path, BODY) as b, b.contents() as contents, trio.open_nursery() as nursery:
        await nursery.start(other.run)
        b.source = Source(b.server.url, headers={"X-Token": "secret"})
        b.server.always = answer(302, location=other.url)
        await contents.open(CONTENT, await contents.probe(CONTENT)).read(0, 10)
        assert other.ranges == [(0, 1), (0, 262144)]
        assert other.requests[1].headers["if-range"] == '"one"'
        assert not any("x-token" in request.headers for request in other.requests)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not an address",
        "ftp://cdn.example/video.mp4",
        "https://cdn.example:99999/video.mp4",
        "https://cdn.example/\n.mp4",
        f"https://cdn.example/{'x' * 70_000}",
        f"https://{'x' * 64}.example/video.mp4",
        "https://xn--a.example/video.mp4",
        "https://.example/video.mp4",
        "https://[::1",
    ],
)
async def test_an_address_that_is_none_is_an_error_of_its_file_alone(tmp_path: Path, url: str) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        good = contents._find

        async def find(what: Content, fresh: bool) -> Source:
            return Source(url) if what is CONTENT else await good(what, fresh)

        contents._find = find
        for _ in range(2):
            with pytest.raises(CoursefsError):
                await contents.open(CONTENT, Version(5 * MIB)).read(0, 5)
        with pytest.raises(CoursefsError):
            await contents.probe(CONTENT)
        assert await b.read_all(contents, content("another")) == BODY


async def test_find_fails(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        asked = 0

        async def find(_: Content, fresh: bool) -> Source:
            nonlocal asked
            asked += 1
            raise NotAllowed("locked until Monday")

        contents._find = find
        with pytest.raises(NotAllowed, match="Monday"):
            await contents.probe(CONTENT)
        for number, size in enumerate((5, 5 * MIB), 2):
            with pytest.raises(NotAllowed, match="Monday"):
                await contents.open(CONTENT, Version(size)).read(0, 5)
            assert asked == number


@pytest.mark.logs
@pytest.mark.parametrize("size", [5, 5 * MIB])
async def test_a_bug_in_a_provider_stops_neither_the_engine_nor_the_reader(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        good = contents._find

        async def find(content: Content, fresh: bool) -> Source:
            if content is not CONTENT:
                return await good(content, fresh)
            raise KeyError("elements")

        contents._find = find
        with pytest.raises(BadReply, match="log"):
            await contents.probe(CONTENT)
        with pytest.raises(BadReply, match="log"):
            await contents.open(CONTENT, Version(size)).read(0, 5)
        assert await b.read_all(contents, content("another")) == BODY
        assert [record.levelname for record in caplog.records if record.name.startswith("coursefs")] == ["ERROR"] * 2


async def test_unrequested_gzip_is_decompressed(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.always = answer(200, gzip.compress(BODY), content_encoding="gzip", content_type="text/plain")
        assert await contents.probe(CONTENT) == Version(len(BODY))
        assert await b.read_all(contents) == BODY
        assert len(b.server.requests) == 1


async def test_gzip_on_a_read_is_decompressed(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        b.server.always = answer(200, gzip.compress(BODY), content_encoding="gzip", etag='"one"')
        assert await contents.open(CONTENT, version).read(MIB, 5000) == BODY[MIB : MIB + 5000]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (bytes(len(BODY) + 1), "another size"),
        (bytes(64 * MIB), "another size|grows without bound"),
        (bytes(len(BODY) - 1), "another size"),
        (b"", "another size"),
        (BODY[:-1], "another size"),
        (BODY + b"x", "another size"),
    ],
    ids=["zeros", "bomb", "shorter-zeros", "empty", "shorter", "longer"],
)
@pytest.mark.parametrize("etag", [True, False])
async def test_nothing_of_a_compressed_body_is_believed_before_its_end(
    tmp_path: Path, body: bytes, why: str, etag: bool
) -> None:
    """The server repeats the ETag of the file, which is wrong for another coding, over a body that is not the file."""
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        headers = {"etag": '"one"'} if etag else {}
        b.server.always = answer(200, gzip.compress(body), content_encoding="gzip", **headers)
        reader = contents.open(CONTENT, version)
        with pytest.raises(BadReply, match=why if etag else "neither a length nor a version"):
            await reader.read(MIB, 5000)
        reader.close()
        await settled(contents)
        assert contents.cached_bytes(CONTENT) == 0
        b.server.always = None
        assert await b.read_all(contents) == BODY


async def test_a_large_compressed_body_that_was_not_requested_is_refused(tmp_path: Path) -> None:
    large = noise(5 * MIB)
    async with bench(tmp_path, large) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        b.server.always = answer(200, gzip.compress(large, 1), content_encoding="gzip", etag='"one"')
        with pytest.raises(BadReply, match="a large file compressed"):
            await contents.open(CONTENT, version).read(0, 5000)


def stored_compressed(compressed: bytes) -> Handler:
    """A server that has a file compressed only: a range is of the compressed bytes."""

    async def handler(request: Request) -> None:
        headers = {"Content-Encoding": "gzip", "ETag": '"one"', "Content-Type": "text/csv"}
        if request.range is None:
            await request.send(200, headers, compressed)
            return
        start, end = request.range[0], min(request.range[1], len(compressed))
        part = {"Content-Range": f"bytes {start}-{end - 1}/{len(compressed)}"}
        await request.send(206, {**headers, **part}, compressed[start:end])

    return handler


async def test_a_file_that_is_stored_compressed_is_read_whole_and_decompressed(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.always = stored_compressed(gzip.compress(BODY))
        assert await contents.probe(CONTENT) == Version(len(BODY), '"one"')
        assert await b.read_all(contents) == BODY
        assert b.server.ranges == [(0, 1), None]  # one request more, and no byte twice


async def test_a_file_that_is_stored_compressed_is_read_also_where_its_size_is_known(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        b.server.always = stored_compressed(gzip.compress(BODY))
        reader = contents.open(CONTENT, version)
        assert await reader.read(2 * MIB, 5000) == BODY[2 * MIB : 2 * MIB + 5000]
        assert await reader.read(5, 5000) == BODY[5:5005]
        assert b.server.ranges[2:] == [None]


@pytest.mark.parametrize(
    ("one", "other", "most_refused"),
    [
        ({"ETag": '"a"'}, {"ETag": 'W/"a"'}, 1),  # until a server has shown that it does not take the other's ETag
        ({"ETag": '"a-gzip"'}, {"ETag": '"a"'}, 0),
        ({"ETag": f'"1f-{len(BODY):x}-5f3b2c1d4e5f6"'}, {"ETag": f'"2e-{len(BODY):x}-5f3b2c1d4e5f6"'}, 0),
        ({"Last-Modified": "Thu, 01 Jan 2026 00:00:02 GMT"}, {"Last-Modified": "Thu, 01 Jan 2026 00:00:07 GMT"}, 0),
        ({"Last-Modified": "Thu, 01 Jan 2099 00:00:02 GMT"}, {"Last-Modified": "Thu, 01 Jan 2099 00:00:02 GMT"}, 0),
        ({"ETag": 'W/"a"', "Date": "Thu, 01 Jan 1998 00:00:00 GMT"}, {"ETag": 'W/"a"'}, 0),
    ],
)
async def test_what_differs_between_the_servers_of_one_cdn_ends_no_reader(
    tmp_path: Path, one: dict[str, str], other: dict[str, str], most_refused: int
) -> None:
    """Each request is answered by another one, which heeds `If-Range` by the ETag that it has itself."""
    refused = 0

    async def edge(request: Request) -> None:
        nonlocal refused
        b.server.headers = {"Content-Type": "video/mp4", **(one if len(b.server.requests) % 2 else other)}
        if request.headers.get("if-range") not in {None, b.server.headers.get("ETag")}:
            refused += 1
            await request.send(200, b.server.headers, BODY)
            return
        await b.server.serve(request)

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.always = edge
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        for start in (2 * MIB, 0, MIB):
            assert await reader.read(start, 300_000) == BODY[start : start + 300_000]
        assert len(b.server.requests) > 3 and refused <= most_refused


NEW = noise(len(BODY), seed=1)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (NEW, {"ETag": '"two"'}),
        (NEW[:-1], {"ETag": '"two"'}),
        (NEW[: 2 * MIB], {"ETag": '"two"'}),
        (NEW + b"x", {}),
    ],
)
@pytest.mark.parametrize("ranges", [True, False])
async def test_another_version_is_never_mixed_with_the_old(
    tmp_path: Path, body: bytes, headers: dict[str, str], ranges: bool
) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        old = await contents.probe(CONTENT)
        reader = contents.open(CONTENT, old)
        assert await reader.read(0, 10) == BODY[:10]
        b.server.body, b.server.headers = body, headers

        async def everything(request: Request) -> None:
            await request.send(200, headers, body)

        b.server.always = None if ranges else everything
        with pytest.raises(Stale):
            await reader.read(2 * MIB, 10)
        with pytest.raises(Stale):
            await reader.read(0, 10)
        assert contents.cached_bytes(CONTENT) == 0
        assert await b.read_all(contents) == body
        assert contents.cached_bytes(CONTENT) == len(body)
        with pytest.raises(Stale):
            await reader.read(0, 10)
        reader.close()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"", {"ETag": '"one"'}),
        (NEW[:MIB], {}),
        (NEW[:-1], {"ETag": '"one"'}),
        (NEW + b"x", {"ETag": '"one"'}),
    ],
)
@pytest.mark.parametrize("ranges", [True, False])
async def test_fewer_bytes_or_another_size_of_the_same_version_take_nothing_away(
    tmp_path: Path, impatient: list[float | None], body: bytes, headers: dict[str, str], ranges: bool
) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        known = await contents.probe(CONTENT)
        reader = contents.open(CONTENT, known)
        assert await reader.read(0, 10) == BODY[:10]
        right, kept = b.server.headers, contents.cached_bytes(CONTENT)
        b.server.body, b.server.headers = body, headers

        async def everything(request: Request) -> None:
            await request.send(200, headers, body)

        b.server.always = None if ranges else everything
        with pytest.raises(BadReply):
            await reader.read(2 * MIB, 10)
        with pytest.raises(BadReply):
            await contents.probe(CONTENT, again=True)
        assert await reader.read(0, 10) == BODY[:10]
        assert contents.cached_bytes(CONTENT) >= kept
        b.server.body, b.server.headers, b.server.always = BODY, right, None
        assert await reader.read(2 * MIB, 10) == BODY[2 * MIB : 2 * MIB + 10]
        assert await contents.probe(CONTENT, again=True) == known
        reader.close()


@pytest.mark.parametrize("date", [False, True])
async def test_what_says_neither_how_long_it_is_nor_which_version_is_not_taken_for_the_file(
    tmp_path: Path, date: bool
) -> None:
    """Its bytes would be given to readers, and kept, before it breaks off."""

    async def garbage(request: Request) -> bool:
        await request.stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n")
        return True

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        if date:
            b.server.headers = {"Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}
        version = await contents.probe(CONTENT)
        b.server.always = garbage
        reader = contents.open(CONTENT, version)
        with pytest.raises(BadReply, match="neither"):
            await reader.read(0, 5000)
        assert contents.cached_bytes(CONTENT) == 0
        b.server.always = None
        assert await reader.read(0, 5000) == BODY[:5000]
        reader.close()


async def test_a_smaller_size_that_is_repeated_later_is_believed(
    tmp_path: Path, impatient: list[float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a server that gives neither ETag nor date; but a file does not become empty by that."""
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.headers = {}
        await contents.probe(CONTENT)
        for body in (b"", NEW[:MIB]):
            monkeypatch.setattr("coursefs.content.probe._DOUBT", 600.0)
            b.server.body = body
            with pytest.raises(BadReply):
                await contents.probe(CONTENT, again=True)
            monkeypatch.setattr("coursefs.content.probe._DOUBT", 0.0)
            if not body:
                with pytest.raises(BadReply):
                    await contents.probe(CONTENT, again=True)
        assert (await contents.probe(CONTENT, again=True)).size == MIB
        assert await b.read_all(contents) == NEW[:MIB]


@pytest.mark.parametrize(
    ("headers", "condition"),
    [
        ({"ETag": '"one"', "Last-Modified": "Thu, 01 Jan 1970 00:00:02 GMT"}, '"one"'),
        ({"ETag": 'W/"one"', "Last-Modified": "Thu, 01 Jan 1970 00:00:02 GMT"}, None),
        ({"Last-Modified": "Thu, 01 Jan 2099 00:00:02 GMT"}, None),
        ({"ETag": 'W/"one"'}, None),
        ({}, None),
    ],
)
async def test_requests_are_conditional_on_the_version(
    tmp_path: Path, headers: dict[str, str], condition: str | None
) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.headers = headers
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        await reader.read(2 * MIB, 10)
        assert "if-range" not in b.server.requests[0].headers
        assert b.server.requests[1].headers.get("if-range") == condition


async def test_a_new_version_is_found_out_in_one_round_trip(tmp_path: Path) -> None:
    async def new(request: Request) -> None:
        assert request.headers["if-range"] == '"one"'
        await request.send(200, {"ETag": '"two"'}, NEW)

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        b.server.next.append(new)
        with pytest.raises(Stale):
            await reader.read(2 * MIB, 10)
        assert len(b.server.requests) == 2


async def test_a_server_that_does_not_understand_if_range_is_asked_without_it(tmp_path: Path) -> None:
    async def confused(request: Request) -> None:
        if "if-range" in request.headers:
            await request.send(200, MEDIA, BODY)
        else:
            await b.server.serve(request)

    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.always = confused
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        assert await reader.read(2 * MIB, 10) == BODY[2 * MIB : 2 * MIB + 10]
        assert await reader.read(len(BODY) - 5, 5) == BODY[-5:]
        assert contents.cached_bytes(CONTENT) < MIB, "and not everything was taken"
        assert ["if-range" in request.headers for request in b.server.requests] == [False, True, False, False]


async def test_a_version_can_be_revalidated(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        assert contents.checked_ns(CONTENT) is None
        old = await contents.probe(CONTENT)
        first = contents.checked_ns(CONTENT)
        assert first is not None
        assert await contents.probe(CONTENT) == old
        assert contents.checked_ns(CONTENT) == first, "that was no word of the platform"
        assert await contents.probe(CONTENT, old, again=True) == old
        second = contents.checked_ns(CONTENT)
        assert second is not None
        assert second > first
        reader = contents.open(CONTENT, old)
        assert await reader.read(0, 10) == BODY[:10]
        third = contents.checked_ns(CONTENT)
        assert third is not None
        assert third > second
        b.server.body, b.server.headers = NEW, {"ETag": '"two"'}
        new = await contents.probe(CONTENT, old, again=True)
        assert new == Version(len(NEW), '"two"')
        with pytest.raises(Stale):
            await reader.read(0, 10)
        assert await b.read_all(contents) == NEW


async def test_when_it_was_confirmed_survives_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            await contents.probe(CONTENT)
            checked = contents.checked_ns(CONTENT)
        async with b.contents() as contents:
            assert contents.checked_ns(CONTENT) == checked


async def test_last_modified_tells_versions_apart_where_there_is_no_etag(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.headers = {"Last-Modified": "Thu, 01 Jan 1970 00:00:02 GMT"}
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        await reader.read(0, 10)
        b.server.headers = {"Last-Modified": "Thu, 01 Jan 1970 00:01:03 GMT"}
        with pytest.raises(Stale):
            await reader.read(2 * MIB, 10)


async def test_a_recorded_version_that_contradicts_the_known_one_is_revalidated(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        old = await contents.probe(CONTENT)
        await b.read_all(contents)
        b.server.body, b.server.headers = NEW, {"ETag": '"two"'}
        assert await contents.probe(CONTENT) == old
        assert await contents.probe(CONTENT, old) == old
        assert len(b.server.requests) > 1
        new = await contents.probe(CONTENT, Version(5))
        assert new == Version(len(NEW), '"two"')
        assert contents.cached_bytes(CONTENT) == 0
        assert await b.read_all(contents) == NEW


async def test_a_reader_of_an_old_version_is_stale(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        await b.read_all(contents)
        reader = contents.open(CONTENT, Version(len(BODY), '"zero"'))
        with pytest.raises(Stale):
            await reader.read(0, 10)
        assert contents.cached_bytes(CONTENT) == len(BODY), "what is right stays"


async def test_offline(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        reader = contents.open(CONTENT, version)
        await reader.read(0, 10)
        reader.close()
        b.transport.offline = True
        asked, found = len(b.server.requests), len(b.found)
        reader = contents.open(CONTENT, version)
        assert await contents.probe(CONTENT) == version
        with pytest.raises(Unreachable, match="offline"):
            await reader.read(2 * MIB, 10)
        with pytest.raises(Unreachable, match="offline"):
            await contents.probe(content("another"))
        assert (len(b.server.requests), len(b.found)) == (asked, found)


async def endless(request: Request) -> bool:
    """A body without a length that never ends."""
    await request.stream.send_all(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: "one"\r\n\r\n')
    while True:  # until the other side hangs up
        await request.stream.send_all(b"10\r\n" + b"x" * 16 + b"\r\n")
        await trio.sleep(0.005)


async def test_a_body_without_an_end_ends_when_no_read_asks_for_it(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents(read_timeout=0.2) as contents:
        b.server.always = endless
        with pytest.raises(NoAnswer):
            await contents.probe(CONTENT)
        with trio.fail_after(5):
            await settled(contents)
        assert not list((b.directory / "v1").glob("spool-*"))
        b.server.always = None
        assert (await contents.probe(CONTENT)).size == len(BODY)


async def test_a_body_that_is_longer_than_any_file_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coursefs.content.probe._LONGEST", 1000)
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.always = endless
        with pytest.raises(BadReply, match="more bytes than any file"):
            await contents.probe(CONTENT)
        await settled(contents)


async def test_a_trickling_body_is_closed_with_its_last_reader(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        b.server.always = endless
        reader = contents.open(CONTENT, version)
        with trio.move_on_after(0.2) as patience:
            await reader.read(0, 100_000)
        assert patience.cancelled_caught
        reader.close()
        with trio.fail_after(2):
            await settled(contents)
