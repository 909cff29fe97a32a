"""No environment ends a command that does not need it: each gives its answer, or one clear line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from coursefs.daemon.readiness import READY_VARIABLE, Readiness

_PROJECT = Path(__file__).parents[2]


def run(
    *arguments: str, environment: Mapping[str, str | None] | None = None, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `coursefs` in this environment with these changes, None for what is taken out of it."""
    changed = {**os.environ, "PYTHONPATH": str(_PROJECT), **(environment or {})}
    command = [sys.executable, "-m", "coursefs", *arguments]
    done = subprocess.run(
        ["sh", "-c", f'{before}\nexec "$@"', "sh", *command] if before else command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        env={name: value for name, value in changed.items() if value is not None},
        timeout=90,
        check=False,
    )
    assert "Traceback" not in done.stderr and "defect" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "xx_YY.zzz", "LANG": "nonsense", "LANGUAGE": "::/"},
        {"TERM": None, "COLUMNS": "abc", "LINES": "-5"},
        {"TERM": "dumb", "COLUMNS": "99999999999999999999", "NO_COLOR": "1", "FORCE_COLOR": "1"},
        {"TMPDIR": "/nonexistent", "PATH": "/nonexistent", "TZ": "Nowhere/Land"},
        {"NOTIFY_SOCKET": "/nonexistent/x", "DBUS_SESSION_BUS_ADDRESS": "nonsense"},
        {"PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii:strict", "PYTHONSAFEPATH": "1"},
        {"XDG_CONFIG_HOME": "relative", "XDG_STATE_HOME": "relative", "XDG_RUNTIME_DIR": "relative"},
    ],
    ids=" ".join,
)
def test_variables_that_are_nonsense_end_no_command(variables: dict[str, str | None], own_home: Path) -> None:
    (own_home / ".config" / "coursefs").mkdir()
    (own_home / ".config" / "coursefs" / "config.toml").write_text('[accounts.coursera]\nfolder = "Größe, 日本"\n')
    for command in (["accounts"], ["cache", "info"]):
        done = run(*command, environment=variables)
        assert (done.returncode, done.stderr) == (0, ""), command
    assert not Path("relative").exists()


@pytest.mark.parametrize("home", [None, "", "relative", "~"])
def test_without_a_home_folder_one_line_says_so_and_what_needs_none_works(home: str | None, own_home: Path) -> None:
    """As in a container that runs with a user id of its own, which no passwd file knows."""
    bare: dict[str, str | None] = {
        "HOME": home,
        **{f"XDG_{name}": None for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR")},
    }
    # the same user, as another one may not reach the interpreter's files; only their entry is not found
    unknown = "import pwd\ndef nobody(uid): raise KeyError(uid)\npwd.getpwuid = nobody\n"
    (own_home / "sitecustomize.py").write_text(unknown)
    bare["PYTHONPATH"] = f"{own_home}:{_PROJECT}"
    for command in (["accounts"], ["cache", "info"], ["doctor"], ["logout", "x"], ["mount", str(own_home)]):
        done = run(*command, environment=bare)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert "no home folder is known for user" in done.stderr and "set HOME" in done.stderr
    assert run("umount", str(own_home), environment=bare).stderr.endswith("no coursefs is mounted there\n")
    assert run("status", str(own_home), environment=bare).stderr.endswith("no coursefs is mounted there\n")
    assert run("--version", environment=bare).returncode == 0


def test_a_working_folder_that_was_deleted_ends_only_what_is_relative_to_it(tmp_path: Path) -> None:
    before = f"mkdir '{tmp_path}/gone' && cd '{tmp_path}/gone' && rmdir '{tmp_path}/gone'"
    assert run("accounts", before=before).returncode == 0
    assert run("cache", "info", before=before).returncode == 0
    assert run("status", "/nonexistent", before=before).stderr.endswith("no coursefs is mounted there\n")
    for command in (
        ["mount", "x"],
        ["umount", "x"],
        ["status", "x"],
        ["download", "all", "--to", "x"],
        ["--config", "x", "accounts"],
        ["mount", "-o", "cache_dir=x", "/nonexistent"],
    ):
        done = run(*command, before=before)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), (command, done.stderr)
        assert "x: the working folder is gone" in done.stderr


@pytest.mark.parametrize(
    "command",
    [["accounts"], ["cache", "info"], ["update"], ["logout", "x"], ["demo"], ["service", "install"], ["doctor"]],
)
def test_root_with_the_environment_of_a_user_makes_no_file_of_theirs(
    command: list[str], tmp_path: Path, another_uid: int
) -> None:
    os.chown(tmp_path, another_uid, another_uid)
    theirs: dict[str, str | None] = {
        "HOME": str(tmp_path),
        **{f"XDG_{name}": None for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME")},
    }
    done = run(*command, environment=theirs)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"belongs to user {another_uid}, and you are root" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_settings_of_a_user_that_root_edits_stay_theirs(tmp_path: Path, another_uid: int) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[accounts.one]\n[accounts.two]\n")
    config.chmod(0o600)
    os.chown(config, another_uid, another_uid)
    assert run("--config", str(config), "logout", "one").returncode == 0
    assert (config.stat().st_uid, config.read_text()) == (another_uid, "[accounts.two]\n")


@pytest.mark.parametrize("number", ["999", "0", "-1", "nonsense", "9" * 30, "²"])
def test_a_pipe_inherited_in_the_environment_is_ignored(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READY_VARIABLE, number)
    readiness = Readiness()
    assert not readiness.is_background
    readiness.ready()
