"""Tab in real shells: what a platform calls its courses runs nothing, however it is completed."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from coursefs.catalog import Store
from coursefs.model import Course

pytestmark = pytest.mark.foreign

SLUGS = {
    "good": "p0-machine-learning",
    "org": "p1+CS101+2026",
    "substitution": "p2$(touch pwned)",
    "backticks": "p3`touch pwned`",
    "command": "p4;touch pwned",
    "newline": "p5\ntouch pwned",
    "quotes": "p6'\"touch pwned",
    "redirection": "p7>pwned",
    "glob": "p8*",
    "escape": "p9\x1b]0;pwned\x07",
    "pipe": "q0|touch pwned",
    "brace": "q1{a,b}",
    "blank": "q2 all",
    "history": "q3!!",
    "fish": "q4(touch pwned)",
}
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source {script}"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit && compinit -u -D; setopt nobeep; source {script}"),
    "fish": (["fish", "--no-config", "-i"], "source {script}"),
}


@contextmanager
def terminal(command: list[str], cwd: Path, path: str) -> Iterator[tuple[Callable[[str], int], Callable[[], str]]]:
    """An interactive shell: a way to type, and all that it has written so far."""
    parent, child = pty.openpty()
    environment = {**os.environ, "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8", "HISTFILE": ""}
    # setsid -c: the terminal is the shell's own, without which fish does not start
    shell = subprocess.Popen(
        ["setsid", "-c", *command], stdin=child, stdout=child, stderr=child, cwd=cwd, env=environment
    )
    os.close(child)
    written = bytearray()

    def screen() -> str:
        while select.select([parent], [], [], 0.05)[0]:
            try:
                written.extend(os.read(parent, 65536))
            except OSError:
                break
        return written.decode(errors="replace")

    try:
        yield lambda keys: os.write(parent, keys.encode()), screen
    finally:
        shell.kill()
        shell.wait()
        os.close(parent)


def until(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    end = time.monotonic() + 60
    while not condition():
        said = what()  # which also takes what the shell has written, and waits a moment for it
        assert time.monotonic() < end, said


@pytest.mark.parametrize("shell", SHELLS)
def test_a_completed_line_names_the_course_or_nothing(shell: str, tmp_path: Path, own_home: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    state = own_home / ".local/state/coursefs"
    store = Store(state / "catalogue.sqlite")
    store.enrolments.set_courses("c", [Course(name, slug, name) for name, slug in SLUGS.items()])
    store.close()
    with closing(sqlite3.connect(state / "catalogue.sqlite")) as catalogue:
        assert catalogue.execute("SELECT count(*) FROM course").fetchone() == (len(SLUGS),)
    programs, work = tmp_path / "bin", tmp_path / "work"
    programs.mkdir()
    work.mkdir()
    ran, tabs = tmp_path / "ran", tmp_path / "tabs"
    (programs / "coursefs").write_text(
        f"""#!{sys.executable}
import json, os, sys
if "_COURSEFS_COMPLETE" in os.environ:
    from coursefs.cli.main import main
    try:
        main()
    finally:
        sys.stdout.flush()
        open({str(tabs)!r}, "a").write("tab\\n")
else:
    open({str(ran)!r}, "a").write(json.dumps(sys.argv[1:]) + "\\n")
"""
    )
    (programs / "coursefs").chmod(0o755)
    script = tmp_path / "script"
    script.write_bytes(
        subprocess.run([sys.executable, "-m", "coursefs", "completion", shell], check=True, capture_output=True).stdout
    )
    command, source = SHELLS[shell]
    lines = [slug[:2] for slug in SLUGS.values()]

    def count(file: Path) -> int:
        return file.read_text().count("\n") if file.exists() else 0

    with terminal(command, work, f"{programs}:{os.environ['PATH']}") as (type_keys, screen):
        type_keys(source.format(script=script) + "; coursefs ready\r")
        until(lambda: count(ran) == 1, screen)
        for number, beginning in enumerate(lines, 1):
            before = count(tabs)
            type_keys(f"coursefs update {beginning}\t")
            until(lambda before=before: count(tabs) > before, screen)  # type: ignore[misc]
            screen()
            type_keys("\r")
            until(lambda number=number: count(ran) > number, screen)  # type: ignore[misc]
    assert [json.loads(line) for line in ran.read_text().splitlines()] == [
        ["ready"],
        ["update", SLUGS["good"]],
        ["update", SLUGS["org"]],
        *(["update", beginning] for beginning in lines[2:]),
    ]
    assert list(work.iterdir()) == []
