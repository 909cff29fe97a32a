"""`coursefs search`: its lines, the player for a hit, and what it says where there is none."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from coursefs.base.lock import FileLock
from coursefs.catalog import Store
from coursefs.catalog.course_nodes import course_changes
from coursefs.catalog.names import Layout
from coursefs.catalog.node import ROOT
from coursefs.cli.main import main
from coursefs.cli.player import command_for
from coursefs.cli.search import as_typed, clock, row_of
from coursefs.daemon import socket
from coursefs.errors import CoursefsError, NoAnswer, NotSignedIn, Unreachable
from coursefs.library import FoundText
from coursefs.model import Course
from coursefs.search.builder import build
from coursefs.search.folding import Term, terms
from coursefs.search.index import SearchIndex, index_path
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


@pytest.mark.parametrize(
    ("words", "searched"),
    [
        (["cosine similarity"], (Term("cosine similarity", True),)),
        (["cosine", "similarity"], (Term("cosine", False), Term("similarity", False))),
        (["parallax ", "short  term"], (Term("parallax", False), Term("short term", True))),
        (['"short term" parallax'], (Term("short term", True), Term("parallax", False))),
    ],
)
def test_an_argument_with_blanks_is_a_phrase(words: list[str], searched: tuple[Term, ...]) -> None:
    assert terms(" ".join(map(as_typed, words))) == searched


@pytest.fixture
def indexed(own_home: Path) -> Path:
    """A catalogue with a course whose title is all that is in the index."""
    file = app_paths().config_file
    file.parent.mkdir(parents=True)
    file.write_text("[accounts.coursera]\n")
    path = app_paths().state_dir / "catalogue.sqlite"
    store, courses = Store(path), [Course("c1", "ears", "The Ear: inner, outer")]
    store.enrolments.set_courses("coursera", courses)
    store.write(course_changes(store, "coursera", ROOT, courses, Layout("title"), 1))
    store.close()
    index = SearchIndex(index_path(path))
    with closing(sqlite3.connect(path)) as catalogue:
        build(index, catalogue, ["coursera"], {}, lambda *_: [])
    index.close()
    return path


LATE = "coursefs: the search index is not up to date, so there may be more hits: "


def test_while_another_command_has_the_locks_the_index_is_searched(
    indexed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for lock, holder in ((indexed.with_name("lock"), "coursefs fetch"), (app_paths().cache_dir / "lock", "a mount")):
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, holder=holder, taken=str):
            assert main(["search", "outer ear"]) == 1
            capsys.readouterr()
            assert main(["search", "inner", "ear", "--json"]) == 0
            out, err = capsys.readouterr()
        assert [one["text"] for one in json.loads(out)] == ["The Ear: inner, outer"]
        assert err.startswith(LATE)
        assert holder in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (CoursefsError("its process has ended"), "its process has ended"),
        (NotSignedIn("coursera: sign in again"), "coursera: sign in again"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.EROFS, "Read-only file system", "/state/lock"), "/state/lock: Read-only file system"),
        (sqlite3.OperationalError("disk I/O error"), "a database of coursefs cannot be used: disk I/O error"),
    ],
)
def test_an_index_that_cannot_be_brought_up_to_date_is_searched_where_there_is_one(
    indexed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr("coursefs.cli.alone.alone", failing)
    assert main(["search", "inner"]) == 0
    out, err = capsys.readouterr()
    assert (len(out.splitlines()), err) == (2, f"{LATE}{why}\n")
    index_path(indexed).unlink()
    assert main(["search", "inner"]) == getattr(error, "exit_status", 1)
    assert capsys.readouterr() == ("", f"coursefs: {why}\n")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ConnectionError("gone"), "the mount has just ended; try again"),
        (CoursefsError("the mount ended before it was done"), "the mount ended before it was done"),
    ],
)
def test_a_mount_that_ends_meanwhile_costs_no_hits(
    indexed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def ask(*_: object, **__: object) -> Iterator[dict[str, object]]:
        yield {"done": 0, "of": 2, "is_complete": False}
        raise error

    monkeypatch.setattr(socket, "mount_of_user", lambda *_, **__: Path("socket"))
    monkeypatch.setattr(socket, "ask", ask)
    assert main(["search", "inner"]) == 0
    assert capsys.readouterr().err == f"{LATE}{why}\n"


def test_a_mount_that_takes_long_is_not_waited_for(
    indexed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: object, **__: object) -> Iterator[dict[str, object]]:
        for done in range(100):
            yield {"done": done, "of": 100, "is_complete": False}
        raise AssertionError("it was waited for")

    monkeypatch.setattr("coursefs.cli.search._PATIENCE", 0.0)
    monkeypatch.setattr(socket, "mount_of_user", lambda *_, **__: Path("socket"))
    monkeypatch.setattr(socket, "ask", ask)
    assert main(["search", "inner"]) == 0
    assert "still being built, 0 of 100 texts are done" in capsys.readouterr().err


NOTHING = "coursefs: nothing found in what is cached; to fetch all texts first: --fetch\n"


@pytest.mark.parametrize(("options", "out"), [(["--play", "1"], ""), (["--json"], "[]\n"), ([], "")])
def test_nothing_found_is_status_1_whatever_is_to_be_done_with_it(
    indexed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], out: str
) -> None:
    monkeypatch.setattr("coursefs.cli.alone.alone", lambda *_: None)
    assert main(["search", "zzz", *options]) == 1
    assert capsys.readouterr() == (out, NOTHING)
    assert main(["search", "inner", "--play", "2"]) == 2
    assert capsys.readouterr() == ("", "coursefs: there is no hit 2; 1 hit in all\n")


@pytest.mark.parametrize(
    "error", [Unreachable("offline"), NotSignedIn("coursera: the sign-in has ended"), NoAnswer("no answer within 3 s")]
)
def test_a_fetch_that_fails_as_a_whole_is_a_line_and_the_search_goes_on(
    indexed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: CoursefsError
) -> None:
    def alone(options: object, command: str, *_: object) -> None:
        if command == "fetch":
            raise error

    monkeypatch.setattr("coursefs.cli.alone.alone", alone)
    monkeypatch.setattr("coursefs.cli.transfers.alone", alone)
    assert main(["search", "inner", "--fetch"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert err == f"coursefs: not all texts were fetched: {error}\n"


def test_an_argument_that_is_not_utf8_is_searched(
    indexed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coursefs.cli.alone.alone", lambda *_: None)
    assert main(["search", "inner\udcff"]) == 0
    capsys.readouterr()
    assert main(["search", "\udcff"]) == 2
    assert main(["search", "inner", "--course", "\udcff"]) in {1, 2}
    assert capsys.readouterr().err.count("\n") == 2


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
