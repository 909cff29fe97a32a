"""The client as a library: what docs/library.md promises."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from coursefs.demo.description import load_courses
from coursefs.demo.platform import Addresses, Platform
from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, Stale, Unreachable
from coursefs.providers import coursera
from coursefs.providers.coursera import CourseraClient
from coursefs.providers.coursera.download import download, plain_name
from coursefs.providers.coursera.instructions import Passage
from coursefs.providers.coursera.routes import absolute
from coursefs.transport import Transport
from tests.engine.small_platform import COURSE, MP4, small_platform
from tests.engine.test_coursera_catalogue import client_of
from tests.engine.test_demo_items import HOW, platform

ROOT = Path(__file__).parents[2]
SCRIPT = re.compile(r"```python\n(.*?)```", re.DOTALL)


async def test_the_example_of_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (script,) = SCRIPT.findall((ROOT / "docs" / "library.md").read_text())
    platform = Platform(load_courses(ROOT / "coursefs" / "demo" / "courses"))
    monkeypatch.chdir(tmp_path)
    async with trio.open_nursery() as nursery:
        addresses: Addresses = await nursery.start(platform.serve)
        monkeypatch.setenv("COURSERA_CAUTH", addresses.cauth)
        monkeypatch.setattr(coursera, "CourseraClient", partial(CourseraClient, base_url=addresses.api))
        code = compile(script, "docs/library.md", "exec")
        await trio.to_thread.run_sync(exec, code, {"__name__": "__main__"})
        nursery.cancel_scope.cancel()
    lines = capsys.readouterr().out.splitlines()
    assert "interactive-computer-graphics Interactive Computer Graphics" in lines
    (video,) = (tmp_path / "Interactive Computer Graphics").iterdir()
    size = video.stat().st_size
    assert lines[-1] == f"saved as {video.relative_to(tmp_path)}"
    assert lines[-2] == f"{video.name}: {size} of {size} bytes"
    assert video.read_bytes()[4:8] == b"ftyp"


def test_every_method_of_the_documentation_is_there() -> None:
    text = SCRIPT.sub("", (ROOT / "docs" / "library.md").read_text())
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)\(", text))
    client = CourseraClient(Transport())
    missing = [name for name in named if not callable(operator.attrgetter(name)(client))]
    assert not missing
    own = {name for name, value in vars(CourseraClient).items() if callable(value) and not name.startswith("_")}
    assert own <= named
    for part in (client.catalogue, client.learner, client.lectures):
        public = {name for name in vars(type(part)) if not name.startswith("_")}
        group = next(name for name, value in vars(client).items() if value is part)
        assert public <= {name.partition(".")[2] for name in named if name.startswith(f"{group}.")}


async def test_resources_and_tasks(tmp_path: Path) -> None:
    async with platform(tmp_path) as world, client_of(world) as client:
        assert await client.has_references(COURSE)
        (entry,) = await client.references(COURSE)
        assert (entry.name, entry.short_id, [part.cml for part in entry.parts]) == ("Tables", "sh0rt", [HOW])
        graded = await client.programming(COURSE, "gra01")
        assert [one.title for one in graded] == ["", "Parts"] and graded[0].cml == HOW
        assert await client.programming_exercise(COURSE, "pro01") == (Passage("", HOW),)
        introduction, review, heading, task = await client.peer_assignment(COURSE, "pee01")
        assert (introduction.cml, review.title, heading.title) == (HOW, "Review criteria", "To be handed in")
        assert "Upload" in task.cml
        assert await client.discussion(COURSE, "dis01") == (Passage("", HOW),)
        assert await client.language(COURSE) == "en"
        asked = [entry.path for entry in world.platform.journal.entries]
        assert asked.count("/api/adminUserPermissions.v1") == 1
        assert not any("write" in entry.notes for entry in world.platform.journal.entries)


async def test_what_a_course_does_not_have(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, client_of(world) as client:
        assert (await client.has_references(COURSE), await client.references(COURSE)) == (False, ())
        for ask in (client.programming, client.programming_exercise, client.peer_assignment, client.discussion):
            with pytest.raises(Gone):
                await ask(COURSE, "ite01")


async def test_many_who_ask_whose_sign_in_it_is_ask_once(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, client_of(world) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(client.user_id)
        assert len(world.platform.journal.entries) == 1


async def test_the_lectures_of_a_course(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, client_of(world) as client:
        assert await client.course_name("small") == "A Small Course"
        assert await client.lectures.ids("small") == ["ite01"]  # ite04 is locked
        url = await client.lectures.video_url("small", "ite01", lines=360)
        assert "/360p/index.mp4?" in url and url.startswith(world.addresses.cdn)
        for lecture, error in (("ite04", NotAllowed), ("ite02", Gone), ("nothing", Gone)):
            with pytest.raises(error):
                await client.lectures.video_url("small", lecture)
        assert not any("ite04" in entry.path for entry in world.platform.journal.entries)


async def test_the_cookies_that_the_platform_sets_are_not_brought_back(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, client_of(world) as client:
        await world.fail(confused_deputy=True)
        assert await client.lectures.ids("small") == ["ite01"]
        assert await client.lectures.video_url("small", "ite01", lines=360)


async def test_a_video_is_saved_in_chunks_and_named_when_it_is_complete(tmp_path: Path) -> None:
    told: list[tuple[bytes, int, int, str]] = []
    seen: list[list[str]] = []
    folder = tmp_path / "videos"

    def callback(*values: object) -> None:
        told.append(values)  # type: ignore[arg-type]  # as they come
        seen.append([path.name for path in folder.iterdir()])

    async with small_platform(tmp_path) as world, client_of(world) as client:
        path = await client.lectures.download("small", "ite01", directory=folder, chunk_size=64_000, callback=callback)
        assert not any("leak" in entry.notes for entry in world.platform.journal.entries)
    assert path == folder / "introduction.mp4"
    assert path.read_bytes() == MP4 == b"".join(chunk for chunk, *_ in told)
    assert [(so_far, size, name) for _, so_far, size, name in told] == [
        (end, 200_000, "introduction.mp4") for end in (64_000, 128_000, 192_000, 200_000)
    ]
    assert all(len(names) == 1 and names[0].endswith(".part") for names in seen)
    assert list(folder.iterdir()) == [path]


async def test_without_a_directory_it_is_the_courses_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with small_platform(tmp_path) as world, client_of(world) as client:
        path = await client.lectures.download("small", "ite01")
    assert (tmp_path / path).read_bytes() == MP4
    assert path == Path("A Small Course/introduction.mp4")


# -- the download alone, against a host that does what it likes --------------------------------------------------------

DATA = bytes(range(256)) * 40
URL = "https://cdn.example/a.mp4"
Answers = list[httpx.Response | Exception]


class Body(httpx.AsyncByteStream):
    """A body as it comes from a socket; one that breaks off does so after its data."""

    def __init__(self, data: bytes, *, breaks: bool = False) -> None:
        self._data = data
        self._breaks = breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data
        if self._breaks:
            raise httpx.ReadError("reset")


def whole(data: bytes = DATA, **headers: str) -> httpx.Response:
    sent = {"ETag": '"1"', "Content-Length": str(len(data)), **headers}
    return httpx.Response(200, headers=sent, stream=Body(data))


def broken(data: bytes) -> httpx.Response:
    sent = {"ETag": '"1"', "Content-Length": str(len(DATA))}
    return httpx.Response(200, headers=sent, stream=Body(data, breaks=True))


def rest(start: int, size: int = len(DATA)) -> httpx.Response:
    headers = {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
    return httpx.Response(206, headers=headers, stream=Body(DATA[start:]))


class Host:
    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.asked: list[bool] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def find_url(self, refused: bool) -> str:
        self.asked.append(refused)
        return f"{URL}?n={len(self.asked)}"

    async def download(self, target: Path, callback: Callable[[bytes, int, int, str], None] | None = None) -> Path:
        async with Transport(http_transport=httpx.MockTransport(self)) as transport:
            return await download(transport, self.find_url, target, chunk_size=1000, callback=callback)


async def test_a_connection_that_breaks_is_taken_up(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    host = Host(broken(DATA[:3000]), httpx.ConnectError("no"), rest(3000))
    ends: list[int] = []
    path = await host.download(tmp_path / "a.mp4", lambda _, so_far, total, __: ends.append(so_far))
    assert path.read_bytes() == DATA
    assert [request.headers.get("range") for request in host.requests] == [None, "bytes=3000-", "bytes=3000-"]
    assert host.requests[1].headers["if-range"] == '"1"'
    assert ends[:4] == [1000, 2000, 3000, 4000] and ends[-1] == len(DATA)


async def test_a_file_that_is_another_one_now_begins_anew(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    other = b"other" * 100
    host = Host(broken(DATA[:3000]), whole(other))
    assert (await host.download(tmp_path / "a.mp4")).read_bytes() == other


@pytest.mark.parametrize(
    ("headers", "if_range"),
    [
        ({"Last-Modified": "Fri, 01 Jan 2100 12:00:00 GMT"}, "Fri, 01 Jan 2100 12:00:00 GMT"),
        ({"ETag": 'W/"1"', "Last-Modified": "Fri, 01 Jan 2100 12:00:00 GMT"}, "Fri, 01 Jan 2100 12:00:00 GMT"),
        ({"ETag": 'W/"1"'}, None),
        ({}, None),
    ],
)
async def test_it_is_taken_up_only_where_another_file_could_be_told(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, headers: dict[str, str], if_range: str | None
) -> None:
    sent = {"Content-Length": str(len(DATA)), **headers}
    begun = httpx.Response(200, headers=sent, stream=Body(DATA[:3000], breaks=True))
    host = Host(begun, whole() if if_range is None else rest(3000))
    assert (await host.download(tmp_path / "a.mp4")).read_bytes() == DATA
    assert host.requests[1].headers.get("if-range") == if_range
    assert ("range" in host.requests[1].headers) is (if_range is not None)


async def test_a_url_that_has_ended_is_replaced_once(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    host = Host(httpx.Response(403), whole())
    assert (await host.download(tmp_path / "a.mp4")).read_bytes() == DATA
    assert host.asked == [False, True]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([httpx.Response(404)], Gone),
        ([httpx.Response(403), httpx.Response(403)], BadReply),
        ([httpx.Response(200, html="<p>Please sign in</p>")], BadReply),
        ([httpx.Response(503)] * 5, BadReply),
        ([httpx.ConnectError("no")] * 5, Unreachable),
        ([broken(DATA[:3000]), rest(2000)], BadReply),
        ([broken(DATA[:3000]), rest(3000, 20_000)], Stale),
        ([whole(DATA, **{"Content-Encoding": "gzip"})], BadReply),
    ],
)
async def test_what_cannot_be_had_leaves_what_was_there(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, answers: Answers, error: type[CoursefsError]
) -> None:
    target = tmp_path / "a.mp4"
    target.write_bytes(b"of yesterday")
    host = Host(*answers)
    with pytest.raises(error):
        await host.download(target)
    assert host.answers == []
    assert target.read_bytes() == b"of yesterday"
    assert list(tmp_path.iterdir()) == [target]


async def test_a_download_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    with trio.CancelScope() as scope:
        await Host(whole()).download(tmp_path / "new" / "a.mp4", lambda *_: scope.cancel())
    assert scope.cancelled_caught
    assert os.listdir(tmp_path / "new") == []


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("A Small Course ", "A Small Course"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\x00b\n\u202e\u200bc", "ab c"),
        (".hidden.", "hidden"),
        ("...", "otherwise"),
        ("", "otherwise"),
        ("ü" * 300, "ü" * 100),
    ],
)
def test_names(title: str, name: str) -> None:
    assert plain_name(title, "otherwise") == name


@given(st.text())
def test_every_name_is_one(title: str) -> None:
    name = plain_name(title, "otherwise")
    assert name and "/" not in name and not name.startswith(".") and len(name.encode()) <= 200


def test_addresses_on_this_machine_are_for_platforms_on_this_machine() -> None:
    assert absolute("/api/x?y", "https://www.coursera.org") == "https://www.coursera.org/api/x?y"
    assert absolute("http://127.0.0.1/x", "http://localhost:1") == "http://127.0.0.1/x"
    for url in ("http://127.0.0.1/x", "http://[::1]/", "http://[broken/"):
        with pytest.raises(BadReply):
            absolute(url, "https://www.coursera.org")
