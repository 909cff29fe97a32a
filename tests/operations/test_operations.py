"""The handlers without a kernel: what each answers, and that nothing they meet can end the mount."""

from __future__ import annotations

import errno
import math
import os
import socket
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pyfuse3
import pytest
import trio
import trio.testing

from coursefs.daemon.status_report import library_report
from coursefs.errors import CoursefsError, Gone, NoAnswer, NotAllowed, NotSignedIn, Unreachable
from coursefs.library import AccountSource, Handle, LibrarySettings, PackedListing, open_library
from coursefs.model import Course, CourseProgress, Outline, Wanted
from coursefs.mount import mountinfo, namespaces
from coursefs.mount.attributes import KEPT, KEPT_PROBE, PROGRESS
from coursefs.mount.guard import answered
from coursefs.mount.operations import Operations
from coursefs.mount.options import MountOptions
from coursefs.mount.pending_signals import is_ending
from coursefs.mount.session import mount
from coursefs.transport import Transport
from tests.engine.fakes import FakeProvider, lecture, made_by, reading, section

BYTES = bytes(range(256)) * 64
CTX = cast(pyfuse3.RequestContext, SimpleNamespace(pid=0))  # as of a program in another PID namespace
HELLO, READ = lecture("a", "Hello", 1), lecture("b", "Read", 2)


class Cdn(httpx.AsyncBaseTransport):
    """Serves `body` in ranges."""

    def __init__(self, body: bytes = BYTES) -> None:
        self.body = body
        self.asked: list[str] = []
        self.has_expired = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers["range"])
        if self.has_expired:
            return httpx.Response(403, stream=httpx.ByteStream(b""))
        first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
        part = self.body[int(first) : int(last or len(self.body)) + 1]
        headers = {
            "content-range": f"bytes {first}-{int(first) + len(part) - 1}/{len(self.body)}",
            "content-length": str(len(part)),
            "etag": '"1"',
        }
        return httpx.Response(206, headers=headers, stream=httpx.ByteStream(part))


@pytest.fixture
def provider() -> FakeProvider:
    """A course with a lecture and a reading."""
    one = FakeProvider([Course("c1", "graphics", "Graphics", "https://x/learn/graphics")])
    one.outlines["c1"] = Outline((section("m", "Start", 1, HELLO, READ),))
    one.contents["item/b"] = list(reading(READ, "<p>Hello</p>"))
    one.urls["item/a/video"] = "https://cdn.example/a.mp4"
    return one


@asynccontextmanager
async def opened(
    path: Path,
    provider: FakeProvider,
    cdn: Cdn,
    *,
    read_timeout: float = 60.0,
    is_held: Callable[[str], bool] | None = None,
    is_ending: Callable[[int], bool] = is_ending,
    is_player: Callable[[int], bool] = lambda thread: False,
) -> AsyncIterator[Operations]:
    accounts = [AccountSource("fake", "fake", {}, {})]
    settings = LibrarySettings(path / "catalogue", path / "cache", accounts, Wanted(), read_timeout=read_timeout)
    platforms = made_by("fake", provider)
    async with open_library(settings, Transport(http_transport=cdn), providers=platforms) as library:
        options = MountOptions(1000, 1001, 0o027)
        yield Operations(library, options, is_held=is_held, is_ending=is_ending, is_player=is_player)


async def find(operations: Operations, *names: str) -> pyfuse3.EntryAttributes:
    entry = await operations.getattr(pyfuse3.ROOT_INODE, CTX)
    for name in names:
        entry = await operations.lookup(entry.st_ino, name.encode(), CTX)
        assert entry.st_ino, name
    return entry


VIDEO = ("Graphics", "01 Start", "01 Hello.mp4")
PAGE = ("Graphics", "01 Start", "02 Read.html")


async def test_lookup_gives_no_size_before_getattr_has_learned_it(provider: FakeProvider, tmp_path: Path) -> None:
    cdn = Cdn()
    async with opened(tmp_path, provider, cdn) as operations:
        found = await find(operations, *VIDEO)
        assert (found.st_size, found.attr_timeout, found.entry_timeout) == (0, 0, KEPT)
        assert cdn.asked == []
        exact = await operations.getattr(found.st_ino, CTX)
        assert (exact.st_size, exact.attr_timeout, exact.st_blocks) == (len(BYTES), KEPT, len(BYTES) // 512)
        assert (exact.st_uid, exact.st_gid, exact.st_mode) == (1000, 1001, stat.S_IFREG | 0o640)
        changed_ns = operations._library.files.node(found.st_ino).mtime_ns
        assert 0 < changed_ns == exact.st_mtime_ns == exact.st_ctime_ns == found.st_mtime_ns
        assert exact.st_nlink == (await find(operations, "Graphics")).st_nlink == 1
        page = await find(operations, *PAGE)
        assert (page.st_size, page.st_blocks, page.attr_timeout) == (len("<p>Hello</p>"), 1, KEPT)


async def test_lookup_of_nothing_is_remembered_and_dots_work_for_every_inode(
    provider: FakeProvider, tmp_path: Path
) -> None:
    async with opened(tmp_path, provider, Cdn()) as operations:
        directory = await find(operations, "Graphics", "01 Start")
        absent = await operations.lookup(directory.st_ino, b"nothing", CTX)
        assert absent.st_ino == 0 and absent.entry_timeout > 0
        assert (await operations.lookup(directory.st_ino, b"\xff", CTX)).st_ino == 0
        assert (await operations.lookup(directory.st_ino, b".", CTX)).st_ino == directory.st_ino
        parent = await operations.lookup(directory.st_ino, b"..", CTX)
        assert parent.st_ino == (await find(operations, "Graphics")).st_ino
        probe = await operations.lookup(directory.st_ino, b".Trash-1000", CTX)
        assert (probe.st_ino, probe.entry_timeout) == (0, KEPT_PROBE)  # the kernel itself answers the next ones
        root = await operations.lookup(pyfuse3.ROOT_INODE, b"..", CTX)
        assert root.st_ino == pyfuse3.ROOT_INODE


async def test_readdir_goes_on_where_it_stopped(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies: list[tuple[bytes, int]] = []
    room = 0

    def reply(token: object, name: bytes, entry: pyfuse3.EntryAttributes, following: int) -> bool:
        if len(replies) == room:
            return False
        replies.append((name, following))
        return True

    monkeypatch.setattr(pyfuse3, "readdir_reply", reply)
    async with opened(tmp_path, provider, Cdn()) as operations:
        directory = await find(operations, "Graphics", "01 Start")
        number = await operations.opendir(directory.st_ino, CTX)
        token = cast(pyfuse3.ReaddirToken, None)
        for room in range(1, 7):  # noqa: B007  # `reply` reads it
            await operations.readdir(number, replies[-1][1] if replies else 0, token)
        assert [name for name, _ in replies] == [b".", b"..", b"01 Hello.mp4", b"02 Read.html"]
        await operations.releasedir(number)


async def test_an_empty_directory_is_listed_by_one_entry_at_a_time(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies: list[tuple[bytes, int]] = []

    def reply(token: object, name: bytes, entry: pyfuse3.EntryAttributes, following: int) -> bool:
        if replies and replies[-1][1] != asked_from:
            return False  # a program with room for one
        replies.append((name, following))
        return True

    monkeypatch.setattr(pyfuse3, "readdir_reply", reply)
    async with opened(tmp_path, provider, Cdn()) as operations:
        directory = await find(operations, "Graphics", "01 Start")
        number = await operations.opendir(directory.st_ino, CTX)
        operations._listings[number] = (operations._listings[number][0], PackedListing.of(pyfuse3.ROOT_INODE, ()))
        for asked_from in (0, 1, 2):
            await operations.readdir(number, asked_from, cast(pyfuse3.ReaddirToken, None))
        assert replies == [(b".", 1), (b"..", 2)]


@pytest.mark.parametrize("gone", ["lecture", "course"])
async def test_what_the_platform_dropped_stays_readable_for_who_has_it_open(
    provider: FakeProvider, tmp_path: Path, gone: str
) -> None:
    async with opened(tmp_path, provider, Cdn()) as operations:
        film, page = await find(operations, *VIDEO), await find(operations, *PAGE)
        handles = [(await operations.open(one.st_ino, os.O_RDONLY, CTX)).fh for one in (film, page)]
        assert bytes(await operations.read(handles[0], 0, 10)) == BYTES[:10]
        library = operations._library
        if gone == "course":
            provider.listed.append(Course("c2", "other", "Other"))
            await library._tree.update_courses("fake")
            provider.listed = provider.listed[1:]
            await library._tree.update_courses("fake")
            assert (await operations.lookup(pyfuse3.ROOT_INODE, b"Graphics", CTX)).st_ino == 0
        else:
            new = lecture("n", "New", 1)
            (start,) = provider.outlines["c1"].sections
            for items in ((*start.items, new), (new,)):
                provider.outlines["c1"] = Outline((section("m", "Start", 1, *items),))
                (course,) = await library.files.children(pyfuse3.ROOT_INODE)
                await library._tree.update_course(course)
            (course,) = await library.files.children(pyfuse3.ROOT_INODE)
            await library._tree.update_course(course)
            directory = await find(operations, "Graphics", "01 Start")
            for name in (b"01 Hello.mp4", b"02 Read.html"):
                assert (await operations.lookup(directory.st_ino, name, CTX)).st_ino == 0
        assert bytes(await operations.read(handles[0], 0, 1 << 20)) == BYTES
        assert bytes(await operations.read(handles[1], 0, 1 << 20)) == b"<p>Hello</p>"
        assert (await operations.getattr(film.st_ino, CTX)).st_size == len(BYTES)
        for handle in handles:
            await operations.release(handle)


async def test_a_listing_says_what_is_known_when_it_is_read_not_when_it_was_opened(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies: dict[bytes, tuple[int, float]] = {}

    def reply(token: object, name: bytes, entry: pyfuse3.EntryAttributes, following: int) -> bool:
        replies[name] = (entry.st_size, entry.attr_timeout)
        return True

    monkeypatch.setattr(pyfuse3, "readdir_reply", reply)
    async with opened(tmp_path, provider, Cdn()) as operations:
        directory = await find(operations, "Graphics", "01 Start")
        number = await operations.opendir(directory.st_ino, CTX)
        await operations.readdir(number, 0, cast(pyfuse3.ReaddirToken, None))
        assert replies[b"01 Hello.mp4"] == (0, 0)  # to be asked again before a program sees it
        assert replies[b"02 Read.html"] == (len("<p>Hello</p>"), KEPT)
        await operations.getattr((await find(operations, *VIDEO)).st_ino, CTX)
        await operations.readdir(number, 0, cast(pyfuse3.ReaddirToken, None))
        assert replies[b"01 Hello.mp4"] == (len(BYTES), KEPT)
        await operations.releasedir(number)


async def test_a_name_that_has_gone_since_the_listing_was_opened_is_not_kept_by_the_kernel(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies: dict[bytes, float] = {}

    def reply(token: object, name: bytes, entry: pyfuse3.EntryAttributes, following: int) -> bool:
        replies[name] = entry.entry_timeout
        return True

    monkeypatch.setattr(pyfuse3, "readdir_reply", reply)
    async with opened(tmp_path, provider, Cdn()) as operations:
        library = operations._library
        directory = await find(operations, "Graphics", "01 Start")
        number = await operations.opendir(directory.st_ino, CTX)
        renamed, same = lecture("a", "Hallo", 1), lecture("c", "Three", 3)
        for items, expected in (
            ((HELLO, READ, same), {b"01 Hello.mp4": KEPT, b"02 Read.html": KEPT}),
            ((HELLO, same), {b"01 Hello.mp4": KEPT, b"02 Read.html": 0.0}),
            ((renamed, same), {b"01 Hello.mp4": 0.0, b"02 Read.html": 0.0}),
        ):
            provider.outlines["c1"] = Outline((section("m", "Start", 1, *items),))
            (course,) = await library.files.children(pyfuse3.ROOT_INODE)
            await library._tree.update_course(course)
            await operations.readdir(number, 0, cast(pyfuse3.ReaddirToken, None))
            assert replies == {b".": KEPT, b"..": KEPT, **expected}
        await operations.releasedir(number)


class SilentCdn(Cdn):
    """Says how long the file is, and nothing more before `go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waited_for, self.go_on = trio.Event(), trio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.headers["range"] != "bytes=0-0":
            self.is_waited_for.set()
            await self.go_on.wait()
        return await super().handle_async_request(request)


async def test_where_openers_of_a_file_cannot_be_known_its_reads_go_on(provider: FakeProvider, tmp_path: Path) -> None:
    cdn, asked = SilentCdn(), []

    def held(path: str) -> bool:
        asked.append(path)
        raise FileNotFoundError("/proc")

    async with opened(tmp_path, provider, cdn, is_held=held) as operations:
        video = await find(operations, "Graphics", "01 Start", "01 Hello.mp4")
        file = await operations.open(video.st_ino, os.O_RDONLY, CTX)
        answers: list[bytes] = []

        async def read() -> None:
            answers.append(bytes(await operations.read(file.fh, 0, 10)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await cdn.is_waited_for.wait()
            await operations.flush(file.fh)
            while not asked:
                await trio.testing.wait_all_tasks_blocked(0.001)
            cdn.go_on.set()
        assert answers == [BYTES[:10]]
        await operations.release(file.fh)


@pytest.mark.parametrize("is_held", [True, False])
async def test_a_read_is_given_up_when_no_program_has_the_file_open_any_more(
    provider: FakeProvider, tmp_path: Path, is_held: bool
) -> None:
    cdn, asked = SilentCdn(), []

    def held(path: str) -> bool:
        asked.append(path)
        return is_held

    async with opened(tmp_path, provider, cdn, is_held=held) as operations:
        video = await find(operations, "Graphics", "01 Start", "01 Hello.mp4")
        file = await operations.open(video.st_ino, os.O_RDONLY, CTX)
        await operations.flush(file.fh)
        assert asked == [], "no program waits"
        answers: list[object] = []

        async def read() -> None:
            try:
                answers.append(await operations.read(file.fh, 0, 10))
            except pyfuse3.FUSEError as error:
                answers.append(error.errno)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await cdn.is_waited_for.wait()
            await operations.flush(file.fh)
            while not asked:
                await trio.testing.wait_all_tasks_blocked(0.001)
            if is_held:
                cdn.go_on.set()
        assert asked == ["Graphics/01 Start/01 Hello.mp4"]
        assert answers == ([BYTES[:10]] if is_held else [errno.ETIMEDOUT])
        await operations.release(file.fh)


async def test_reading(provider: FakeProvider, tmp_path: Path) -> None:
    async with opened(tmp_path, provider, Cdn()) as operations:
        for names, data in ((VIDEO, BYTES), (PAGE, b"<p>Hello</p>")):
            inode = (await find(operations, *names)).st_ino
            opened_file = await operations.open(inode, os.O_RDONLY, CTX)
            assert opened_file.keep_cache
            for offset, length in ((0, 5), (3, 4096), (len(data) - 1, 10), (len(data), 10), (10**9, 1)):
                assert bytes(await operations.read(opened_file.fh, offset, length)) == data[offset : offset + length]
            assert operations.open_files == 1
            await operations.flush(opened_file.fh)
            await operations.release(opened_file.fh)
        assert operations.open_files == 0


@pytest.mark.parametrize("plays", [True, False])
async def test_a_player_gets_what_has_come_and_other_programs_all(
    provider: FakeProvider, tmp_path: Path, plays: bool
) -> None:
    body, asked = BYTES * 20, []

    def is_player(thread: int) -> bool:
        asked.append(thread)
        return plays

    async with opened(tmp_path, provider, Cdn(body), is_player=is_player) as operations:
        inode = (await find(operations, *VIDEO)).st_ino
        context = cast(pyfuse3.RequestContext, SimpleNamespace(pid=77))
        file = await operations.open(inode, os.O_RDONLY, context)
        assert asked == [77]
        assert file.direct_io is plays, "the page cache takes a short answer for the end of the file"
        first = bytes(await operations.read(file.fh, 5, 128 * 1024))
        assert len(first) == (16 * 1024 if plays else 128 * 1024)
        parts = [first]
        while data := bytes(await operations.read(file.fh, 5 + len(b"".join(parts)), 128 * 1024)):
            parts.append(data)
        assert b"".join(parts) == body[5:]
        assert bytes(await operations.read(file.fh, 5, 128 * 1024)) == body[5 : 5 + 128 * 1024], "they are cached"
        await operations.release(file.fh)
        page = await operations.open((await find(operations, *PAGE)).st_ino, os.O_RDONLY, context)
        assert bytes(await operations.read(page.fh, 0, 128 * 1024)) == b"<p>Hello</p>"
        await operations.release(page.fh)


async def test_everything_that_would_change_something(provider: FakeProvider, tmp_path: Path) -> None:
    async with opened(tmp_path, provider, Cdn()) as operations:
        inode = (await find(operations, *PAGE)).st_ino
        refused: list[Callable[[], Awaitable[Any]]] = [
            lambda flags=flags: operations.open(inode, flags, CTX)  # type: ignore[misc]
            for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC)
        ]
        refused += [
            lambda name=name: getattr(operations, name)(inode, b"x", b"y", CTX)  # type: ignore[misc]
            for name in (
                "setattr mknod mkdir unlink rmdir symlink rename link create write setxattr removexattr".split()
            )
        ]
        refused.append(lambda: operations.access(inode, os.W_OK, CTX))
        for change in refused:
            with pytest.raises(pyfuse3.FUSEError) as caught:
                await change()
            assert caught.value.errno == errno.EROFS
        assert await operations.access(inode, os.R_OK, CTX)
        assert not await operations.access(inode, os.X_OK, CTX)
        assert await operations.access(pyfuse3.ROOT_INODE, os.X_OK, CTX)


@pytest.mark.parametrize(
    ("failure", "number"),
    [
        (NotAllowed("locked"), errno.EACCES),
        (NotSignedIn("ended"), errno.EACCES),
        (Gone("gone"), errno.ENOENT),
        (NoAnswer("late"), errno.ETIMEDOUT),
        (Unreachable("no network"), errno.EIO),
    ],
)
async def test_each_error_has_its_errno_and_its_words(
    provider: FakeProvider, tmp_path: Path, failure: NotAllowed, number: int
) -> None:
    cdn = Cdn()
    async with opened(tmp_path, provider, cdn) as operations:
        inode = (await find(operations, *VIDEO)).st_ino
        await operations.getattr(inode, CTX)
        handle = await operations.open(inode, os.O_RDONLY, CTX)
        provider.failure, cdn.has_expired = failure, True
        with pytest.raises(pyfuse3.FUSEError) as caught:
            await operations.read(handle.fh, 5000, 10)
        assert caught.value.errno == number
        assert (await operations.getxattr(inode, b"user.coursefs.error", CTX)).decode()
        provider.failure, cdn.has_expired = None, False
        assert bytes(await operations.read(handle.fh, 5000, 10)) == BYTES[5000:5010]
        with pytest.raises(pyfuse3.FUSEError):
            await operations.getxattr(inode, b"user.coursefs.error", CTX)


async def test_a_file_that_is_refused_has_attributes_so_that_it_can_say_why(
    provider: FakeProvider, tmp_path: Path
) -> None:
    async with opened(tmp_path, provider, Cdn()) as operations:
        inode = (await find(operations, *VIDEO)).st_ino
        provider.failure = NotAllowed("not for you")
        entry = await operations.getattr(inode, CTX)
        assert (entry.st_size, entry.attr_timeout) == (0, 0.0)  # and the kernel does not keep it
        assert await operations.getxattr(inode, b"user.coursefs.error", CTX) == b"not for you"
        with pytest.raises(pyfuse3.FUSEError) as caught:
            await operations.open(inode, os.O_RDONLY, CTX)
        assert caught.value.errno == errno.EACCES
        for failure in (NotSignedIn("ended"), Gone("gone"), NoAnswer("late"), Unreachable("no network")):
            provider.failure = failure  # these say nothing for good: a size of 0 would be a lie
            with pytest.raises(pyfuse3.FUSEError) as caught:
                await operations.getattr(inode, CTX)
            assert caught.value.errno == failure.errno
        provider.failure = None
        entry = await operations.getattr(inode, CTX)
        assert (entry.st_size, entry.attr_timeout) == (len(BYTES), KEPT)


async def test_why_a_file_failed_is_forgotten_when_it_goes_well_again(provider: FakeProvider, tmp_path: Path) -> None:
    cdn = Cdn()
    async with opened(tmp_path, provider, cdn) as operations:
        inode = (await find(operations, *VIDEO)).st_ino

        async def reason() -> bytes | None:
            try:
                return await operations.getxattr(inode, b"user.coursefs.error", CTX)
            except pyfuse3.FUSEError:
                return None

        cdn.has_expired = True
        await operations.getattr(inode, CTX)
        assert await reason() == b"the server refuses this file"
        cdn.has_expired = False
        async for _ in operations._library.courses.update([]):
            pass
        await operations.getattr(inode, CTX)
        assert await reason() is None  # the size is known now
        handle = await operations.open(inode, os.O_RDONLY, CTX)
        await operations.read(handle.fh, 0, 4096)
        cdn.has_expired = True
        operations._library._versions.note_read(operations._files.node(inode), NoAnswer("late"))
        assert await reason() == b"late"
        await operations.read(handle.fh, 0, 4096)  # from the cache
        assert await reason() is None


@pytest.mark.logs
async def test_an_unforeseen_error_is_logged_and_gives_eio(
    provider: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path, provider, Cdn()) as operations:
        provider.listed = cast(list[Course], 42)
        with pytest.raises(pyfuse3.FUSEError) as caught:
            await operations.opendir(pyfuse3.ROOT_INODE, CTX)
        assert caught.value.errno == errno.EIO
        assert "asking fake: unexpected TypeError" in caplog.text
        with pytest.raises(pyfuse3.FUSEError):
            await operations.read(4711, 0, 10)


@pytest.mark.logs
@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "ca.pem"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("without a number"),
    ],
)
async def test_an_error_of_the_system_is_eio_and_said_once(error: OSError, caplog: pytest.LogCaptureFixture) -> None:
    class Handlers:
        deadline = 1.0

        def __init__(self) -> None:
            self.told: set[tuple[str, int]] = set()

        @answered
        async def lookup(self) -> None:
            raise error

    handlers = Handlers()
    for _ in range(2):
        with pytest.raises(pyfuse3.FUSEError) as caught:
            await handlers.lookup()
        assert caught.value.errno == errno.EIO
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_names_reach_the_kernel_in_utf_8_whatever_the_locale(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.listed = [Course("c1", "k", "Küche")]
    replies: list[bytes] = []

    def reply(token: object, name: bytes, entry: pyfuse3.EntryAttributes, following: int) -> bool:
        replies.append(name)
        return True

    monkeypatch.setattr(pyfuse3, "readdir_reply", reply)
    monkeypatch.setattr(os, "fsencode", lambda name: name.encode("latin-1"))  # LC_ALL=de_DE.ISO-8859-1
    async with opened(tmp_path, provider, Cdn()) as operations:
        number = await operations.opendir(pyfuse3.ROOT_INODE, CTX)
        await operations.readdir(number, 0, cast(pyfuse3.ReaddirToken, None))
    assert replies == [b".", b"..", "Küche".encode()]


class HungCdn(Cdn):
    """Accepts what it is asked, and never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep_forever()
        raise AssertionError


REQUESTS: dict[str, Callable[[Operations, int], Awaitable[Any]]] = {
    "lookup": lambda operations, _: operations.lookup(pyfuse3.ROOT_INODE, b"Graphics", CTX),
    "opendir": lambda operations, _: operations.opendir(pyfuse3.ROOT_INODE, CTX),
    "getattr": lambda operations, video: operations.getattr(video, CTX),
    "open": lambda operations, video: operations.open(video, os.O_RDONLY, CTX),
    "read": lambda operations, _: operations.read(0, 0, 10),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_every_request_has_a_deadline(
    provider: FakeProvider, tmp_path: Path, autojump_clock: trio.testing.MockClock, name: str
) -> None:
    """Within a second of the read timeout, whatever hangs."""
    async with opened(tmp_path, provider, HungCdn(), read_timeout=7.0) as operations:
        video = 0
        if name in {"lookup", "opendir"}:
            provider.gate = trio.Event()
        else:
            video = (await find(operations, *VIDEO)).st_ino
        if name == "read":

            async def never(off: int, size: int, *, partly: bool) -> bytes:
                await trio.sleep_forever()
                raise AssertionError

            hung = SimpleNamespace(read_now=lambda off, size: None, read=never)
            operations._handles[0] = cast(Handle, hung)
        started = trio.current_time()
        with pytest.raises(pyfuse3.FUSEError) as caught:
            await REQUESTS[name](operations, video)
        assert caught.value.errno == errno.ETIMEDOUT
        assert 6.0 < trio.current_time() - started <= 8.0
        if provider.gate is not None:
            provider.gate.set()
            assert await operations.opendir(pyfuse3.ROOT_INODE, CTX)


KILLED = cast(pyfuse3.RequestContext, SimpleNamespace(pid=7))
KILLED_REQUESTS: dict[str, Callable[[Operations, int], Awaitable[Any]]] = {
    "lookup": lambda operations, _: operations.lookup(pyfuse3.ROOT_INODE, b"Graphics", KILLED),
    "opendir": lambda operations, _: operations.opendir(pyfuse3.ROOT_INODE, KILLED),
    "getattr": lambda operations, video: operations.getattr(video, KILLED),
    "open": lambda operations, video: operations.open(video, os.O_RDONLY, KILLED),
    "getxattr": lambda operations, video: operations.getxattr(video, PROGRESS, KILLED),
}


@pytest.mark.parametrize("name", KILLED_REQUESTS)
async def test_a_request_ends_with_the_program_that_made_it(
    provider: FakeProvider,
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    async def never(node: object) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    async with opened(tmp_path, provider, HungCdn(), is_ending=lambda thread: thread == KILLED.pid) as operations:
        video = 0
        if name in {"lookup", "opendir"}:
            provider.gate = trio.Event()
        else:
            video = (await find(operations, *VIDEO)).st_ino
        monkeypatch.setattr(operations._extended, "progress", never)
        started = trio.current_time()
        with pytest.raises(pyfuse3.FUSEError) as caught:
            await KILLED_REQUESTS[name](operations, video)
        assert caught.value.errno == errno.EINTR
        assert trio.current_time() - started <= 0.3
        if provider.gate is not None:  # what it asked for is not lost to others
            provider.gate.set()
            assert await operations.opendir(pyfuse3.ROOT_INODE, CTX)


@pytest.mark.parametrize("opener", [KILLED, CTX])
async def test_a_read_past_the_page_cache_ends_with_the_program_that_opened_the_file(
    provider: FakeProvider, tmp_path: Path, opener: pyfuse3.RequestContext
) -> None:
    """The kernel does not close the file of such a program before its read is answered."""
    cdn, asked = SilentCdn(), []

    def held(path: str) -> bool:
        asked.append(path)
        return False

    killed, ending = opener is KILLED, lambda thread: thread == KILLED.pid
    timeout = 60.0 if killed else 1.0
    async with opened(tmp_path, provider, cdn, is_held=held, is_ending=ending, read_timeout=timeout) as operations:
        video = await find(operations, *VIDEO)
        file = await operations.open(video.st_ino, os.O_RDONLY, opener)
        with pytest.raises(pyfuse3.FUSEError) as caught:
            await operations.read(file.fh, 0, 10)
        assert caught.value.errno == errno.ETIMEDOUT
        assert asked == (["/".join(VIDEO)] if killed else [])
        await operations.release(file.fh)


async def test_opening_ends_at_the_deadline_whatever_hangs(
    provider: FakeProvider, tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`open` has a deadline of its own, beyond those of the layers below.

    A program in another PID namespace is not seen to be killed: without the deadline it could not be while something
    below never answers.
    """

    async def never(inode: int, **_: object) -> Handle:
        await trio.sleep_forever()
        raise AssertionError

    async with opened(tmp_path, provider, Cdn(), read_timeout=7.0) as operations:
        video = (await find(operations, *VIDEO)).st_ino
        monkeypatch.setattr(operations._library.files, "open", never)
        started = trio.current_time()
        with trio.fail_after(60), pytest.raises(pyfuse3.FUSEError) as caught:
            await operations.open(video, os.O_RDONLY, CTX)
        assert caught.value.errno == errno.ETIMEDOUT
        assert trio.current_time() - started == operations.deadline


def test_every_handler_turns_errors_into_an_errno() -> None:
    """What leaves a handler as any other exception would end the mount."""
    handlers = {
        name: handler
        for name, handler in vars(Operations).items()
        if not name.startswith("_") and callable(handler) and hasattr(pyfuse3.Operations, name)
    }
    assert len(handlers) > 25
    harmless = {"forget", *"setattr mknod mkdir unlink rmdir symlink rename link create".split()}
    harmless |= {"write", "setxattr", "removexattr"}
    unguarded = {name for name, handler in handlers.items() if not hasattr(handler, "__wrapped__")}
    assert unguarded == harmless


async def test_who_looks_for_a_reader_in_a_stuck_proc_gives_up(
    provider: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked, stuck = threading.Semaphore(0), threading.Event()

    def held(path: str) -> bool:
        asked.release()
        stuck.wait()
        return True

    cdn = SilentCdn()
    caplog.set_level("DEBUG", "coursefs")
    async with opened(tmp_path, provider, cdn, is_held=held, read_timeout=0.2) as operations:
        try:
            video = await find(operations, *VIDEO)
            file = await operations.open(video.st_ino, os.O_RDONLY, CTX)
            operations._reads[file.fh] = {trio.CancelScope()}
            for _ in range(5):
                await operations.flush(file.fh)
            with trio.fail_after(10):
                while caplog.text.count("cannot tell which processes have the file open") < 5:
                    await trio.testing.wait_all_tasks_blocked(0.01)
            assert operations._looking.borrowed_tokens == 2  # no more threads are stuck than may be
            assert await trio.to_thread.run_sync(lambda: "others go on") == "others go on"
        finally:
            stuck.set()


class Wakes(trio.abc.Instrument):
    """The times at which a task became runnable."""

    def __init__(self) -> None:
        self.at: set[float] = set()

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        self.at.add(trio.current_time())


@pytest.mark.parametrize("has_open_video", [False, True])
async def test_an_idle_mount_wakes_at_most_once_in_ten_seconds(
    provider: FakeProvider, tmp_path: Path, autojump_clock: trio.testing.MockClock, has_open_video: bool
) -> None:
    """With a player that is paused, too."""
    root = mountinfo.at(Path("/"))
    assert root is not None
    watch = partial(namespaces.until_left, root, open_files=lambda: 0, sees_everybody=True)
    autojump_clock.autojump_threshold = math.inf  # while threads work: the clock does not know of them
    async with opened(tmp_path, provider, Cdn()) as operations, trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        video = await find(operations, *VIDEO)
        await find(operations, *PAGE)
        file = await operations.open(video.st_ino, os.O_RDONLY, CTX)
        if not has_open_video:
            await operations.release(file.fh)
        autojump_clock.autojump_threshold = 0.0
        await trio.sleep(120)
        wakes = Wakes()
        trio.lowlevel.add_instrument(wakes)
        await trio.sleep(3600)
        trio.lowlevel.remove_instrument(wakes)
        nursery.cancel_scope.cancel()
    assert len(wakes.at) <= 360


async def test_statfs_and_xattrs(provider: FakeProvider, tmp_path: Path) -> None:
    async with opened(tmp_path, provider, Cdn()) as operations:
        page = (await find(operations, *PAGE)).st_ino
        data = await operations.statfs(CTX)
        assert (data.f_namemax, data.f_files) == (255, 5)
        assert data.f_bfree == data.f_bavail == data.f_blocks > 0
        names = await operations.listxattr(page, CTX)
        assert set(names) == {b"user.coursefs.id", b"user.coursefs.kind", b"user.mime_type"}
        assert await operations.getxattr(page, b"user.coursefs.cached", CTX) == b"12"
        assert await operations.getxattr(page, b"user.coursefs.id", CTX) == b"fake/c1/item/b/page"
        for name, number in (
            (b"user.nothing", pyfuse3.ENOATTR),
            (b"security.selinux", errno.EOPNOTSUPP),
            (b"system.posix_acl_access", errno.EOPNOTSUPP),
        ):
            with pytest.raises(pyfuse3.FUSEError) as caught:
                await operations.getxattr(page, name, CTX)
            assert caught.value.errno == number


class Tracking(FakeProvider):
    """A provider that knows how far the learner is."""

    async def progress(self, course: Course) -> CourseProgress:
        await self._asked("progress")
        return CourseProgress(0.25, {"module/m": 0.5, "item/b": 1.0}, lists_items=True)

    async def watched(self, course: Course, item: str) -> float | None:
        await self._asked(f"watched {item}")
        return 1 / 3


async def test_progress_is_read_by_name_and_not_listed(
    provider: FakeProvider, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    one = Tracking(provider.listed, provider.outlines, provider.contents, urls=provider.urls)
    async with opened(tmp_path, one, Cdn()) as operations:

        async def progress(*names: str) -> bytes | int:
            try:
                return await operations.getxattr((await find(operations, *names)).st_ino, PROGRESS, CTX)
            except pyfuse3.FUSEError as error:
                return error.errno

        assert await progress("Graphics") == b"0.25"
        assert await progress("Graphics", "01 Start") == b"0.5"
        assert await progress(*PAGE) == b"1"
        assert await progress(*VIDEO) == b"0.3333"
        assert await progress() == pyfuse3.ENOATTR
        assert [call for call in one.calls if call[0] in "pw"] == ["progress", "watched item/a"]
        assert PROGRESS not in await operations.listxattr((await find(operations, *VIDEO)).st_ino, CTX)
        await trio.sleep(301)
        one.failure = Unreachable("no network")
        assert await progress("Graphics") == errno.EIO
        one.failure = Gone("the route is gone")
        assert await progress("Graphics") == pyfuse3.ENOATTR


async def test_a_platform_that_tells_no_progress_has_no_such_attribute(provider: FakeProvider, tmp_path: Path) -> None:
    async with opened(tmp_path, provider, Cdn()) as operations:
        with pytest.raises(pyfuse3.FUSEError) as caught:
            await operations.getxattr((await find(operations, "Graphics")).st_ino, PROGRESS, CTX)
        assert caught.value.errno == pyfuse3.ENOATTR


async def test_a_mount_point_is_looked_at_once_more_before_it_is_covered(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mountpoint = tmp_path / "courses"
    mountpoint.mkdir()
    monkeypatch.setattr(pyfuse3, "init", lambda *_: pytest.fail("mounted"))
    async with opened(tmp_path, provider, Cdn()) as operations:
        (mountpoint / "mine").touch()
        with pytest.raises(CoursefsError, match="is not empty"):
            await mount(operations._library, mountpoint, MountOptions(), mounted=lambda _: None)


async def test_the_status_outlives_the_course_of_an_open_file(provider: FakeProvider, tmp_path: Path) -> None:
    async with opened(tmp_path, provider, Cdn()) as operations:
        library = operations._library
        found = await find(operations, *VIDEO)
        handle = await operations.open(found.st_ino, os.O_RDONLY, CTX)
        await operations.read(handle.fh, 0, 10)
        (reading,) = library_report(library)["reading"]
        assert (reading["path"], reading["offset"], reading["size"]) == ("/".join(VIDEO), 10, len(BYTES))
        provider.listed.append(Course("c2", "other", "Other"))
        await library.courses.refresh("fake")
        provider.listed = provider.listed[1:]
        await library.courses.refresh("fake")
        (reading,) = library_report(library)["reading"]
        assert (reading["path"], reading["cached"]) == ("/".join(VIDEO), 0)
        await operations.release(handle.fh)
        assert library_report(library)["reading"] == []
