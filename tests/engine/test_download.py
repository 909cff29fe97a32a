"""Plain copies: the same tree, whole files only, and nothing that was there is lost."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from coursefs.bulk.copies import Copy, CopyFolder, portable
from coursefs.bulk.transfer import NoSpace
from coursefs.catalog import Node, Place
from coursefs.daemon.commands import transfers
from coursefs.errors import CoursefsError
from coursefs.library import Library
from coursefs.model import Course, Kind, Outline
from tests.engine.content_bench import noise, until
from tests.engine.fakes import section
from tests.engine.shelf import HELLO, KIB, PATHS, READ, VIDEOS, Shelf, counts, run, shelf
from tests.engine.test_fetching import node, read

__all__ = ["shelf"]

SECOND = 10**9


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "copies"


async def download(library: Library, to: Path, *texts: str) -> dict[str, Any]:
    return await run(library, "download", *texts, to=str(to), umask=0o027)


async def test_the_same_tree_with_the_same_bytes_and_dates(shelf: Shelf, to: Path) -> None:
    shelf.cdn.dates[VIDEOS[0]] = 1_600_000_000
    async with shelf.opened() as library:
        reply = await download(library, to)
        assert counts(reply) == (4, 0, 0, 0)
        copies = files(to)
        assert copies.keys() == {*PATHS, "Graphics/01 Start/03 Read.html", "Graphics/01 Start/03 Read.files/plan.png"}
        for path, data in copies.items():
            known = await node(library, path)
            status = (to / path).stat()
            assert data == await read(library, path)
            assert (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)
            assert status.st_mode & 0o777 == 0o640
        assert (to / PATHS[0]).stat().st_mtime == 1_600_000_000
        assert (to / "Graphics" / "02 Empty").is_dir()
        assert reply["state"]["came"] == reply["state"]["bytes"] == sum(map(len, copies.values()))


async def test_what_is_there_is_skipped_and_nothing_is_asked_for(shelf: Shelf, to: Path) -> None:
    async with shelf.opened() as library:
        await download(library, to)
    before = {path: path.stat().st_ctime_ns for path in to.rglob("*")}
    shelf.cdn.asked.clear()
    async with shelf.opened() as library:
        assert counts(await download(library, to)) == (0, 4, 0, 0)
        assert shelf.cdn.asked == []
        (to / PATHS[0]).unlink()
        (to / PATHS[1]).write_bytes(b"half")
        assert counts(await download(library, to, "graphics")) == (2, 2, 0, 0)
    assert files(to)[PATHS[1]] == shelf.cdn.bodies[VIDEOS[1]]
    assert sum(path.stat().st_ctime_ns == ns for path, ns in before.items() if path.is_file()) == 2


async def test_another_version_replaces_the_copy(shelf: Shelf, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shelf.opened() as library:
        await download(library, to)
        shelf.cdn.bodies[VIDEOS[0]] = bytes(300 * KIB)
        shelf.cdn.dates[VIDEOS[0]] = 1_700_000_009
        monkeypatch.setattr("coursefs.library.versions._CONFIRMED_FOR_NS", -1)
        assert await read(library, PATHS[0]) == bytes(300 * KIB), "opened in the mount, it is found out"
        assert counts(await download(library, to)) == (1, 3, 0, 0)
    assert files(to)[PATHS[0]] == bytes(300 * KIB)


async def test_a_file_that_changes_after_it_was_looked_at_is_copied_as_it_is_now(shelf: Shelf, to: Path) -> None:
    async with shelf.opened() as library:
        await node(library, PATHS[0])
        shelf.cdn.bodies[VIDEOS[0]] = b"new and short"
        assert counts(await download(library, to, PATHS[0])) == (1, 0, 0, 0)
    assert files(to) == {PATHS[0]: b"new and short"}


async def test_what_the_platform_no_longer_has_stays_and_a_new_name_is_a_new_copy(shelf: Shelf, to: Path) -> None:
    async with shelf.opened() as library:
        await download(library, to)
        before = files(to)
        shelf.provider.outlines["c1"] = Outline((section("m", "Start", 1, replace(HELLO, title="Moin"), READ),))
        await library._tree.update_course(library.courses.select(["graphics"])[0])
        assert counts(await download(library, to)) == (1, 2, 0, 0)
    assert files(to) == before | {"Graphics/01 Start/01 Moin.mp4": before[PATHS[0]]}


async def test_one_that_fails_is_a_line_and_the_rest_comes(shelf: Shelf, to: Path) -> None:
    shelf.cdn.statuses[VIDEOS[0]] = 404
    (to / PATHS[1]).mkdir(parents=True)
    async with shelf.opened() as library:
        reply = await download(library, to)
        assert counts(reply) == (2, 0, 2, 1)
        assert sorted(path for path, _ in reply["failures"]) == PATHS
        assert any("Is a directory" in reason for _, reason in reply["failures"])
    assert len(files(to)) == 2, "and nothing half"


async def test_a_link_in_place_of_a_folder_is_refused_in_one_line_and_the_rest_comes(
    shelf: Shelf, to: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (to / "Graphics").mkdir(parents=True)
    (to / "Graphics" / "01 Start").symlink_to(elsewhere)
    (to / "Graphics" / "02 Empty").symlink_to("/nonexistent")
    async with shelf.opened() as library:
        reply = await download(library, to)
        assert reply["exit_status"] == 1
        assert sorted(path for path, _ in reply["failures"]) == ["Graphics/01 Start", "Graphics/02 Empty"]
        assert all("is a symbolic link where" in reason for _, reason in reply["failures"])
        assert reply["state"]["failed"] > 1, "every file below it is counted"
    assert list(elsewhere.iterdir()) == []
    assert (to / "Graphics" / "01 Start").is_symlink()


async def test_a_link_in_place_of_a_file_is_replaced_and_never_written_through(
    shelf: Shelf, to: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (to / PATHS[0]).parent.mkdir(parents=True)
    (to / PATHS[0]).symlink_to(precious)
    (to / PATHS[1]).parent.mkdir(parents=True, exist_ok=True)
    (to / PATHS[1]).hardlink_to(precious)
    async with shelf.opened() as library:
        assert counts(await download(library, to))[3] == 0
    assert precious.read_text() == "precious"
    assert not (to / PATHS[0]).is_symlink()
    assert files(to)[PATHS[0]] == shelf.cdn.bodies[VIDEOS[0]]
    assert files(to)[PATHS[1]] == shelf.cdn.bodies[VIDEOS[1]]


async def test_a_copy_that_a_person_has_moved_and_linked_to_is_there(shelf: Shelf, to: Path, tmp_path: Path) -> None:
    async with shelf.opened() as library:
        await download(library, to)
        (to / PATHS[0]).rename(tmp_path / "moved")
        (to / PATHS[0]).symlink_to(tmp_path / "moved")
        assert counts(await download(library, to)) == (0, 4, 0, 0)
    assert (to / PATHS[0]).is_symlink()


async def test_what_only_looks_like_a_leftover_is_not_touched(shelf: Shelf, to: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    to.mkdir(parents=True)
    (to / ".coursefs-link.part").symlink_to(precious)
    os.mkfifo(to / ".coursefs-fifo.part")  # opening it for reading would block until a writer opens it
    (to / ".coursefs-killed.part").write_text("half")
    async with shelf.opened() as library:
        with trio.fail_after(30):
            assert counts(await download(library, to))[3] == 0
    left = {path.name for path in to.iterdir() if path.name.startswith(".")}
    assert left == {".coursefs-link.part", ".coursefs-fifo.part"}
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("encoding", ["iso8859-1", "gbk", "koi8-r", "ascii"])
async def test_names_on_the_disk_are_utf8_whatever_the_locale(
    shelf: Shelf, to: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "Größe, 日本, Проба €"
    shelf.provider.outlines["c1"] = Outline((section("m", title, 1, replace(HELLO, title=title)),))
    real = os.fsencode
    # a name that is handed to the system as text would be encoded as the locale says
    monkeypatch.setattr(
        os, "fsencode", lambda name: name.encode(encoding, "surrogateescape") if isinstance(name, str) else real(name)
    )
    async with shelf.opened() as library:
        reply = await download(library, to)
        assert (counts(reply)[2], reply["failures"]) == (0, [])
        assert counts(await download(library, to))[0] == 0, "the next run finds them"
    (name,) = (one for one in os.listdir(real(to / "Graphics")) if one.startswith(b"01"))
    assert name == f"01 {title}".encode()


@pytest.mark.logs
async def test_one_that_fails_in_an_unforeseen_way_is_a_line_and_the_rest_comes(
    shelf: Shelf, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CopyFolder.begin

    def begin(folder: CopyFolder, path: str) -> Copy:
        if path == PATHS[0]:
            raise UnicodeEncodeError("gbk", "x", 0, 1, "as in a locale that lacks the letter")
        return real(folder, path)

    monkeypatch.setattr(CopyFolder, "begin", begin)
    async with shelf.opened() as library:
        reply = await download(library, to)
        assert counts(reply) == (3, 0, 1, 1)
        assert [path for path, _ in reply["failures"]] == [PATHS[0]]


async def test_the_copies_leave_the_cache_as_it_was(shelf: Shelf, to: Path) -> None:
    async with shelf.opened() as library:
        video = await node(library, PATHS[1])
        handle = await library.files.open(video.inode)
        await handle.read(3000 * KIB, KIB)
        handle.close()
        await until(lambda: library.status().fetching == [])  # a read-ahead saves what it has
        await run(library, "pin", "Graphics/01 Start/03 Read.files")
        before = library.cache.cached_bytes(video)
        assert 0 < before < 5000 * KIB
        await download(library, to)
        assert library.cache.cached_bytes(video) == before
        assert library.cache.cached_bytes(await node(library, PATHS[0])) == 0
        assert library.cache.cached_bytes(await node(library, "Graphics/01 Start/03 Read.files/plan.png")) == KIB, (
            "pinned"
        )
        assert len(files(to)) == 4


async def test_a_file_opened_meanwhile_stays_in_the_cache(shelf: Shelf, to: Path) -> None:
    async with shelf.opened() as library:
        video = await node(library, PATHS[0])
        handle = await library.files.open(video.inode)
        await download(library, to, PATHS[0])
        assert library.cache.cached_bytes(video) == 300 * KIB
        handle.close()


async def test_what_is_cached_is_not_asked_for_again(shelf: Shelf, to: Path) -> None:
    async with shelf.opened() as library:
        await run(library, "fetch")
        shelf.cdn.asked.clear()
        assert counts(await download(library, to)) == (4, 0, 0, 0)
        assert shelf.cdn.asked == []
        assert library.cache.use().bytes == sum(map(len, shelf.cdn.bodies.values())), "and stays"


@pytest.mark.logs
async def test_without_space_in_the_cache_it_is_bypassed(shelf: Shelf, to: Path) -> None:
    shelf.settings = replace(shelf.settings, max_size=0)
    async with shelf.opened() as library:
        assert counts(await download(library, to)) == (4, 0, 0, 0)
    assert files(to)[PATHS[1]] == shelf.cdn.bodies[VIDEOS[1]]


async def test_a_full_disk_ends_it_with_one_line_and_leaves_nothing_half(
    shelf: Shelf, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Copy.write

    def write(self: Copy, data: bytes) -> None:
        real(self, data)
        if self.place.name == "02 Again.mp4" and self.size > 2**20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Copy, "write", write)
    async with shelf.opened() as library:
        with pytest.raises(NoSpace, match="no space left"):
            await download(library, to, PATHS[1])
        assert files(to) == {}
        monkeypatch.undo()
    assert [path.name for path in to.rglob("*") if path.name.startswith(".")] == []


async def test_a_file_is_copied_while_it_comes(shelf: Shelf, to: Path) -> None:
    gate = shelf.cdn.gates[VIDEOS[1]] = trio.Event()
    async with shelf.opened() as library, trio.open_nursery() as nursery:
        nursery.start_soon(download, library, to, PATHS[1])
        await until(lambda: [path.stat().st_size for path in to.rglob(".*.part")] == [2**20])
        gate.set()
    assert files(to) == {PATHS[1]: shelf.cdn.bodies[VIDEOS[1]]}


async def test_a_full_disk_ends_it_while_a_server_is_silent(
    shelf: Shelf, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(self: Copy, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Copy, "write", write)
    shelf.cdn.gates[VIDEOS[1]] = trio.Event()
    async with shelf.opened() as library:
        with trio.fail_after(4), pytest.raises(NoSpace, match="no space left"):
            await download(library, to, PATHS[1])
    assert [path for path in to.rglob("*") if path.is_file()] == []


async def test_a_file_that_changes_while_it_is_copied_is_copied_anew(shelf: Shelf, to: Path) -> None:
    shelf.cdn.bodies[VIDEOS[1]] = noise(20_000 * KIB, 8)  # more than is requested at once
    gate = shelf.cdn.gates[VIDEOS[1]] = trio.Event()
    async with shelf.opened() as library, trio.open_nursery() as nursery:
        nursery.start_soon(download, library, to, PATHS[1])
        await until(lambda: [path.stat().st_size for path in to.rglob(".*.part")] == [2**20])
        shelf.cdn.bodies[VIDEOS[1]] = noise(20_000 * KIB, 7)
        shelf.cdn.dates[VIDEOS[1]] = 1_700_000_099
        gate.set()
    assert files(to) == {PATHS[1]: shelf.cdn.bodies[VIDEOS[1]]}


async def test_what_certainly_does_not_fit_is_not_fetched(
    shelf: Shelf, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shelf.opened() as library:
        await node(library, PATHS[1])
        shelf.cdn.asked.clear()
        usage = shutil.disk_usage(to.parent.parent)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000 * KIB))
        with pytest.raises(NoSpace):
            await download(library, to, PATHS[1])
        assert shelf.cdn.asked == []


async def test_a_disconnecting_client_cancels_it_and_no_partial_copy_is_left(shelf: Shelf, to: Path) -> None:
    shelf.cdn.gates[VIDEOS[1]] = trio.Event()
    async with shelf.opened() as library:
        wanted = {"targets": [["graphics", None]], "to": str(to), "umask": 0}
        async with aclosing(transfers(library)["download"](wanted)) as replies:
            async for reply in replies:
                if reply["state"]["new"] == 3 and reply["state"]["moving"]:
                    break
        assert PATHS[1] not in files(to)
        assert list(to.rglob(".*")) == []
        del shelf.cdn.gates[VIDEOS[1]]
        assert counts(await download(library, to)) == (1, 3, 0, 0)
    assert files(to)[PATHS[1]] == shelf.cdn.bodies[VIDEOS[1]]


async def test_what_a_killed_process_left_is_taken_away_and_what_is_being_written_is_not(
    shelf: Shelf, to: Path
) -> None:
    folder = to / "Graphics" / "01 Start"
    folder.mkdir(parents=True)
    for place in (to, folder):
        (place / ".coursefs-abc.part").write_bytes(b"left")
        (place / ".coursefs-notes").write_bytes(b"mine")
    writing = CopyFolder(to, 0o077).begin("Graphics/other.mp4")
    async with shelf.opened() as library:
        await download(library, to)
    hidden = {path.name for path in to.rglob(".*")}
    assert hidden == {".coursefs-notes", writing._temporary.decode()}
    writing.discard()
    assert {path.name for path in to.rglob(".*")} == {".coursefs-notes"}


async def test_folders_that_cannot_be_written_are_one_clear_line(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    async with shelf.opened() as library:
        with pytest.raises(CoursefsError, match=r"cannot write .*file: Not a directory"):
            await download(library, tmp_path / "file")
        with pytest.raises(CoursefsError, match=r"cannot write .*: Not a directory"):
            await download(library, tmp_path / "file" / "below")


def _node(size: int, mtime_ns: int) -> Node:
    return Node(7, 1, "a", "a", Place("x", "c"), "k", Kind.VIDEO, mtime_ns, size=size)


@pytest.mark.parametrize(
    ("size", "mtime_ns", "is_coarse", "same"),
    [
        (4, 100 * SECOND, False, True),
        (5, 100 * SECOND, False, False),
        (4, 100 * SECOND + 1, False, False),
        (4, 100 * SECOND + 1, True, True),
        (4, 102 * SECOND, True, True),
        (4, 103 * SECOND, True, False),
    ],
)
def test_a_copy_is_known_by_its_size_and_its_date_as_well_as_the_disk_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, mtime_ns: int, is_coarse: bool, same: bool
) -> None:
    if is_coarse:
        real = os.utime
        monkeypatch.setattr(
            os, "utime", lambda path, ns: real(path, ns=tuple(t // 2 // SECOND * 2 * SECOND for t in ns))
        )
    folder = CopyFolder(tmp_path, 0o022)
    (tmp_path / "a").write_bytes(b"four")
    os.utime(tmp_path / "a", ns=(100 * SECOND, 100 * SECOND))
    assert folder.has("a", _node(size, mtime_ns)) is same
    assert not folder.has("b", _node(size, mtime_ns))


def test_fewer_bytes_than_there_are_never_get_the_name(tmp_path: Path) -> None:
    folder = CopyFolder(tmp_path, 0o022)
    copy = folder.begin("a/b")
    folder.write(copy, b"123")
    with pytest.raises(CoursefsError, match="3 bytes arrived instead of 4"):
        folder.finish(copy, _node(4, SECOND))
    copy.discard()
    assert files(tmp_path) == {}


def test_a_disk_without_locks_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    folder = CopyFolder(tmp_path, 0o022)
    copy = folder.begin("a")
    folder.write(copy, b"1234")
    folder.finish(copy, _node(4, SECOND))
    copy.discard()
    assert files(tmp_path) == {"a": b"1234"}


async def test_offline_what_is_cached_is_copied(shelf: Shelf, to: Path) -> None:
    async with shelf.opened() as library:
        for path in PATHS:
            await node(library, path)
        await run(library, "fetch", PATHS[1])
    shelf.provider.listed.append(Course("c0", "ears", "Ears"))  # of which nothing is known
    shelf.settings = replace(shelf.settings, offline=True)
    async with shelf.opened() as library:
        reply = await download(library, to)
        assert counts(reply) == (2, 0, 2, 1)
        assert files(to).keys() == {PATHS[1], "Graphics/01 Start/03 Read.html"}


async def test_folders_have_the_mode_of_the_clients_umask(shelf: Shelf, to: Path) -> None:
    async with shelf.opened() as library:
        await download(library, to)
    assert {path.stat().st_mode & 0o777 for path in (to, *to.rglob("*")) if path.is_dir()} == {0o750}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Graphics/01 Start/01 Hello.mp4", "Graphics/01 Start/01 Hello.mp4"),
        ("What is a wave?/02 A: B.mp4", "What is a wave？/02 A： B.mp4"),
        ('<a>|"b"*\\/c...', "＜a＞｜＂b＂＊＼/c..．"),
        ("Größe…/日本", "Größe…/日本"),
    ],
)
def test_names_that_every_disk_can_have(path: str, expected: str) -> None:
    assert portable(path) == expected


async def test_on_a_disk_that_refuses_some_names_they_are_others(
    shelf: Shelf, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As FAT does it."""
    hello = replace(HELLO, title="Hello: how are you?")
    shelf.provider.outlines["c1"] = Outline((section("m", "Who?", 1, hello),))
    real = os.open

    def choosy(path: Any, *arguments: Any, **options: Any) -> int:
        if set("?:") & set(os.fsdecode(path)):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(path, *arguments, **options)

    async with shelf.opened() as library:
        await library._tree.children(await node(library, "Graphics/01 Who?"))
        monkeypatch.setattr(os, "open", choosy)
        assert counts(await download(library, to)) == (1, 0, 0, 0)
        assert files(to).keys() == {"Graphics/01 Who？/01 Hello： how are you？.mp4"}
        assert counts(await download(library, to)) == (0, 1, 0, 0)
