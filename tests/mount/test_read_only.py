"""Modes say that the owner may write, so that copies can be written to; the mount itself refuses every change."""

from __future__ import annotations

import errno
import mmap
import os
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from coursefs.mount import mountinfo
from tests.mount.test_life import VIDEO
from tests.mount.world import World

pytestmark = pytest.mark.mount


CHANGES: dict[str, Callable[[Path], object]] = {
    "open for reading and writing": lambda video: os.open(video, os.O_RDWR),
    "open for writing": lambda video: os.open(video, os.O_WRONLY),
    "open for appending": lambda video: os.open(video, os.O_WRONLY | os.O_APPEND),
    "open and truncate": lambda video: os.open(video, os.O_RDONLY | os.O_TRUNC),
    "truncate": lambda video: os.truncate(video, 0),
    "create": lambda video: os.open(video.with_name("new"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644),
    "unnamed file": lambda video: os.open(video.parent, os.O_TMPFILE | os.O_WRONLY, 0o644),
    "touch": os.utime,
    "mkdir": lambda video: os.mkdir(video.with_name("new")),
    "mknod": lambda video: os.mkfifo(video.with_name("new")),
    "symlink": lambda video: os.symlink("x", video.with_name("new")),
    "link": lambda video: os.link(video, video.with_name("new")),
    "rm": os.unlink,
    "rmdir": lambda video: os.rmdir(video.parent),
    "mv": lambda video: os.rename(video, video.with_name("new")),
    "mv directory": lambda video: os.rename(video.parent, video.parent.with_name("new")),
    "chmod": lambda video: os.chmod(video, 0o600),
    "chmod directory": lambda video: os.chmod(video.parent, 0o700),
    "chown": lambda video: os.chown(video, os.geteuid(), os.getegid()),
    "setfattr": lambda video: os.setxattr(video, "user.mine", b"1"),
    "setfattr -x": lambda video: os.removexattr(video, "user.coursefs.id"),
}


def test_every_change_is_refused_with_erofs(mounted: World) -> None:
    video = mounted.path(VIDEO)
    before = video.lstat()
    answers = {}
    for name, change in CHANGES.items():
        try:
            change(video)
        except OSError as error:
            answers[name] = errno.errorcode[error.errno or 0]
        else:
            answers[name] = "done"
    assert answers == dict.fromkeys(CHANGES, "EROFS")
    assert video.lstat() == before
    for path in (video, video.parent, mounted.mountpoint):
        assert not os.access(path, os.W_OK)
        assert os.access(path, os.R_OK)
    assert os.access(video.parent, os.X_OK) and not os.access(video, os.X_OK)


def test_modes_are_those_of_ordinary_files(mounted: World) -> None:
    modes = {path.is_dir(): stat.filemode(path.stat().st_mode) for path in sorted(mounted.mountpoint.rglob("*"))}
    assert modes == {True: "drwxr-xr-x", False: "-rw-r--r--"}
    assert stat.filemode(mounted.mountpoint.stat().st_mode) == "drwxr-xr-x"


def test_a_umask_takes_rights_away(world: World) -> None:
    world.login()
    world.mount("-o", "umask=077")
    assert stat.filemode(world.mountpoint.stat().st_mode) == "drwx------"
    assert stat.filemode(world.path(VIDEO).stat().st_mode) == "-rw-------"
    world.path(VIDEO).read_bytes()


@pytest.mark.parametrize(("options", "is_executable"), [((), False), (("-o", "exec"), True)])
def test_nothing_is_executed_unless_it_is_wanted(world: World, options: tuple[str, ...], is_executable: bool) -> None:
    world.login()
    world.mount(*options)
    there = mountinfo.at(world.mountpoint)
    assert there is not None
    assert {"ro", "nosuid", "nodev"} <= there.options
    assert ("noexec" in there.options) is not is_executable
    assert bool(os.statvfs(world.mountpoint).f_flag & os.ST_NOEXEC) is not is_executable
    if not is_executable:  # the program loader could run what has no x
        video = world.path(VIDEO)
        for loader in Path("/lib64").glob("ld-linux*"):
            done = subprocess.run([loader, video], capture_output=True, check=False)
            assert done.returncode != 0
        with suppress(PermissionError), video.open("rb") as file:
            mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)
            pytest.fail("mapped to be executed")


def test_attributes_that_change_by_themselves_are_read_by_name_and_not_listed(mounted: World) -> None:
    video = mounted.path(VIDEO)
    stable = ["user.coursefs.id", "user.coursefs.kind", "user.mime_type", "user.xdg.origin.url"]
    assert sorted(os.listxattr(video)) == stable
    assert os.getxattr(video, "user.coursefs.cached") == b"0"
    data = video.read_bytes()
    assert os.getxattr(video, "user.coursefs.cached") == str(len(data)).encode()
    assert sorted(os.listxattr(video)) == stable
