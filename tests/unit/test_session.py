"""What libfuse and fusermount3 say, as one line with what to do; and where a process hangs."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pyfuse3
import pytest

from coursefs.base import threads
from coursefs.errors import CoursefsError
from coursefs.mount import last_resort
from coursefs.mount.session import init, reason


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("", ""),
        ("fuse: mountpoint is busy\n", "fuse: mountpoint is busy"),
        (
            "warning\nfusermount3: mount failed: Operation not permitted\n\n",
            "fusermount3: mount failed: Operation not permitted"
            " (in a container, start it with --device /dev/fuse --cap-add SYS_ADMIN)",
        ),
        (
            "fusermount3: option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf\n",
            "fusermount3: option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf"
            " (echo user_allow_other | sudo tee -a /etc/fuse.conf)",
        ),
        (
            "fusermount3: too many FUSE filesystems mounted; mount_max=N can be set in /etc/fuse.conf\n",
            "fusermount3: too many FUSE filesystems mounted; mount_max=N can be set in /etc/fuse.conf"
            " (unmount one that is not needed; findmnt -t fuse,fuse.coursefs lists them)",
        ),
    ],
)
def test_the_last_line_counts_and_says_what_to_do(said: str, line: str) -> None:
    assert reason(said) == line


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_said_while_mounting_is_caught_and_no_descriptor_stays_open(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], fails: bool
) -> None:
    said = "fuse: a warning\nfuse: mountpoint is busy\n"

    def mount(*_: object) -> None:
        os.write(2, said.encode())
        if fails:
            raise RuntimeError("fuse_session_mount failed")

    def begin() -> None:
        init(cast(pyfuse3.Operations, None), Path("/courses"), frozenset())

    monkeypatch.setattr(pyfuse3, "init", mount)
    before = sorted(os.listdir("/proc/self/fd"))
    if fails:
        with pytest.raises(CoursefsError, match=r"^/courses: cannot be mounted: fuse: mountpoint is busy$"):
            begin()
    else:
        begin()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert capfd.readouterr().err == ("" if fails else said)


def frames(*places: tuple[str, int]) -> SimpleNamespace | None:
    """A stack of calls, the innermost one first."""
    outer = None
    for name, line in reversed(places):
        outer = SimpleNamespace(f_code=SimpleNamespace(co_filename=name), f_lineno=line, f_back=outer)
    return outer


def test_where_a_process_hangs_is_the_innermost_line_of_ours_in_each_busy_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = str(Path(last_resort.__file__).resolve().parents[1])
    stacks = {
        1: frames(("/usr/lib/python3/os.py", 5), (f"{ours}/content/store.py", 70), (f"{ours}/cli/main.py", 9)),
        2: frames((f"{ours}/base/atomic_files.py", 30)),
        3: frames(("/usr/lib/python3/threading.py", 8)),
        4: frames((threads.__file__, 200)),  # it waits for work
        5: frames((last_resort.__file__, 78)),  # another watchdog
        threading.get_ident(): frames((f"{ours}/cli/main.py", 1)),
    }
    monkeypatch.setattr(sys, "_current_frames", lambda: stacks)
    assert sorted(last_resort._places()) == ["base/atomic_files.py:30", "content/store.py:70"]
