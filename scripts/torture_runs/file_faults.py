"""What is done to our own files: under a running mount, and between two mounts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from torture_runs import children
from torture_runs.kinds import kind, make_room
from torture_runs.process_faults import again
from torture_runs.scene import Scene

_FOREIGN = b"This file is not the cache's.\n" * 1000


def _data_files(scene: Scene) -> list[Path]:
    found = scene.files_below(scene.world.cache)
    return [path for path in found if "sqlite" not in path.name and path.parent.name != "coursefs"]


def _under_the_mount(name: str, says: str, damage: Callable[[Scene, Path], None]) -> None:
    def work(scene: Scene) -> None:
        for _ in range(3):
            scene.read_for(0.4)
            files = _data_files(scene)
            for path in scene.random.sample(files, min(6, len(files))):
                with suppress(OSError):
                    damage(scene, path)
                    scene.count()
        scene.read_for(1.0)
        look_at_foreign_files(scene)

    kind(name, "files", says)(work)


def foreign(scene: Scene) -> Path:
    """A file of the same user that is none of coursefs'."""
    path = scene.root / "foreign"
    if not path.exists():
        path.write_bytes(_FOREIGN)
        scene.world.own_one(path)
    return path


def look_at_foreign_files(scene: Scene) -> None:
    """Nothing but our own folders has been written to."""
    path = scene.root / "foreign"
    if path.exists() and path.read_bytes() != _FOREIGN:
        scene.found("foreign files", f"a file outside the cache was changed: {path.stat().st_size} bytes")
        path.unlink()


def _cut(scene: Scene, path: Path) -> None:
    os.truncate(path, scene.random.randrange(1 + path.stat().st_size))


def _flip(scene: Scene, path: Path) -> None:
    with path.open("r+b") as file:
        for _ in range(20):
            file.seek(scene.random.randrange(path.stat().st_size or 1))
            file.write(scene.random.randbytes(1))


def _link(scene: Scene, path: Path) -> None:
    target = foreign(scene)
    path.unlink()
    path.symlink_to(target)


def _hard_link(scene: Scene, path: Path) -> None:
    target = foreign(scene)
    path.unlink()
    os.link(target, path)


def _other(scene: Scene, path: Path) -> None:
    path.unlink()
    match scene.random.choice(["folder", "pipe", "empty", "closed", "other"]):
        case "folder":
            path.mkdir()
            scene.world.own_one(path)
        case "pipe":
            os.mkfifo(path)
            scene.world.own_one(path)
        case "closed":
            path.touch(mode=0)
            scene.world.own_one(path)
        case "other":
            shutil.copy(scene.random.choice(_data_files(scene)), path)
            scene.world.own_one(path)
        case _:
            path.touch()
            scene.world.own_one(path)


_under_the_mount("cache-deleted", "files of the cache are deleted under the mount", lambda _, path: path.unlink())
_under_the_mount("cache-cut", "files of the cache are cut under the mount", _cut)
_under_the_mount("cache-flipped", "bytes of the cache are changed under the mount", _flip)
_under_the_mount("cache-symlinks", "files of the cache are replaced by links to a file of the user's", _link)
_under_the_mount("cache-hardlinks", "files of the cache are replaced by hard links to a file of the user's", _hard_link)
_under_the_mount("cache-others", "files of the cache become folders, pipes, other files, or are closed", _other)


@kind("cache-folder-gone", "files", "the whole folder of the cache is deleted under the mount")
def _cache_folder_gone(scene: Scene) -> None:
    scene.read_for(0.3)
    shutil.rmtree(scene.world.cache, ignore_errors=True)
    scene.count()
    scene.read_for(2.0)


@kind("state-folder-gone", "files", "the folder of the catalogue is deleted under the mount")
def _state_folder_gone(scene: Scene) -> None:
    scene.read_for(0.3)
    shutil.rmtree(scene.world.state, ignore_errors=True)
    scene.count()
    scene.read_for(1.0)
    scene.world.look_at_memory()
    scene.world.kill(signal.SIGTERM)
    again(scene)


@kind("record-damaged-live", "files", "the cache's record is damaged under the mount")
def _record_live(scene: Scene) -> None:
    for path in scene.files_below(scene.world.cache):
        if path.name.startswith("record"):
            damage(scene, path)
            scene.count()
    make_room(scene)
    scene.read_for(1.5)
    scene.world.kill(signal.SIGTERM)
    again(scene)


@kind("catalogue-damaged-live", "files", "the catalogue is damaged under the mount")
def _catalogue_live(scene: Scene) -> None:
    for path in scene.files_below(scene.world.state):
        if "sqlite" in path.name:
            damage(scene, path)
            scene.count()
    scene.world.command("update", "all", seconds=20)
    scene.read_for(1.5)
    scene.world.kill(signal.SIGTERM)
    again(scene)


@kind("record-damaged", "files", "the cache's record is damaged between two mounts")
def _record(scene: Scene) -> None:
    _between(scene, scene.world.cache, "record")


@kind("catalogue-damaged", "files", "the catalogue is damaged between two mounts")
def _catalogue(scene: Scene) -> None:
    _between(scene, scene.world.state, "catalog")


def _between(scene: Scene, folder: Path, name: str) -> None:
    for _ in range(3):
        scene.world.look_at_memory()
        scene.world.kill(scene.random.choice([signal.SIGTERM, signal.SIGKILL]))
        scene.world.clear()
        for path in scene.files_below(folder):
            if path.name.startswith(name):
                damage(scene, path)
                scene.count()
        again(scene)
        scene.read_for(0.7)


def damage(scene: Scene, path: Path) -> None:
    """Change a file at random places, cut it, empty it, or write text into its text columns."""
    choice = scene.random.choice(["bytes", "bytes", "bytes", "text", "cut", "zeros", "empty", "other"])
    size = path.stat().st_size
    with suppress(OSError), path.open("r+b") as file:
        if choice == "bytes":
            for _ in range(scene.random.choice([1, 10, 200])):
                file.seek(scene.random.randrange(size or 1))
                file.write(scene.random.randbytes(1))
        elif choice == "text":  # bytes that are no UTF-8 inside of values
            data = path.read_bytes()
            places = [at for at in range(0, len(data), 7) if 97 <= data[at] <= 122]
            for at in scene.random.sample(places, min(30, len(places))):
                file.seek(at)
                file.write(b"\xff")
        elif choice == "cut":
            file.truncate(scene.random.randrange(1 + size))
        elif choice == "zeros":
            file.seek(scene.random.randrange(size or 1))
            file.write(bytes(4096))
        elif choice == "empty":
            file.truncate(0)
        else:
            file.truncate(0)
            file.write(scene.random.randbytes(20_000))


@kind("catalogue-locked", "files", "the catalogue is locked by another process for 3 to 8 seconds")
def _locked(scene: Scene) -> None:
    for path in scene.files_below(scene.world.state):
        if path.suffix == ".sqlite":
            seconds = scene.random.uniform(3, 8)
            process = children.start([sys.executable, "-c", _LOCK, path, str(seconds)], scene.world.environment)
            assert process.stdout is not None
            process.stdout.readline()
            scene.count()
            scene.world.command("update", "all", seconds=20)
            scene.read_for(1.0)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            children.end(process)


_LOCK = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""
