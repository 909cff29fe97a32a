"""Formats for other programs on a real mount, on all three platforms."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from tests.mount.test_panopto import sign_in
from tests.mount.world import World

pytestmark = pytest.mark.mount


def openedx(world: World) -> None:
    login = world.platform.logins["openedx"]
    who = ["--client-id", login["app"], "--username", login["username"], "--password-stdin"]
    world.run("login", "openedx", "--server", login["server"], *who, stdin=login["password"])


def mounted_with(world: World, layout: str) -> None:
    """Mount with these lines of `[layout]`."""
    config = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    config.write_text(config.read_text().partition("\n[layout]")[0] + (f"\n[layout]\n{layout}\n" if layout else ""))
    world.mount()


def known(world: World) -> Mapping[str, tuple[int, int, float]]:
    """Every file and directory, each looked at; a directory without its own times."""
    for path in world.tree():  # a file that the platform refuses is a page once its size was asked for
        os.stat(world.path(path))
    found = {}
    for path in sorted(world.tree()):
        stat = os.stat(world.path(path))
        found[path] = (stat.st_ino, 0, 0.0) if path.endswith("/") else (stat.st_ino, stat.st_size, stat.st_mtime)
    return found


@pytest.mark.parametrize(
    ("login", "reading"),
    [
        (World.login, "Interactive Computer Graphics/01 Getting Started/01 Welcome/02 How this course works"),
        (openedx, "How Far, How Loud?/Handouts"),
        (sign_in, None),
    ],
    ids=["coursera", "openedx", "panopto"],
)
def test_markdown_comes_and_goes_with_the_setting_and_nothing_else_changes(
    world: World, login: Callable[[World], None], reading: str | None
) -> None:
    login(world)
    mounted_with(world, "")
    plain = known(world)
    assert not [path for path in plain if path.endswith(".md")]
    world.umount()

    mounted_with(world, 'readings = ["html", "md"]')
    both = known(world)
    twins = {path for path in both if path.endswith(".md")}
    assert {path: both[path] for path in both.keys() - twins} == plain
    assert bool(twins) == (reading is not None), "recordings have no readings"
    assert all(path.removesuffix(".md") + ".html" in plain for path in twins)
    for path in twins:
        text = world.path(path).read_text()
        properties, body = text.removeprefix("---\n").split("---\n", 1)
        facts = yaml.safe_load(properties)
        assert facts["course"].replace("/", "-") == path.split("/")[0] and facts["lecture"] and facts["url"]
        assert body.startswith("\n# ") and len(text.encode()) == both[path][1]
    if reading is not None:
        assert f"{reading}.md" in twins
    world.umount()

    mounted_with(world, 'readings = ["html"]')
    assert known(world) == plain
