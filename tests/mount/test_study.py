"""What is due, what is new and what was said, as programs: with a mount and without one."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

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


def hits(world: World, *words: str) -> list[dict[str, Any]]:
    """What a search finds."""
    found: list[dict[str, Any]] = json.loads(world.run("search", "--json", *words).stdout)
    return found


def test_what_was_said_is_found_with_a_mount_and_without_one(mounted: World, tmp_path: Path) -> None:
    mounted.platform.forget()
    done = mounted.run("search", "parsec", status=1, lines=1)
    assert done.stdout == ""
    assert "to fetch all texts first: --fetch" in done.stderr
    assert mounted.platform.requests() == [], "nothing is asked without --fetch"
    done = mounted.run("search", "parsec", "--fetch")
    assert "already there, 0 failed" in done.stderr
    assert mounted.platform.requests()
    films = [one for one in mounted.platform.requests() if one["path"].endswith(".mp4")]
    assert {one["range"] for one in films} <= {"bytes=0-0"}, "their sizes alone"
    mounted.platform.forget()
    found = hits(mounted, "arcsecond", "parsec")
    assert [one for one in found if one["time"] is not None and one["media"].endswith(".mp4")]
    for one in found:
        assert mounted.path(one["path"]).exists()
    assert hits(mounted, "PARSEC", "--course", "reading-the-night-sky")
    assert {one["course"] for one in hits(mounted, "PARSEC", "--course", "reading-the-night-sky")} == {
        "Reading the Night Sky"
    }
    mounted.umount()
    assert hits(mounted, "arcsecond", "parsec") == found
    assert "coursefs mount" in mounted.run("search", "parsec", "--play", "1", status=1).stderr
    index = Path(mounted.environment["XDG_STATE_HOME"]) / "coursefs" / "search.sqlite"
    assert index.stat().st_mode & 0o777 == 0o600
    index.write_bytes(b"no index")
    assert hits(mounted, "arcsecond", "parsec") == found
    assert mounted.platform.requests() == []
    mounted.mount()
    mounted.platform.forget()
    index.write_bytes(b"no index")
    assert hits(mounted, "arcsecond", "parsec") == found, "the mount builds it again"
    mounted.run("cache", "clear")
    assert b"arcsecond" not in (index.read_bytes() if index.exists() else b"")
    assert all(one["media"] is None for one in hits(mounted, "parsec")), "readings are in the catalogue"
    assert mounted.platform.requests() == []


def test_the_player_opens_a_hit_at_its_time(mounted: World, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("mpv", "xdg-open"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" > {tmp_path}/played\n')
        (programs / name).chmod(0o755)
    mounted.run("search", "parsec", "--fetch")
    found = hits(mounted, "arcsecond", "parsec")
    number = next(number for number, one in enumerate(found, 1) if one["time"] is not None)
    mounted.environment.pop("WAYLAND_DISPLAY", None)
    mounted.environment["DISPLAY"] = ""
    mounted.environment["PATH"] = f"{programs}:{mounted.environment['PATH']}"
    done = mounted.run("search", "arcsecond", "parsec", "--play", str(number), status=1)
    assert "there is no display" in done.stderr
    mounted.environment["DISPLAY"] = ":0"
    mounted.run("search", "arcsecond", "parsec", "--play", str(number))
    hit = found[number - 1]
    assert (tmp_path / "played").read_text() == f"mpv --start={hit['time']:.3f} -- {mounted.path(hit['media'])}\n"
    assert "there is no hit 999" in mounted.run("search", "parsec", "--play", "999", status=2).stderr


def test_signing_out_takes_the_texts_along(mounted: World) -> None:
    mounted.run("search", "parsec", "--fetch")
    index = Path(mounted.environment["XDG_STATE_HOME"]) / "coursefs" / "search.sqlite"
    assert index.exists()
    mounted.umount()
    mounted.run("logout", "coursera", "--cache")
    assert not index.exists()
