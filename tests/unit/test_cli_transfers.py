"""Which mount a command on many files goes to, and how it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coursefs.cli.main import main
from coursefs.daemon import socket
from coursefs.errors import CoursefsError, UsageError

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
        ([], "mine", []),
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
    assert capsys.readouterr() == ("", "coursefs: these paths lie in different mounts; name those of one at a time\n")
    assert mounts.asked == []


def test_a_demo_alone_is_not_the_users_mount(mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
    del mounts.here["mine"]
    assert main(["fetch"]) == 3
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


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["fetch"], "1 new (9 bytes), 2 already there, 0 failed\n"),
        (["download", "--to", "/tmp/copies"], "1 new (9 bytes), 2 skipped, 0 failed\n"),
        (["pin", "all"], "3 files pinned, 2 of them wholly there (see: fetch)\n"),
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
    assert main(["fetch"]) == 3
    out, err = capsys.readouterr()
    assert out.endswith("1 failed\n") and err == "coursefs: a: no\ncoursefs: b: gone\n"


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
    assert main(["fetch"]) == status
    said = capsys.readouterr()
    assert said.out.startswith(out) and said.err.startswith(err) and said.err.count("\n") == 1


def test_wrong_words_have_no_summary(mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
    mounts.replies = [{"state": STATE | {"files": 0}, "failures": []}]
    mounts.end = UsageError("no course is called x")
    assert main(["fetch", "x"]) == 2
    assert capsys.readouterr() == ("", "coursefs: no course is called x\n")


@pytest.mark.parametrize("arguments", [["pin"], ["unpin"], ["download"], ["download", "all"]])
def test_what_must_be_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("command", ["fetch", "pin", "unpin", "download"])
def test_the_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"Example: coursefs {command} " in capsys.readouterr().out
