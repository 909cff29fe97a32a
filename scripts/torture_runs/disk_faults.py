"""What disks do: full, over quota, slow, failing at any call, giving wrong bits, read-only."""

from __future__ import annotations

import errno
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from torture_runs import children
from torture_runs.kinds import kind, make_room
from torture_runs.process_faults import again
from torture_runs.scene import Scene
from torture_runs.shim import Call

_MEBI = 2**20


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """The small disk of a folder has no room left."""
    filler = folder / "filler"
    block = bytes(_MEBI)
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while block:
            try:
                file.write(block)
            except OSError:
                block = block[: len(block) // 2]
    try:
        yield
    finally:
        filler.unlink(missing_ok=True)


@kind("cache-full", "disks", "the disk of the cache is full", needs_root=True)
def _cache_full(scene: Scene) -> None:
    with full(scene.root / "cache"):
        make_room(scene)
        scene.read_for(2.0)
        scene.count()


@kind("state-full", "disks", "the disk of the catalogue is full while there is news to note", needs_root=True)
def _state_full(scene: Scene) -> None:
    with full(scene.root / "state"):
        change(scene)
        scene.world.command("update", "all", seconds=20)
        scene.read_for(3.0)
        scene.count()


@kind("full-start", "disks", "a mount while both disks are full, and no dead one where it fails", needs_root=True)
def _full_start(scene: Scene) -> None:
    scene.world.kill(signal.SIGKILL)
    scene.world.clear()
    with full(scene.root / "state"), full(scene.root / "cache"):
        if scene.world.mount():
            scene.read_for(1.0)
        elif scene.world.is_mounted:
            scene.found("dead mounts", "a start that failed on a full disk left a mount behind")
        scene.count()
        if scene.world.is_running:
            scene.world.kill(signal.SIGTERM)
    again(scene)


@kind("cache-read-only", "disks", "the cache is on a disk that has become read-only", needs_root=True)
def _cache_read_only(scene: Scene) -> None:
    cache = str(scene.root / "cache")
    done = subprocess.run(["mount", "-o", "remount,ro", cache], capture_output=True, timeout=20, check=False)
    if done.returncode:  # somebody writes just now: a lazy remount is not to be had, so begin with it
        scene.world.kill(signal.SIGKILL)
        scene.world.clear()
        subprocess.run(["mount", "-o", "remount,ro", cache], capture_output=True, timeout=20, check=True)
    try:
        scene.count()
        if not scene.world.is_running and not scene.world.mount():
            scene.found("failed mounts", f"with a read-only cache: {scene.world.log(600)}")
        scene.read_for(2.0)
    finally:
        if scene.world.is_running:
            scene.world.kill(signal.SIGTERM)
        subprocess.run(["mount", "-o", "remount,rw", cache], capture_output=True, timeout=20, check=True)
    again(scene)


def change(scene: Scene) -> None:
    """Some files get a new version."""
    for file in scene.random.sample([4, 5, 6, 7, 8], 2):
        scene.counters.new_version(file)


def _failing(name: str, says: str, where: str, calls: Call, errors: tuple[int, ...]) -> None:
    def work(scene: Scene) -> None:
        if scene.shim is None:
            return
        before = scene.shim.hits
        error = scene.random.choice(errors)
        delay = scene.random.uniform(0.2, 1.5) if calls & Call.DELAY else 0.0
        folder = scene.world.cache if where == "cache" else scene.world.state
        scene.shim.fail(calls, folder, error=error, chance=scene.random.choice([0.05, 0.3, 1.0]), delay=delay)
        try:
            make_room(scene)
            if where == "state":
                change(scene)
                scene.world.command("update", "all", seconds=20)
            scene.read_for(scene.random.uniform(1.0, 2.5))
        finally:
            scene.count(scene.shim.stop() - before)

    kind(name, "disks", says)(work)


_failing(
    "cache-write-fails", "writing to the cache fails", "cache", Call.WRITE, (errno.EIO, errno.EDQUOT, errno.ENOSPC)
)
_failing("cache-read-fails", "reading from the cache fails", "cache", Call.READ, (errno.EIO, errno.ESTALE))
_failing("cache-close-fails", "closing files of the cache fails", "cache", Call.CLOSE, (errno.EIO, errno.EDQUOT))
_failing("cache-cut-fails", "giving space back fails", "cache", Call.TRUNCATE | Call.SYNC, (errno.EIO, errno.EPERM))
_failing("cache-slow", "writing to the cache takes its time", "cache", Call.DELAY, (0,))
_failing("cache-wrong-bits", "reading from the cache gives wrong bits", "cache", Call.FLIP, (0,))
_failing("state-write-fails", "writing to the catalogue fails", "state", Call.WRITE, (errno.EIO, errno.ENOSPC))
_failing("state-read-fails", "reading from the catalogue fails", "state", Call.READ, (errno.EIO,))
_failing(
    "state-sync-fails", "the catalogue cannot be synced", "state", Call.SYNC | Call.CLOSE, (errno.EIO, errno.EDQUOT)
)


def tmpfs(folder: Path, mebi: int) -> None:
    """Put a small disk of its own there; in a namespace that is ours alone."""
    owner = f"uid={children.USER},gid={children.USER}," if children.has_ordinary_user() else ""
    options = f"{owner}mode=700,size={mebi}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], timeout=30, check=True)
