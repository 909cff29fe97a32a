"""A process that was told to end ends, whatever in it never comes back, and leaves neither mount nor socket."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mount.test_endurance import sockets
from tests.mount.test_life import VIDEO
from tests.mount.world import LIMIT, World, until

pytestmark = pytest.mark.mount

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", ["thread", "memory", "loop"])
def test_sigterm_ends_a_process_that_is_stuck(world: World, tmp_path: Path, kind: str) -> None:
    said = tmp_path / "log"
    status = _get_stuck(world, said, kind, [signal.SIGTERM])
    assert status == 0, said.read_text()
    assert "has not ended within 3 s" in said.read_text() and "Traceback" not in said.read_text()
    if kind == "thread":
        assert "threads.py" not in said.read_text()  # where it is stuck is said, by the line that calls the thread
    _is_as_new(world)


def test_so_does_unmounting(world: World, tmp_path: Path) -> None:
    said = tmp_path / "log"
    assert _get_stuck(world, said, "closing", [], reads=False) == 0, said.read_text()
    assert "has not ended within 3 s" in said.read_text()
    _is_as_new(world)


def test_an_event_loop_that_ends_by_itself_leaves_no_dead_mount(world: World, tmp_path: Path) -> None:
    said = tmp_path / "log"
    assert _get_stuck(world, said, "loop ended", [], reads=False) == 1, said.read_text()
    _is_as_new(world)


def _get_stuck(world: World, said: Path, kind: str, signals: list[int], *, reads: bool = True) -> int:
    """The exit status of a mount that gets stuck, in the middle of a read if so, and then these signals."""
    world.login()
    environment = world.environment | {"COURSEFS_STUCK": kind}
    command = [sys.executable, "-m", "tests.mount.stuck", "mount", "-f", str(world.mountpoint)]
    reader = None
    with (
        said.open("wb") as log,
        subprocess.Popen(command, env=environment, stderr=log, cwd=_ROOT) as process,
    ):
        try:
            until(lambda: process.poll() is not None or world.is_mounted, "it was mounted")
            world.path(VIDEO).stat()  # it answers
            process.send_signal(signal.SIGUSR1)
            until(lambda: "stuck" in said.read_text(), "it is stuck")
            if reads:
                reader = subprocess.Popen(
                    ["cat", str(world.path(VIDEO))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            for number in signals:
                process.send_signal(number)
            if kind == "closing":
                subprocess.run(["fusermount3", "-u", str(world.mountpoint)], check=True, timeout=LIMIT)
            return process.wait(timeout=LIMIT)
        finally:
            process.kill()
            if reader is not None:
                reader.kill()
                reader.wait(timeout=LIMIT)


def _is_as_new(world: World) -> None:
    """Nothing is left, and the next mount comes."""
    assert not world.is_mounted and sockets(world) == []
    world.mount()
    world.umount()
