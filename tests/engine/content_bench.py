"""An engine, a server and a cache directory to put them to the test."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio
import trio.testing

from coursefs.content import Content, Contents
from coursefs.content.entry import Entry
from coursefs.model import Course, Remote, Source
from coursefs.transport import Transport
from tests.engine.content_server import Server

MIB = 2**20
CONTENT = Content("campus", Remote("video/1~2/720p.mp4", {}), Course("c", "course", "Course"))


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that are nowhere the same."""
    return random.Random(seed).randbytes(size)


def content(identity: str) -> Content:
    return Content("campus", Remote(identity, {}), CONTENT.course)


@dataclass
class Bench:
    """One server whose contents all have the same bytes; engines on it one after the other."""

    server: Server
    transport: Transport
    directory: Path
    found: list[bool] = field(default_factory=list)  # `fresh` of each call of find
    source: Source | None = None

    async def find(self, _: Content, fresh: bool) -> Source:
        self.found.append(fresh)
        return self.source or Source(self.server.url)

    def contents(
        self, directory: Path | None = None, *, max_size: int = 2**30, read_timeout: float = 30.0, streams: int = 6
    ) -> Contents:
        return Contents(
            directory or self.directory,
            self.transport,
            self.find,
            max_size=max_size,
            min_free=0,
            read_timeout=read_timeout,
            streams=streams,
        )

    async def read_all(self, contents: Contents, what: Content = CONTENT, step: int = 128 * 2**10) -> bytes:
        """The whole content, as `cat` reads it."""
        version = await contents.measure(what)
        reader = contents.open(what, version)
        try:
            parts = [await reader.read(start, step) for start in range(0, version.size, step)]
        finally:
            reader.close()
        return b"".join(parts)


@asynccontextmanager
async def bench(directory: Path, body: bytes) -> AsyncIterator[Bench]:
    server = Server(body)
    async with trio.open_nursery() as nursery, Transport(read_timeout=5.0) as transport:
        await nursery.start(server.run)
        yield Bench(server, transport, directory / "cache")
        nursery.cancel_scope.cancel()


def entries(contents: Contents) -> list[Entry]:
    """What is open: looked at by tests that say that nothing is left behind."""
    return list(contents._entries.values())


def waiting(contents: Contents) -> int:
    """How many reads wait for bytes on their way."""
    return sum(len(fetch._waiting) for entry in entries(contents) for fetch in entry._fetches)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that threads and sockets bring about."""
    with trio.fail_after(20):
        while not condition():
            await trio.testing.wait_all_tasks_blocked(0.001)


async def settled(contents: Contents) -> None:
    """Wait until nothing runs in the background of an engine that is to be idle."""
    await until(lambda: not contents._services.nursery.child_tasks)
