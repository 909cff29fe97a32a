"""Sizes that a platform's listing says: shown without asking, and compared when the file is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
import trio.testing

from coursefs.catalog.node import ROOT
from coursefs.errors import CoursefsError
from coursefs.library import AccountSource, Library, LibrarySettings, Node, open_library
from coursefs.model import Course, Outline, Wanted
from coursefs.transport import Transport
from tests.engine.fakes import FakeProvider, lecture, made_by, section, video

HELLO, AGAIN = lecture("a", "Hello", 1), lecture("b", "Again", 2)
BODY = b"a film of some length"
YEAR_2024 = "Mon, 01 Jan 2024 00:00:00 GMT"


@dataclass
class Cdn(httpx.AsyncBaseTransport):
    """Serves one body in ranges, with a date of its own."""

    body: bytes = BODY
    headers: dict[str, str] = field(default_factory=lambda: {"etag": '"one"', "last-modified": YEAR_2024})
    asked: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
        part = self.body[int(first) : int(last) + 1]
        span = f"bytes {first}-{int(first) + len(part) - 1}/{len(self.body)}"
        return httpx.Response(206, headers={"content-range": span, **self.headers}, stream=httpx.ByteStream(part))


@dataclass
class World:
    """A course of two films, and the server that they lie on."""

    provider: FakeProvider
    settings: LibrarySettings
    cdn: Cdn = field(default_factory=Cdn)
    told: list[Node] = field(default_factory=list)

    def says(self, size: int | None) -> None:
        """From now on the listing says this size of the first film, and nothing of the other."""
        self.provider.contents[HELLO.key] = [replace(video(HELLO), size=size)]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Library, Node]]:
        platforms = made_by("x", self.provider)
        async with open_library(self.settings, Transport(http_transport=self.cdn), providers=platforms) as library:
            library.on_change(lambda nodes, _: self.told.extend(node for node in nodes if not node.is_directory))
            inode = ROOT
            for name in ("Graphics", "01 Start", "01 Hello.mp4"):
                node = await library.files.child(inode, name)
                assert node
                inode = node.inode
            yield library, await library.files.attributes(inode)

    async def relist(self, library: Library) -> None:
        """Ask for the listing again."""
        async for _ in library.courses.update([]):
            pass
        course = await library.files.child(ROOT, "Graphics")
        assert course
        module = await library.files.child(course.inode, "01 Start")
        assert module
        await library._tree.fetch_all(module)


@pytest.fixture
def world(tmp_path: Path) -> World:
    provider = FakeProvider([Course("c1", "graphics", "Graphics")])
    provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO, AGAIN),))
    provider.urls = {f"item/{key}/video": f"https://cdn.example/{key}.mp4" for key in "ab"}
    accounts: Sequence[AccountSource] = [AccountSource("x", "x", {}, {})]
    settings = LibrarySettings(tmp_path / "catalogue", tmp_path / "cache", accounts, Wanted(), fill=False)
    found = World(provider, settings)
    found.says(len(BODY))
    return found


async def read(library: Library, node: Node) -> bytes:
    handle = await library.files.open(node.inode)
    try:
        return bytes(await handle.read(0, 100))
    finally:
        handle.close()


async def test_a_size_that_the_listing_says_costs_no_request(world: World) -> None:
    async with world.opened() as (library, node):
        assert node.size == len(BODY)
        assert library.files.totals()[1] == len(BODY)
        await trio.testing.wait_all_tasks_blocked()
        assert world.cdn.asked == []
        assert not any("source" in call for call in world.provider.calls)
    async with world.opened() as (_, again):  # after a restart, too
        assert again == node
        assert world.cdn.asked == []


async def test_where_the_listing_says_none_the_server_is_asked_for_that_file_alone(world: World) -> None:
    async with world.opened() as (library, node):
        other = await library.files.child(node.parent, "02 Again.mp4")
        assert other and other.size is None
        assert (await library.files.attributes(other.inode)).size == len(BODY)
        await trio.testing.wait_all_tasks_blocked()
        assert world.cdn.asked == ["/b.mp4"]


async def test_a_size_that_is_confirmed_is_no_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.opened() as (library, node):
        assert node.version is None
        assert await read(library, node) == BODY
        after = library.files.node(node.inode)
        assert (after.size, after.mtime_ns) == (node.size, node.mtime_ns)
        assert after.version and after.version.etag == '"one"'
        await world.relist(library)
        monkeypatch.setattr("coursefs.library.versions._CONFIRMED_FOR_NS", -1)
        assert await read(library, node) == BODY  # and is confirmed once more
        assert library.files.node(node.inode) == after
        assert world.told == []
    async with world.opened() as (_, again):
        assert again == after


async def test_what_changes_under_a_size_that_stays_is_a_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.opened() as (library, node):
        await read(library, node)
        monkeypatch.setattr("coursefs.library.versions._CONFIRMED_FOR_NS", -1)
        world.cdn.body = BODY.upper()
        world.cdn.headers = {"etag": '"two"'}
        assert await read(library, node) == BODY.upper()
        assert library.files.node(node.inode).mtime_ns > node.mtime_ns
        assert [one.inode for one in world.told] == [node.inode]


@pytest.mark.parametrize("headers", [{}, {"etag": '"one"'}, {"etag": '"one"', "last-modified": YEAR_2024}])
async def test_a_size_that_is_wrong_is_a_change(world: World, headers: dict[str, str]) -> None:
    world.says(7)
    world.cdn.headers = headers
    async with world.opened() as (library, node):
        assert node.size == 7
        assert await read(library, node) == BODY
        after = library.files.node(node.inode)
        assert after.size == len(BODY)
        assert after.mtime_ns != node.mtime_ns
        assert world.told == [after]
        await world.relist(library)  # which says 7 again: the server knows better
        assert library.files.node(node.inode) == after


async def test_another_size_in_the_listing_is_shown_until_the_server_is_asked(world: World) -> None:
    async with world.opened() as (library, node):
        world.says(7)
        await world.relist(library)
        after = library.files.node(node.inode)
        assert (after.size, after.version) == (7, None)
        assert after.mtime_ns > node.mtime_ns
        assert world.told == [after]
        world.says(None)
        await world.relist(library)
        assert library.files.node(node.inode) == after


async def test_a_file_of_other_bytes_has_the_size_that_the_listing_says_of_them(world: World) -> None:
    async with world.opened() as (library, node):
        await read(library, node)
        file = video(HELLO)
        other = replace(video(AGAIN), key=file.key, size=9)  # as a better profile of a video
        world.provider.contents[HELLO.key] = [other]
        await world.relist(library)
        after = library.files.node(node.inode)
        assert (after.size, after.version) == (9, None)


async def test_a_server_that_does_not_answer_keeps_the_file_from_being_opened(world: World) -> None:
    async with world.opened() as (library, node):
        world.provider.failure = CoursefsError("no")
        with pytest.raises(CoursefsError, match="no"):
            await library.files.open(node.inode)
        assert library.files.last_error(node) == "no"
        world.provider.failure = None
        assert await read(library, node) == BODY
        assert library.files.last_error(node) is None
