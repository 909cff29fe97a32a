"""Panopto's recordings as files: from the sample server over real sockets to every byte, and what cannot be had."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from coursefs.catalog.node import ROOT
from coursefs.demo.panopto.platform import Panopto
from coursefs.demo.panopto.signing_in import WEB_CLIENT
from coursefs.demo.panopto.tree import Recording
from coursefs.errors import NotSignedIn
from coursefs.library import AccountSource, Library, LibrarySettings, Node, open_library
from coursefs.model import Wanted
from coursefs.providers.panopto.platform import PLATFORM
from coursefs.transport import Span
from tests.engine.campus import folder, held, session
from tests.engine.content_bench import MIB, noise, until

BIOLOGY = folder("Biology 101")


@dataclass
class Campus:
    """A library with one account on a sample server."""

    panopto: Panopto
    library: Library

    async def node(self, *names: str) -> Node:
        node = self.library.files.node(ROOT)
        for name in ("Biology 101", *names):
            found = await self.library.files.child(node.inode, name)
            assert found is not None, [one.name for one in await self.library.files.children(node.inode)]
            node = found
        return node

    async def read(self, node: Node) -> bytes:
        handle = await self.library.files.open(node.inode)
        try:
            size = handle.node.size or 0
            return b"".join([bytes(await handle.read(at, 128 * 1024)) for at in range(0, size, 128 * 1024)])
        finally:
            handle.close()

    def asked(self, port: str, method: str, part: str = "") -> int:
        entries = self.panopto.journal.entries
        return sum((one.port, one.method) == (port, method) and part in one.path for one in entries)


@asynccontextmanager
async def campus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *sessions: Recording, by: str = "client", **settings: str
) -> AsyncIterator[Campus]:
    plenty = Span(1000, 1.0)  # how often may be asked has tests of its own, on a clock of their own
    monkeypatch.setattr("coursefs.providers.panopto.routes._SECOND", plenty)
    monkeypatch.setattr("coursefs.providers.panopto.routes._MEDIA", plenty)
    server = Panopto(held([BIOLOGY], list(sessions)), windows=[plenty])
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(server.serve)
        values, secrets = {"server": addresses.server, **settings}, {}
        if by == "client":
            values, secrets = {"client_id": WEB_CLIENT, **values}, server.sign_ins.grant()
        else:
            cookies = server.sign_ins.browser()
            secrets = {"aspxauth": cookies[".ASPXAUTH"], "csrf_token": cookies["csrfToken"]}
        account = AccountSource("campus", "panopto", values, secrets)
        own = LibrarySettings(tmp_path / "catalogue", tmp_path / "cache", [account], Wanted())
        async with open_library(own, providers={"panopto": PLATFORM.create}) as library:
            yield Campus(server, library)
        nursery.cancel_scope.cancel()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(noise(3 * MIB + 17))
    return path


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("by", ["client", "browser"])
async def test_a_recording_is_read_by_one_request(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranges: bool, by: str
) -> None:
    async with campus(tmp_path, monkeypatch, session("Lecture", BIOLOGY, film), by=by) as it:
        it.panopto.deliveries.ranges = ranges
        node = await it.node("2024-01-09 Lecture.mp4")
        assert (await it.library.files.attributes(node.inode)).size == film.stat().st_size
        assert (it.asked("panopto-cdn", "HEAD"), it.asked("panopto-cdn", "GET")) == (1, 0)
        assert await it.read(node) == film.read_bytes()
        assert it.asked("panopto-cdn", "GET") == 1
        assert await it.read(node) == film.read_bytes()
        assert it.asked("panopto-cdn", "GET") == 1
        assert not [one for one in it.panopto.journal.entries if one.notes]


async def test_a_media_host_that_signs_for_get_alone(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with campus(tmp_path, monkeypatch, session("Lecture", BIOLOGY, film)) as it:
        it.panopto.deliveries.answers_head = False
        assert await it.read(await it.node("2024-01-09 Lecture.mp4")) == film.read_bytes()
        assert it.asked("panopto-cdn", "GET") == 2  # one is broken off behind its head


async def test_the_end_is_read_while_the_beginning_still_comes(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coursefs.content.planner.REST_SKIP", MIB)
    film.write_bytes(body := noise(40 * MIB + 17))  # more than a connection holds by itself
    async with campus(tmp_path, monkeypatch, session("Lecture", BIOLOGY, film)) as it:
        handle = await it.library.files.open((await it.node("2024-01-09 Lecture.mp4")).inode)
        assert await handle.read(0, 1000) == body[:1000]
        for at in (len(body) - 1000, 20 * MIB, 5 * MIB + 3):
            assert await handle.read(at, 1000) == body[at : at + 1000]
        handle.close()
        node = await it.node("2024-01-09 Lecture.mp4")
        assert await it.read(node) == body  # with what the reader that left had begun
        assert await it.read(node) == body
        # every address was used once: the media host refuses the second use
        assert not [one for one in it.panopto.journal.entries if one.port == "panopto-cdn" and (one.status or 0) >= 400]


async def test_the_sound_alone_where_it_is_wanted(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = tmp_path / "film.m4a"
    sound.write_bytes(noise(MIB + 5, 2))
    both, alone = session("Both", BIOLOGY, film, audio=sound), session("Alone", BIOLOGY, None, audio=sound)
    async with campus(tmp_path, monkeypatch, both, alone, audio="true") as it:
        for name in ("2024-01-09 Both.m4a", "2024-01-09 Alone.m4a"):
            assert await it.read(await it.node(name)) == sound.read_bytes()
        assert await it.read(await it.node("2024-01-09 Both.mp4")) == film.read_bytes()
        assert await it.library.files.child((await it.node()).inode, "2024-01-09 Alone.mp4") is None


async def test_switched_off_downloads_are_refused_and_say_why(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with campus(tmp_path, monkeypatch, session("Lecture", BIOLOGY, film, download=False)) as it:
        node = await it.node("2024-01-09 Lecture.mp4")
        page = await it.library.files.attributes(node.inode)
        assert page.name == "2024-01-09 Lecture.mp4 (not available).html"
        assert b"does not offer this recording for download" in await it.read(page)
        assert "does not offer this recording for download" in (it.library.files.last_error(node) or "")
        assert it.asked("panopto-cdn", "GET") + it.asked("panopto-cdn", "HEAD") == 0


async def test_a_page_to_sign_in_on_is_never_content(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with campus(tmp_path, monkeypatch, session("Lecture", BIOLOGY, film)) as it:
        node = await it.node("2024-01-09 Lecture.mp4")
        monkeypatch.setattr(it.panopto.sign_ins, "has_cookie", lambda _: False)
        page = await it.library.files.attributes(node.inode)
        assert b"The platform does not give this file" in await it.read(page)
        assert it.library.cache.cached_bytes(node) == 0
        monkeypatch.undo()
        async for _ in it.library.courses.update([]):
            pass
        assert await it.read(it.library.files.node(node.inode)) == film.read_bytes()


async def test_a_cookie_that_ends_is_renewed_without_an_error(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coursefs.providers.panopto.cookie._NEW", -1.0)
    async with campus(tmp_path, monkeypatch, session("Lecture", BIOLOGY, film)) as it:
        node = await it.node("2024-01-09 Lecture.mp4")
        await it.library.files.attributes(node.inode)
        it.panopto.sign_ins.end_cookies()
        assert await it.read(node) == film.read_bytes()
        assert it.asked("panopto", "GET", "legacyLogin") == 2


async def test_a_large_folder_is_shown_at_once_and_as_it_is_soon_after(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    srt = tmp_path / "a.srt"
    srt.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    many = [session(f"Lecture {number:02d}", BIOLOGY, film, captions={0: srt}) for number in range(21)]
    async with campus(tmp_path, monkeypatch, *many, session("None", BIOLOGY)) as it:
        directory = await it.node()
        first = {one.name for one in await it.library.files.children(directory.inode)}
        assert first == {f"2024-01-09 {one.name}.mp4" for one in (*many, session("None", BIOLOGY))}
        await it.library._tree.fetch_all(directory)
        then = {one.name for one in await it.library.files.children(directory.inode)}
        assert then == {
            "2024-01-09 None (no file).html",
            *(f"2024-01-09 {one.name}.{extension}" for one in many for extension in ("mp4", "en.srt")),
        }
        assert it.asked("panopto", "GET", "/api/v1/sessions/") == 22


async def test_an_edited_recording_is_noticed_when_it_is_opened(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with campus(tmp_path, monkeypatch, session("Lecture", BIOLOGY, film)) as it:
        node = await it.node("2024-01-09 Lecture.mp4")
        assert await it.read(node) == film.read_bytes()
        film.write_bytes(noise(2 * MIB, 1))
        os.utime(film, (1, 1))
        monkeypatch.setattr("coursefs.library.versions._CONFIRMED_FOR_NS", -1)
        assert await it.read(node) == film.read_bytes()


async def test_captions_are_files(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    srt = tmp_path / "a.srt"
    srt.write_text("1\n00:00:01,000 --> 00:00:02,000\nGrüße\n")
    async with campus(tmp_path, monkeypatch, session("Lecture", BIOLOGY, film, captions={4: srt})) as it:
        node = await it.node("2024-01-09 Lecture.de.srt")
        assert (await it.library.files.attributes(node.inode)).size == srt.stat().st_size
        assert await it.read(node) == srt.read_bytes()


async def test_slides_and_chapters_where_they_are_wanted(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = tmp_path / "1.jpg"
    slide.write_bytes(b"\xff\xd8" + noise(2000))
    one = session("Lecture", BIOLOGY, film, slides=(slide,), chapters=((0.0, "Start"), (30.0, "More")))
    async with campus(tmp_path, monkeypatch, one, slides="true") as it:
        assert await it.read(await it.node("2024-01-09 Lecture.files", "Slide 01.jpg")) == slide.read_bytes()
        text = await it.read(await it.node("2024-01-09 Lecture.chapters.txt"))
        assert text == b"CHAPTER01=00:00:00.000\nCHAPTER01NAME=Start\nCHAPTER02=00:00:30.000\nCHAPTER02NAME=More\n"


async def test_recordings_of_one_name_are_all_there(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = [session("Lecture", BIOLOGY, film) for _ in range(2)]
    other = Recording("0a1b2c3d-0000-4000-8000-00000000000e", "Lecture", BIOLOGY.id, same[0].start, 60.0, film)
    async with campus(tmp_path, monkeypatch, same[0], other) as it:
        children = await it.library.files.children((await it.node()).inode)
        assert sorted(one.name for one in children) == sorted(
            f"2024-01-09 Lecture ({one.id}).mp4" for one in (same[0], other)
        )


async def test_the_sizes_of_a_whole_folder_cost_no_request_that_is_counted(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [session(f"Lecture {number:02d}", BIOLOGY, film) for number in range(25)]
    async with campus(tmp_path, monkeypatch, *many) as it:
        nodes = await it.library.files.children((await it.node()).inode)
        counted = it.asked("panopto", "GET", "/api/v1/folders")
        await it.library.files.attributes(nodes[0].inode)
        await until(lambda: it.asked("panopto-cdn", "HEAD") == 25)
        assert it.asked("panopto", "GET", "/api/v1/folders") == counted
        assert it.asked("panopto", "GET", "/api/v1/sessions/") <= 25  # behind the reader's back, not for the sizes


@pytest.mark.parametrize("by", ["client", "browser"])
async def test_a_recording_without_a_download_is_read_from_the_viewer(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    film.write_bytes(body := noise(40 * MIB + 17))
    lecture = session("Lecture", BIOLOGY, film, streams_only=True)
    async with campus(tmp_path, monkeypatch, lecture, by=by) as it:
        node = await it.node("2024-01-09 Lecture.mp4")
        assert (await it.library.files.attributes(node.inode)).size == len(body)
        handle = await it.library.files.open(node.inode)
        assert await handle.read(len(body) - 1000, 1000) == body[-1000:]  # a jump: this URL is not for one use
        handle.close()
        it.panopto.deliveries.end_streams()
        assert await it.read(node) == body  # with a new URL
        assert await it.read(node) == body
        assert it.asked("panopto", "GET", "/Podcast/") + it.asked("panopto", "HEAD", "/Podcast/") <= 6
        assert not [one for one in it.panopto.journal.entries if one.notes]


@pytest.mark.parametrize("pages", [True, False])
async def test_a_browser_s_sign_in_that_ends_while_a_recording_is_read(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: bool
) -> None:
    one, two = session("One", BIOLOGY, film), session("Two", BIOLOGY, film)
    async with campus(tmp_path, monkeypatch, one, two, by="browser") as it:
        read, unread = await it.node("2024-01-09 One.mp4"), await it.node("2024-01-09 Two.mp4")
        for node in (read, unread):
            await it.library.files.attributes(node.inode)
        assert await it.read(read) == film.read_bytes()
        it.panopto.media.pages = pages  # HTML in place of bytes, or a redirect to it
        it.panopto.sign_ins.end_cookies()
        assert await it.read(read) == film.read_bytes()
        with pytest.raises(NotSignedIn, match="sign in"):
            await it.read(unread)
        assert it.library.cache.cached_bytes(unread) == 0
        assert it.library.files.node(unread.inode).name == "2024-01-09 Two.mp4"
        # the refused read has the sign-in checked in the background
        await until(lambda: isinstance(it.library.status().accounts[0].trouble, NotSignedIn))
        assert {one.name for one in await it.library.files.children((await it.node()).inode)} == {
            read.name,
            unread.name,
        }
