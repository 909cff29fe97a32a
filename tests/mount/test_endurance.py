"""Only unmounting ends a mount: full and locked disks, limits of memory, damage under it, signals, odd descriptors."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from tests.mount.program import PROGRAM, program_in
from tests.mount.test_life import VIDEO
from tests.mount.test_tree import expected_files
from tests.mount.world import LIMIT, World, has_ended, platform_names, until

pytestmark = pytest.mark.mount

_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def foreground(
    world: World, *, module: str | None = None, stderr: int | IO[bytes] = subprocess.DEVNULL, **how: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A mount in the foreground that answers; it ends well when the context ends. `module`: in place of the program."""
    program = [sys.executable, "-m", module] if module else program_in(world.environment)
    command = [*program, "mount", "-f", str(world.mountpoint)]
    with subprocess.Popen(command, env=world.environment, stderr=stderr, cwd=_ROOT, **how) as process:
        try:
            until(lambda: process.poll() is not None or world.is_mounted, "it was mounted")
            assert process.poll() is None
            platform_names(world.mountpoint)
            yield process
            assert process.poll() is None, "something ended the mount"
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=LIMIT)
    assert status == 0
    assert not world.is_mounted and sockets(world) == []


def sockets(world: World) -> list[Path]:
    return list(Path(world.environment["XDG_RUNTIME_DIR"]).rglob("*.sock"))


def catalogue(world: World) -> Path:
    return Path(world.environment["XDG_STATE_HOME"]) / "coursefs" / "catalogue.sqlite"


def names_on_disk(world: World) -> set[str]:
    other = sqlite3.connect(catalogue(world), timeout=10)
    try:
        return {str(name) for (name,) in other.execute("SELECT name FROM node WHERE name <> ''")}
    finally:
        other.close()


def errors(world: World) -> str:
    return " ".join(f"{one['path']}: {one['message']}" for one in world.status()["errors"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    if os.geteuid():
        pytest.skip("only root can mount a tmpfs")
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=False)
    if made.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_state_disk_ends_nothing_and_hides_nothing(world: World, small_disk: Path) -> None:
    world.environment["XDG_STATE_HOME"] = str(small_disk)
    world.login()
    with foreground(world, module="tests.mount.eager"):
        filler = small_disk / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(4096))
        assert len(world.tree()) > 50
        assert world.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()
        until(lambda: world.status()["fill"]["state"] == "done", "everything is known")
        assert "catalogue: cannot be written" in errors(world)
        known = {Path(path).name for path in world.tree()}
        filler.unlink()
        until(lambda: known <= names_on_disk(world), "the catalogue is saved")


def test_a_catalogue_that_another_process_locks_ends_nothing_and_delays_nothing(world: World) -> None:
    world.login()
    with foreground(world, module="tests.mount.eager"):
        other = sqlite3.connect(catalogue(world), isolation_level=None, timeout=10)
        other.execute("BEGIN IMMEDIATE")
        try:
            began, slowest = time.monotonic(), 0.0
            while time.monotonic() - began < 6:
                started = time.monotonic()
                platform_names(world.mountpoint)
                slowest = max(slowest, time.monotonic() - started)
                world.tree()
            assert slowest < 2.0
            until(lambda: world.status()["fill"]["state"] == "done", "everything is known")
            assert "catalogue: cannot be written: database is locked" in errors(world)
        finally:
            other.rollback()
            other.close()
        known = {Path(path).name for path in world.tree()}
        until(lambda: known <= names_on_disk(world), "the catalogue is saved")


def test_a_mount_takes_little_address_space(world: World) -> None:
    """By default each thread takes 8 MiB for its stack and 64 MiB for a heap: 600 to 800 MB in all."""
    world.login()
    with foreground(world) as process:
        files = [world.path(path) for path in world.tree() if not path.endswith("/")]
        with ThreadPoolExecutor(16) as readers:
            list(readers.map(_bytes_of, files * 2))
        status = Path(f"/proc/{process.pid}/status").read_text()
        (peak,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmPeak:"))
        assert peak < 300_000  # kB


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


#: has every thread ask for 1 GiB of address space, so that a limit of that keeps it from starting, and only it
_LARGE_STACKS = """
import threading
threading.stack_size(2**30)
threading.stack_size = lambda size=0: size
"""


def test_where_no_thread_can_be_started_the_mount_goes_on(world: World, tmp_path: Path) -> None:
    world.login()
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "sitecustomize.py").write_text(_LARGE_STACKS)
    world.environment["PYTHONPATH"] = str(tmp_path / "early")
    with (
        (tmp_path / "log").open("wb") as log,
        foreground(world, stderr=log) as process,
    ):
        names = [path for path in world.tree() if not path.endswith("/")]
        used = int(Path(f"/proc/{process.pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(process.pid, resource.RLIMIT_AS, (used + 2**29, resource.RLIM_INFINITY))

        def read(name: str) -> bool:
            return bool(_bytes_of(world.path(name)))

        with ThreadPoolExecutor(16) as readers:
            list(readers.map(read, names * 2))
        assert process.poll() is None
        assert "set aside" not in (tmp_path / "log").read_text(), (tmp_path / "log").read_text()
        resource.prlimit(process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert world.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()
        assert all(map(read, names))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE node SET kind = 'cinema' WHERE kind = 'lesson'",
        "UPDATE step SET details = '{' WHERE rowid = rowid",
        "DELETE FROM node WHERE kind = 'lesson'",
    ],
)
def test_damage_of_the_catalogue_under_a_mount_is_made_good(mounted: World, statement: str) -> None:
    before = mounted.tree()
    inode = mounted.path(VIDEO).stat().st_ino
    other = sqlite3.connect(catalogue(mounted), timeout=10)
    other.execute(statement.replace(" WHERE rowid = rowid", ""))
    if statement.startswith("DELETE"):  # and what no release could have written
        other.execute("UPDATE node SET size = 'large' WHERE kind = 'video'")
    other.commit()
    other.close()
    subprocess.run([*PROGRAM, "update", "all"], env=mounted.environment, check=False)

    def is_whole() -> bool:
        try:
            return mounted.tree() == before
        except OSError:
            return False

    until(is_whole, "everything is there again")
    assert mounted.path(VIDEO).stat().st_ino == inode
    assert mounted.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()
    assert "set aside" in mounted.log and "catalogue: " in errors(mounted)


@pytest.mark.parametrize("pause", [0.0, 0.3, 1.0])
def test_a_second_signal_leaves_neither_mount_nor_socket(mounted: World, pause: float) -> None:
    mounted.path(VIDEO).stat()
    mounted.platform.faults(cdn_stall=True)
    with subprocess.Popen(
        ["cat", str(mounted.path(VIDEO))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as reader:
        until(lambda: mounted.status()["open_files"] == 1, "the file was open")
        pid = mounted.pid
        for _ in range(3):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            time.sleep(pause)  # what people do between two kills
        until(lambda: has_ended(pid), "the daemon ended")
        assert reader.wait(timeout=LIMIT) != 0
    assert not mounted.is_mounted and sockets(mounted) == []
    mounted.platform.faults()
    mounted.mount()
    mounted.umount()


def test_signals_until_the_very_end_do_not_change_the_exit_status(world: World) -> None:
    world.login()
    command = [*PROGRAM, "mount", "-f", str(world.mountpoint)]
    with subprocess.Popen(command, env=world.environment, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: world.is_mounted and bool(platform_names(world.mountpoint)), "the mount was there")
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            time.sleep(0.001)  # thousands of them, in each step of the end
        assert process.stderr is not None
        said = process.stderr.read()
    assert (process.returncode, said) == (0, "")
    assert not world.is_mounted and sockets(world) == []


def test_a_log_on_a_full_disk_leaves_no_dead_mount(world: World) -> None:
    world.login()
    with open("/dev/full", "wb") as full, foreground(world, stderr=full):
        assert world.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()


@pytest.mark.parametrize(
    "redirections", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full", "</dev/null >/dev/null 2>&1"]
)
def test_a_mount_in_the_background_comes_whatever_descriptors_its_command_has(world: World, redirections: str) -> None:
    world.login()
    command = f'exec "$@" {redirections}'
    arguments = [*PROGRAM, "mount", str(world.mountpoint)]
    done = subprocess.run(
        ["bash", "-c", command, "bash", *arguments], env=world.environment, timeout=LIMIT, check=False
    )
    assert done.returncode == 0 and world.is_mounted
    assert world.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()
    assert world.status()["ready"]
    # once more is a failure, and the exit status says so
    done = subprocess.run(
        ["bash", "-c", command, "bash", *arguments], env=world.environment, timeout=LIMIT, check=False
    )
    assert done.returncode == 1
    world.umount()
    assert not world.is_mounted and sockets(world) == []


def _listens(pid: int) -> bool:
    """Whether a process has a handler of its own for SIGTERM."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_signal_before_it_is_mounted_ends_it_whole(world: World) -> None:
    world.login()
    world.platform.faults(api_delay=60.0)
    command = [*PROGRAM, "mount", "-f", str(world.mountpoint)]
    with subprocess.Popen(command, env=world.environment, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: _listens(process.pid), "it hears signals")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 1 and "before it was mounted" in said and len(said.splitlines()) == 1
    assert not world.is_mounted and sockets(world) == []


def test_a_program_that_truncates_the_index_of_the_catalogues_log_ends_nothing(mounted: World) -> None:
    """SQLite has mapped it into memory: without a look at its size, the next statement is the process's last."""
    before = mounted.tree()
    index = catalogue(mounted).with_name("catalogue.sqlite-shm")
    os.truncate(index, 0)
    mounted.run("courses", "remove", "all")
    until(lambda: not platform_names(mounted.mountpoint), "the courses are gone")
    os.truncate(index, 0)
    mounted.run("courses", "add", "all")
    until(lambda: bool(platform_names(mounted.mountpoint)), "the courses are there again")
    os.truncate(index, 0)
    assert mounted.tree() == before
    assert mounted.path(VIDEO).read_bytes() == expected_files()[VIDEO].read_bytes()
    os.truncate(index, 0)
    mounted.umount()
    assert mounted.log.count("has truncated") == 4
