"""`coursefs report`: what surprised, for people who cannot reach the platform, and nothing personal in it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mount.portal import Answer, portal_before
from tests.mount.test_loss_guard import PLATFORMS
from tests.mount.world import World

pytestmark = pytest.mark.mount

SECRET = "Grace-Hopper-1906"


def planted(path: str, answer: Answer) -> Answer:
    """A new field, a text in place of a number, and a web page in place of one reply."""
    if "memberships.v1" in path:
        content = json.loads(answer.body)
        content["elements"][0] |= {"newReward": {"name": SECRET, "email": "grace@navy.example"}, "role": 7}
        return answer.instead(200, "application/json", json.dumps(content).encode())
    if "onDemandReferences" in path:
        page = f"<html><title>{SECRET}</title><p>Hello Grace</p></html>"
        return answer.instead(200, "text/html; charset=utf-8", page.encode())
    return answer


def reported(world: World, to: Path) -> dict[str, str]:
    """What `coursefs report` writes, by the names in the archive."""
    done = world.run("report", "--to", to)
    with zipfile.ZipFile(to) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    for name in found:
        assert name in done.stdout, "what is in it is printed"
    return found


def test_what_surprised_is_kept_without_anything_personal(world: World, tmp_path: Path) -> None:
    with portal_before(world.platform.base_url) as between:
        world.run("login", "coursera", "--base-url", between.url, "--cauth", "-", stdin=world.platform.cauth)
        world.mount()
        world.tree()
        between.change = planted
        before = sorted(path.stat().st_size for path in Path(world.environment["XDG_STATE_HOME"]).rglob("*.sqlite"))
        found = reported(world, tmp_path / "surprises.zip")
        world.umount()
    assert before
    surprises = {(one["route"], one["what"]) for one in json.loads(found["surprises.json"])["surprises"]}
    assert any("newReward (object) is not known" in what for _, what in surprises)
    assert any("role is number, not text" in what for _, what in surprises)
    assert any("a web page in place of JSON" in what for _, what in surprises)
    everything = "\n".join(found.values())
    personal = [SECRET, "Grace", "grace", "navy", world.platform.cauth, "Interactive Computer Graphics", "1000001"]
    for word in personal:
        assert word not in everything
    assert '"newReward"' in everything, "the name of the field is what is to be told"


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_as_it_is_known_is_no_surprise(world: World, tmp_path: Path, name: str) -> None:
    """The sample platform must have no fields that were never seen on the real one."""
    PLATFORMS[name](world, lambda server: server)
    world.mount()
    world.tree()
    done = world.run("report", "--to", tmp_path / "surprises.zip")
    assert "no unexpected replies" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (lambda folder: folder, "is a folder"),
        (lambda folder: folder / "nowhere" / "x.zip", "there is no such folder"),
    ],
)
def test_where_it_cannot_be_written_is_said_before_anything_is_asked(
    world: World, tmp_path: Path, target: Callable[[Path], Path], words: str
) -> None:
    world.login()
    world.platform.forget()
    assert words in world.run("report", "--to", target(tmp_path), status=2).stderr
    assert world.platform.requests() == []


def test_a_course_that_there_is_not_is_said(world: World, tmp_path: Path) -> None:
    world.login()
    world.run("report", "--course", "nothing-of-ours", "--to", tmp_path / "x.zip", status=2)
    assert not (tmp_path / "x.zip").exists()
