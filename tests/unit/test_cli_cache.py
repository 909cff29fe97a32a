"""What `coursefs cache verify` says, and how it ends."""

from __future__ import annotations

import pytest

from coursefs.cli import cache
from coursefs.cli.main import main

WELL = {"files": 3, "bytes": 3 * 2**20, "bad_files": 0, "bad_bytes": 0, "unreadable_files": 0, "unreadable_bytes": 0}


@pytest.mark.parametrize(
    ("found", "status", "said"),
    [
        ({}, 0, "no damage found"),
        ({"bad_files": 1, "bad_bytes": 2**20}, 1, "1.0 MiB in 1 files were damaged and have been deleted"),
        ({"unreadable_files": 3, "unreadable_bytes": 3 * 2**20}, 1, "3.0 MiB in 3 files could not be read"),
    ],
)
def test_it_says_what_is_wrong_and_what_could_not_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], found: dict[str, int], status: int, said: str
) -> None:
    monkeypatch.setattr(cache, "_asked", lambda options, command: iter([WELL | found]))
    assert main(["cache", "verify"]) == status
    assert said in capsys.readouterr().out


def test_a_cache_that_holds_nothing_is_all_as_it_was_fetched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cache, "_asked", lambda options, command: iter([]))
    assert main(["cache", "verify"]) == 0
    assert "no damage found" in capsys.readouterr().out
