"""The files of the catalogue are private, and nothing that was planted in their places is touched."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coursefs.catalog.store import Store
from coursefs.errors import CoursefsError

PARTS = ("", "-wal", "-shm", "-journal")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "catalogue.sqlite"


def _modes(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_only_the_owner_can_read_the_catalogue_with_any_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = Store(path)
    finally:
        os.umask(before)
    assert _modes(path.parent) == dict.fromkeys(
        ("catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"), 0o600
    )
    store.close()


def test_a_catalogue_that_others_could_read_is_closed(path: Path) -> None:
    Store(path).close()
    with sqlite3.connect(path) as there:  # held open, so that its log stays
        there.execute("PRAGMA user_version")
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            part.touch()
            part.chmod(0o644)
        Store(path).close()
        assert set(_modes(path.parent).values()) == {0o600}
    there.close()


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("suffix", PARTS)
def test_a_link_in_place_of_a_file_of_the_catalogue_is_not_followed(
    path: Path, tmp_path: Path, suffix: str, read_only: bool
) -> None:
    Store(path).close()
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    part = path.with_name(path.name + suffix)
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    with pytest.raises(CoursefsError, match=f"{part.name}: is a symbolic link; .*move it away"):
        Store(path, read_only=read_only)
    assert target.read_bytes() == b"precious"
    assert part.is_symlink()


def test_a_dangling_link_makes_no_file_where_it_leads(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "made")
    with pytest.raises(CoursefsError, match="is a symbolic link"):
        Store(path)
    assert not (tmp_path / "made").exists()


def test_a_catalogue_of_another_user_is_refused(path: Path, another_uid: int) -> None:
    Store(path).close()
    os.chown(path, another_uid, another_uid)
    with pytest.raises(CoursefsError, match=f"belongs to another user \\(uid {another_uid}\\)"):
        Store(path)


@pytest.mark.logs
def test_what_was_set_aside_is_never_overwritten_and_no_link_of_that_name_is_followed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda *_: "now")  # two within a second
    planted = tmp_path / "target"
    planted.write_bytes(b"precious")
    path.parent.mkdir()
    path.with_name("catalogue.sqlite.set-aside-now").symlink_to(planted)
    for damage in (b"first damage", b"second damage"):
        path.write_bytes(damage)
        Store(path).close()
    assert path.with_name("catalogue.sqlite.set-aside-now-2").read_bytes() == b"first damage"
    assert path.with_name("catalogue.sqlite.set-aside-now-3").read_bytes() == b"second damage"
    assert planted.read_bytes() == b"precious"
    assert path.with_name("catalogue.sqlite.set-aside-now").is_symlink()


#: what is done with a catalogue whose log's index is cut: in a process of its own, as SIGBUS would end it
_WORK = """
import os, sys
from pathlib import Path
from coursefs.catalog.enrolments import SelectionRule
from coursefs.catalog.store import Store
path, size, other = Path(sys.argv[1]), int(sys.argv[2]), None
index = f"{path}-shm"
store = Store(path)

def choose(name):
    store.enrolments.set_selection_rule("coursera", SelectionRule(named={name: True}))

def chosen():
    return set(store.enrolments.selection_rule("coursera").named)

for number in range(200):
    choose(f"c{number}")
whole = os.stat(index).st_size
os.truncate(index, size)
assert chosen() == {"c199"}, "read"
os.truncate(index, size)
choose("written")
assert chosen() == {"written"}, "written"
assert os.stat(index).st_size == whole
os.truncate(index, size)
with store.transaction():
    choose("once more")
beside = Store(path, read_only=True)
assert set(beside.enrolments.selection_rule("coursera").named) == {"once more"}, "read beside"
beside.close()
os.truncate(index, size)
store.close()
store = Store(path)
assert chosen() == {"once more"} and store.notice is None, "opened again"
os.unlink(index)
assert chosen() == {"once more"}, "deleted"
store.close()
"""


@pytest.mark.parametrize("size", [0, 100, 1000, 20_000])
def test_a_program_that_truncates_the_index_of_the_log_ends_nothing(path: Path, size: int) -> None:
    ran = subprocess.run([sys.executable, "-c", _WORK, path, str(size)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert ran.stderr.splitlines() == [f"another program has truncated {path}-shm; it is rebuilt"] * 4


def test_a_link_in_place_of_the_index_is_left_alone(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(path)
    index = path.with_name(f"{path.name}-shm")
    target = tmp_path / "target"
    target.write_bytes(b"somebody's")
    index.unlink()
    index.symlink_to(target)
    assert store.totals() == (1, 0)
    assert target.read_bytes() == b"somebody's"
    assert caplog.text == ""
    index.unlink()
    store.close()
