"""A library whose provider and whose media host a test changes as it likes, and the commands on it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from coursefs.catalog import Ages
from coursefs.daemon.commands import transfers
from coursefs.library import AccountSource, Library, LibrarySettings, open_library
from coursefs.model import Course, Outline, Wanted
from coursefs.transport import Transport
from tests.engine.content_bench import noise
from tests.engine.fakes import FakeProvider, lecture, made_by, reading, section

KIB = 2**10
HELLO, AGAIN, READ = lecture("a", "Hello", 1), lecture("b", "Again", 2), lecture("r", "Read", 3)
VIDEOS = ("item/a/video", "item/b/video")
PICTURE = "item/r/asset/plan"
PATHS = ["Graphics/01 Start/01 Hello.mp4", "Graphics/01 Start/02 Again.mp4"]


@dataclass
class Cdn(httpx.AsyncBaseTransport):
    """Serves bodies in ranges, by identity; a body waits at its gate, and says a status where one is set."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    dates: dict[str, int] = field(default_factory=dict)  # seconds since 1970
    gates: dict[str, trio.Event] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, int, int]] = field(default_factory=list)  # identity, start, end
    is_reachable: bool = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        identity = request.url.path.removeprefix("/")
        body = self.bodies[identity]
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["range"])
        assert match
        start, end = int(match[1]), min(int(match[2]) + 1, len(body))
        self.asked.append((identity, start, end))
        if not self.is_reachable:
            raise httpx.ConnectError("no route to host")
        if (status := self.statuses.get(identity)) is not None:
            return httpx.Response(status)
        gate = self.gates.get(identity)
        headers = {
            "content-range": f"bytes {start}-{end - 1}/{len(body)}",
            "content-length": str(end - start),
            "etag": f'"{hash(body)}"',
            "last-modified": formatdate(self.dates.get(identity, 1_700_000_000), usegmt=True),
        }
        return httpx.Response(206, headers=headers, stream=_Body(body[start:end], gate if end - start > 1 else None))


class _Body(httpx.AsyncByteStream):
    def __init__(self, body: bytes, gate: trio.Event | None) -> None:
        self._body, self._gate = body, gate

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._gate is None:
            for start in range(0, len(self._body), 64 * KIB):
                yield self._body[start : start + 64 * KIB]
            return
        yield self._body[: len(self._body) // 2]
        await self._gate.wait()
        yield self._body[len(self._body) // 2 :]


@dataclass
class Shelf:
    """What a test needs to open the library as often as it likes."""

    settings: LibrarySettings
    provider: FakeProvider
    cdn: Cdn

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Library]:
        transport = Transport(http_transport=self.cdn, read_timeout=5.0, offline=self.settings.offline)
        async with open_library(self.settings, transport, providers=made_by("x", self.provider)) as library:
            yield library


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The course Graphics with two lectures, a reading with an image, and a lesson without anything."""
    picture = reading(READ, "<p>Read</p>", "plan")
    provider = FakeProvider([Course("c1", "graphics", "Graphics", "https://x.example/learn/graphics")])
    empty = section("e", "Empty", 2)
    provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO, AGAIN, READ), empty))
    provider.contents[READ.key] = picture
    cdn = Cdn({VIDEOS[0]: noise(300 * KIB, 1), VIDEOS[1]: noise(5000 * KIB, 2), PICTURE: noise(KIB, 3)})
    provider.urls = {identity: f"https://cdn.example/{identity}" for identity in cdn.bodies}
    monkeypatch.setattr("coursefs.content.retries.pause", lambda *_: 0.0)
    settings = LibrarySettings(
        tmp_path / "catalogue", tmp_path / "cache", [AccountSource("x", "x", {}, {})], Wanted(), min_free=0, ages=Ages()
    )
    return Shelf(settings, provider, cdn)


async def run(library: Library, command: str, *texts: str, **arguments: object) -> dict[str, Any]:
    """The last reply of a command, with the failures of all of them."""
    wanted = {"targets": [(text, None) for text in texts], **arguments}
    failures: list[list[str]] = []
    last: dict[str, Any] = {}
    async with aclosing(transfers(library)[command](wanted)) as replies:
        async for reply in replies:
            last = dict(reply)
            failures += reply["failures"]
    return last | {"failures": failures}


def counts(reply: dict[str, Any]) -> tuple[int, int, int, int]:
    """New, there, failed and the exit status."""
    state = reply["state"]
    return state["new"], state["there"], state["failed"], reply["exit_status"]
