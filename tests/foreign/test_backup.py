"""Backup programs: a second run finds nothing changed and reads nothing, also after a remount."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.foreign.test_programs import needs
from tests.mount.conftest import demo_platform, mounted, world
from tests.mount.world import PAGES, World, program, until

__all__ = ["demo_platform", "mounted", "needs", "world"]

pytestmark = [pytest.mark.mount, pytest.mark.foreign]


def remount(world: World) -> None:
    world.umount()
    world.platform.forget()
    world.mount()


def bytes_asked(world: World) -> list[str]:
    """What was asked of the platform since the remount but for the sign-in's check."""
    return [one["path"] for one in world.platform.requests() if "adminUserPermissions" not in one["path"]]


def test_borg(mounted: World, tmp_path: Path, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    needs("borg")
    monkeypatch.setenv("BORG_BASE_DIR", str(tmp_path / "borg"))
    monkeypatch.setenv("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes")
    repository = tmp_path / "repository"
    program("borg", "init", "-e", "none", repository)
    before = program("borg", "create", "--list", f"{repository}::1", mounted.mountpoint)
    assert re.search(r"^A .*01 Introduction.mp4", before, re.MULTILINE)
    remount(mounted)
    again = program("borg", "create", "--list", "--json", f"{repository}::2", mounted.mountpoint)
    # borg never trusts the files that are as young as the youngest: it reads those again, from the cache
    read = {Path("/", path) for path in re.findall(r"^[AMCE] (.*)$", again, re.MULTILINE)}
    # and what shows all courses, which was perhaps read before they were known
    read = {path for path in read if not set(path.relative_to(mounted.mountpoint).parts[:1]) & PAGES}
    every = {path: path.stat().st_mtime_ns for path in mounted.mountpoint.rglob("*")}
    assert {every[path] for path in read if path.is_file()} <= {
        max(ns for path, ns in every.items() if path.name not in PAGES and path.parent.name not in PAGES),
        max(every.values()),
    }
    assert bytes_asked(mounted) == []


def test_restic(mounted: World, tmp_path: Path, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    needs("restic")
    monkeypatch.setenv("RESTIC_PASSWORD", "a")
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    restic = ["restic", "-r", str(tmp_path / "repository")]
    program(*restic, "init")
    first = _summary(program(*restic, "backup", "--json", mounted.mountpoint))
    assert first["files_new"] > 30
    remount(mounted)
    second = _summary(program(*restic, "backup", "--json", mounted.mountpoint))
    assert (second["files_new"], second["files_changed"], second["files_unmodified"]) == (0, 0, first["files_new"])
    assert bytes_asked(mounted) == []


def _summary(said: str) -> dict[str, int]:
    messages = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    (summary,) = (message for message in messages if message["message_type"] == "summary")
    assert isinstance(summary, dict)
    return summary


def test_tar_incremental(mounted: World, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot"

    def archive(number: int) -> list[str]:
        target = tmp_path / f"{number}.tar"
        # the device number of a mount is another one after each remount, as with NFS
        options = ["--no-check-device", f"--listed-incremental={snapshot}", "-C", str(mounted.mountpoint.parent)]
        program("tar", *options, "-cf", target, "courses")
        return [line for line in program("tar", "-tf", target).splitlines() if not line.endswith("/")]

    mounted.tree()  # what has no date is as old as the first look at it, which must not be that of tar itself
    program("ls", "-lR", mounted.mountpoint)
    newest = max(mounted.path(path).stat().st_mtime for path in mounted.tree())
    until(lambda: time.time() > newest + 1, "the clock was beyond the newest file")  # tar compares whole seconds
    assert len(archive(0)) > 30
    remount(mounted)
    assert archive(1) == []
    assert bytes_asked(mounted) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root opens files by handle, as the kernel's NFS server does")
def test_by_handle_as_an_nfs_server_opens_files(mounted: World) -> None:
    """An NFS server keeps handles over a restart of everything: file system id and inode number."""
    libc = pytest.importorskip("ctypes").CDLL(None, use_errno=True)
    import ctypes

    class Handle(ctypes.Structure):
        _fields_ = (("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("handle", ctypes.c_char * 128))

    def handle_of(path: Path) -> Handle:
        handle, mount_id = Handle(bytes=128), ctypes.c_int()
        assert libc.name_to_handle_at(-100, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount_id), 0) == 0
        return handle

    def opened(handle: Handle) -> int:
        mount = os.open(mounted.mountpoint, os.O_RDONLY)
        try:
            number: int = libc.open_by_handle_at(mount, ctypes.byref(handle), os.O_RDONLY)
            assert number >= 0, os.strerror(ctypes.get_errno())
            return number
        finally:
            os.close(mount)

    video = next(mounted.path(path) for path in mounted.tree() if path.endswith(".mp4"))
    file_handle, folder_handle = handle_of(video), handle_of(video.parent)
    data, names = video.read_bytes(), sorted(os.listdir(video.parent))
    for is_another_process in (False, True):
        if is_another_process:
            remount(mounted)
        Path("/proc/sys/vm/drop_caches").write_text("2")
        folder = opened(folder_handle)
        try:
            assert Path(f"/proc/self/fd/{folder}").readlink() == video.parent  # found upwards, by `..`
            assert sorted(os.listdir(folder)) == names
        finally:
            os.close(folder)
        with os.fdopen(opened(file_handle), "rb") as file:
            assert file.read() == data
