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


def test_news_is_json_and_is_handed_to_the_hook_once(mounted: World, tmp_path: Path) -> None:
    hook = tmp_path / "a hook"
    hook.write_text('#!/bin/sh\nenv > "$1.env"\ncat >> "$1"\n')
    hook.chmod(0o755)
    settings = Path(mounted.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    settings.write_text(f"[hooks]\non_news = \"'{hook}' {tmp_path}/news\"\n\n{settings.read_text()}")
    mounted.environment["COURSERA_CAUTH"] = "secret"
    news = json.loads(mounted.run("update", "--json").stdout)
    assert [one["about"] for one in news]
    assert all(one["new"] and one["is_first"] for one in news)
    assert json.loads((tmp_path / "news").read_text()) == news
    assert "secret" not in (tmp_path / "news.env").read_text()
    done = mounted.run("update", "--json")
    assert (json.loads(done.stdout), done.stderr) == ([], "")
    assert json.loads((tmp_path / "news").read_text()) == news, "no news, no hook"
    mounted.umount()
    hook.unlink()
    catalogue = Path(mounted.environment["XDG_STATE_HOME"]) / "coursefs" / "catalogue.sqlite"
    catalogue.unlink()
    done = mounted.run("update")
    assert news[-1]["about"] in done.stdout
    assert done.stderr == f"coursefs: on_news: {hook} cannot be run: No such file or directory\n"
