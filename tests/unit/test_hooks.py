"""Hooks: what they are given, what they are not, and how they end."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.base import hooks
from coursefs.errors import CoursefsError, UsageError
from coursefs.settings.config import load
from coursefs.settings.config_keys import command_of


def script(tmp_path: Path, text: str) -> list[str]:
    """The command that runs a Python program with a path as its argument."""
    (tmp_path / "hook.py").write_text(text)
    return [sys.executable, str(tmp_path / "hook.py"), str(tmp_path / "out")]


def test_it_gets_the_text_and_no_variable_that_is_not_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("COURSERA_CAUTH", "COURSEFS_CONFIG", "MY_TOKEN", "https_proxy", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LC_TIME", "de_DE.UTF-8")
    command = script(
        tmp_path,
        "import json, os, sys\n"
        "print('noise'); print('noise', file=sys.stderr)\n"
        "json.dump([sys.stdin.read(), dict(os.environ), sys.argv[2:]], open(sys.argv[1], 'w'))\n",
    )
    hooks.run("on_news", [*command, "$(touch x); *"], "ü\n")
    text, environment, arguments = json.loads((tmp_path / "out").read_text())
    assert text == "ü\n"
    assert arguments == ["$(touch x); *"], "no shell has seen it"
    assert "secret" not in environment.values()
    assert environment["HOME"] == os.environ["HOME"]
    assert environment["LC_TIME"] == "de_DE.UTF-8"
    assert capfd.readouterr() == ("", "")


@given(st.dictionaries(st.text(), st.text()))
def test_only_named_variables_are_passed_on(variables: dict[str, str]) -> None:
    passed = hooks.environment(variables | {"PATH": "/bin", "CAUTH": "x", "HOMEPAGE": "x"})
    assert passed["PATH"] == "/bin"
    assert not {"CAUTH", "HOMEPAGE"} & passed.keys()
    assert all(variables.get(name, "/bin") == value for name, value in passed.items())


@pytest.mark.parametrize(
    ("command", "patience", "why"),
    [
        (["/no/such/program"], 60, "on_news: /no/such/program cannot be run: No such file or directory"),
        (["/"], 60, "on_news: / cannot be run: Permission denied"),
        (["false"], 60, "on_news: false failed with status 1"),
        (["sleep", "60"], 0.2, "on_news: sleep was ended after 0 s"),
    ],
)
def test_what_fails_is_one_line(command: list[str], patience: float, why: str) -> None:
    with pytest.raises(CoursefsError) as raised:
        hooks.run("on_news", command, "x" * 1_000_000, patience=patience)
    assert str(raised.value) == why


def test_what_it_has_started_ends_with_it(tmp_path: Path) -> None:
    program = (
        "import sys, subprocess, time\n"
        "open(sys.argv[1], 'w').write(str(subprocess.Popen(['sleep', '99']).pid))\n"
        "time.sleep(99)\n"
    )
    command = script(tmp_path, program)
    with pytest.raises(CoursefsError, match="was ended"):
        hooks.run("on_news", command, "", patience=2)
    pid = (tmp_path / "out").read_text()
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < end


def test_it_need_not_read_what_it_is_given() -> None:
    hooks.run("on_news", ["true"], "x" * 10_000_000)


def test_a_command_is_split_as_a_shell_would_and_means_nothing_else(tmp_path: Path) -> None:
    assert command_of("notify-send 'New in your courses' -u low") == (
        "notify-send",
        "New in your courses",
        "-u",
        "low",
    )
    assert command_of("a | b; $C") == ("a", "|", "b;", "$C")
    assert command_of("~/bin/x") == (f"{os.environ['HOME']}/bin/x",)
    for value in ("", "  ", "''", "'x", 3, ["x"], "a\0b"):
        with pytest.raises(UsageError, match="expected a program and its arguments"):
            command_of(value)
    file = tmp_path / "config.toml"
    file.write_text('[hooks]\non_news = "notify --x"\n')
    assert load(file).hooks.on_news == ("notify", "--x")
    file.write_text('[hooks]\non_new = "x"\n')
    with pytest.raises(UsageError, match=r"config.toml:2: .*on_new"):
        load(file)
