"""A thin link through the real program on a real mount: a program waits for what it needs, and for nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.content_bench import MIB, noise
from tests.mount.cinema import Film, Visit, visit
from tests.mount.test_bytes import opened
from tests.mount.world import LIMIT, until

pytestmark = pytest.mark.mount

KIB = 2**10
BODY = noise(12 * MIB)
RATE = 250e3
LEARNT = 500 * KIB  # bytes after which the link is known


@contextmanager
def learnt(folder: Path, body: bytes = BODY) -> Iterator[tuple[Visit, Film]]:
    """A mount over a thin link that has been found to be one."""
    film = Film(body, rate=RATE)
    with visit(folder, {"one.mp4": film, "two.mp4": Film(noise(400 * KIB, seed=2))}) as there:
        there.world.mount()
        with opened(there.path("one.mp4")) as file:
            assert os.pread(file, LEARNT, 0) == body[:LEARNT]
        yield there, film
        film.rate, film.gate = None, None
        film.go_on.set()


@pytest.mark.parametrize("length", [16 * KIB, 64 * KIB, 200 * KIB])
def test_a_program_does_not_wait_for_the_read_ahead_of_the_kernel(tmp_path: Path, length: int) -> None:
    with learnt(tmp_path) as (there, film), opened(there.path("one.mp4")) as file:
        place = 8 * MIB + 4 * KIB
        film.gate = place + length  # nothing beyond is ever sent
        assert os.pread(file, length, place) == BODY[place : place + length]


def test_a_jump_does_not_wait_for_the_place_that_was_left(tmp_path: Path) -> None:
    with learnt(tmp_path) as (there, film), opened(there.path("one.mp4")) as file:
        film.gate = 6 * MIB
        stuck = threading.Thread(target=os.pread, args=(file, 64 * KIB, 8 * MIB))
        asked = film.requests
        stuck.start()
        until(lambda: film.requests > asked, "the stuck read has asked")
        assert os.pread(file, 64 * KIB, 3 * MIB) == BODY[3 * MIB : 3 * MIB + 64 * KIB]
        film.rate, film.gate = None, None
        film.go_on.set()
        stuck.join(LIMIT)
        assert not stuck.is_alive()


def test_a_copy_over_a_thin_link_is_whole(tmp_path: Path) -> None:
    body = noise(2 * MIB + 777)
    with learnt(tmp_path, body) as (there, film):
        for command in (["cat"], ["dd", "bs=1M", "status=none", "of=/dev/stdout"], ["head", "-c", "3M"]):
            source = there.path("one.mp4")
            arguments = [*command, f"if={source}"] if command[0] == "dd" else [*command, str(source)]
            copied = subprocess.run(arguments, stdout=subprocess.PIPE, timeout=LIMIT, check=True).stdout
            assert copied == body
            film.rate = 4 * RATE
        there.world.umount()
        assert there.cinema.sent["one.mp4"] <= len(body) * 1.1


def test_a_file_in_memory_is_whole(tmp_path: Path) -> None:
    """Pages that are mapped are read by page faults."""
    body = noise(MIB + 4 * KIB + 5)
    program = "import mmap, sys; f = open(sys.argv[1], 'rb'); sys.stdout.buffer.write(mmap.mmap(f.fileno(), 0, prot=1))"
    with learnt(tmp_path, body) as (there, _):
        command = ["python3", "-c", program, str(there.path("one.mp4"))]
        assert subprocess.run(command, stdout=subprocess.PIPE, timeout=LIMIT, check=True).stdout == body


def test_two_programs_that_wait_for_the_same_pages_get_them(tmp_path: Path) -> None:
    body = noise(2 * MIB)
    with learnt(tmp_path, body) as (there, _):
        readers = [subprocess.Popen(["cat", str(there.path("one.mp4"))], stdout=subprocess.PIPE) for _ in range(4)]
        assert all(reader.communicate(timeout=LIMIT)[0] == body for reader in readers)
        assert not any(reader.returncode for reader in readers)


def test_direct_reads_are_answered_whole(tmp_path: Path) -> None:
    """Without its page cache the kernel would not repeat a read."""
    with learnt(tmp_path) as (there, _), opened(there.path("one.mp4"), os.O_DIRECT) as file:
        assert os.pread(file, 256 * KIB, 4 * MIB) == BODY[4 * MIB : 4 * MIB + 256 * KIB]


def test_a_player_gets_what_has_come(tmp_path: Path) -> None:
    """Any program with the name of a player; dd counts the reads that return less than it asked for."""
    body = noise(2 * MIB + 777)
    dd = shutil.which("dd")
    assert dd is not None
    shutil.copy(dd, tmp_path / "mpv")
    with learnt(tmp_path, body) as (there, film):
        for name in (dd, str(tmp_path / "mpv")):  # the player without the page cache that dd has filled
            copy = tmp_path / "copy"
            command = [name, f"if={there.path('one.mp4')}", f"of={copy}", "bs=128k"]
            said = subprocess.run(command, stderr=subprocess.PIPE, timeout=LIMIT, check=True, text=True).stderr
            assert copy.read_bytes() == body
            (partial,) = re.findall(r"\d+\+(\d+) records in", said)
            assert int(partial) > 1 if name != dd else int(partial) == 1, "of dd only the last one"
            there.world.run("cache", "clear")
            film.rate = 4 * RATE


def test_a_player_and_a_copy_read_the_same_file_at_once(tmp_path: Path) -> None:
    body = noise(4 * MIB + 777)
    dd = shutil.which("dd")
    assert dd is not None
    shutil.copy(dd, tmp_path / "mpv")
    with learnt(tmp_path, body) as (there, film):
        film.rate = 16 * RATE
        source = there.path("one.mp4")
        command = [str(tmp_path / "mpv"), f"if={source}", "bs=128k", "status=none"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as player:
            assert player.stdout is not None
            first = player.stdout.read(3000)  # it goes on when the pipe is read
            for _ in range(2):
                copied = subprocess.run(["cat", str(source)], stdout=subprocess.PIPE, timeout=LIMIT, check=True).stdout
                assert copied == body
            assert first + player.stdout.read() == body
