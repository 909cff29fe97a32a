"""What is listed can be stat'ed: a page in the place of a file that the platform refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
import trio.testing

from coursefs.catalog.node import ROOT
from coursefs.errors import Gone, NotAllowed, NotSignedIn
from coursefs.library import AccountSource, Library, LibrarySettings, open_library
from coursefs.model import Course, Identity, Outline, Wanted
from coursefs.transport import Transport
from tests.engine.fakes import FakeProvider, lecture, made_by, reading, section, video

HELLO, AGAIN = lecture("a", "Hello", 1), lecture("b", "Again", 2)
PAGE = "01 Hello.mp4 (not available).html"


@dataclass
class Cdn(httpx.AsyncBaseTransport):
    """A media server that refuses some of its files."""

    refused: dict[str, int] = field(default_factory=dict)  # path -> status
    asked: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if path in self.refused:
            return httpx.Response(self.refused[path], stream=httpx.ByteStream(b""))
        body = f"the bytes of {path}".encode()
        first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
        part = body[int(first) : int(last) + 1]
        headers = {"content-range": f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}", "etag": '"1"'}
        return httpx.Response(206, headers=headers, stream=httpx.ByteStream(part))


@dataclass
class SignedOut(FakeProvider):
    """A platform whose sessions may all have ended."""

    is_dead: bool = False

    async def whoami(self) -> Identity:
        if self.is_dead:
            raise NotSignedIn("x: the session has ended")
        return await FakeProvider.whoami(self)


@dataclass
class World:
    provider: SignedOut
    settings: LibrarySettings
    cdn: Cdn = field(default_factory=Cdn)
    told: list[tuple[int, str]] = field(default_factory=list)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Library]:
        platforms = made_by("x", self.provider)
        async with open_library(self.settings, Transport(http_transport=self.cdn), providers=platforms) as library:
            library.on_change(lambda _, names: self.told.extend(names))
            yield library


@pytest.fixture
def world(tmp_path: Path) -> World:
    provider = SignedOut([Course("c1", "graphics", "Graphics")])
    provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO, AGAIN),))
    for key in ("item/a/video", "item/b/video", "item/a/asset/ear"):
        provider.urls[key] = f"https://cdn.example/{key}"
    settings = LibrarySettings(tmp_path / "c.sqlite", tmp_path / "cache", [AccountSource("x", "x", {}, {})], Wanted())
    return World(provider, settings)


async def inode_of(library: Library, *names: str) -> int:
    inode = ROOT
    for name in ("Graphics", "01 Start", *names):
        node = await library.files.child(inode, name)
        assert node is not None, name
        inode = node.inode
    return inode


async def names_in(library: Library, *names: str) -> list[str]:
    return [node.name for node in await library.files.children(await inode_of(library, *names))]


async def bytes_of(library: Library, inode: int) -> bytes:
    handle = await library.files.open(inode)
    try:
        return bytes(await handle.read(0, 1 << 20))
    finally:
        handle.close()


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_refused_file_is_a_page_that_says_so(world: World, status: int) -> None:
    world.cdn.refused = {"/item/a/video": status}
    async with world.opened() as library:
        assert await names_in(library) == ["01 Hello.mp4", "02 Again.mp4"], "a listing asks for nothing"
        inode = await inode_of(library, "01 Hello.mp4")
        node = await library.files.attributes(inode)
        assert node.size == len(await bytes_of(library, inode)) > 100
        assert b"The platform does not give this file" in await bytes_of(library, inode)
        assert await names_in(library) == [PAGE, "02 Again.mp4"]
        assert (await library.files.attributes(await inode_of(library, "02 Again.mp4"))).size == len(
            "the bytes of /item/b/video"
        )
        assert library.files.last_error(library.files.node(inode)) is not None


async def test_the_name_that_was_listed_is_still_the_same_file(world: World) -> None:
    world.cdn.refused = {"/item/a/video": 403}
    async with world.opened() as library:
        inode = await inode_of(library, "01 Hello.mp4")
        await library.files.attributes(inode)
        assert await inode_of(library, "01 Hello.mp4") == await inode_of(library, PAGE) == inode
        module = await inode_of(library)
        assert {(module, "01 Hello.mp4"), (module, PAGE)} <= set(world.told)


async def test_it_is_decided_once_and_kept(world: World) -> None:
    world.cdn.refused = {"/item/a/video": 403}
    async with world.opened() as library:
        inode = await inode_of(library, "01 Hello.mp4")
        before = await library.files.attributes(inode)
        page = await bytes_of(library, inode)
        world.cdn.asked.clear()
        world.provider.calls.clear()
        for _ in range(5):
            assert await library.files.attributes(inode) == before
        assert not world.cdn.asked
        assert not world.provider.calls
    async with world.opened() as library:
        assert await names_in(library) == [PAGE, "02 Again.mp4"]
        assert await library.files.attributes(await inode_of(library, PAGE)) == before
        assert await bytes_of(library, inode) == page
        assert "/item/a/video" not in world.cdn.asked


async def test_an_update_asks_again_and_brings_the_file_back(world: World) -> None:
    world.cdn.refused = {"/item/a/video": 403}
    async with world.opened() as library:
        inode = await inode_of(library, "01 Hello.mp4")
        before = await library.files.attributes(inode)
        world.cdn.asked.clear()
        async for _ in library.courses.update([]):
            pass
        assert world.cdn.asked.count("/item/a/video") >= 1
        assert library.files.node(inode) == before, "the page and its date are the same"
        world.cdn.refused = {}
        async for _ in library.courses.update([]):
            pass
        assert await names_in(library) == ["01 Hello.mp4", "02 Again.mp4"]
        assert await inode_of(library, "01 Hello.mp4") == inode
        assert await bytes_of(library, inode) == b"the bytes of /item/a/video"
        assert library.files.last_error(library.files.node(inode)) is None


async def test_a_server_that_does_not_answer_leaves_the_page(world: World) -> None:
    world.cdn.refused = {"/item/a/video": 403}
    async with world.opened() as library:
        inode = await inode_of(library, "01 Hello.mp4")
        before = await library.files.attributes(inode)
        world.cdn.refused = {"/item/a/video": 501}
        async for _ in library.courses.update([]):
            pass
        assert library.files.node(inode) == before


async def test_a_dead_sign_in_makes_no_page(world: World) -> None:
    world.cdn.refused = {"/item/a/video": 403}
    async with world.opened() as library:
        inode = await inode_of(library, "01 Hello.mp4")
        world.provider.is_dead = True
        with pytest.raises(NotSignedIn):
            await library.files.attributes(inode)
        assert await names_in(library) == ["01 Hello.mp4", "02 Again.mp4"]
        world.provider.is_dead, world.cdn.refused = False, {}
        assert await bytes_of(library, inode) == b"the bytes of /item/a/video"


async def test_a_known_file_stays_while_everything_is_refused(world: World) -> None:
    async with world.opened() as library:
        inode = await inode_of(library, "01 Hello.mp4")
        known = await library.files.attributes(inode)
        world.cdn.refused = {"/item/a/video": 403, "/item/b/video": 403}
        with pytest.raises(NotAllowed):
            await bytes_of(library, inode)
        await trio.testing.wait_all_tasks_blocked()
        assert library.files.node(inode) == known


async def shown(library: Library, name: str) -> None:
    """Wait until this name is listed: threads take part in what leads to it."""
    for _ in range(1000):
        if name in await names_in(library):
            return
        await trio.testing.wait_all_tasks_blocked(0.01)
    raise AssertionError(await names_in(library))


async def refused_again(library: Library, inode: int) -> None:
    """A read that is refused, and what the library concludes from it."""
    with pytest.raises(Gone):
        await bytes_of(library, inode)
    await trio.testing.wait_all_tasks_blocked()


async def test_a_known_file_that_is_refused_alone_for_ten_minutes_becomes_a_page(
    world: World, mock_clock: trio.testing.MockClock
) -> None:
    async with world.opened() as library:
        inode = await inode_of(library, "01 Hello.mp4")
        await library.files.attributes(inode)
        await library.files.attributes(await inode_of(library, "02 Again.mp4"))
        world.cdn.refused = {"/item/a/video": 410}
        for after in (0.0, 300.0, 299.0):
            mock_clock.jump(after)
            await refused_again(library, inode)
            assert await names_in(library) == ["01 Hello.mp4", "02 Again.mp4"], "it may come back"
        mock_clock.jump(2.0)
        await refused_again(library, inode)
        await shown(library, PAGE)


async def test_a_file_that_was_served_in_between_is_refused_anew(
    world: World, mock_clock: trio.testing.MockClock
) -> None:
    async with world.opened() as library:
        inode = await inode_of(library, "01 Hello.mp4")
        await library.files.attributes(inode)
        await library.files.attributes(await inode_of(library, "02 Again.mp4"))
        world.cdn.refused = {"/item/a/video": 410}
        await refused_again(library, inode)
        world.cdn.refused = {}
        content = library._versions.content(library.files.node(inode))
        assert content is not None
        await library._contents.probe(content, again=True)
        world.cdn.refused = {"/item/a/video": 410}
        mock_clock.jump(601.0)
        await refused_again(library, inode)
        assert await names_in(library) == ["01 Hello.mp4", "02 Again.mp4"]
        mock_clock.jump(601.0)
        await refused_again(library, inode)
        await shown(library, PAGE)


async def test_a_file_that_is_cached_whole_stays_whatever_the_platform_says(world: World) -> None:
    async with world.opened() as library:
        inode = await inode_of(library, "01 Hello.mp4")
        await library.files.attributes(await inode_of(library, "02 Again.mp4"))
        body = await bytes_of(library, inode)
        known = library.files.node(inode)
        world.cdn.refused = {"/item/a/video": 410}
        library._versions.note_read(known, Gone("it is gone"))
        await trio.testing.wait_all_tasks_blocked()
        assert library.files.node(inode) == known
        assert await bytes_of(library, inode) == body


async def test_a_picture_of_a_reading_that_is_refused_keeps_the_link(world: World) -> None:
    world.provider.contents[HELLO.key] = reading(HELLO, '<img src="coursefs-beside:item/a/asset/ear">', "ear")
    world.cdn.refused = {"/item/a/asset/ear": 404}
    async with world.opened() as library:
        picture = await inode_of(library, "01 Hello.files", "ear.png")
        await library.files.attributes(picture)
        assert await names_in(library, "01 Hello.files") == ["ear.png (not available).html"]
        async for _ in library.courses.update([]):
            pass
        assert await names_in(library, "01 Hello.files") == ["ear.png (not available).html"]
        assert b"ear.png%20%28not%20available%29.html" in await bytes_of(
            library, await inode_of(library, "01 Hello.html")
        )


async def test_with_a_size_from_the_listing_the_first_open_fails_and_the_next_shows_the_page(world: World) -> None:
    world.provider.contents[HELLO.key] = [replace(video(HELLO), size=1000)]
    world.cdn.refused = {"/item/a/video": 403}
    async with world.opened() as library:
        inode = await inode_of(library, "01 Hello.mp4")
        assert (await library.files.attributes(inode)).size == 1000
        with pytest.raises(NotAllowed):
            await library.files.open(inode)
        assert b"does not give this file" in await bytes_of(library, inode)
