"""Which mount a command on many files goes to, and how it ends."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from coursefs.catalog import Node, Place, Store
from coursefs.catalog.difference import Changes
from coursefs.cli.main import main
from coursefs.cli.progress import Lines
from coursefs.cli.transfers import chosen, end_of_day
from coursefs.daemon import socket
from coursefs.errors import CoursefsError, UsageError
from coursefs.model import Course, Kind
from coursefs.settings.paths import app_paths

STATE = {"is_looking": False, "files": 3, "bytes": 9, "came": 9, "new": 1, "there": 2, "failed": 0, "moving": []}
MINE, DEMO = Path("/mnt/mine"), Path("/mnt/demo")
LAST = {"state": STATE, "failures": [], "exit_status": 0, "complete": 2, "of": 3, "unpinned": 3}


class Mounts:
    """Two mounts, one of them of the demo, and what they are asked."""

    def __init__(self) -> None:
        self.here = {"mine": (MINE, False), "demo": (DEMO, True)}
        self.replies: list[dict[str, Any]] = [LAST]
        self.end: BaseException | None = None
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def all(self, _: Path) -> list[tuple[Path, dict[str, Any]]]:
        return [(Path(name), {"mountpoint": str(at), "demo": demo}) for name, (at, demo) in self.here.items()]

    def ask(self, path: Path, do: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        self.asked.append((str(path), do, arguments))
        yield from self.replies
        if self.end is not None:
            raise self.end


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch) -> Mounts:
    made = Mounts()
    monkeypatch.setattr(socket, "all_mounts", made.all)
    monkeypatch.setattr(socket, "ask", made.ask)
    return made


@pytest.mark.parametrize(
    ("texts", "asked", "paths"),
    [
        (["all"], "mine", [None]),
        (["slug", "https://x.example/learn/slug"], "mine", [None, None]),
        (["/mnt/mine/A/b", "slug"], "mine", [("A", "b"), None]),
        (["/mnt/mine"], "mine", [()]),
        (["/mnt/demo/A"], "demo", [("A",)]),
        (["/mnt/other/A"], "mine", [None]),
        (["~nobody-of-that-name"], "mine", [None]),
    ],
)
def test_the_mount_of_the_paths_is_asked_else_that_of_the_user(
    mounts: Mounts, texts: list[str], asked: str, paths: list[tuple[str, ...] | None]
) -> None:
    assert main(["fetch", *texts]) == 0
    ((name, command, arguments),) = mounts.asked
    assert (name, command) == (asked, "fetch")
    assert arguments == {"targets": list(zip(texts, paths, strict=True))}


def test_a_path_is_taken_from_where_one_is(mounts: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts.here["mine"] = (tmp_path, False)
    (tmp_path / "A").mkdir()
    monkeypatch.chdir(tmp_path / "A")
    assert main(["pin", "b.mp4", "../C"]) == 0
    assert mounts.asked[0][2]["targets"] == [("b.mp4", ("A", "b.mp4")), ("../C", ("C",))]


def test_paths_in_different_mounts_are_wrong_usage(mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "/mnt/mine/A", "/mnt/demo/A"]) == 2
    assert capsys.readouterr() == (
        "",
        "coursefs: these paths are in different mounts; run the command once for each mount\n",
    )
    assert mounts.asked == []


def test_a_demo_alone_is_not_the_users_mount(mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
    del mounts.here["mine"]
    assert main(["fetch", "all"]) == 3
    assert "no account yet" in capsys.readouterr().err


def test_download_says_where_to_and_with_which_modes(
    mounts: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o027)
    try:
        assert main(["download", "slug", "--to", "copies"]) == 0
    finally:
        os.umask(before)
    assert mounts.asked[0][2] == {"targets": [("slug", None)], "to": str(tmp_path / "copies"), "umask": 0o027}


def test_the_options_that_are_given_are_sent_and_no_others(mounts: Mounts) -> None:
    assert main(["fetch", "slug", "--only", "*.mp4", "--only", "*.srt", "--except", "01*/**", "--dry-run"]) == 0
    assert mounts.asked[0][2] == {
        "targets": [("slug", None)],
        "only": ["*.mp4", "*.srt"],
        "except": ["01*/**"],
        "dry_run": True,
    }
    assert main(["download", "slug", "--to", "/x", "--overwrite"]) == 0
    assert mounts.asked[1][2].items() >= {"to": "/x", "overwrite": True}.items()
    assert mounts.asked[1][2].keys() == {"targets", "to", "umask", "overwrite"}


def test_a_download_may_want_other_subtitles_and_videos(mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "slug", "--to", "/x", "--subtitles", "en, de", "--video", "720p"]) == 0
    assert mounts.asked[0][2].items() >= {"subtitles": ["en", "de"], "video": "720p"}.items()
    assert main(["download", "slug", "--to", "/x", "--subtitles", "all", "--video", "highest"]) == 0
    assert mounts.asked[1][2].items() >= {"subtitles": "all", "video": "highest"}.items()
    capsys.readouterr()
    assert main(["download", "slug", "--to", "/x", "--subtitles", "en;de"]) == 2
    assert main(["download", "slug", "--to", "/x", "--video", "720"]) == 2
    assert capsys.readouterr().err == (
        "coursefs: --subtitles en;de: expected languages, such as en,de, or all\n"
        "coursefs: --video 720: expected a number of lines, such as 720p, or highest\n"
    )


@pytest.mark.parametrize("option", ["--only", "--except"])
def test_a_pattern_that_is_none_is_wrong_usage(mounts: Mounts, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "slug", option, "../x"]) == 2
    assert capsys.readouterr().err == ("coursefs: \"../x\" is not a pattern for files, such as '*.mp4' or '01*/**'\n")
    assert mounts.asked == []


def test_a_plan_is_a_line_for_each_file_and_one_at_the_end(mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
    first = {"state": STATE, "failures": [], "planned": [["A/a\x1b.mp4", 3 * 2**20], ["A/b.srt", 5]]}
    mounts.replies = [first, LAST | {"planned": []}]
    assert main(["fetch", "slug", "--dry-run"]) == 0
    assert capsys.readouterr() == (
        "    3.0 MiB  A/a\N{REPLACEMENT CHARACTER}.mp4\n    5 bytes  A/b.srt\n"
        "would fetch 1 file (9 bytes), 2 already there, 0 failed\n",
        "",
    )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["fetch", "all"], "1 new (9 bytes), 2 already there, 0 failed\n"),
        (["download", "all", "--to", "/tmp/copies"], "1 new (9 bytes), 2 skipped, 0 failed\n"),
        (["pin", "all"], "3 files pinned, 2 of them completely cached (for the rest: coursefs fetch)\n"),
        (["unpin", "all"], "3 files unpinned\n"),
    ],
)
def test_what_is_said_at_the_end(
    mounts: Mounts, command: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 0
    assert capsys.readouterr() == (said, "")


def test_failures_are_lines_and_the_status(mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
    mounts.replies = [
        {"state": STATE, "failures": [["a", "no"]]},
        {"state": STATE | {"failed": 1}, "failures": [["b", "gone"]], "exit_status": 3},
    ]
    assert main(["fetch", "all"]) == 3
    out, err = capsys.readouterr()
    assert out.endswith("1 failed\n") and err == "coursefs: a: no\ncoursefs: b: gone\n"


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ({"files": 9, "bytes": 124 * 2**20, "unknown": 0}, "to fetch: 9 files, 124.0 MiB"),
        ({"files": 1, "bytes": 5, "unknown": 2}, "to fetch: 1 file, 5 bytes; 2 more of unknown size"),
        ({"files": 0, "bytes": 0, "unknown": 0}, "to fetch: nothing"),
    ],
)
def test_how_much_it_is_is_said_on_standard_error(
    mounts: Mounts, amount: dict[str, int], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mounts.replies = [
        {"state": STATE, "failures": [], "amount": amount},
        {"state": STATE, "failures": [], "exit_status": 0},
    ]
    assert main(["fetch", "all", "--next", "3"]) == 0
    out, err = capsys.readouterr()
    assert err == f"coursefs: {said}\n" and out.count("\n") == 1


@pytest.mark.parametrize(
    ("end", "status", "out", "err"),
    [
        (CoursefsError("no room"), 1, "1 new (9 bytes), 2 already there, 0 failed\n", "coursefs: no room\n"),
        (ConnectionError("refused"), 1, "1 new (9 bytes)", "coursefs: /mnt/mine: was unmounted just now; try again\n"),
        (KeyboardInterrupt(), 130, "", "coursefs: interrupted after 1 new (9 bytes), 2 already there, 0 failed; "),
    ],
)
def test_how_it_ends_before_its_end(
    mounts: Mounts, end: BaseException, status: int, out: str, err: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mounts.end = end
    assert main(["fetch", "all"]) == status
    said = capsys.readouterr()
    assert said.out.startswith(out) and said.err.startswith(err) and said.err.count("\n") == 1


def test_wrong_words_have_no_summary(mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
    mounts.replies = [{"state": STATE | {"files": 0}, "failures": []}]
    mounts.end = UsageError("no course is called x")
    assert main(["fetch", "x"]) == 2
    assert capsys.readouterr() == ("", "coursefs: no course is called x\n")


@pytest.mark.parametrize(
    "arguments",
    [["pin"], ["unpin"], ["download"], ["download", "all"], ["fetch", "all", "--next", "1", "--until", "1d"]],
)
def test_what_must_be_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("command", [["fetch"], ["download", "--to", "/x"]])
def test_without_a_course_and_a_terminal_it_wants_all(
    mounts: Mounts, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 2
    assert capsys.readouterr() == (
        "",
        f"coursefs: which course? name it, or all of them: coursefs {command[0]} all\n",
    )
    assert mounts.asked == []


def test_without_a_course_on_a_terminal_it_asks(
    mounts: Mounts, own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = app_paths().config_file
    file.parent.mkdir(parents=True)
    file.write_text("[accounts.x]\n")
    store = Store(app_paths().state_dir / "catalogue.sqlite")
    courses = [Course("1", "sound", "Sound"), Course("2", "graphics", "Graphics \x1b[2J")]
    store.enrolments.set_courses("x", courses)
    nodes = [
        Node(1000 + n, 1, one.title, one.title, Place("x"), one.key, Kind.COURSE, 0) for n, one in enumerate(courses)
    ]
    store.write(Changes(added=tuple(nodes)))
    store.close()
    monkeypatch.setattr(sys, "stdin", io.StringIO("7\n2\n"))
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("coursefs.cli.transfers.display", lambda **_: nullcontext(Lines()))
    assert main(["fetch", "--dry-run"]) == 0
    said = capsys.readouterr()
    assert "  1  Graphics \N{REPLACEMENT CHARACTER}[2J\n  2  Sound\n" in said.err
    assert "7: type numbers from 1 to 2, such as 1 3, or all" in said.err
    assert mounts.asked[0][2]["targets"] == [("Sound", None)]


@pytest.mark.parametrize(
    ("answer", "paths"),
    [("all", ("all",)), ("1", ("A",)), ("3, 1 3", ("C", "A")), ("", None), ("0", None), ("4", None), ("A", None)],
)
def test_what_an_answer_means(answer: str, paths: tuple[str, ...] | None) -> None:
    if paths is None:
        with pytest.raises(UsageError, match="type numbers from 1 to 3"):
            chosen(answer, ["A", "B", "C"])
    else:
        assert chosen(answer, ["A", "B", "C"]) == paths


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026-12-31", date(2026, 12, 31)), ("0d", date(2026, 11, 29)), ("7d", date(2026, 12, 6))],
)
def test_a_day_ends_at_its_end(text: str, day: date) -> None:
    end = datetime.fromtimestamp(end_of_day(text, date(2026, 11, 29)) / 1e9)  # noqa: DTZ006  # by this machine's clock
    assert (end.date(), end.hour, end.minute) == (day, 23, 59)


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "2026-1-1", "9999999d", "-1d", "99999-01-01"])
def test_what_is_no_day(text: str) -> None:
    with pytest.raises(UsageError, match="is not a day, such as 2026-12-31 or 7d"):
        end_of_day(text, date(2026, 11, 29))


@pytest.mark.parametrize("command", ["fetch", "pin", "unpin", "download"])
def test_the_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"Example: coursefs {command} " in capsys.readouterr().out
