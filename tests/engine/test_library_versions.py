"""When an open file is asked for again, and who hears of its having changed."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing

from coursefs.catalog.node import ROOT
from coursefs.errors import BadReply, Stale
from coursefs.library import AccountSource, Factories, Library, LibrarySettings, Node, open_library
from coursefs.model import Course, Outline, Wanted
from coursefs.transport import Transport
from tests.engine.fakes import FakeProvider, lecture, made_by, section

HELLO = lecture("a", "Hello", 1)


class Cdn(httpx.AsyncBaseTransport):
    """Serves one body in ranges."""

    def __init__(self) -> None:
        self.body, self.etag, self.asked = b"old bytes", '"old"', 0
        self.headers: dict[str, str] = {}
        self.empty = 0  # answers in a row that are an empty 200

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.empty:
            self.empty -= 1
            return httpx.Response(200, headers={"content-length": "0"}, stream=httpx.ByteStream(b""))
        first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
        part = self.body[int(first) : int(last) + 1]
        span = f"bytes {first}-{int(first) + len(part) - 1}/{len(self.body)}"
        headers = {"content-range": span, **({"etag": self.etag} if self.etag else {}), **self.headers}
        return httpx.Response(206, headers=headers, stream=httpx.ByteStream(part))


@pytest.fixture
def cdn() -> Cdn:
    return Cdn()


@pytest.fixture
def settings(tmp_path: Path) -> LibrarySettings:
    return LibrarySettings(tmp_path / "catalogue", tmp_path / "cache", [AccountSource("x", "x", {}, {})], Wanted())


def platforms() -> Factories:
    provider = FakeProvider([Course("c1", "graphics", "Graphics")])
    provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO),))
    provider.urls["item/a/video"] = "https://cdn.example/a.mp4"
    return made_by("x", provider)


@asynccontextmanager
async def opened(settings: LibrarySettings, cdn: Cdn) -> AsyncIterator[tuple[Library, int]]:
    async with open_library(settings, Transport(http_transport=cdn), providers=platforms()) as library:
        inode = ROOT
        for name in ("Graphics", "01 Start", "01 Hello.mp4"):
            node = await library.files.child(inode, name)
            assert node
            inode = node.inode
        yield library, inode


async def read(library: Library, inode: int) -> bytes:
    handle = await library.files.open(inode)
    try:
        return bytes(await handle.read(0, 100))
    finally:
        handle.close()


async def test_a_version_of_today_is_not_asked_for_again(settings: LibrarySettings, cdn: Cdn) -> None:
    async with opened(settings, cdn) as (library, inode):
        await read(library, inode)
        asked = cdn.asked
        assert await read(library, inode) == b"old bytes"
        await trio.testing.wait_all_tasks_blocked()
        assert cdn.asked == asked


async def test_a_version_of_yesterday_is_confirmed_by_the_next_open(
    settings: LibrarySettings, cdn: Cdn, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: list[Node] = []

    def tell(nodes: Sequence[Node], names: object) -> None:
        changed.extend(nodes)

    async with opened(settings, cdn) as (library, inode):
        await read(library, inode)
        library.on_change(tell)
        monkeypatch.setattr("coursefs.library.versions._CONFIRMED_FOR_NS", -1)
        asked = cdn.asked
        assert await read(library, inode) == b"old bytes"
        assert cdn.asked == asked + 1
        assert changed == []
        cdn.body, cdn.etag = b"new and longer bytes", '"new"'
        assert await read(library, inode) == cdn.body
        assert [(node.inode, node.size) for node in changed] == [(inode, len(cdn.body))]


@pytest.mark.parametrize("etag", ["", '"one"'])
async def test_after_an_update_a_size_without_a_version_is_asked_for_again(
    settings: LibrarySettings, cdn: Cdn, etag: str
) -> None:
    """A text that was cut on its way when it was first seen is whole again without waiting for a day."""
    cdn.body, cdn.etag = b"only the begin", etag
    async with opened(settings, cdn) as (library, inode):
        assert await read(library, inode) == cdn.body
        cdn.body = b"only the beginning came"
        asked = cdn.asked
        assert await read(library, inode) == b"only the begin"
        assert cdn.asked == asked
        async for _ in library.courses.update([]):
            pass
        assert await read(library, inode) == (b"only the begin" if etag else cdn.body)
        asked = cdn.asked
        await read(library, inode)
        assert cdn.asked == asked, "once for each update"


@pytest.mark.parametrize("date", [None, "Mon, 01 Jan 2024 00:00:00 GMT"])
async def test_other_bytes_of_the_same_size_and_date_have_another_mtime(
    settings: LibrarySettings, cdn: Cdn, monkeypatch: pytest.MonkeyPatch, date: str | None
) -> None:
    """Else the kernel would go on with the pages of the old ones, and a backup with its old copy."""
    if date is not None:
        cdn.headers["last-modified"] = date
    seen: list[int] = []
    async with opened(settings, cdn) as (library, inode):
        await read(library, inode)
        monkeypatch.setattr("coursefs.library.versions._CONFIRMED_FOR_NS", -1)
        for body in (b"new bytes", b"odd bytes"):
            seen.append(library.files.node(inode).mtime_ns)
            cdn.body, cdn.etag = body, f'"{body.decode()}"'
            assert await read(library, inode) == body
        seen.append(library.files.node(inode).mtime_ns)
        assert len(set(seen)) == 3 and seen == sorted(seen)
        if date is not None:
            cdn.headers["last-modified"], cdn.etag = "Mon, 01 Jan 2024 00:00:01 GMT", '"later"'
            await read(library, inode)
            assert library.files.node(inode).mtime_ns == seen[0] + 10**9


async def test_who_opens_a_file_that_turned_out_to_be_another_waits_for_what_it_is_now(
    settings: LibrarySettings, cdn: Cdn, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, go_on = cdn.handle_async_request, trio.Event()

    async def late(request: httpx.Request) -> httpx.Response:
        if "if-range" not in request.headers:
            await go_on.wait()
        return await real(request)

    async with opened(settings, cdn) as (library, inode), trio.open_nursery() as nursery:
        await library.files.open(inode)  # its size is known, and nothing of it is cached
        handle = await library.files.open(inode)
        cdn.body, cdn.etag = b"new and longer bytes", '"new"'
        monkeypatch.setattr(cdn, "handle_async_request", late)
        with pytest.raises(Stale):
            await handle.read(0, 100)
        got: list[bytes] = []

        async def read_it() -> None:
            got.append(await read(library, inode))

        nursery.start_soon(read_it)
        await trio.testing.wait_all_tasks_blocked()
        assert got == []
        go_on.set()
    assert got == [cdn.body]


async def test_without_a_network_what_is_cached_is_read(
    settings: LibrarySettings, cdn: Cdn, monkeypatch: pytest.MonkeyPatch, mock_clock: trio.testing.MockClock
) -> None:
    """On a clock that stands still but for its jumps, so that threads may take their time."""
    asked = trio.Event()

    async def stall(request: httpx.Request) -> httpx.Response:
        asked.set()
        await trio.sleep(30)
        raise httpx.ReadTimeout("nothing came")

    async with opened(settings, cdn) as (library, inode), trio.open_nursery() as nursery:
        await read(library, inode)
        monkeypatch.setattr("coursefs.library.versions._CONFIRMED_FOR_NS", -1)
        monkeypatch.setattr(cdn, "handle_async_request", stall)
        got: list[bytes] = []

        async def read_it() -> None:
            got.append(await read(library, inode))

        nursery.start_soon(read_it)
        await asked.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert got == []
        mock_clock.jump(2.1)
        while not got:
            await trio.lowlevel.checkpoint()
        asked = trio.Event()
        await read_it()  # at once: the clock stands still
        assert not asked.is_set()
        assert got == [b"old bytes"] * 2
        nursery.cancel_scope.cancel()


async def test_a_network_that_comes_back_is_asked_again(
    settings: LibrarySettings, cdn: Cdn, monkeypatch: pytest.MonkeyPatch, mock_clock: trio.testing.MockClock
) -> None:
    real = cdn.handle_async_request

    async def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    async with opened(settings, cdn) as (library, inode):
        await read(library, inode)
        monkeypatch.setattr("coursefs.library.versions._CONFIRMED_FOR_NS", -1)
        monkeypatch.setattr("coursefs.content.retries.pause", lambda *_: 0.0)
        monkeypatch.setattr(cdn, "handle_async_request", refuse)
        assert await read(library, inode) == b"old bytes"
        monkeypatch.setattr(cdn, "handle_async_request", real)
        cdn.body, cdn.etag = b"new and longer bytes", '"new"'
        assert await read(library, inode) == b"old bytes", "the server is not asked for a minute"
        mock_clock.jump(61)
        assert await read(library, inode) == cdn.body


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coursefs.content.retries.pause", lambda *_: 0.0)


async def test_empty_answers_take_nothing_away_that_is_known(
    settings: LibrarySettings, cdn: Cdn, impatient: None
) -> None:
    async with opened(settings, cdn) as (library, inode):
        assert await read(library, inode) == b"old bytes"
        content = library._versions.content(library.files.node(inode))
        assert content
        library._contents._context.store.index._rows[content.key].checked_ns = 0  # a day has passed
        cdn.empty = 100
        assert await read(library, inode) == b"old bytes"
        assert library.files.node(inode).size == len(b"old bytes")
        await library._contents.clear(keep_pinned=False)
        with pytest.raises(BadReply, match="0 bytes of a file that has 9"):
            await read(library, inode)
        assert library.files.node(inode).size == len(b"old bytes")
        cdn.empty = 0
        assert await read(library, inode) == b"old bytes"


async def test_an_empty_file_is_asked_for_again_at_the_next_opening(
    settings: LibrarySettings, cdn: Cdn, impatient: None
) -> None:
    cdn.empty = 100
    async with opened(settings, cdn) as (library, inode):
        for _ in range(3):
            assert await read(library, inode) == b""
        assert (await library.files.attributes(inode)).size == 0
        cdn.empty = 0
        assert await read(library, inode) == b"old bytes"
        assert (await library.files.attributes(inode)).size == len(b"old bytes")
    async with opened(settings, cdn) as (library, inode):
        assert await read(library, inode) == b"old bytes"


async def test_an_empty_file_is_asked_for_again_after_a_remount_or_when_the_cache_was_cleared(
    settings: LibrarySettings, cdn: Cdn, impatient: None
) -> None:
    cdn.empty = 1
    async with opened(settings, cdn) as (library, inode):
        assert (await library.files.attributes(inode)).size == 0
    shutil.rmtree(settings.cache)
    async with opened(settings, cdn) as (library, inode):
        assert await read(library, inode) == b"old bytes"


async def test_another_size_under_the_same_etag_is_no_change(
    settings: LibrarySettings, cdn: Cdn, impatient: None
) -> None:
    async with opened(settings, cdn) as (library, inode):
        assert (await library.files.attributes(inode)).size == 9
        cdn.body = b"old bytes and more"
        await library._contents.clear(keep_pinned=False)
        with pytest.raises(BadReply):
            await read(library, inode)
        assert library.files.node(inode).size == 9


@pytest.mark.parametrize(("etag", "headers"), [('"new"', {}), ("", {"last-modified": "Wed, 01 Jan 2025 00:00:00 GMT"})])
async def test_fewer_bytes_with_another_etag_or_date_are_a_change(
    settings: LibrarySettings, cdn: Cdn, etag: str, headers: dict[str, str]
) -> None:
    cdn.headers = {"last-modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    cdn.etag = cdn.etag if etag else ""
    async with opened(settings, cdn) as (library, inode):
        assert await read(library, inode) == b"old bytes"
        cdn.body, cdn.etag, cdn.headers = b"new", etag, headers
        await library._contents.clear(keep_pinned=False)
        with pytest.raises(Stale):
            await read(library, inode)
        assert await read(library, inode) == b"new"
