"""A mount for a whole house, and servers that pass it on: child processes on 127.0.0.1, each with its own folder."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.mount.cinema import Film, Visit, visit
from tests.mount.world import COURSES, LIMIT, PAGES, World, has_ended, platform, until

#: every character that no file of Windows may have in its name, in the title of a lecture
AWKWARD = 'Is it "loud": who says so? *, <1|2>, a\\b'
#: Chinese and Japanese write such signs
WIDE = "Listen： one sweep？"
#: no folder of Windows ends so
DOTS = "Before you go..."
FILM = "Lecture.mp4"
LONG = random.Random(1).randbytes(48 * 2**20)
#: the most that a jump into it may fetch
JUMP = 8 * 2**20
_TITLES = {
    "What is a sound wave?": AWKWARD,
    "Listen: one sweep from 125 Hz to 8 kHz ": WIDE,
    "Before you go ": DOTS,
}


@contextmanager
def house(*options: str) -> Iterator[World]:
    """The sample courses, some with awkward titles, mounted with these options where every user can come to it."""
    with _open_folder() as folder:
        mountpoint = folder / "courses"
        mountpoint.mkdir()
        with platform("--courses", str(_with_awkward_titles(folder / "served"))) as running:
            world = World(mountpoint, running)
            world.login()
            try:
                world.mount(*options)
                yield world
            finally:
                world.tidy()
            running.require_reading()


@contextmanager
def film_house(*options: str) -> Iterator[Visit]:
    """One long film, mounted with these options where every user can come to it; its server counts what it sends."""
    with _open_folder() as folder, visit(folder, {FILM: Film(LONG)}) as there:
        there.world.mount(*options)
        yield there


@contextmanager
def _open_folder() -> Iterator[Path]:
    """A folder that every user may enter, as none of pytest's is."""
    with tempfile.TemporaryDirectory(prefix="coursefs-house-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _with_awkward_titles(folder: Path) -> Path:
    shutil.copytree(COURSES, folder)
    description = folder / "sound-and-hearing" / "course.toml"
    text = description.read_text()
    for title, awkward in _TITLES.items():
        assert f'name = "{title}"' in text
        text = text.replace(f'name = "{title}"', f"name = '{awkward}'")
    description.write_text(text)
    return folder


@dataclass(frozen=True, slots=True)
class Known:
    """What a mount says of a path."""

    is_directory: bool
    size: int  # 0 for directories
    seconds: int  # mtime
    digest: str  # of its bytes, "" for directories


def known_of(root: Path) -> dict[str, Known]:
    """Every path below a folder but course pages, with slashes, and what is known of it; reads every file."""
    found = {}
    for path in sorted(root.rglob("*")):
        if not is_of_platform(str(path.relative_to(root))):
            continue
        status = path.stat()
        directory = path.is_dir()
        digest = "" if directory else digest_of(path.read_bytes())
        size = 0 if directory else status.st_size
        found[str(path.relative_to(root))] = Known(directory, size, int(status.st_mtime), digest)
    return found


def is_of_platform(path: str) -> bool:
    """Whether this is no part of a course page; those become complete while a course is looked at."""
    return not set(path.split("/")) & PAGES


def digest_of(data: bytes) -> str:
    """What stands for the bytes of a file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def fetched(world: World) -> int:
    """How many bytes the media server of the platform has sent since the last `forget`."""
    return sum(one["bytes"] for one in world.platform.requests(port="cdn"))


def restart(world: World, *options: str) -> None:
    """End the process of the mount as systemd does, also where it is in use, and mount again with these options."""
    pid = world.pid
    os.kill(pid, signal.SIGTERM)
    until(lambda: has_ended(pid), "the process of the mount ended")
    world.mount(*options)


@contextmanager
def server(
    command: Sequence[str | Path], log: Path, is_ready: Callable[[], bool], *, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in the foreground, from its first answer until the context ends; with all processes that it started."""
    with log.open("ab") as said:
        process = subprocess.Popen(
            [str(word) for word in command], stdout=said, stderr=said, start_new_session=True, env=environment
        )
    try:
        until(lambda: process.poll() is not None or is_ready(), f"{command[0]} answered")
        assert process.poll() is None, log.read_text(errors="replace")[-4000:]
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=LIMIT / 3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started, and did not end
