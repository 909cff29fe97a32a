"""A CDN whose servers each make up an ETag of their own, and a file that has changed without another size or date."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from coursefs.content import Contents, Reader
from coursefs.errors import Stale
from coursefs.model import Version
from tests.engine.content_bench import CONTENT, MIB, Bench, bench, content, noise
from tests.engine.content_server import Request

BODY, NEW = noise(4 * MIB), noise(4 * MIB, seed=1)
DATES = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Date": "Thu, 01 Jan 2026 12:00:00 GMT"}


class Edges:
    """Answers each request by the next of several servers, which heeds `If-Range` by the ETag that it has itself."""

    def __init__(self, bench: Bench, tags: Sequence[str]) -> None:
        self.bench, self.tags = bench, tags
        self.refused = 0  # ranges for which the whole file came
        bench.server.always = self.serve

    async def serve(self, request: Request) -> None:
        server = self.bench.server
        tag = self.tags[len(server.requests) % len(self.tags)]
        server.headers = {"Content-Type": "video/mp4", **DATES, "ETag": tag}
        if request.headers.get("if-range") not in {None, tag}:
            self.refused += 1
            await request.send(200, server.headers, server.body)
            return
        await server.serve(request)


@pytest.mark.parametrize("tags", [('"a"', '"b"'), ('"a"', '"b"', '"c"'), ('W/"a"', 'W/"b"')])
async def test_an_etag_of_each_server_ends_no_reader(tmp_path: Path, tags: Sequence[str]) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        edges = Edges(b, tags)
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        for start in (2 * MIB, 0, MIB, 3 * MIB):
            assert await reader.read(start, 300_000) == BODY[start : start + 300_000]
        assert edges.refused <= 1
        assert b.server.ranges.count(b.server.ranges[1]) <= len(tags) + 1, "until an ETag has come back"


async def test_what_is_known_of_a_host_costs_no_request_more(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        edges = Edges(b, ('"a"', '"b"'))
        assert await b.read_all(contents) == BODY
        refused = edges.refused
        for name in ("second", "third"):
            before = len(b.server.requests)
            version = await contents.probe(content(name))
            reader = contents.open(content(name), version)
            for start in range(0, len(BODY), MIB):
                assert await reader.read(start, MIB) == BODY[start : start + MIB]
            asked = b.server.ranges[before + 1 :]
            assert len(asked) == len(set(asked)), "no range twice"
        assert edges.refused == refused


async def test_cached_bytes_stay_when_another_server_is_probed(tmp_path: Path) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        Edges(b, ('"a"', '"b"'))
        first = await contents.probe(CONTENT)
        reader = contents.open(CONTENT, first)
        assert await reader.read(0, MIB) == BODY[:MIB]
        for _ in range(4):
            assert await contents.probe(CONTENT, again=True) == first
        before = len(b.server.requests)
        assert await reader.read(0, MIB) == BODY[:MIB]
        assert len(b.server.requests) == before


@asynccontextmanager
async def changed(folder: Path) -> AsyncIterator[tuple[Bench, Contents, Reader, Edges]]:
    """A file that a reader has begun to read, and that has got other bytes and another ETag since, and nothing else."""
    async with bench(folder, BODY) as b, b.contents() as contents:
        edges = Edges(b, ['"a"'])
        reader = contents.open(CONTENT, await contents.probe(CONTENT))
        assert await reader.read(0, 10) == BODY[:10]
        edges.tags, b.server.body = ['"b"'], NEW
        yield b, contents, reader, edges


async def test_a_change_without_another_size_or_date_is_seen(tmp_path: Path) -> None:
    async with changed(tmp_path) as (b, contents, reader, edges):
        with pytest.raises(Stale):
            await reader.read(2 * MIB, 300_000)
        assert edges.refused <= 2, "without If-Range it is the range alone that comes"
        version = await contents.probe(CONTENT, again=True)
        assert version == Version(len(BODY), '"b"', version.modified_ns)
        assert await b.read_all(contents) == NEW


async def test_a_change_is_seen_by_a_probe(tmp_path: Path) -> None:
    async with changed(tmp_path) as (b, contents, reader, _):
        before = len(b.server.requests)
        assert (await contents.probe(CONTENT, again=True)).etag == '"b"'
        assert len(b.server.requests) - before == 5
        with pytest.raises(Stale):
            await reader.read(0, 10)
        assert await b.read_all(contents) == NEW
