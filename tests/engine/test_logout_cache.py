"""`logout --cache`: nothing of the account is left, and nothing of another one is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from coursefs.base.lock import FileLock
from coursefs.catalog import Store
from coursefs.cli.main import main
from coursefs.content import Content, open_cache
from coursefs.model import Course, Remote
from coursefs.settings.config import add_account
from coursefs.settings.credentials import Credentials
from coursefs.settings.paths import app_paths
from tests.engine.content_bench import bench, noise

BODY = noise(300_000)


@pytest.fixture(autouse=True)
def kept() -> None:
    """Two accounts with a course and a cached file each; that of the first is pinned."""
    here = app_paths()
    for name in ("campus", "other"):
        add_account(here.config_file, name, {"provider": "coursera"})
        Credentials(here).save(name, {"cauth": "x"})
    here.state_dir.mkdir(parents=True)
    store = Store(here.state_dir / "catalogue.sqlite")
    for name in ("campus", "other"):
        store.enrolments.set_courses(name, [Course("c", "course", "Course")])
    store.close()

    async def fill() -> None:
        async with bench(here.cache_dir, BODY) as b, b.contents(here.cache_dir) as contents:
            for name in ("campus", "other"):
                content = Content(name, Remote("video/1", {}), Course("c", "course", "Course"))
                await contents.prefetch(content)
                await contents.pin(content)

    trio.run(fill)


def courses(account: str) -> int:
    store = Store(app_paths().state_dir / "catalogue.sqlite", read_only=True)
    try:
        return len(store.enrolments.courses(account))
    finally:
        store.close()


def use() -> tuple[int, int]:
    async def ask() -> tuple[int, int]:
        async with open_cache(app_paths().cache_dir, max_size=2**30, min_free=0) as maintenance:
            return maintenance.use().files, maintenance.use().bytes

    return trio.run(ask)


def blocks(directory: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if len(path.name) == 64)


def test_what_is_cached_stays_unless_it_is_asked_for() -> None:
    assert main(["logout", "campus"]) == 0
    assert use() == (2, 2 * len(BODY))
    assert courses("campus") == 1


def test_nothing_of_the_account_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    before = blocks(app_paths().cache_dir)
    assert main(["logout", "--cache", "campus"]) == 0
    assert "dropped 293.0 KiB in 1 files" in capsys.readouterr().err
    assert use() == (1, len(BODY))
    assert blocks(app_paths().cache_dir) < before
    assert (courses("campus"), courses("other")) == (0, 1)
    assert Credentials(app_paths()).load("campus") == {}
    assert Credentials(app_paths()).load("other") == {"cauth": "x"}
    assert main(["logout", "--cache", "campus"]) == 2


def test_what_a_mount_has_is_left_whole(capsys: pytest.CaptureFixture[str]) -> None:
    with FileLock(app_paths().state_dir / "lock", holder="/home/me/courses (pid 1)", taken=str):
        assert main(["logout", "--cache", "campus"]) == 1
    assert "in use by /home/me/courses (pid 1); unmount first" in capsys.readouterr().err
    assert Credentials(app_paths()).load("campus") == {"cauth": "x"}
    assert use() == (2, 2 * len(BODY))
