"""However a command is started, with any of its descriptors closed or full: the exit status is the truth."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: commands that need no account and no mount, and write data
WITH_DATA = (["--version"], ["--help"], ["accounts", "--json"], ["completion", "bash"], ["cache", "info"], ["doctor"])


def run(*arguments: str, redirections: str, stdin: str | None = None) -> tuple[int, str, str]:
    """Run `coursefs` from a shell with these redirections: exit status, standard output, standard error."""
    done = subprocess.run(
        ["bash", "-c", f'exec "$@" {redirections}', "bash", sys.executable, "-m", "coursefs", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        input=stdin,
        check=False,
    )
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("arguments", WITH_DATA, ids=" ".join)
@pytest.mark.parametrize(
    ("redirections", "why"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_data_that_cannot_be_written_are_a_failure_with_one_line(
    arguments: list[str], redirections: str, why: str
) -> None:
    status, _, said = run(*arguments, redirections=redirections)
    assert (status, said.splitlines()) == (1, [f"coursefs: cannot write the output: {why}"])


@pytest.mark.parametrize("redirections", ["2>/dev/full", "2>&-", "<&-", "<&- 2>&-"])
def test_messages_that_cannot_be_written_change_no_status(redirections: str) -> None:
    assert run("accounts", "--json", redirections=redirections)[:2] == (0, "[]\n")
    assert run("logout", "nobody", redirections=redirections)[0] == 2
    assert run("no-such-command", redirections=redirections)[0] == 2
    status, _, said = run("status", "/no/such/mount", redirections=redirections)
    assert status == 1 and ("2>" in redirections or len(said.splitlines()) == 1)


@pytest.mark.parametrize(
    "closed",
    [" ".join(some) for count in (1, 2, 3) for some in itertools.combinations(("0<&-", "1>&-", "2>&-"), count)],
)
def test_no_file_of_ours_gets_the_number_of_a_closed_descriptor(closed: str, own_home: Path) -> None:
    status, _, _ = run("login", "coursera", "--cauth", "-", redirections=closed)
    assert status == 2  # there is no value
    for path in own_home.rglob("*"):
        if path.is_file():
            assert b"coursefs:" not in path.read_bytes()


@pytest.mark.parametrize("redirections", ["| head -c 1 >/dev/null", "2>&1 | head -c 1 > /dev/null"])
def test_a_reader_that_has_had_enough_is_no_reason_for_a_message(redirections: str, tmp_path: Path) -> None:
    script = f'{sys.executable} -m coursefs completion bash {redirections}; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode in {0, 1}, done.stderr) == (True, "")


def test_standard_input_that_is_closed_has_no_password(own_home: Path) -> None:
    status, _, said = run("login", "coursera", "--email", "me@example.org", "--password-stdin", redirections="<&-")
    assert status != 0 and len(said.splitlines()) == 1


def test_a_wrong_descriptor_for_readiness_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    from coursefs.daemon.readiness import READY_VARIABLE, Readiness

    monkeypatch.setenv(READY_VARIABLE, "999")
    readiness = Readiness()
    readiness.ready()
    assert READY_VARIABLE not in os.environ
