"""Every byte that is returned is right: the engine against a model, by random steps."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coursefs.content import Content, Contents, Reader
from coursefs.errors import CoursefsError, Stale
from coursefs.model import Source, Version
from coursefs.transport import Transport
from tests.engine.content_bench import CONTENT, MIB, noise, read_as_mount

BODIES = [noise(2 * MIB + 300_001, seed) for seed in range(3)]
PRECIOUS = b"a user's own words"
Step = tuple[str, Any, int]

FAULTS = ["none", "reset", "short", "no ranges", "500", "403", "html", "gone", "slow"]


class Body(httpx.AsyncByteStream):
    """Sends its bytes in parts; `broken`: then closes the connection early."""

    def __init__(self, data: bytes, *, part: int, broken: bool = False) -> None:
        self.data, self.part, self.broken = data, part, broken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.data), self.part):
            await trio.lowlevel.checkpoint()
            yield self.data[start : start + self.part]
        if self.broken:
            raise httpx.ReadError("reset")


@dataclass
class Platform(httpx.AsyncBaseTransport):
    """One content that changes its version, and faults in a given order."""

    version: int = 0
    faults: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        fault = self.faults.pop() if self.faults else "none"
        body = BODIES[self.version]
        start, end = (int(number) for number in request.headers["range"].removeprefix("bytes=").split("-"))
        data = body[start : end + 1]
        etag = {"ETag": str(self.version)}
        part = {**etag, "Content-Range": f"bytes {start}-{start + len(data) - 1}/{len(body)}"}
        whole = {**etag, "Content-Length": str(len(body))}
        answers = {
            "none": (206, part, Body(data, part=65_536)),
            "slow": (206, part, Body(data, part=9_973)),
            "reset": (206, part, Body(data[:-1], part=50_000, broken=True)),
            "short": (206, part, Body(data[: len(data) // 2], part=50_000)),
            "no ranges": (200, whole, Body(body, part=300_000)),
            "html": (200, {"Content-Type": "text/html"}, Body(b"<html>", part=6)),
            "500": (500, {}, Body(b"", part=1)),
            "403": (403, {}, Body(b"", part=1)),
            "gone": (404, {}, Body(b"", part=1)),
        }
        status, headers, stream = answers[fault]
        return httpx.Response(status, headers=headers, stream=stream)


DAMAGES = ["flip", "zeros", "cut", "stretch", "delete", "link", "fifo", "swap", "record", "folder", "all"]

sizes = st.sampled_from([1, 4096, 131_072, 700_000])
offsets = st.integers(0, len(BODIES[0]) - 1)
damages = st.sampled_from(DAMAGES)
steps = st.one_of(
    st.tuples(st.just("read"), offsets, sizes),
    st.tuples(st.just("go_on"), st.integers(1, 12), sizes),
    st.tuples(st.just("many"), st.lists(offsets, min_size=2, max_size=6), sizes),
    st.tuples(st.just("cancel"), offsets, st.integers(0, 30)),
    st.tuples(st.just("fault"), st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4), st.just(0)),
    st.tuples(st.just("change"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("reopen"), st.just(0), st.just(0)),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
    st.tuples(st.just("damage"), damages, offsets),
    st.tuples(st.just("damage_meanwhile"), st.lists(damages, min_size=1, max_size=5), offsets),
    st.tuples(st.just("prefetch"), st.booleans(), offsets),
    st.tuples(st.just("maintenance"), st.sampled_from(["verify", "clear"]), offsets),
    st.tuples(st.just("pin"), st.booleans(), st.just(0)),
    st.tuples(st.just("again"), st.just(0), st.just(0)),
)


class Machine:
    """Runs the steps and compares: there is a method for each kind of step."""

    def __init__(self, directory: Path, platform: Platform, contents: Contents) -> None:
        self.directory, self.platform, self.contents = directory, platform, contents
        self.reader: Reader | None = None
        self.opened = Version(0)
        self.position = 0
        self.precious = directory.parent / "precious"
        self.precious.write_bytes(PRECIOUS)

    async def reopen(self, *given: object) -> None:
        """A reader of whatever version there is now."""
        if self.reader is not None:
            self.reader.close()
            self.reader = None
        for _ in range(20):
            try:
                self.opened = await self.contents.probe(CONTENT)
            except CoursefsError:
                continue
            self.reader = self.contents.open(CONTENT, self.opened)
            return
        raise AssertionError("faults do not go on for ever")

    async def compare(self, offset: int, length: int) -> bool:
        """An error may be answered, but never a byte of anything but the version that was opened."""
        if self.reader is None:
            await self.reopen()
        reader, version = self.reader, self.opened
        assert reader
        assert version.etag
        try:
            data = await read_as_mount(reader, offset, length)
        except Stale:
            reader.close()
            if self.reader is reader:
                self.reader = None
            return False
        except CoursefsError:
            return False
        assert data == BODIES[int(version.etag)][offset : offset + length]
        return True

    async def read(self, offset: int, length: int) -> None:
        await self.compare(offset, length)
        self.position = offset + length

    async def go_on(self, times: int, length: int) -> None:
        for _ in range(times):
            await self.read(self.position, length)

    async def many(self, places: list[int], length: int) -> None:
        await self.reopen()
        async with trio.open_nursery() as nursery:
            for offset in places:
                nursery.start_soon(self.compare, offset, length)

    async def cancel(self, offset: int, checkpoints: int) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.compare, offset, 400_000)
            for _ in range(checkpoints):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    async def fault(self, faults: list[str], _: object) -> None:
        self.platform.faults = list(faults)

    async def change(self, version: int, _: object) -> None:
        self.platform.version = version

    async def restart(self, *_: object) -> None:
        """Carried out by the test, after this step."""

    async def damage(self, kind: str, offset: int) -> None:
        """Another program changes the files, whether they are open or not."""
        if kind in {"folder", "all"}:
            shutil.rmtree(self.directory / "v1" if kind == "folder" else self.directory, ignore_errors=True)
        for path in (self.directory / "v1").glob("record*" if kind == "record" else "??/*"):
            self._damage(path, kind, offset)

    def _damage(self, path: Path, kind: str, offset: int) -> None:
        with contextlib.suppress(FileNotFoundError):  # evicted meanwhile
            self._damage_now(path, kind, offset)

    def _damage_now(self, path: Path, kind: str, offset: int) -> None:
        if not path.is_file() or path.is_symlink():
            return
        size = path.stat().st_size
        if kind in {"flip", "zeros"} and offset < size:
            with path.open("r+b") as file:
                file.seek(offset)
                file.write(b"damage" if kind == "flip" else bytes(min(200_000, size - offset)))
        elif kind in {"cut", "stretch"}:
            os.truncate(path, min(offset, size))
            os.truncate(path, size if kind == "stretch" else min(offset, size))
        elif kind == "swap":
            path.with_name("new").write_bytes(bytes(size))
            path.with_name("new").replace(path)
        elif kind in {"delete", "record", "link", "fifo"}:
            path.unlink()
            with contextlib.suppress(FileExistsError):  # the engine may be quicker
                if kind == "link":
                    path.symlink_to(self.precious)
                elif kind == "fifo":
                    os.mkfifo(path)

    async def damage_meanwhile(self, kinds: list[str], offset: int) -> None:
        """The same while a program reads, and more is fetched."""
        async with trio.open_nursery() as nursery:
            for start in (offset, max(0, offset - 300_000), 0):
                nursery.start_soon(self.compare, start, 700_000)
            for kind in kinds:
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
                await self.damage(kind, offset)
                await self.compare(max(0, offset - 5), 100_000)

    async def prefetch(self, broken_off: bool, offset: int) -> None:
        """In the background, while a program reads."""
        async with trio.open_nursery() as nursery:

            async def bring() -> None:
                with contextlib.suppress(CoursefsError):
                    await self.contents.prefetch(CONTENT)

            nursery.start_soon(bring)
            await self.compare(offset, 200_000)
            if broken_off:
                nursery.cancel_scope.cancel()

    async def maintenance(self, what: str, offset: int) -> None:
        """Checked or cleared, while a program reads."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(getattr(self.contents, what))
            await self.compare(offset, 700_000)

    async def pin(self, pinned: bool, _: object) -> None:
        await (self.contents.pin(CONTENT) if pinned else self.contents.unpin(CONTENT))
        assert self.contents.pinned(CONTENT) == pinned

    async def again(self, *_: object) -> None:
        with contextlib.suppress(CoursefsError):
            version = await self.contents.probe(CONTENT, again=True)
            assert version.etag == str(self.platform.version)

    async def end(self) -> None:
        """Without faults everything can be read, at the third attempt where the version has changed twice."""
        self.platform.faults = []
        assert any([await self.compare(0, len(BODIES[0])) for _ in range(3)])
        assert self.precious.read_bytes() == PRECIOUS


@pytest.mark.logs
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=1, max_size=14), st.sampled_from([100 * MIB, 2 * MIB, 600_000, 0]), st.integers(1, 6))
def test_every_byte_is_right(monkeypatch: pytest.MonkeyPatch, made: list[Step], max_size: int, streams: int) -> None:
    monkeypatch.setattr("coursefs.content.retries.pause", lambda *_: 0.0)
    monkeypatch.setattr("coursefs.content.recovery._BETWEEN_TRIALS", 0.0)

    async def find(_: Content, fresh: bool) -> Source:
        return Source("https://cdn.example/video.mp4")

    async def main() -> None:
        with tempfile.TemporaryDirectory() as place:
            directory = Path(place, "cache")
            platform = Platform()
            runs: list[list[Step]] = [[]]
            for each in made:
                runs[-1].append(each)
                if each[0] == "restart":
                    runs.append([])
            async with Transport(http_transport=platform) as transport:
                for run in runs:
                    async with Contents(
                        directory, transport, find, max_size=max_size, min_free=0, read_timeout=60, streams=streams
                    ) as contents:
                        machine = Machine(directory, platform, contents)
                        for each in run:
                            await getattr(machine, each[0])(*each[1:])
                            assert contents.use().bytes <= max_size
                        await machine.end()

    trio.run(main)
