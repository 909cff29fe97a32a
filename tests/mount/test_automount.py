"""A mount point of an automounter (`x-systemd.automount`): an access waits until something is mounted."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from coursefs.errors import CoursefsError
from coursefs.mount import mountinfo
from coursefs.mount.mountpoint import prepare
from tests.mount.program import PROGRAM
from tests.mount.test_life import VIDEO
from tests.mount.test_tree import GRAPHICS
from tests.mount.world import LIMIT, World, has_ended, until

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can be an automounter"),
]

_READY = 0x9360  # AUTOFS_IOC_READY
_FAIL = 0x9361
_CATATONIC = 0x9362
_PACKET = struct.Struct("iiI")  # version, kind, token of the waiting queue


class Automounter:
    """The automounter is the process group of the tests, as it is that of systemd, which its mount helpers are in."""

    def __init__(self, mountpoint: Path) -> None:
        self.mountpoint = mountpoint
        self.requests, kernel = os.pipe()
        options = f"fd={kernel},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.mount(b"test", os.fsencode(mountpoint), b"autofs", 0, options.encode())
        os.close(kernel)
        if failed:
            os.close(self.requests)
            pytest.skip(f"autofs: {os.strerror(ctypes.get_errno())}")
        self._point = os.open(mountpoint, os.O_RDONLY)

    def is_asked(self, within: float = 0) -> bool:
        """Whether a process looks into the mount point and waits."""
        return bool(select.select([self.requests], [], [], within)[0])

    def request(self) -> int:
        """The token of who waits."""
        assert self.is_asked(LIMIT)
        token: int = _PACKET.unpack_from(os.read(self.requests, 4096))[2]
        return token

    def answer(self, token: int, question: int = _READY) -> None:
        """Let those go on who wait."""
        fcntl.ioctl(self._point, question, token)

    def close(self) -> None:
        """Take the mount point away, and all that lies on it."""
        fcntl.ioctl(self._point, _CATATONIC, 0)  # waiting processes get an error
        os.close(self._point)
        os.close(self.requests)
        while mountinfo.at(self.mountpoint) is not None:
            subprocess.run(["umount", "--lazy", str(self.mountpoint)], check=True, timeout=LIMIT)


@pytest.fixture
def automounter(world: World) -> Iterator[Automounter]:
    """An automounter at the mount point of a user who is signed in."""
    world.login()
    one = Automounter(world.mountpoint)
    yield one
    one.close()


def look(world: World) -> subprocess.Popen[str]:
    """A process outside the automounter."""
    return subprocess.Popen(
        ["ls", str(world.mountpoint)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def test_who_looks_into_it_finds_the_courses(world: World, automounter: Automounter) -> None:
    for _ in range(2):
        with look(world) as looking:
            try:
                token = automounter.request()
                world.mount()
                automounter.answer(token)
                names, said = looking.communicate(timeout=LIMIT)
            finally:
                looking.kill()
        assert GRAPHICS in names.splitlines(), said
        status = world.status()
        assert os.getsid(status["pid"]) == status["pid"]  # no part of the automounter any more
        assert world.path(VIDEO).read_bytes()
        world.umount()
        there = mountinfo.at(world.mountpoint)
        assert there is not None and there.is_automount_point
        assert not automounter.is_asked()


def test_a_failed_mount_gives_the_reason_and_wakes_waiting_processes(world: World, automounter: Automounter) -> None:
    with look(world) as looking:
        try:
            token = automounter.request()
            world.platform.faults(api_down=True)
            world.run("mount", world.mountpoint, status=1)
            automounter.answer(token, _FAIL)
            assert looking.wait(timeout=LIMIT) != 0
        finally:
            looking.kill()


def test_mounting_by_hand_does_not_trigger_the_automounter(world: World, automounter: Automounter) -> None:
    command = [*PROGRAM, "mount", str(world.mountpoint)]
    subprocess.run(command, env=world.environment, check=True, timeout=LIMIT, start_new_session=True)
    assert GRAPHICS in os.listdir(world.mountpoint)
    assert not automounter.is_asked()
    world.umount()


def test_a_dead_mount_on_it_is_taken_away_without_looking_below(world: World, automounter: Automounter) -> None:
    world.mount()
    pid = world.pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: has_ended(pid), "the process ended")
    command = [*PROGRAM, "mount", str(world.mountpoint)]
    subprocess.run(command, env=world.environment, check=True, timeout=LIMIT, start_new_session=True)
    assert not automounter.is_asked()
    assert GRAPHICS in os.listdir(world.mountpoint)
    world.umount()


def test_questions_about_a_mount_point_wake_no_automount(world: World, automounter: Automounter) -> None:
    for arguments in (["status", str(world.mountpoint)], ["umount", str(world.mountpoint)]):
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env=world.environment,
            stderr=subprocess.PIPE,
            text=True,
            timeout=LIMIT,
            check=False,
            start_new_session=True,
        )
        assert (done.returncode, done.stderr) == (1, f"coursefs: {world.mountpoint}: no coursefs is mounted there\n")
    assert not automounter.is_asked()


def test_an_ordinary_user_is_told_who_mounts_there(
    world: World, automounter: Automounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert prepare(world.mountpoint) == world.mountpoint  # a helper of the automounter
    monkeypatch.setattr(os, "getpgrp", lambda: 1)
    with pytest.raises(CoursefsError, match=f"an automounter mounts there by itself.*ls {world.mountpoint}"):
        prepare(world.mountpoint)
