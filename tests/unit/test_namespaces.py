"""Who keeps a mount busy, or an unmounted file system alive, and whether its process ends."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.base import threads
from coursefs.mount import mountinfo, namespaces
from coursefs.mount.holders import HeldFiles, Holder, _held, holders
from coursefs.mount.namespaces import Process, elsewhere, is_used, named, should_end


@pytest.mark.parametrize(
    ("is_seen_elsewhere", "is_used_here", "open_files", "sees_everybody", "ends"),
    [
        (True, False, 0, True, True),  # a container with a copy of the mount
        (True, False, 3, True, True),  # with files open in it
        (True, True, 3, True, False),  # and a reader of ours
        (False, True, 0, True, False),  # the working folder of a process
        (False, False, 3, True, False),  # files that no process has: a loop device
        (False, False, 0, True, True),  # a namespace without processes
        (True, False, 3, False, False),  # files that may be open in a process of another user, here
        (True, False, 0, False, True),
        (False, False, 0, False, False),  # perhaps the working folder of another user's process
    ],
)
def test_which_mounts_go_on_serving(
    is_seen_elsewhere: bool, is_used_here: bool, open_files: int, sees_everybody: bool, ends: bool
) -> None:
    decided = should_end(
        is_seen_elsewhere=is_seen_elsewhere,
        is_used_here=is_used_here,
        open_files=open_files,
        sees_everybody=sees_everybody,
    )
    assert decided is ends


def process(proc: Path, pid: int, name: str, command: bytes, table: bytes) -> None:
    folder = proc / str(pid)
    (folder / "fdinfo").mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "cmdline").write_bytes(command)
    (folder / "mountinfo").write_bytes(table)
    (folder / "maps").touch()
    (folder / "status").write_text("State:\tS (sleeping)\nSigPnd:\t0000000000000000\n")
    (folder / "fdinfo" / "3").write_text("pos:\t0\nflags:\t0100000\nmnt_id:\t40\nino:\t2\n")


ROOT = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
COPY = b"77 22 0:35 / /home/me/courses ro - fuse.coursefs coursefs ro,user_id=1000\n"
OURS = mountinfo.Mounted(Path("/home/me/courses"), "fuse.coursefs", "coursefs", (0, 35), 40)


def test_processes_of_other_namespaces_are_found_by_what_they_see_mounted(tmp_path: Path) -> None:
    process(tmp_path, 2, "kthreadd", b"", ROOT + COPY)  # a thread of the kernel
    process(tmp_path, 10, "sh", b"sh", ROOT)
    process(tmp_path, 30, "player", b"player", ROOT + COPY)
    process(tmp_path, 20, "podman", b"podman", ROOT + COPY)
    (tmp_path / "meminfo").touch()
    assert elsewhere(OURS.device, tmp_path) == [Process(20, "podman"), Process(30, "player")]
    assert elsewhere((0, 3), tmp_path) == []


def test_of_many_the_first_are_named() -> None:
    many = [Process(number, "sh") for number in range(5)]
    assert named(many[:1]) == "process 0, sh"
    assert named(many) == "process 0, sh; process 1, sh; process 2, sh and 2 more"


@pytest.mark.parametrize(
    ("table", "is_ours"),
    [
        (ROOT, True),
        (ROOT + b"40 22 0:50 / /tmp rw - tmpfs tmpfs rw\n", False),  # the number was used again
        (ROOT + COPY, False),  # it lives in the other namespace
    ],
)
def test_a_file_of_an_unmounted_mount_is_known_by_the_number_of_the_mount(
    tmp_path: Path, table: bytes, is_ours: bool
) -> None:
    process(tmp_path, 10, "sh", b"sh", table)
    assert is_used(OURS, tmp_path) is is_ours
    (tmp_path / "10" / "fdinfo" / "3").write_text("mnt_id:\t41\n")
    assert not is_used(OURS, tmp_path)
    (tmp_path / "10" / "maps").write_text("7f00-7f01 r--p 00000000 00:23 12   /01 Intro.mp4\n")
    assert is_used(OURS, tmp_path) is is_ours


def test_the_working_folder_of_a_process_counts(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_PATH)
    try:
        info = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
    finally:
        os.close(descriptor)
    number = int(info.split("mnt_id:")[1].split()[0])
    process(tmp_path, 10, "sh", b"sh", ROOT)
    (tmp_path / "10" / "fdinfo" / "3").unlink()
    (tmp_path / "10" / "cwd").symlink_to(tmp_path)
    assert is_used(mountinfo.Mounted(tmp_path, "fuse.coursefs", "coursefs", (0, 35), number), tmp_path)
    assert not is_used(mountinfo.Mounted(tmp_path, "fuse.coursefs", "coursefs", (0, 35), number + 1), tmp_path)


def test_who_has_a_mount_open_and_which_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = OURS.mountpoint
    monkeypatch.setattr(mountinfo, "mounted", lambda: [OURS])
    for pid, name, held in (
        (30, "mpv", {"fd/3": "/dev/pts/1", "fd/4": f"{here}/Birds/01 Intro.mp4", "cwd": "/"}),
        (4, "sh", {"cwd": str(here)}),
        (200, "viewer", {"cwd": f"{here} and more"}),
        (100, "editor", {"fd/3": f"{here}/Birds/Notes.md (deleted)"}),
    ):
        process(tmp_path, pid, name, name.encode(), ROOT)
        (tmp_path / str(pid) / "fd").mkdir()
        for link, target in held.items():
            (tmp_path / str(pid) / link).symlink_to(target)
    (tmp_path / "200" / "maps").write_text(f"7f00-7f01 r--p 00000000 00:23 12   {here}/Birds/02 Next.pdf\n")
    (tmp_path / "meminfo").touch()
    found = holders(here, tmp_path)
    assert found == [
        Holder(4, "sh", "."),
        Holder(30, "mpv", "Birds/01 Intro.mp4"),
        Holder(100, "editor", "Birds/Notes.md"),
        Holder(200, "viewer", "Birds/02 Next.pdf"),
    ]
    assert [str(one) for one in found[:2]] == ["sh (4: its working directory)", "mpv (30: Birds/01 Intro.mp4)"]
    is_held = HeldFiles(here, tmp_path)
    assert all(is_held(one.what) for one in found)
    assert not is_held("Birds/03 End.mp4")
    (tmp_path / "30" / "status").write_text("State:\tD (disk sleep)\nSigPnd:\t0000000000000100\n")
    assert not is_held("Birds/01 Intro.mp4"), "it is killed, and waits for a read"
    monkeypatch.setattr(mountinfo, "mounted", list)
    assert is_held("Birds/03 End.mp4"), "after an unmount nobody knows"


def test_the_process_that_had_a_file_is_looked_at_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, film = OURS.mountpoint, "Birds/01 Intro.mp4"
    monkeypatch.setattr(mountinfo, "mounted", lambda: [OURS])
    for pid in (10, 20, 30):
        process(tmp_path, pid, "mpv", b"mpv", ROOT)
        (tmp_path / str(pid) / "fd").mkdir()
    (tmp_path / "20" / "fd" / "4").symlink_to(f"{here}/{film}")
    looked: list[str] = []
    held = _held

    def noting(process: Path, mountpoint: Path) -> Iterator[str]:
        looked.append(process.name)
        return held(process, mountpoint)

    monkeypatch.setattr("coursefs.mount.holders._held", noting)
    is_held = HeldFiles(here, tmp_path)
    assert is_held(film)
    looked.clear()
    assert is_held(film) and looked == ["20"]
    (tmp_path / "20" / "fd" / "4").rename(tmp_path / "30" / "fd" / "4")
    assert is_held(film), "another one has it now"
    looked.clear()
    assert is_held(film) and looked == ["30"]
    (tmp_path / "30" / "fd" / "4").unlink()
    assert not is_held(film)
    looked.clear()
    assert not is_held(film) and set(looked) == {"10", "20", "30"}


def test_a_process_in_the_same_namespace_sees_the_same() -> None:
    there = mountinfo.at(Path("/"))
    assert there is not None
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert [one.identifier for one in mountinfo.of(child.pid)] == [one.identifier for one in mountinfo.mounted()]
    assert mountinfo.of(child.pid) == []


async def test_an_error_while_looking_ends_no_mount(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [OSError(errno.EMFILE, "Too many open files"), RuntimeError("can't start new thread")]
    answers = iter([False, False])

    def pids(_: Path) -> list[int]:
        if errors:
            raise errors.pop()
        return []

    async def at_once(function: Callable[[], bool], **_: object) -> bool:
        return function()

    monkeypatch.setattr(namespaces, "_pids", pids)
    monkeypatch.setattr(threads, "run_sync", at_once)  # the clock would not wait for a thread
    with trio.fail_after(60):
        await namespaces.until_left(
            mountinfo.Mounted(Path("/gone"), "fuse.coursefs", "coursefs", (0, 0), 0),
            open_files=lambda: next(answers, 0),
            sees_everybody=True,
        )
    assert errors == []
    assert trio.current_time() > 20


async def test_that_a_mount_is_gone_is_noticed_at_once_without_a_look_at_every_change(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some machines mount and unmount all the time: a look in ten seconds is enough there."""
    looks: list[float] = []

    def is_listed(table: Path, device: tuple[int, int]) -> bool:
        looks.append(trio.current_time())
        return len(looks) <= 50

    async def change_soon(_: int) -> None:
        await trio.sleep(1)

    monkeypatch.setattr(namespaces, "_lists", is_listed)
    monkeypatch.setattr(trio.lowlevel, "wait_readable", change_soon)
    began = trio.current_time()
    await namespaces._until_unmounted((0, 35))
    assert looks[1] - began == pytest.approx(1.2)
    assert [after - before for before, after in itertools.pairwise(looks[-10:])] == pytest.approx([16.0] * 9)


async def test_while_nothing_is_mounted_the_table_is_looked_at_once_a_minute(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def is_listed(table: Path, device: tuple[int, int]) -> bool:
        looks.append(trio.current_time())
        return len(looks) < 5

    monkeypatch.setattr(namespaces, "_lists", is_listed)
    monkeypatch.setattr(trio.lowlevel, "wait_readable", lambda _: trio.sleep_forever())
    await namespaces._until_unmounted((0, 35))
    assert all(60 <= after - before < 61 for before, after in itertools.pairwise(looks))


async def test_a_mount_that_is_there_is_left_alone(autojump_clock: trio.testing.MockClock) -> None:
    there = mountinfo.at(Path("/"))
    assert there is not None
    with trio.move_on_after(3600) as patience:
        await namespaces.until_left(there, open_files=lambda: 0, sees_everybody=True)
    assert patience.cancelled_caught
