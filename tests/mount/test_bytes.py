"""Every byte through the real program on a real mount, whatever the server, the disk and the readers do."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from coursefs.content.planner import FIRST, UNSURE_AHEAD
from tests.engine.content_bench import MIB, noise
from tests.engine.test_content_priorities import film
from tests.mount.cinema import Film, Manner, visit
from tests.mount.world import LIMIT, has_ended, until

pytestmark = pytest.mark.mount

KIB = 2**10
BODY = noise(6 * MIB + 777)
OTHER = noise(5 * MIB + 99, seed=1)


@contextmanager
def opened(path: Path, flags: int = 0) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("manner", Manner)
def test_whatever_the_server_is_like_every_byte_is_right(tmp_path: Path, manner: Manner) -> None:
    with visit(tmp_path, {"one.mp4": Film(BODY, manner), "two.mp4": Film(OTHER, manner)}) as there:
        there.world.mount()
        assert there.path("one.mp4").stat().st_size == len(BODY)
        with opened(there.path("one.mp4")) as file:  # as a player: head, tail, middle
            for start in (0, len(BODY) - 10_000, 3 * MIB + 5):
                assert os.pread(file, 10_000, start) == BODY[start : start + 10_000]
            # while it is open still: what is fetched ahead of a reader is given up when it closes the file
            assert there.path("one.mp4").read_bytes() == BODY
        assert there.path("two.mp4").read_bytes() == OTHER
        asked = there.cinema.films["one.mp4"].requests
        there.world.umount()
        there.world.mount()
        assert there.path("one.mp4").read_bytes() == BODY
        assert there.cinema.films["one.mp4"].requests == asked
        if manner in {Manner.ENDLESS, Manner.CHUNKED}:
            assert asked == 1, "it is not begun again for each read"
        if manner is Manner.WHOLE:
            assert asked <= 7, "what was asked before the first answer came, and no more"
        if manner not in {Manner.WHOLE, Manner.SHORT}:  # there, what is given up has been sent already
            assert there.cinema.sent["one.mp4"] <= len(BODY) + 1


@pytest.mark.parametrize("new", [OTHER, BODY[::-1] + OTHER], ids=["shorter", "longer"])
def test_a_file_that_changes_while_it_is_read_is_never_mixed(tmp_path: Path, new: bytes) -> None:
    one = Film(BODY, gate=2 * MIB)
    with visit(tmp_path, {"one.mp4": one}) as there:
        there.world.mount()
        with (
            opened(there.path("one.mp4")) as before,
            subprocess.Popen(
                ["cat", str(there.path("one.mp4"))], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as reader,
        ):
            assert reader.stdout is not None
            first = reader.stdout.read(MIB)
            with there.cinema.guard:
                one.body, one.etag = new, '"two"'
            one.gate = None
            one.go_on.set()
            rest, said = reader.communicate(timeout=LIMIT)
            got = first + rest
            assert MIB <= len(got) < len(BODY) and got == BODY[: len(got)], "no bytes but of the file that it opened"
            assert reader.returncode == 1 and b"Stale" in said
            try:  # what was on its way when it changed is in the kernel's pages
                assert os.pread(before, 10, 5 * MIB) == BODY[5 * MIB : 5 * MIB + 10]
            except OSError as error:
                assert error.errno == errno.ESTALE
            # at once: what has become of it is being asked just now
            assert there.path("one.mp4").read_bytes() == new
            assert there.path("one.mp4").stat().st_size == len(new)
        assert there.path("one.mp4").read_bytes() == new


def test_twenty_stalled_reads_delay_no_cached_one(tmp_path: Path) -> None:
    films = {"cached.mp4": Film(BODY)} | {f"{number:02}.mp4": Film(OTHER) for number in range(20)}
    with visit(tmp_path, films) as there, ThreadPoolExecutor(20) as threads:
        there.world.mount()
        assert there.path("cached.mp4").read_bytes() == BODY
        for number in range(20):
            there.path(f"{number:02}.mp4").stat()
            films[f"{number:02}.mp4"].gate = 0
        try:
            stalled = [threads.submit(there.path(f"{number:02}.mp4").read_bytes) for number in range(20)]
            until(
                lambda: sum(film.requests >= 2 for film in films.values()) >= 20 and len(there.world.status()) > 0,
                "all of them were asked for",
            )
            with opened(there.path("cached.mp4"), os.O_DIRECT) as file:  # past the pages that the kernel keeps
                assert b"".join(os.pread(file, 128 * KIB, at) for at in range(0, len(BODY), 128 * KIB)) == BODY
            assert not any(one.done() for one in stalled)
        finally:
            for one in films.values():
                one.go_on.set()
        assert all(one.result(LIMIT) == OTHER for one in stalled)


def test_killed_in_the_middle_what_came_stays_and_every_byte_is_right(tmp_path: Path) -> None:
    body = noise(24 * MIB + 5)
    one = Film(body, gate=12 * MIB)
    with visit(tmp_path, {"one.mp4": one}) as there:
        there.world.mount()
        with subprocess.Popen(["cat", str(there.path("one.mp4"))], stdout=subprocess.PIPE) as reader:
            assert reader.stdout is not None
            assert reader.stdout.read(11 * MIB) == body[: 11 * MIB]
            pid = there.world.pid
            os.kill(pid, signal.SIGKILL)
            until(lambda: has_ended(pid), "the daemon ended")
            reader.kill()
        one.gate = None
        one.go_on.set()
        before = there.cinema.sent["one.mp4"]
        there.world.mount()
        assert there.path("one.mp4").read_bytes() == body
        assert there.cinema.sent["one.mp4"] - before < len(body) - 9 * MIB, "what was complete is not fetched again"
        assert "no damage found" in there.world.run("cache", "verify").stdout


def test_the_limit_holds_while_much_more_is_read(tmp_path: Path) -> None:
    body = noise(48 * MIB)
    films = {"one.mp4": Film(body), "two.mp4": Film(body)}
    with visit(tmp_path, films, '[cache]\nmax_size = "8MiB"\nmin_free = "0"\n') as there:
        there.world.mount()
        most, done = 0, threading.Event()

        def watch() -> None:
            nonlocal most
            while not done.wait(0.002):
                # the files are looked at one after the other: what is evicted from the first and written to the second
                # in between counts twice, so that one look alone proves nothing
                most = max(most, min(there.bytes_on_disk(), there.bytes_on_disk()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            with ThreadPoolExecutor(2) as threads:
                assert all(got == body for got in threads.map(lambda name: there.path(name).read_bytes(), films))
        finally:
            done.set()
            watcher.join()
        # bytes are written before they are counted: one piece at most, because one thread writes at a time
        assert 4 * MIB < most <= 9 * MIB
        assert there.world.status()["cache"]["bytes"] <= 8 * MIB


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_a_full_disk_fails_no_read_and_can_be_cleared(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("nothing can be mounted here but by fusermount3")
    try:
        films = {"one.mp4": Film(BODY), "two.mp4": Film(OTHER)}
        settings = f'[cache]\nmax_size = "1GiB"\nmin_free = "0"\ndir = "{disk}/cache"\n'
        with visit(tmp_path, films, settings) as there:
            there.world.mount()
            assert there.path("one.mp4").read_bytes() == BODY
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as other, pytest.raises(OSError) as caught:
                while True:
                    other.write(bytes(4096))
            assert caught.value.errno == errno.ENOSPC
            assert there.path("two.mp4").read_bytes() == OTHER
            assert "goes on without it" in there.world.log and "Traceback" not in there.world.log
            there.world.umount()
            there.world.mount()
            for _ in range(2):
                assert there.path("one.mp4").read_bytes() == BODY
                assert there.path("two.mp4").read_bytes() == OTHER
            there.world.run("cache", "clear")
            assert there.world.status()["cache"]["bytes"] == 0
            filler.unlink()
            assert there.path("two.mp4").read_bytes() == OTHER
            there.world.umount()
            there.world.mount()
            assert there.path("two.mp4").read_bytes() == OTHER
            there.world.umount()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_thumbnails_of_fifty_films_are_not_fifty_downloads(tmp_path: Path) -> None:
    index = 200 * KIB
    behind = film(index=index, size=4 * MIB)
    before = behind[:32] + behind[-index:] + behind[32:-index]
    films = {f"{number:02}.mp4": Film(behind if number % 2 else before) for number in range(50)}
    with visit(tmp_path, films) as there:
        there.world.mount()
        device = os.minor(there.world.mountpoint.stat().st_dev)
        if os.geteuid() == 0:  # a mount of root's reads further ahead than those of everybody else
            Path(f"/sys/class/bdi/0:{device}/read_ahead_kb").write_text("128")

        def look(name: str) -> None:
            body = films[name].body
            with opened(there.path(name)) as file:
                place = 32 if body is before else len(body) - index
                for start, end in ((0, 64 * KIB), (place, place + index), (2 * MIB, 2 * MIB + 64 * KIB)):
                    for at in range(start, end, 32 * KIB):
                        assert os.pread(file, 32 * KIB, at) == body[at : at + 32 * KIB]

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(look, films))
        until(lambda: not there.world.status()["fetching"], "nothing was on its way any more")
        assert max(there.cinema.sent.values()) < MIB + FIRST, "a MiB for the head and the index, and the picture"


def test_two_that_read_by_one_descriptor_leave_each_other_their_read_ahead(tmp_path: Path) -> None:
    body = noise(40 * MIB)
    with visit(tmp_path, {"one.mp4": Film(body)}) as there:
        there.world.mount()
        with opened(there.path("one.mp4"), os.O_DIRECT) as file, ThreadPoolExecutor(2) as threads:

            def read(start: int) -> bool:
                app_paths = range(start, start + 20 * MIB, 128 * KIB)
                return all(os.pread(file, 128 * KIB, at) == body[at : at + 128 * KIB] for at in app_paths)

            assert all(threads.map(read, (0, 20 * MIB)))
        assert there.cinema.sent["one.mp4"] <= len(body) + 2 * MIB
        assert there.cinema.films["one.mp4"].requests < 120, "of 320 reads"


def test_a_second_mount_on_the_same_cache_is_refused_in_one_line(tmp_path: Path) -> None:
    with visit(tmp_path, {"one.mp4": Film(BODY)}) as there:
        there.world.mount()
        second = tmp_path / "second"
        second.mkdir()
        other = there.world.environment | {"XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
        command = there.world.__class__(second, there.world.platform, other)
        said = command.run("mount", second, status=1).stderr
        assert str(there.cache) in said and f"pid {there.world.pid}" in said
        assert there.path("one.mp4").read_bytes() == BODY


def test_a_look_at_head_and_tail_fetches_little_more_than_it_reads(tmp_path: Path) -> None:
    """`file` reads 7 MiB at both ends of a film."""
    body = noise(100 * MIB)
    with visit(tmp_path, {"one.mp4": Film(body)}) as there:
        there.world.mount()
        with opened(there.path("one.mp4")) as file:
            assert os.pread(file, 7 * MIB, 0) == body[: 7 * MIB]
            assert os.pread(file, 7 * MIB, len(body) - 7 * MIB) == body[-7 * MIB :]
        assert there.cinema.sent["one.mp4"] <= 14 * MIB + UNSURE_AHEAD + MIB


@pytest.mark.parametrize("damage", ["delete", "cut", "stretch", "flip", "folder"])
def test_a_cache_that_is_changed_under_the_mount_gives_no_wrong_byte(tmp_path: Path, damage: str) -> None:
    with visit(tmp_path, {"one.mp4": Film(BODY)}) as there:
        there.world.mount()
        with opened(there.path("one.mp4"), os.O_DIRECT) as file:  # past the pages that the kernel keeps
            assert _direct(file) == BODY
            for path in there.cache.glob("v1/??/*"):
                if damage == "delete":
                    path.unlink()
                elif damage in {"cut", "stretch"}:
                    os.truncate(path, 0)
                    os.truncate(path, 0 if damage == "cut" else len(BODY))
                elif damage == "flip":
                    with path.open("r+b") as data:
                        data.seek(MIB)
                        data.write(bytes([BODY[MIB] ^ 1]))
            if damage == "folder":
                shutil.rmtree(there.cache)
            assert _direct(file) == BODY
        for _ in range(2):
            with opened(there.path("one.mp4"), os.O_DIRECT) as file:
                assert _direct(file) == BODY
        until(lambda: there.world.status()["cache"]["bytes"] == len(BODY), "all of it is kept again")


def _direct(file: int) -> bytes:
    return b"".join(os.pread(file, 128 * KIB, at) for at in range(0, len(BODY), 128 * KIB))


def test_a_cache_that_cannot_be_made_is_one_line_and_files_are_streamed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with visit(tmp_path, {"one.mp4": Film(BODY)}) as there:
        said = there.world.run("mount", "-o", f"cache_dir={tmp_path}/file/cache", there.world.mountpoint).stderr
        assert said.count("cannot be used") == 1
        assert there.path("one.mp4").read_bytes() == BODY
        assert there.world.log.count("cannot be used") == 1
        assert "Traceback" not in there.world.log
