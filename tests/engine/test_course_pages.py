"""The files of course pages in the tree: what they cost, when they change, and that they stay."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import httpx
import pytest
import trio

from coursefs.catalog.node import ROOT
from coursefs.errors import Unreachable
from coursefs.library import AccountSource, Library, LibrarySettings, Node, PageHits, course_pages, open_library
from coursefs.model import (
    LEAVES_TRACES,
    Course,
    CourseProgress,
    Deadline,
    File,
    Kind,
    Outline,
    Page,
    Placement,
    Remote,
    Wanted,
)
from coursefs.pages import course_page
from coursefs.transport import Transport
from tests.engine.fakes import FakeProvider, lecture, made_by, section, video

HELLO, LATER = lecture("a", "Hello", 1), lecture("b", "Later", 1)
CAPTIONS = b"1\n00:00:01,000 --> 00:00:02,000\nGood <b>morning</b>\n"
OUTLINE = Outline((section("m1", "First", 1, HELLO), section("m2", "Second", 2, LATER)))


def captions(identity: str = "a/captions") -> File:
    remote = Remote(identity, {"key": identity})
    return File("item/a/en", Kind.SUBTITLE, Placement.MAIN, "", ".en.srt", "application/x-subrip", remote)


class Dated(FakeProvider):
    """A platform that knows what is due and what is done."""

    due: tuple[Deadline, ...] = (Deadline("Essay", 1_789_000_000 * 10**9, "item/b"),)
    done: frozenset[str] = frozenset({"item/a"})

    async def due_dates(self, course: Course) -> tuple[Deadline, ...]:
        await self._asked("due")
        return self.due

    async def progress(self, course: Course) -> CourseProgress | None:
        await self._asked("progress")
        return CourseProgress(parts=dict.fromkeys(self.done, 1.0))

    async def watched(self, course: Course, item: str) -> float | None:
        raise AssertionError("no page needs it")


def platform() -> Dated:
    return Dated(
        [Course("c1", "birds", "Birds")],
        {"c1": OUTLINE},
        {"item/a": [video(HELLO), captions()]},
        urls={
            "a/captions": "https://cdn.example/captions",
            "other": "https://cdn.example/other",
            "item/a/video": "https://cdn.example/video",
        },
    )


class Cdn(httpx.AsyncBaseTransport):
    """Serves captions, in ranges."""

    asked: ClassVar[list[str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = CAPTIONS if request.url.path == "/captions" else CAPTIONS.replace(b"morning", b"evening, everyone")
        self.asked.append(request.headers["range"])
        first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
        part = body[int(first) : int(last or len(body)) + 1]
        headers = {
            "content-range": f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}",
            "content-length": str(len(part)),
            "etag": f'"{len(body)}"',
        }
        return httpx.Response(206, headers=headers, stream=httpx.ByteStream(part))


@asynccontextmanager
async def opened(
    tmp_path: Path, provider: FakeProvider, *, shown: bool = True, offline: bool = False, cdn: Cdn | None = None
) -> AsyncIterator[Library]:
    account = AccountSource("school", "school", {}, {})
    settings = LibrarySettings(
        tmp_path / "catalogue.sqlite", tmp_path / "cache", [account], Wanted(), course_pages=shown, offline=offline
    )
    transport = Transport(http_transport=cdn or Cdn(), offline=offline)
    async with open_library(settings, transport, providers=made_by("school", provider)) as library:
        yield library


async def at(library: Library, path: str) -> Node:
    """The node at a path."""
    node = library.files.node(ROOT)
    for name in path.split("/"):
        child = await library.files.child(node.inode, name)
        assert child is not None, path
        node = child
    return node


async def names(library: Library, path: str = "") -> list[str]:
    inode = (await at(library, path)).inode if path else ROOT
    return [node.name for node in await library.files.children(inode)]


async def read(library: Library, path: str) -> bytes:
    handle = await library.files.open((await at(library, path)).inode)
    try:
        data = bytes(await handle.read(0, 1 << 24))
    finally:
        handle.close()
    assert len(data) == handle.node.size == (await library.files.attributes(handle.node.inode)).size
    return data


async def test_a_course_has_its_page_and_each_module_its_playlist(tmp_path: Path) -> None:
    async with opened(tmp_path, platform()) as library:
        assert await names(library) == ["Birds", "deadlines.ics", "index.files", "index.html"]
        assert await names(library, "Birds") == [
            "01 First", "02 Second", "deadlines.ics", "index.files", "index.html", "playlist.m3u8",
        ]  # fmt: skip
        assert await names(library, "Birds/01 First") == ["01 Hello.en.srt", "01 Hello.mp4", "playlist.m3u8"]
        playlist = (await read(library, "Birds/01 First/playlist.m3u8")).decode()
        assert "01 Hello.mp4" in playlist and "Later" not in playlist
        whole = (await read(library, "Birds/playlist.m3u8")).decode()
        assert "01 First/01 Hello.mp4" in whole and "02 Second/01 Later.mp4" in whole
        page = (await read(library, "Birds/index.html")).decode()
        assert all(f'href="{link}"' in page for link in ("01%20First/01%20Hello.mp4", "../index.html"))
        assert 'href="Birds/index.html"' in (await read(library, "index.html")).decode()
        for name in ("page.js", "page.css"):
            assert await read(library, f"Birds/index.files/{name}") == await read(library, f"index.files/{name}")


async def test_listing_costs_nothing_and_reading_asks_for_what_is_missing(tmp_path: Path) -> None:
    provider = platform()
    async with opened(tmp_path, provider) as library:
        await names(library, "Birds")
        await names(library, "Birds/index.files")
        for name in ("index.html", "playlist.m3u8", "deadlines.ics", "index.files/progress.js"):
            assert (await library.files.attributes((await at(library, f"Birds/{name}")).inode)).size
        assert provider.calls == ["courses", "outline c1"]
        before = (await at(library, "Birds/index.html")).size
        assert b'id="partial"' not in await read(library, "Birds/index.html") and before is not None
        assert sorted(provider.calls[2:]) == ["files item/a", "files item/b"]
        await read(library, "Birds/index.html")
        await read(library, "index.html")
        assert len(provider.calls) == 4
        assert b"SUMMARY:Birds: Essay" in await read(library, "Birds/deadlines.ics")
        assert provider.calls[4:] == ["due"]
        script = (await read(library, "Birds/index.files/progress.js")).decode()
        assert provider.calls[5:] == ["progress"]
        assert json.loads(script[script.index("(") + 1 : script.rindex(")")])["done"] == {"item/a": 1.0}
        assert b"SUMMARY:Birds: Essay" in await read(library, "deadlines.ics")


async def test_captions_are_a_script_beside_the_page(tmp_path: Path) -> None:
    async with opened(tmp_path, platform()) as library:
        page = (await read(library, "Birds/index.html")).decode()
        (script,) = set(re.findall(r"index\.files/[0-9a-f]+\.js", page))
        await library.files.attributes((await at(library, "Birds/01 First/01 Hello.en.srt")).inode)
        Cdn.asked.clear()
        size = (await library.files.attributes((await at(library, f"Birds/{script}")).inode)).size
        assert size is not None and Cdn.asked == []  # a look at a directory fetches no captions
        assert b"Good morning" in await read(library, f"Birds/{script}")
        assert (await at(library, f"Birds/{script}")).size == size and Cdn.asked
        assert script.removeprefix("index.files/") in await names(library, "Birds/index.files")


async def test_a_script_of_captions_that_cannot_be_fetched_has_no_cues_until_it_can(tmp_path: Path) -> None:
    provider = platform()
    async with opened(tmp_path, provider) as library:
        page = (await read(library, "Birds/index.html")).decode()
        (script,) = set(re.findall(r"index\.files/[0-9a-f]+\.js", page))
        provider.failure = Unreachable("no network")
        assert b"morning" not in await read(library, f"Birds/{script}")
        provider.failure = None
        assert b"Good morning" in await read(library, f"Birds/{script}")


async def test_captions_that_have_changed_make_another_script(tmp_path: Path) -> None:
    provider = platform()
    async with opened(tmp_path, provider) as library:
        page = (await read(library, "Birds/index.html")).decode()
        (script,) = set(re.findall(r"index\.files/[0-9a-f]+\.js", page))
        before = await read(library, f"Birds/{script}")
        provider.contents["item/a"] = [video(HELLO), captions("other")]
        async for _ in library.courses.update(["birds"]):
            pass
        assert (await at(library, f"Birds/{script}")).size is None
        after = await read(library, f"Birds/{script}")
        assert b"everyone" in after and after != before


async def test_pages_are_the_same_after_a_restart_and_change_with_the_course_alone(tmp_path: Path) -> None:
    provider = platform()
    paths = (
        "index.html",
        "Birds/index.html",
        "Birds/playlist.m3u8",
        "Birds/deadlines.ics",
        "Birds/index.files/page.js",
    )
    async with opened(tmp_path, provider) as library:
        await names(library, "Birds")
        before = {path: await read(library, path) for path in paths}
        nodes = {path: await at(library, path) for path in paths}
    async with opened(tmp_path, provider) as library:
        async for _ in library.courses.update(["birds"]):
            pass
        assert {path: await read(library, path) for path in paths} == before
        assert {path: await at(library, path) for path in paths} == nodes
        provider.outlines["c1"] = Outline((section("m1", "First", 1, replace(HELLO, title="Welcome")),))
        async for _ in library.courses.update(["birds"]):
            pass
        assert b"Welcome" in await read(library, "Birds/index.html")
        now = await at(library, "Birds/index.html")
        assert now.inode == nodes["Birds/index.html"].inode and now.mtime_ns > nodes["Birds/index.html"].mtime_ns
        assert await read(library, "Birds/index.files/page.js") == before["Birds/index.files/page.js"]
        assert await at(library, "Birds/index.files/page.js") == nodes["Birds/index.files/page.js"]


@pytest.mark.parametrize(("minutes", "changes"), [(59, False), (61, True)])
async def test_a_page_whose_course_becomes_known_keeps_its_mtime_for_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int, changes: bool
) -> None:
    async with opened(tmp_path, platform()) as library:
        node, pages = await at(library, "Birds/index.html"), library._tree.refresher.pages
        first = pages.set_bytes(node, b"of what is known", is_complete=False)
        assert (first.size, first.mtime_ns) == (16, node.mtime_ns)
        now = node.mtime_ns + minutes * 60 * 10**9
        monkeypatch.setattr("coursefs.catalog.page_nodes.time", SimpleNamespace(time_ns=lambda: now))
        later = pages.set_bytes(first, b"of more that is known", is_complete=False)
        assert (later.size, later.mtime_ns) == (21, now if changes else node.mtime_ns)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are made again at once."""
    monkeypatch.setattr(course_pages, "_QUIET", 0.0)


async def until(what: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    with trio.fail_after(20):
        while not what():
            await trio.sleep(0.005)


@pytest.mark.usefixtures("no_pause")
async def test_a_page_that_was_read_is_made_again_when_the_course_changes(tmp_path: Path) -> None:
    provider = platform()
    async with opened(tmp_path, provider) as library:
        await read(library, "Birds/index.html")
        node = await at(library, "Birds/index.html")
        told: list[Node] = []
        library.on_change(lambda nodes, _: told.extend(nodes))
        provider.outlines["c1"] = Outline((section("m1", "First", 1, replace(HELLO, title="Welcome")),))
        async for _ in library.courses.update(["birds"]):
            pass
        await until(lambda: node.inode in {one.inode for one in told})
        assert (await at(library, "Birds/index.html")).etag != node.etag


async def test_offline_the_page_is_what_is_known(tmp_path: Path) -> None:
    provider = platform()
    async with opened(tmp_path, provider) as library:
        await read(library, "Birds/index.files/progress.js")
        before = await read(library, "Birds/index.html")
    provider.calls.clear()
    async with opened(tmp_path, provider, offline=True) as library:
        assert await read(library, "Birds/index.html") == before
        assert b'"item/a":1.0' in await read(library, "Birds/index.files/progress.js")
    assert provider.calls == []


async def test_the_settings_take_the_pages_away_and_bring_them_back(tmp_path: Path) -> None:
    provider = platform()
    async with opened(tmp_path, provider) as library:
        await names(library, "Birds")
        inode = (await at(library, "Birds/index.html")).inode
    async with opened(tmp_path, provider, shown=False) as library:
        assert await names(library) == ["Birds"]
        assert await names(library, "Birds") == ["01 First", "02 Second"]
    async with opened(tmp_path, provider) as library:
        assert "index.html" in await names(library)
        assert (await at(library, "Birds/index.html")).inode == inode
        assert b"Later" in await read(library, "Birds/index.html")


async def test_no_title_gets_the_name_of_a_page(tmp_path: Path) -> None:
    provider = platform()
    provider.outlines["c1"] = Outline((section("m1", "index.files", None, HELLO), section("m2", "Index.html", None)))  # type: ignore[arg-type]
    async with opened(tmp_path, provider) as library:
        shown = await names(library, "Birds")
        assert shown.count("index.files") == shown.count("index.html") == 1
        assert {"index.files (m1)", "Index.html (m2)"} < set(shown)


async def test_a_course_without_anything_has_a_page(tmp_path: Path) -> None:
    provider = platform()
    provider.outlines["c1"] = Outline(())
    provider.due = ()
    async with opened(tmp_path, provider) as library:
        assert b"Birds" in await read(library, "Birds/index.html")
        assert (await read(library, "Birds/playlist.m3u8")).startswith(b"#EXTM3U")
        assert b"VEVENT" not in await read(library, "Birds/deadlines.ics")


async def test_a_name_that_the_platform_had_first_keeps_its_file(tmp_path: Path) -> None:
    provider = platform()
    async with opened(tmp_path, provider, shown=False) as library:
        await names(library, "Birds")
        node = await at(library, "Birds/02 Second")
    with sqlite3.connect(tmp_path / "catalogue.sqlite") as catalogue:
        catalogue.execute("UPDATE node SET name = 'index.files', sum = NULL WHERE inode = ?", (node.inode,))
    catalogue.close()
    async with opened(tmp_path, provider) as library:
        assert (await at(library, "Birds/index.files")).inode == node.inode
        assert b"Later" in await read(library, "Birds/index.html")


@pytest.mark.logs
@pytest.mark.usefixtures("no_pause")
async def test_a_page_that_cannot_be_made_is_an_error_of_its_reader_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    provider = platform()
    async with opened(tmp_path, provider) as library:
        await read(library, "Birds/index.html")
        monkeypatch.setattr(course_page, "index_html", lambda _: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            await read(library, "Birds/index.html")
        provider.outlines["c1"] = Outline((section("m1", "First", 1, replace(HELLO, title="Welcome")),))
        async for _ in library.courses.update(["birds"]):
            pass
        await until(lambda: "making a course page: unexpected ZeroDivisionError" in caplog.text)
        assert b"Welcome" in await read(library, "Birds/playlist.m3u8")
        assert not library.status().troubles


@asynccontextmanager
async def with_twins(
    tmp_path: Path, *formats: str, readings: tuple[str, ...] = ("html",), provider: FakeProvider | None = None
) -> AsyncIterator[Library]:
    account = AccountSource("school", "school", {}, {})
    settings = LibrarySettings(
        tmp_path / "catalogue.sqlite",
        tmp_path / "cache",
        [account],
        Wanted(readings=readings),
        subtitle_formats=formats,
    )
    async with open_library(
        settings, Transport(http_transport=Cdn()), providers=made_by("school", provider or platform())
    ) as library:
        yield library


async def test_captions_are_there_in_the_other_format_too(tmp_path: Path) -> None:
    async with with_twins(tmp_path, "srt", "vtt") as library:
        assert await names(library, "Birds") == ["01 First", "02 Second"]
        assert await names(library, "Birds/01 First") == ["01 Hello.en.srt", "01 Hello.en.vtt", "01 Hello.mp4"]
        vtt = (await read(library, "Birds/01 First/01 Hello.en.vtt")).decode()
        assert vtt.startswith("WEBVTT") and "00:00:01.000 --> 00:00:02.000" in vtt and "Good morning" in vtt
    async with with_twins(tmp_path) as library:
        assert await names(library, "Birds/01 First") == ["01 Hello.en.srt", "01 Hello.mp4"]


async def test_captions_in_the_other_format_are_no_empty_file_while_they_cannot_be_fetched(tmp_path: Path) -> None:
    provider = platform()
    async with with_twins(tmp_path, "vtt", provider=provider) as library:
        path = "Birds/01 First/01 Hello.en.vtt"
        await names(library, "Birds/01 First")
        provider.failure = Unreachable("no network")
        assert (await library.files.attributes((await at(library, path)).inode)).size, "it can be looked at"
        with pytest.raises(Unreachable):
            await read(library, path)
        provider.failure = None
        assert b"morning" in await read(library, path)


async def test_captions_are_notes_where_readings_are(tmp_path: Path) -> None:
    async with with_twins(tmp_path, readings=("html", "md")) as library:
        assert await names(library, "Birds/01 First") == ["01 Hello.en.md", "01 Hello.en.srt", "01 Hello.mp4"]
        note = (await read(library, "Birds/01 First/01 Hello.en.md")).decode()
        assert note.startswith("---\n") and "**0:01** Good morning" in note
        assert all(line in note for line in ('course: "Birds"', 'module: "First"'))


async def test_an_item_is_what_its_files_are_whatever_the_platform_calls_it(tmp_path: Path) -> None:
    provider = platform()
    quiz = File("item/b/page", Kind.LINK, Placement.MARKED, "quiz", ".html", "text/html", Page("<p>on the web</p>"))
    provider.contents["item/b"] = [quiz]
    second = section("m2", "Second", 2, replace(LATER, type_name="staffGraded"), lecture("c", "Locked", 2))
    provider.outlines["c1"] = Outline((section("m1", "First", 1, replace(HELLO, type_name="supplement")), second))
    provider.contents["item/c"] = []
    async with opened(tmp_path, provider) as library:
        page = (await read(library, "Birds/index.html")).decode()
        assert page.count(">Lecture<") == 2 and ">Quiz<" in page
        assert "Supplement" not in page and "Staff graded" not in page


async def test_a_page_asks_for_nothing_that_the_platform_would_record_as_a_visit(tmp_path: Path) -> None:
    exercise = replace(lecture("e", "Exercise", 2), details={LEAVES_TRACES: "yes"})
    locked = replace(lecture("x", "Exam", 3), details={LEAVES_TRACES: "yes"}, locked="opens in May")
    provider = platform()
    second = section("m2", "Second", 2, replace(exercise, key="item/f"))
    provider.outlines["c1"] = Outline((section("m1", "First", 1, HELLO, exercise, locked), second))
    async with opened(tmp_path, provider) as library:
        page = (await read(library, "Birds/index.html")).decode()
        assert [call for call in provider.calls if call.startswith("files")] == ["files item/a"]
        assert "01%20Hello.mp4" in page and 'id="partial"' not in page
        assert page.count("The files of 1 item are not listed yet") == 2
        assert await read(library, "Birds/index.html") == page.encode()
        assert [call for call in provider.calls if call.startswith("files")] == ["files item/a"]
        # the learner's own look at the folder does
        assert "02 Exercise.mp4" in await names(library, "Birds/01 First")
        assert (await read(library, "Birds/index.html")).decode().count("not listed yet") == 1


async def test_what_failed_lately_is_not_asked_for_by_each_look_at_a_page(tmp_path: Path) -> None:
    provider = platform()
    exercise = replace(lecture("e", "Exercise", 2), details={LEAVES_TRACES: "yes"})
    provider.outlines["c1"] = Outline((section("m1", "First", 1, HELLO, exercise),))
    async with opened(tmp_path, provider) as library:
        await names(library, "Birds")
        provider.failure = Unreachable("the network is down")
        for _ in range(3):
            assert 'id="partial"' in (await read(library, "Birds/index.html")).decode()
        assert provider.calls.count("files item/a") == 1


class Silent(Cdn):
    """A CDN that answers only when it may."""

    def __init__(self) -> None:
        self.may_answer = trio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self.may_answer.wait()
        return await super().handle_async_request(request)


async def test_captions_that_do_not_come_are_waited_for_once_and_then_not_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cdn = Silent()
    provider = platform()
    provider.contents["item/a"] = [video(HELLO), replace(captions(), size=len(CAPTIONS))]
    async with opened(tmp_path, provider, cdn=cdn) as library:
        await names(library, "Birds/01 First")
        (script,) = [name for name in await names(library, "Birds/index.files") if re.fullmatch(r"[0-9a-f]+\.js", name)]

        async def cues() -> bytes:
            return await read(library, f"Birds/index.files/{script}")

        monkeypatch.setattr(course_pages, "_PATIENCE", 0.01)
        monkeypatch.setattr(course_pages, "_AT_ONCE", 0.01)
        assert b"morning" not in await cues()
        monkeypatch.setattr(course_pages, "_PATIENCE", float("inf"))
        assert b"morning" not in await cues(), "the rest of a walk over all pages does not wait"
        monkeypatch.setattr(course_pages, "_AT_ONCE", float("inf"))
        cdn.may_answer.set()
        assert b"morning" in await cues()


async def test_the_first_listing_of_a_directory_is_no_change_although_its_page_is_there(tmp_path: Path) -> None:
    """The kernel would drop the pages of a file that is being read, and a backup would see another date."""
    async with opened(tmp_path, platform()) as library:
        told: set[str] = set()
        library.on_change(lambda _, names: told.update(name for _, name in names))
        root = library.files.node(ROOT)
        shown = set(await names(library)) | set(await names(library, "Birds"))
        before = await at(library, "Birds/01 First")
        shown |= set(await names(library, "Birds/01 First"))
        platforms = {name for name in shown if name.startswith(("Birds", "0"))}
        assert {"Birds", "01 First", "01 Hello.mp4"} < platforms
        assert not platforms & told
        assert (await at(library, "Birds/01 First")).mtime_ns == before.mtime_ns
        assert library.files.node(ROOT).mtime_ns == root.mtime_ns


async def test_a_program_that_reads_by_inode_number_comes_to_generated_files_last(tmp_path: Path) -> None:
    """As borg does: it is to find the scripts of captions that the lessons before them have brought."""
    async with opened(tmp_path, platform()) as library:
        for path in ("", "Birds", "Birds/01 First"):
            children = await library.files.children((await at(library, path)).inode if path else ROOT)
            last = max(node.inode for node in children if not node.is_generated and node.name != "index.files")
            assert all(node.inode > last for node in children if node.is_generated or node.name == "index.files")


async def test_a_folder_of_generated_files_is_listed_from_memory(tmp_path: Path) -> None:
    async with opened(tmp_path, platform()) as library:
        folder = await at(library, "Birds/index.files")
        listing = library.files.known_listing(folder.inode)
        assert listing is not None and listing.length == len(await library.files.children(folder.inode)) > 0
        assert library.files.known_listing(folder.inode) is listing


async def test_without_pages_the_overview_goes_although_other_files_are_generated(tmp_path: Path) -> None:
    async with opened(tmp_path, platform()) as library:
        assert "index.html" in await names(library)
    async with with_twins(tmp_path, "vtt") as library:
        assert await names(library) == ["Birds"]
        assert await names(library, "Birds") == ["01 First", "02 Second"]


async def test_a_page_refreshes_nothing_that_the_platform_would_record_although_it_was_listed_once(
    tmp_path: Path,
) -> None:
    exercise = replace(lecture("e", "Exercise", 2), details={LEAVES_TRACES: "yes"})
    provider = platform()
    provider.outlines["c1"] = Outline((section("m1", "First", 1, HELLO, exercise),))
    async with opened(tmp_path, provider) as library:
        await names(library, "Birds/01 First")
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite")) as catalogue, catalogue:
        catalogue.execute("UPDATE step SET fetched_ns = 0 WHERE key = 'item/e'")
        catalogue.execute("UPDATE step SET fetched_ns = NULL WHERE key = 'item/a'")
    provider.calls.clear()
    async with opened(tmp_path, provider) as library:
        await read(library, "Birds/index.html")
        assert [call for call in provider.calls if call.startswith("files")] == ["files item/a"]


async def test_a_search_of_a_page_builds_an_index_again_that_was_deleted(tmp_path: Path) -> None:
    async with opened(tmp_path, platform()) as library:
        await names(library, "Birds/01 First")
        courses = library.courses

        async def found() -> PageHits:
            with trio.fail_after(60):
                while not (hits := await courses.pages.find("hello", 5)).is_complete:
                    pass
            return hits

        assert [hit.address.partition("#")[0] for hit in (await found()).hits] == ["/Birds/index.html"]
        (tmp_path / "search.sqlite").unlink()
        assert (await found()).hits
