"""What is due, what is new and what was said, as programs: with a mount and without one."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from tests.mount.world import World

pytestmark = pytest.mark.mount


def in_the_future(world: World) -> None:
    """Move all dates of the catalogue so that the last is in ten days; nothing may have it open."""
    file = Path(world.environment["XDG_STATE_HOME"]) / "coursefs" / "catalogue.sqlite"
    with sqlite3.connect(file) as catalogue:
        (last,) = catalogue.execute("SELECT max(due_ns) FROM deadline").fetchone()
        catalogue.execute("UPDATE deadline SET due_ns = due_ns + ?", (time.time_ns() + 10 * 86_400 * 10**9 - last,))
    catalogue.close()


def test_what_is_due_is_known_after_an_update_and_nothing_is_asked(mounted: World) -> None:
    assert "not known yet: the dates of" in mounted.run("due").stderr
    mounted.run("update")
    mounted.platform.forget()
    assert "not known yet" not in mounted.run("due").stderr
    mounted.umount()
    in_the_future(mounted)
    without = json.loads(mounted.run("due", "--json").stdout)
    assert without and {one["account"] for one in without} == {"coursera"}
    assert [one["due"] for one in without] == sorted(one["due"] for one in without)
    assert mounted.run("due", "--days", "1").stdout == ""
    assert mounted.platform.requests() == []
    mounted.mount()
    mounted.platform.forget()
    assert json.loads(mounted.run("due", "--json").stdout) == without
    lines = mounted.run("due", "--days", "11").stdout.splitlines()
    assert len(lines) == len(without) + 1
    for one in without:
        assert mounted.path(one["path"]).is_dir()
    assert mounted.platform.requests() == []
