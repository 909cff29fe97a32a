"""The next lecture: what is fetched of it while a lecture plays, and when nothing is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.errors import CoursefsError
from coursefs.library import AccountSource, FetchedAhead, Handle, Library, LibrarySettings, open_library
from coursefs.model import LEAVES_TRACES, Course, File, Item, Kind, Outline, Page, Placement, Remote, Wanted
from coursefs.settings.rates import parse_rate
from coursefs.transport import Transport
from tests.engine.content_bench import noise
from tests.engine.fakes import FakeProvider, lecture, made_by, reading, section, video
from tests.engine.shelf import KIB, Cdn

MIB = 2**20
SECONDS = 60
HELLO, READ, QUIZ, AGAIN = (
    lecture("a", "Hello", 1),
    lecture("r", "Read", 2),
    lecture("q", "Quiz", 3),
    lecture("b", "Again", 4),
)
FIRST, SECOND = "Graphics/01 Start/01 Hello.mp4", "Graphics/01 Start/04 Again.mp4"


def film(size: int, seed: int, *, index_size: int = 4 * KIB) -> bytes:
    """An MP4 of a minute, whose index is at its end."""
    mvhd = bytes(12) + (1000).to_bytes(4, "big") + (SECONDS * 1000).to_bytes(4, "big") + bytes(80)
    boxes = (8 + len(mvhd)).to_bytes(4, "big") + b"mvhd" + mvhd
    index = index_size.to_bytes(4, "big") + b"moov" + boxes
    index += noise(index_size - len(index), seed)
    head = (16).to_bytes(4, "big") + b"ftyp" + b"isommp42"
    body = size - len(head) - len(index) - 8
    return head + (8 + body).to_bytes(4, "big") + b"mdat" + noise(body, seed + 1) + index


def beside(item: Item, kind: Kind, extension: str, placement: Placement = Placement.MAIN, title: str = "") -> File:
    """A file of an item."""
    key = f"{item.key}/{kind}{extension}{title}"
    return File(key, kind, placement, title, extension, "text/plain", Remote(key, {"key": key}))


def lecture_files(item: Item) -> list[File]:
    slides = beside(item, Kind.ATTACHMENT, ".pdf", Placement.ATTACHED, "Slides")
    return [video(item), beside(item, Kind.SUBTITLE, ".en.srt"), beside(item, Kind.TRANSCRIPT, ".en.txt"), slides]


def link(item: Item) -> list[File]:
    return [File(f"{item.key}/link", Kind.LINK, Placement.MARKED, "quiz", ".html", "text/html", Page("<p>quiz</p>"))]


@dataclass
class Course1:
    """A course whose media host counts; as often opened as a test likes."""

    settings: LibrarySettings
    provider: FakeProvider
    cdn: Cdn

    def show(self, *modules: Sequence[Item]) -> None:
        """Let the course have these modules."""
        sections = [section(str(number), f"Part {number}", number, *items) for number, items in enumerate(modules, 1)]
        self.provider.outlines["c1"] = Outline(tuple(sections))

    @asynccontextmanager
    async def opened(self, **settings: object) -> AsyncIterator[Library]:
        now = replace(self.settings, **settings)  # type: ignore[arg-type]
        transport = Transport(http_transport=self.cdn, read_timeout=5.0, offline=now.offline)
        async with open_library(now, transport, providers=made_by("x", self.provider)) as library:
            yield library

    def fetched(self, key: str) -> int:
        """The bytes of a content that were asked for, without probes."""
        return sum(end - start for identity, start, end in self.cdn.asked if identity == key and end - start > 1)


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest) -> None:
    """The clock jumps only when no thread reads or writes for a moment."""
    if "autojump_clock" in request.fixturenames:
        request.getfixturevalue("autojump_clock").autojump_threshold = 0.03


@pytest.fixture
def course(tmp_path: Path) -> Course1:
    """Two lectures, and between them a reading with an image and a quiz."""
    provider = FakeProvider([Course("c1", "graphics", "Graphics")])
    provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO, READ, QUIZ, AGAIN),))
    provider.contents = {
        HELLO.key: lecture_files(HELLO),
        READ.key: reading(READ, "<p>Read</p>", "plan"),
        QUIZ.key: link(QUIZ),
        AGAIN.key: lecture_files(AGAIN),
    }
    bodies = {"item/a/video": film(3 * MIB, 1), "item/b/video": film(9 * MIB, 3), "item/r/asset/plan": noise(KIB, 5)}
    for item in (HELLO, AGAIN):
        bodies |= {one.body.identity: noise(KIB, 7) for one in lecture_files(item)[1:] if isinstance(one.body, Remote)}
    cdn = Cdn(bodies)
    provider.urls = {identity: f"https://cdn.example/{identity}" for identity in bodies}
    settings = LibrarySettings(
        tmp_path / "catalogue",
        tmp_path / "cache",
        [AccountSource("x", "x", {}, {})],
        Wanted(),
        min_free=0,
        next=True,
        next_size=5 * MIB,
    )
    return Course1(settings, provider, cdn)


async def find(library: Library, path: str) -> int:
    """The inode number of a path, whose directories are listed on the way."""
    node = library.files.node(1)
    for name in path.split("/"):
        children = {child.name: child for child in await library.files.children(node.inode)}
        node = children[name]
    return node.inode


@asynccontextmanager
async def player(library: Library, path: str = FIRST) -> AsyncIterator[Handle]:
    """What mpv does: it reads all at once, and keeps the file open."""
    handle = await library.files.open(await find(library, path), is_watched=True)
    try:
        await read_all(handle)
        yield handle
    finally:
        handle.close()


async def read_all(handle: Handle) -> None:
    for offset in range(0, handle.node.size or 0, 128 * KIB):
        if handle.read_now(offset, 128 * KIB) is None:
            await handle.read(offset, 128 * KIB)


async def test_the_next_lecture_is_fetched_when_a_person_is_past_the_middle(
    course: Course1, autojump_clock: trio.testing.MockClock
) -> None:
    async with course.opened() as library, player(library):
        await trio.sleep(SECONDS / 3 - 2)
        assert library.status().fetched_ahead == FetchedAhead()
        assert course.fetched("item/b/video") == 0
        await trio.sleep(SECONDS / 6)
        texts = 3 * KIB  # subtitles, transcript, and the image of the reading
        video_bytes = 5 * MIB - texts
        assert library.status().fetched_ahead == FetchedAhead(SECOND, 4, 5 * MIB)
        assert course.fetched("item/b/video") == video_bytes
        assert (course.cdn.asked[-1][0], course.fetched("item/b/attachment.pdfSlides")) == ("item/b/video", 0)
        assert course.fetched("item/b/subtitle.en.srt") == KIB
        asked = len(course.cdn.asked)
        handle = await library.files.open(await find(library, SECOND))
        size = handle.node.size or 0
        for offset in (0, 2 * MIB, size - 4 * KIB):  # beginning and index
            assert handle.read_now(offset, KIB) or await handle.read(offset, KIB)
        handle.close()
        assert [one for one in course.cdn.asked[asked:] if one[1] < 4 * MIB] == []
        await trio.sleep(SECONDS)
        assert library.status().fetched_ahead.files == 4, "once for each open file"


async def test_who_reads_and_closes_is_no_player(course: Course1, autojump_clock: trio.testing.MockClock) -> None:
    async with course.opened() as library:
        for path in (FIRST, SECOND):
            async with player(library, path):
                await trio.sleep(5)
        await trio.sleep(SECONDS)
        async with player(library):
            unwatched = await library.files.open(await find(library, SECOND))  # as a download of our own
            await read_all(unwatched)
        await trio.sleep(SECONDS)
        unwatched.close()
        assert library.status().fetched_ahead == FetchedAhead()


@pytest.mark.logs  # a cache that keeps nothing says so
@pytest.mark.parametrize("settings", [{"next": False}, {"max_size": 7 * MIB}, {"min_free": 2**60}])
async def test_nothing_is_fetched_without_the_switch_and_where_it_would_fill_the_cache(
    course: Course1, autojump_clock: trio.testing.MockClock, settings: dict[str, object]
) -> None:
    async with course.opened(**settings) as library, player(library):
        await trio.sleep(SECONDS)
        assert library.status().fetched_ahead == FetchedAhead()
        assert course.fetched("item/b/video") == 0


async def test_nothing_is_fetched_offline(course: Course1, autojump_clock: trio.testing.MockClock) -> None:
    async with course.opened(next=False) as library, player(library):
        pass
    asked = len(course.cdn.asked)
    async with course.opened(offline=True) as library, player(library):
        await trio.sleep(SECONDS)
        assert library.status().fetched_ahead == FetchedAhead()
    assert len(course.cdn.asked) == asked


async def test_a_reload_switches_it_on(course: Course1, autojump_clock: trio.testing.MockClock) -> None:
    async with course.opened(next=False) as library, player(library):
        await trio.sleep(SECONDS / 2)
        assert library.apply(replace(course.settings, next_size=MIB)).changed == ("prefetch.next", "prefetch.next_size")
        await trio.sleep(SECONDS / 4)
        assert library.status().fetched_ahead == FetchedAhead(SECOND, 4, MIB)


@pytest.mark.parametrize("begun", ["", "item/b/subtitle.en.srt", "item/b/video"])
async def test_no_step_is_taken_while_a_program_waits_for_a_read(
    course: Course1, autojump_clock: trio.testing.MockClock, begun: str
) -> None:
    """`begun`: the content whose first step is on its way when the read begins."""
    course.show([HELLO, AGAIN])
    slides = "item/b/attachment.pdfSlides"
    course.cdn.bodies[slides] = noise(MIB, 9)
    gates = course.cdn.gates = {name: trio.Event() for name in (slides, begun)}
    async with (
        course.opened(read_timeout=10 * SECONDS) as library,
        trio.open_nursery() as nursery,
        player(library, "Graphics/01 Part 1/01 Hello.mp4"),
    ):
        handle = await library.files.open(await find(library, "Graphics/01 Part 1/04 Again - Slides.pdf"))
        while begun and not course.fetched(begun):
            await trio.sleep(0.1)
        nursery.start_soon(handle.read, 0, MIB)
        await trio.sleep(1)
        gates[begun].set()
        await trio.sleep(SECONDS / 2)
        assert course.fetched("item/b/subtitle.en.srt") == (KIB if begun else 0)
        assert course.fetched("item/b/transcript.en.txt") == (KIB if begun == "item/b/video" else 0)
        assert course.fetched("item/b/video") == (2 * MIB if begun == "item/b/video" else 0)
        gates[slides].set()
        await trio.sleep(SECONDS / 4)
        assert library.status().fetched_ahead.bytes == 5 * MIB
        handle.close()


async def test_the_bandwidth_limit_of_the_background_holds(
    course: Course1, autojump_clock: trio.testing.MockClock
) -> None:
    async with course.opened(limit=parse_rate("100KiB/s")) as library, player(library):
        await trio.sleep(SECONDS / 2)
        assert 0 < course.fetched("item/b/video") <= 2 * MIB + 4 * KIB, "one step"
        await trio.sleep(SECONDS)
        assert library.status().fetched_ahead.bytes == 5 * MIB


async def test_an_error_ends_it_and_nothing_else(course: Course1, autojump_clock: trio.testing.MockClock) -> None:
    course.cdn.statuses |= {"item/b/subtitle.en.srt": 404}
    async with course.opened() as library:
        async with player(library):
            await trio.sleep(SECONDS / 2)
            assert library.status().fetched_ahead.lecture == SECOND, "a text that is missing costs only itself"
        course.cdn.is_reachable = False
        handle = await library.files.open(await find(library, SECOND), is_watched=True)
        await trio.sleep(SECONDS)
        handle.close()
        assert library.status().troubles == ()


# -- what is next ------------------------------------------------------------------------------------------------------


async def next_of(library: Library, path: str) -> str | None:
    """The path of the lecture that follows a video."""
    node = library.files.node(await find(library, path))
    following = await library._next_lecture.following(node)
    return None if following is None else library.files.path(following.lecture)


async def test_it_is_the_next_one_in_the_order_of_the_course(course: Course1) -> None:
    items = [lecture(key, f"Film {key}", number) for number, key in enumerate("uvwx", 2)]
    course.provider.contents |= {QUIZ.key: link(replace(QUIZ, position=1))}
    locked = replace(items[3], locked="not paid")
    course.show([HELLO, items[0]], [QUIZ], [items[1]], [items[2], locked], [AGAIN])
    async with course.opened() as library:
        assert await next_of(library, "Graphics/01 Part 1/01 Hello.mp4") == "Graphics/01 Part 1/02 Film u.mp4"
        assert await next_of(library, "Graphics/01 Part 1/02 Film u.mp4") == "Graphics/03 Part 3/03 Film v.mp4"
        assert await next_of(library, "Graphics/03 Part 3/03 Film v.mp4") == "Graphics/04 Part 4/04 Film w.mp4"
        assert await next_of(library, "Graphics/04 Part 4/04 Film w.mp4") is None, "there is a locked one before it"
        assert await next_of(library, "Graphics/05 Part 5/04 Again.mp4") is None


async def test_variants_of_a_lecture_are_not_the_next_one(course: Course1) -> None:
    def variants(item: Item) -> list[File]:
        key = f"{item.key}/de"
        dubbed = File(key, Kind.VIDEO, Placement.MAIN, "", ".de.mp4", "video/mp4", Remote(key, {"key": key}))
        return [dubbed, *lecture_files(item)]

    course.provider.contents |= {HELLO.key: variants(HELLO), AGAIN.key: variants(AGAIN)}
    async with course.opened() as library:
        assert await next_of(library, "Graphics/01 Start/01 Hello.de.mp4") == "Graphics/01 Start/04 Again.de.mp4"
        assert await next_of(library, FIRST) == SECOND


async def test_each_video_of_a_unit_is_a_lecture(course: Course1) -> None:
    def unit(item: Item) -> list[File]:
        return [beside(item, Kind.VIDEO, ".mp4", Placement.ATTACHED, title) for title in ("One", "Two")]

    course.provider.contents |= {HELLO.key: unit(HELLO), AGAIN.key: unit(AGAIN)}
    paths = [f"Graphics/01 Start/{name}.mp4" for name in ("01 Hello - One", "01 Hello - Two", "04 Again - One")]
    async with course.opened() as library:
        assert [await next_of(library, path) for path in paths[:2]] == paths[1:]


async def test_what_leaves_traces_on_the_platform_is_not_listed_for_it(course: Course1) -> None:
    course.show([HELLO], [replace(AGAIN, details={LEAVES_TRACES: "yes"})])
    async with course.opened() as library:
        asked = len(course.provider.calls)
        assert await next_of(library, "Graphics/01 Part 1/01 Hello.mp4") is None
        assert [call for call in course.provider.calls[asked:] if AGAIN.key in call] == []
        await find(library, "Graphics/02 Part 2/04 Again.mp4")
        assert await next_of(library, "Graphics/01 Part 1/01 Hello.mp4") == "Graphics/02 Part 2/04 Again.mp4"


async def test_a_long_way_to_it_is_not_listed(course: Course1) -> None:
    quizzes = [lecture(f"q{number}", f"Quiz {number}", 1) for number in range(15)]
    course.provider.contents |= {quiz.key: link(quiz) for quiz in quizzes}
    course.show([HELLO], *([quiz] for quiz in quizzes), [AGAIN])
    async with course.opened() as library:
        assert await next_of(library, "Graphics/01 Part 1/01 Hello.mp4") is None
        assert sum(call.startswith("files") for call in course.provider.calls) <= 11


async def test_a_refusal_of_the_next_folder_is_the_error_of_it(course: Course1) -> None:
    course.show([HELLO], [AGAIN])
    async with course.opened() as library:
        inode = await find(library, "Graphics/01 Part 1/01 Hello.mp4")
        course.provider.failure = CoursefsError("no")
        with pytest.raises(CoursefsError):
            await library._next_lecture.following(library.files.node(inode))
