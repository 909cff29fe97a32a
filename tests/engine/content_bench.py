"""An engine, a server and a cache directory to put them to the test."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio
import trio.testing

from coursefs.base.supervisor import Tasks
from coursefs.content import Content, Contents, Reader
from coursefs.content.open_file import OpenFile
from coursefs.content.sharing import Sharing
from coursefs.model import Course, Remote, Source
from coursefs.transport import Transport
from tests.engine.content_server import Server

MIB = 2**20
CONTENT = Content("campus", Remote("video/1~2/720p.mp4", {}), Course("c", "course", "Course"))


def noise(size: int, seed: int = 0) -> bytes:
    """Random bytes: no two parts are equal, so a wrong offset shows."""
    return random.Random(seed).randbytes(size)


async def read_as_mount(reader: Reader, offset: int, length: int) -> bytes | memoryview:
    """A read as a mount makes it: by the short way for cached bytes where that is possible."""
    data = reader.read_now(offset, length)
    return await reader.read(offset, length) if data is None else data


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
        self,
        directory: Path | None = None,
        *,
        max_size: int = 2**30,
        read_timeout: float = 30.0,
        streams: int = 6,
        sharing: Callable[[Tasks], Sharing] | None = None,
    ) -> Contents:
        return Contents(
            directory or self.directory,
            self.transport,
            self.find,
            max_size=max_size,
            min_free=0,
            read_timeout=read_timeout,
            streams=streams,
            sharing=sharing,
        )

    async def read_all(self, contents: Contents, what: Content = CONTENT, step: int = 128 * 2**10) -> bytes:
        """The whole content, as `cat` reads it."""
        version = await contents.probe(what)
        reader = contents.open(what, version)
        try:
            parts = [await read_as_mount(reader, start, step) for start in range(0, version.size, step)]
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


def open_files(contents: Contents) -> list[OpenFile]:
    """The open files of an engine."""
    return list(contents._open_files.values())


def waiting(contents: Contents) -> int:
    """How many reads wait for range requests."""
    return sum(len(request._waiting) for open_file in open_files(contents) for request in open_file._requests)


async def until(condition: Callable[[], object], *, patience: float = 20) -> None:
    """Wait for a condition that depends on threads and sockets."""
    with trio.fail_after(patience):
        while not condition():
            await trio.testing.wait_all_tasks_blocked(0.001)


async def settled(contents: Contents, *, patience: float = 20) -> None:
    """Wait until no background task of an idle engine runs."""
    await until(lambda: not contents._context.supervisor._nursery.child_tasks, patience=patience)
