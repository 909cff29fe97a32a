"""What `ls`, `tree` and `size` print of a catalogue, and what they say is not known."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from coursefs.catalog import Store
from coursefs.cli.known import drawn, lines_of, sum_of, unknown
from coursefs.cli.main import main
from coursefs.library import Known, Totals
from coursefs.settings.paths import app_paths

FILM = Known("01 Hello.mp4", False, Totals(files=1, bytes=2**21))
NEW = Known("02 New.mp4", False, Totals(files=1, unsized=1))
HALF = Known("01 Start", True, FILM.totals + NEW.totals, (FILM, NEW))
DARK = Known("02 Later", True, Totals(unlisted=3))
COURSE = asdict(Known("Graphics", True, Totals(folders=2) + HALF.totals + DARK.totals, (HALF, DARK)))


def test_ls_has_sizes_and_says_where_something_is_missing() -> None:
    assert lines_of(COURSE) == ["   2.0 MiB+  01 Start/", "          ?  02 Later/"]
    assert lines_of(asdict(HALF)) == ["    2.0 MiB  01 Hello.mp4", "          ?  02 New.mp4"]
    assert lines_of(asdict(FILM)) == ["    2.0 MiB  01 Hello.mp4"]


def test_tree_draws_what_lies_in_what() -> None:
    assert list(drawn(COURSE["children"])) == [
        "├── 01 Start/  2.0 MiB+",
        "│   ├── 01 Hello.mp4  2.0 MiB",
        "│   └── 02 New.mp4  ?",
        "└── 02 Later/  ?",
    ]


def test_size_is_one_line_and_says_when_there_is_more() -> None:
    assert sum_of(COURSE) == "2 files, 2.0 MiB or more"
    assert sum_of(asdict(FILM)) == "1 file, 2.0 MiB"


def test_what_is_not_known_is_counted_once() -> None:
    assert unknown([asdict(FILM)]) is None
    assert unknown([asdict(NEW), asdict(DARK)]) == (
        "not known yet: 3 listings and the size of 1 file; to ask for it: coursefs fetch all --dry-run"
    )


@pytest.mark.parametrize("command", ["ls", "tree", "size"])
def test_without_an_account_or_a_catalogue_they_say_what_to_type(
    command: str, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command]) == 3
    assert capsys.readouterr() == ("", "coursefs: no account yet; sign in with: coursefs login\n")
    file = app_paths().config_file
    file.parent.mkdir(parents=True)
    file.write_text("[accounts.coursera]\n")
    assert main([command]) == 1
    assert capsys.readouterr() == ("", "coursefs: no course is known yet; ask for them with: coursefs update\n")
    Store(app_paths().state_dir / "catalogue.sqlite").close()
    assert main([command]) == 1
