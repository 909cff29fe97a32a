"""Single-use URLs: probed by HEAD, read by one request, resumed where that broke off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from coursefs.content import Content, Contents
from coursefs.errors import Gone, NotAllowed
from coursefs.model import Source
from tests.engine.content_bench import CONTENT, MIB, Bench, bench, noise, settled, until
from tests.engine.content_server import Request

BODY = noise(6 * MIB + 123)


@dataclass
class OneUse:
    """Returns URLs that are good for one GET each; the server refuses the second."""

    it: Bench
    given: int = 0
    fresh: int = 0
    ranges: bool = True
    broken: list[int] = field(default_factory=list)  # bytes after which the next responses break off
    used: set[str] = field(default_factory=set)
    heads: int = 0
    gets: list[str] = field(default_factory=list)  # the Range of each GET that was answered

    async def find(self, _: Content, fresh: bool) -> Source:
        self.given += 1
        self.fresh += fresh
        return Source(f"{self.it.server.url}?use={self.given}", {"Cookie": "c=1"}, once=True, guarded=True)

    async def answer(self, request: Request) -> bool | None:
        server = self.it.server
        if request.method == "HEAD":
            self.heads += 1
            await request.send(200, server.headers, server.body)
            return None
        if request.path in self.used:
            await request.send(403, {}, b"")
            return None
        self.used.add(request.path)
        asked = request.headers.get("range", "")
        self.gets.append(asked)
        status, headers, body = 200, dict(server.headers), server.body
        if asked and self.ranges:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), int(last) + 1 if last else len(body)
            status = 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
            body = body[start:end]
        if self.broken:
            await request.send(status, headers, body[: self.broken.pop(0)], length=len(body))
            return True
        await request.send(status, headers, body)
        return None


@asynccontextmanager
async def one_use(tmp_path: Path) -> AsyncIterator[tuple[OneUse, Contents]]:
    async with bench(tmp_path, BODY) as it:
        uses = OneUse(it)
        it.find = uses.find  # type: ignore[method-assign]
        it.server.always = uses.answer
        async with it.contents() as contents:
            yield uses, contents


async def test_measuring_uses_nothing_up_and_reading_takes_one_request(tmp_path: Path) -> None:
    async with one_use(tmp_path) as (uses, contents):
        assert (await contents.probe(CONTENT)).size == len(BODY)
        assert (uses.heads, uses.gets) == (1, [])
        assert await uses.it.read_all(contents) == BODY
        assert uses.gets == [""]
        assert uses.given == 1


async def test_many_readers_everywhere_share_the_one_request(tmp_path: Path) -> None:
    async with one_use(tmp_path) as (uses, contents):
        version = await contents.probe(CONTENT)
        found: dict[int, bytes] = {}

        async def read(start: int) -> None:
            reader = contents.open(CONTENT, version)
            found[start] = bytes(await reader.read(start, 1000))
            await done.wait()
            reader.close()

        done = trio.Event()
        places = [len(BODY) - 1000, 3 * MIB, 0, 5 * MIB, 17]
        async with trio.open_nursery() as nursery:
            for place in places:
                nursery.start_soon(read, place)
            await until(lambda: len(found) == len(places))
            done.set()
        assert found == {place: BODY[place : place + 1000] for place in places}
        # who came first may have begun in the middle: then the others bring the rest, and no byte comes twice
        ends = [one.removeprefix("bytes=").split("-") if one else ("0", "") for one in uses.gets]
        spans = sorted((int(start), int(end) + 1 if end else len(BODY)) for start, end in ends)
        assert all(one[1] <= other[0] for one, other in pairwise(spans)), spans


async def test_a_reader_is_served_while_the_body_still_comes(tmp_path: Path) -> None:
    async with one_use(tmp_path) as (uses, contents):
        version = await contents.probe(CONTENT)

        async def half(request: Request) -> bool:
            head = f'HTTP/1.1 200 X\r\nContent-Length: {len(BODY)}\r\nETag: "one"\r\n\r\n'.encode()
            await request.stream.send_all(head + BODY[: 2 * MIB])
            await trio.sleep_forever()
            return True

        uses.it.server.next.append(half)
        reader = contents.open(CONTENT, version)
        assert await reader.read(MIB, 4096) == BODY[MIB : MIB + 4096]
        reader.close()
        await settled(contents)
        assert contents.cached_bytes(CONTENT) >= MIB


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_body_that_breaks_off_is_gone_on_with(tmp_path: Path, ranges: bool) -> None:
    async with one_use(tmp_path) as (uses, contents):
        uses.ranges = ranges
        uses.broken = [2 * MIB + 5]
        assert await uses.it.read_all(contents) == BODY
        first, second = uses.gets
        assert first == ""
        assert second.startswith("bytes=") and second.endswith("-")
        assert int(second[6:-1]) == 2 * MIB + 5
        assert uses.given == 2


async def test_cached_bytes_are_not_requested_again(tmp_path: Path) -> None:
    async with one_use(tmp_path) as (uses, contents):
        version = await contents.probe(CONTENT)

        async def two(request: Request) -> bool:
            head = f'HTTP/1.1 200 X\r\nContent-Length: {len(BODY)}\r\nETag: "one"\r\n\r\n'.encode()
            await request.stream.send_all(head + BODY[: 2 * MIB])
            await trio.sleep_forever()
            return True

        uses.it.server.next.append(two)
        reader = contents.open(CONTENT, version)
        await reader.read(2 * MIB - 100, 100)
        reader.close()
        await settled(contents)
        assert await uses.it.read_all(contents) == BODY
        assert uses.gets == [f"bytes={2 * MIB}-"]


async def test_a_reader_that_jumps_far_ahead_need_not_wait_where_there_are_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coursefs.content.planner.REST_SKIP", MIB)
    async with one_use(tmp_path) as (uses, contents):
        version = await contents.probe(CONTENT)
        goes_on = trio.Event()

        async def slow(request: Request) -> bool:
            head = f'HTTP/1.1 200 X\r\nContent-Length: {len(BODY)}\r\nETag: "one"\r\nAccept-Ranges: bytes\r\n\r\n'
            await request.stream.send_all(head.encode() + BODY[:MIB])
            await goes_on.wait()
            await request.stream.send_all(BODY[MIB:])
            return True

        uses.it.server.next.append(slow)
        reader = contents.open(CONTENT, version)
        assert await reader.read(0, 100) == BODY[:100]
        assert await reader.read(5 * MIB, 100) == BODY[5 * MIB : 5 * MIB + 100]
        assert uses.gets == [f"bytes={5 * MIB}-"]
        goes_on.set()
        assert b"".join([bytes(await reader.read(at, MIB)) for at in range(0, len(BODY), MIB)]) == BODY
        reader.close()
        assert uses.gets == [f"bytes={5 * MIB}-"]
        assert contents.cached_bytes(CONTENT) == len(BODY)


async def test_the_end_first_and_then_the_rest_brings_every_byte_once(tmp_path: Path) -> None:
    async with one_use(tmp_path) as (uses, contents):
        version = await contents.probe(CONTENT)
        reader = contents.open(CONTENT, version)
        assert await reader.read(len(BODY) - 10, 10) == BODY[-10:]
        assert await uses.it.read_all(contents) == BODY
        reader.close()
        first, second = uses.gets
        start = int(first.removeprefix("bytes=").removesuffix("-"))
        assert 0 < start <= len(BODY) - 10
        assert second == f"bytes=0-{start - 1}"


async def test_prefetching_takes_one_request_too(tmp_path: Path) -> None:
    async with one_use(tmp_path) as (uses, contents):
        await contents.prefetch(CONTENT)
        assert contents.cached_bytes(CONTENT) == len(BODY)
        assert uses.gets == [""]


@pytest.mark.parametrize("status", [405, 501])
async def test_without_head_a_get_is_closed_early(tmp_path: Path, status: int) -> None:
    async with one_use(tmp_path) as (uses, contents):

        async def no_head(request: Request) -> None:
            await request.send(status, {}, b"")

        uses.it.server.next.append(no_head)
        assert (await contents.probe(CONTENT)).size == len(BODY)
        assert await uses.it.read_all(contents) == BODY
        assert uses.gets == ["", ""]
        assert uses.given == 2


async def test_a_sign_in_page_renews_the_url_once(tmp_path: Path) -> None:
    async with one_use(tmp_path) as (uses, contents):

        async def page(request: Request) -> None:
            await request.send(200, {"Content-Type": "text/html"}, b"<html>sign in")

        uses.it.server.next.append(page)
        assert (await contents.probe(CONTENT)).size == len(BODY)
        assert uses.fresh == 1
        uses.it.server.next += [page]
        assert await uses.it.read_all(contents) == BODY
        uses.it.server.always = page
        with pytest.raises(NotAllowed):
            await contents.probe(Content(CONTENT.account, CONTENT.remote, CONTENT.course), again=True)


async def test_a_missing_file_is_gone(tmp_path: Path) -> None:
    async with one_use(tmp_path) as (uses, contents):

        async def missing(request: Request) -> None:
            await request.send(404, {}, b"")

        uses.it.server.always = missing
        with pytest.raises(Gone):
            await contents.probe(CONTENT)
        assert uses.gets == []
