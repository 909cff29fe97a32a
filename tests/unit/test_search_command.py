"""`coursefs search`: its lines, the player for a hit, and what it says where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from coursefs.cli.main import main
from coursefs.cli.player import command_for
from coursefs.cli.search import clock, row_of
from coursefs.errors import CoursefsError
from coursefs.library import FoundText
from coursefs.settings.paths import app_paths

HIT = FoundText("a", "Ears", "01 Start/01 Ear", "Ears/01 Start/01 Ear.en.srt", "Ears/x.mp4", 3725.5, "The ear.", False)
FILE = Path("/courses/x.mp4")
DESKTOP = {"DISPLAY": ":0"}


def test_a_hit_is_course_lecture_time_and_sentence() -> None:
    assert row_of(3, HIT) == ("3", "Ears", "01 Start/01 Ear", "1:02:05", "The ear.")
    assert [clock(one) for one in (0, 59.9, 60, 3599, 3600)] == ["0:00", "0:59", "1:00", "59:59", "1:00:00"]


@pytest.mark.parametrize(
    ("at", "environment", "programs", "command"),
    [
        (3725.5, DESKTOP, ["mpv", "xdg-open"], ["/bin/mpv", "--start=3725.500", "--", "/courses/x.mp4"]),
        (0.0, {"WAYLAND_DISPLAY": "w"}, ["mpv"], ["/bin/mpv", "--start=0.000", "--", "/courses/x.mp4"]),
        (1.0, DESKTOP, ["xdg-open"], ["/bin/xdg-open", "/courses/x.mp4"]),
        (None, DESKTOP, ["mpv", "xdg-open"], ["/bin/xdg-open", "/courses/x.mp4"]),
        (1.0, DESKTOP, [], "no player was found; install mpv, or open /courses/x.mp4"),
        (None, DESKTOP, ["mpv"], "no player was found; install mpv, or open /courses/x.mp4"),
        (1.0, {"DISPLAY": ""}, ["mpv"], "there is no display to play it on; the file is /courses/x.mp4"),
    ],
)
def test_what_plays_a_hit(
    at: float | None, environment: dict[str, str], programs: list[str], command: list[str] | str
) -> None:
    def which(program: str) -> str | None:
        return f"/bin/{program}" if program in programs else None

    if isinstance(command, list):
        assert command_for(FILE, at, environment, which) == command
        return
    with pytest.raises(CoursefsError) as raised:
        command_for(FILE, at, environment, which)
    assert str(raised.value) == command


def test_what_is_wrong_is_one_line(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search"]) == 2
    assert main(["search", "x", "--limit", "0"]) == 2
    capsys.readouterr()
    assert main(["search", "..."]) == 2
    assert capsys.readouterr() == ("", "coursefs: search for words: at least one letter or digit\n")
    assert main(["search", "ear"]) == 3
    assert capsys.readouterr() == ("", "coursefs: no account yet; sign in with: coursefs login\n")
    file = app_paths().config_file
    file.parent.mkdir(parents=True)
    file.write_text("[accounts.coursera]\n")
    assert main(["search", "ear", "--course", "x"]) == 1
    assert capsys.readouterr() == ("", "coursefs: no course is known yet; ask for them with: coursefs update\n")
