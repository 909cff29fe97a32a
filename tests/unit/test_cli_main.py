"""How commands end: exit statuses, one line for a reason, nothing on the wrong stream."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import trio

from coursefs import __version__
from coursefs.cli import main as cli_main
from coursefs.cli.main import COMMANDS, main
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import Gone, NotSignedIn, UsageError


@pytest.fixture
def run_as(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object], str], int]:
    """Runs `coursefs accounts` with something else in its place."""

    def run(body: Callable[[], object], *before: str) -> int:
        command = click.command("accounts")(body)
        monkeypatch.setattr("coursefs.cli.accounts.accounts", command)
        return main([*before, "accounts"])

    return run


Run = Callable[..., int]


def _raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


async def _in_a_nursery(error: BaseException) -> None:
    async def fail() -> None:
        raise error

    async with trio.open_nursery() as nursery, trio.open_nursery() as inner:
        nursery.start_soon(trio.sleep_forever)
        inner.start_soon(fail)


def test_a_free_threaded_build_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "abiflags", "t")
    assert main(["--version"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "free-threaded" in err


@pytest.mark.parametrize("typed", ["--version --verbose", "-v --version", "--version -v mount"])
def test_version_for_a_bug_report(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed.split()) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"coursefs {__version__}"
    told = dict(line.split(maxsplit=1) for line in lines if not line.startswith("installed"))
    assert lines[0].startswith("installed as ")
    assert told["Python"] == f"{platform.python_implementation()} {platform.python_version()}"
    assert {"system", "pyfuse3", "trio", "httpx", "SQLite", "TLS"} <= told.keys()
    assert "not installed" not in told.values()
    assert str(Path.home()) not in " ".join(lines)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"coursefs {__version__}\n", "")


def test_help_names_every_command_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for name, entry in COMMANDS.items():
        assert f"  {name} " in out
        assert entry.summary in out


def test_help_starts_without_the_slow_libraries() -> None:
    program = (
        "import sys; from coursefs.cli.main import main; status = main(['--help']);"
        "sys.exit(status or sorted({'trio', 'httpx', 'keyring', 'rich', 'tomlkit', 'lxml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "[]\n")  # an empty list, printed by sys.exit


@pytest.mark.parametrize("name", ["login", "logout", "accounts"])
def test_what_the_help_says_of_a_command_is_what_the_command_says(name: str) -> None:
    module, _, attribute = COMMANDS[name].target.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    words = set(COMMANDS[name].summary.lower().rstrip(".").split())
    assert words & set(command.get_short_help_str(200).lower().replace(",", "").split())


def test_no_command_shows_the_help_as_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "accounts" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["acounts"], ["acounts", "coursefs --help"]),
        (["accounts", "--jsno"], ["--jsno", "coursefs accounts --help"]),
        (["accounts", "extra"], ["extra"]),
        (["logout"], ["ACCOUNT"]),
        (["login"], ["which platform?", "coursefs login coursera"]),
        (["login", "coursera", "positional-secret-is-refused"], []),
        (["--config"], ["--config"]),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("coursefs: ")
    assert err.count("\n") == 1
    assert all(word in err for word in words)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["acounts"], "no such command: acounts; did you mean accounts? (see coursefs --help)"),
        (["MOUNT"], "no such command: MOUNT; did you mean mount? (see coursefs --help)"),
        (["co"], "no such command: co; did you mean courses or completion? (see coursefs --help)"),
        (["xyz"], "no such command: xyz (see coursefs --help)"),
        (["courses", "lst"], "no such command: lst; did you mean list? (see coursefs courses --help)"),
        (["cache", "inf"], "no such command: inf; did you mean info? (see coursefs cache --help)"),
        (["service", "instal"], "no such command: instal; did you mean install? (see coursefs service --help)"),
        (["help", "dowload"], "no such command: dowload; did you mean download? (see coursefs --help)"),
        (["help", "mount", "x"], "coursefs mount has no commands of its own (see coursefs mount --help)"),
    ],
)
def test_an_unknown_command_says_what_may_have_been_meant(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr() == ("", f"coursefs: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "same"),
    [
        (["help"], ["--help"]),
        (["help", "umount"], ["umount", "--help"]),
        (["help", "courses", "list"], ["courses", "list", "--help"]),
    ],
)
def test_help_is_a_name_too(arguments: list[str], same: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert main(same) == 0
    assert said == capsys.readouterr() != ("", "")


def test_unmount_is_a_name_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unmount", "--help"]) == 0
    assert "Unmount the folder at MOUNTPOINT" in capsys.readouterr().out
    assert main(["unmount"]) == 2


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (Gone("the course\nis\tgone"), 1, "coursefs: the course is gone\n"),
        (NotSignedIn("sign in again"), 3, "coursefs: sign in again\n"),
        (UsageError("config.toml:1: no"), 2, "coursefs: config.toml:1: no\n"),
        (Gone("\x1b[2Jgone \u202efdp"), 1, "coursefs: \ufffd[2Jgone \ufffdfdp\n"),
        (click.ClickException("something"), 1, "coursefs: something\n"),
    ],
)
def test_a_foreseen_error_is_one_line(
    error: Exception, status: int, line: str, run_as: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_as(_raising(error)) == status
    assert capsys.readouterr() == ("", line)


def test_an_error_out_of_nurseries_is_the_same_line(run_as: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_as(lambda: trio.run(_in_a_nursery, NotSignedIn("sign in again"))) == 3
    assert capsys.readouterr() == ("", "coursefs: sign in again\n")


def test_an_unforeseen_error_says_where_but_not_what_it_was_about(
    run_as: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_as(_raising(KeyError("https://cdn.example/?Signature=s3cret"))) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert re.match(r"coursefs: unexpected KeyError at main\.py:\d+; this is a bug in coursefs", err)
    assert "s3cret" not in err


def test_verbose_shows_the_trace(run_as: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_as(_raising(KeyError("x")), "-v") == 1
    assert "test_cli_main.py, line" in capsys.readouterr().err, "where it came from, and nothing of its text"


@pytest.mark.parametrize("group", [False, True])
def test_an_interrupt_is_130_and_quiet(group: bool, run_as: Run, capsys: pytest.CaptureFixture[str]) -> None:
    body = (lambda: trio.run(_in_a_nursery, KeyboardInterrupt())) if group else _raising(KeyboardInterrupt())
    assert run_as(body) == 130
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", "")


def test_a_command_may_give_its_exit_status(run_as: Run) -> None:
    assert run_as(lambda: 4) == 4
    assert run_as(lambda: None) == 0


def test_a_reader_that_has_had_enough_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("".join(f"[accounts.a{n}]\n" for n in range(3)))
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "coursefs", "--config", str(tmp_path / "config.toml"), "accounts"],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_settings_file_is_named_by_option_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"[accounts.{name}]\n")
    monkeypatch.setenv("COURSEFS_CONFIG", str(tmp_path / "two"))
    assert main(["accounts", "--json"]) == 0
    assert [account["account"] for account in json.loads(capsys.readouterr().out)] == ["two"]
    assert main(["--config", str(tmp_path / "one"), "accounts", "--json"]) == 0
    assert [account["account"] for account in json.loads(capsys.readouterr().out)] == ["one"]


def test_globals_reach_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Globals] = []
    command = click.command("accounts")(pass_globals(seen.append))
    monkeypatch.setattr("coursefs.cli.accounts.accounts", command)
    (tmp_path / "c.toml").touch()
    assert main(["-v", "--config", str(tmp_path / "c.toml"), "accounts"]) == 0
    assert seen == [Globals(tmp_path / "c.toml", verbose=True)]
    assert cli_main.log.isEnabledFor(logging.DEBUG)


def test_the_demo_without_its_extra_says_what_to_install(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "starlette" else find(name))
    assert main(["demo", str(own_home / "courses")]) == 1
    assert capsys.readouterr().err == (
        "coursefs: the sample platforms need two more packages: pip install 'coursefs[demo]'\n"
    )
    assert not (own_home / "courses").exists()


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_named_settings_file_that_is_missing_is_an_error(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.toml")
    before = ["--config", missing] if how == "option" else []
    if how == "environment":
        monkeypatch.setenv("COURSEFS_CONFIG", missing)
    assert main([*before, "accounts"]) == 2
    assert capsys.readouterr().err == (
        f"coursefs: {missing}: no such settings file (named by --config or COURSEFS_CONFIG)\n"
    )
    assert main([*before, "login", "coursera", "--help"]) == 0  # login makes it


@pytest.mark.parametrize("name", COMMANDS)
def test_verbose_may_stand_before_every_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-v", name, "--help"]) == 0
    assert f"Usage: coursefs {name}" in capsys.readouterr().out
