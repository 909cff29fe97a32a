"""Players, told by the executable of a thread."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from coursefs.mount.players import is_player


@pytest.mark.parametrize(
    ("exe", "expected"),
    [
        ("/usr/bin/mpv", True),
        ("/usr/bin/mpv (deleted)", True),  # it was replaced by a newer one while it runs
        ("/app/bin/celluloid", True),
        ("/snap/vlc/3777/usr/bin/vlc", True),
        ("/usr/bin/ffplay", True),
        ("/usr/bin/haruna", True),
        ("/usr/bin/ffmpeg", False),  # may write what it reads
        ("/usr/bin/rsync", False),
        ("/home/me/mpv/cp", False),
        ("/usr/bin/mpv-copy", False),
    ],
)
def test_a_player_is_told_by_the_name_of_its_executable(tmp_path: Path, exe: str, expected: bool) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "exe").symlink_to(exe)
    assert is_player(7, tmp_path) is expected


def test_a_thread_that_cannot_be_looked_at_is_none_of_a_player(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    assert not is_player(7, tmp_path), "a thread of the kernel has no executable"
    assert not is_player(8, tmp_path), "it has ended"
    assert not is_player(0), "a process outside our namespace has no number here"


def test_a_thread_of_a_program_is_found_by_its_own_number(tmp_path: Path) -> None:
    """FUSE gives the number of the thread, which has no entry that a listing of /proc would show."""
    found: list[tuple[int, str]] = []

    def look() -> None:
        thread = threading.get_native_id()
        found.append((thread, (Path("/proc") / str(thread) / "exe").readlink().name))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    ((number, name),) = found
    assert number != os.getpid()
    assert name == Path("/proc/self/exe").readlink().name
