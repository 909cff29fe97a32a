"""Two machines and a shared cache: a folder, and `coursefs serve-cache`; on real mounts."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.mount.program import PROGRAM
from tests.mount.test_life import VIDEO
from tests.mount.world import LIMIT, World

pytestmark = pytest.mark.mount


def config(world: World, text: str) -> None:
    path = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.read_text() if path.exists() else ""
    path.write_text(f"[cache]\n{text}\n{old}")


def key_of(world: World) -> Path:
    return Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "shared.key"


@pytest.fixture
def second(world: World, tmp_path: Path) -> Iterator[World]:
    """Another machine of the same learner, or of another one: no file is the first one's."""
    home = tmp_path / "second"
    names = ("CONFIG", "DATA", "STATE", "CACHE")
    xdg = {f"XDG_{name}_HOME": str(home / name.lower()) for name in names} | {"XDG_RUNTIME_DIR": str(home / "run")}
    for folder in (home, *map(Path, xdg.values()), home / "config" / "coursefs"):
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    mountpoint = tmp_path / "second courses"
    mountpoint.mkdir()
    one = World(mountpoint, world.platform, world.environment | xdg | {"HOME": str(home)})
    yield one
    one.tidy()


@pytest.fixture
def tier(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


def _shared(world: World) -> dict[str, object]:
    found = world.status()["shared"]
    assert isinstance(found, dict)
    return found


def begin(world: World, shared: str) -> None:
    config(world, shared)
    world.login()
    world.mount()


def test_what_one_machine_has_read_the_other_takes_from_the_folder(world: World, second: World, tier: Path) -> None:
    config(world, f'shared = "{tier}"')
    said = world.run("cache", "shared", "key").stdout.splitlines()
    assert said[0] == f"{key_of(world)} created" and said[3].startswith("verify ")
    world.login()
    world.mount()
    data = world.path(VIDEO).read_bytes()
    world.umount()  # what is being put is put, or given back
    pieces = json.loads(world.run("cache", "shared", "info", "--json").stdout)["pieces"]
    assert pieces == -(-len(data) // 2**20)
    config(second, f'shared = "{tier}"')
    shutil.copy(key_of(world), key_of(second))
    second.login()
    second.mount()
    assert second.path(VIDEO).read_bytes() == data
    found = _shared(second)
    assert (found["place"], found["trouble"], found["bad_pieces"]) == (str(tier), None, 0)
    assert found["taken_bytes"] == len(data) and found["put_bytes"] == 0
    assert f"shared cache: {tier}: " in second.run("status", second.mountpoint).stdout
    assert world.run("cache", "shared", "verify").stdout == f"{pieces} good pieces, 0 bad\n"
    assert world.run("cache", "shared", "trim", "--to", "1").stdout.startswith(f"{pieces} pieces with ")
    assert world.run("cache", "shared", "info").stdout.startswith("0 bytes in 0 pieces in ")


@contextmanager
def serving(world: World, *arguments: str) -> Iterator[str]:
    """The address of `coursefs serve-cache` of this machine."""
    command = [*PROGRAM, "serve-cache", "--listen", "127.0.0.1:0", *arguments]
    with subprocess.Popen(command, env=world.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        try:
            assert said.startswith("serving "), said + process.stderr.read()
            yield said.split(" at ")[1].strip()
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT) == 0
            assert process.stderr.read() == ""


def test_machines_share_by_a_server_that_one_of_them_runs(world: World, second: World, tier: Path) -> None:
    config(world, f'shared = "{tier}"')
    world.run("cache", "shared", "key")
    shutil.copy(key_of(world), key_of(second))
    with serving(world) as address:
        begin(second, f'shared = "{address}"')  # the one that serves need not be the one that fills
        data = second.path(VIDEO).read_bytes()
        second.umount()
        world.login()
        world.mount()
        assert world.path(VIDEO).read_bytes() == data
        assert _shared(world)["taken_bytes"] == len(data)
        second.run("cache", "clear")
        second.mount()
        assert second.path(VIDEO).read_bytes() == data
        assert _shared(second)["taken_bytes"] == len(data)
        second.run("cache", "shared", "info", status=2)


def test_a_machine_with_the_public_key_takes_and_does_not_put(world: World, second: World, tier: Path) -> None:
    config(world, f'shared = "{tier}"')
    line = json.loads(world.run("cache", "shared", "key", "--json").stdout)["verify"]
    config(second, f'shared = "{tier}"')
    key_of(second).write_text(f"{line}\n")
    second.login()
    second.mount()
    data = second.path(VIDEO).read_bytes()
    second.umount()
    assert list(tier.iterdir()) == []
    world.login()
    world.mount()
    assert world.path(VIDEO).read_bytes() == data
    world.umount()
    second.run("cache", "clear")
    second.mount()
    assert second.path(VIDEO).read_bytes() == data
    assert _shared(second)["taken_bytes"] == len(data)


def test_a_folder_that_is_away_is_said_and_stops_nobody(world: World, tier: Path) -> None:
    """As a network disk that is not mounted: nothing is created in its place."""
    config(world, f'shared = "{tier}"')
    world.run("cache", "shared", "key")
    tier.rmdir()
    world.login()
    world.mount()
    assert world.path(VIDEO).read_bytes()
    assert "No such file" in str(_shared(world)["trouble"])
    assert not tier.exists()
    assert str(tier) in world.run("cache", "shared", "info", status=1).stderr


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ('shared = "srv/courses"', "expected a folder"),
        ('shared = "https://user:secret@example.edu"', "expected a folder"),
        ('shared = "ftp://example.edu"', "expected a folder"),
        ('shared = "http://192.168.1.2:8765"', "cache.shared_plain_http = true"),
        ('shared = "dns-sd"', "cache.shared_plain_http = true"),
        ('shared = "/srv/courses"\nshared_key = "/nowhere/shared.key"', "type coursefs cache shared key"),
    ],
)
def test_wrong_settings_say_what_to_type(world: World, settings: str, wrong: str) -> None:
    if "shared_key" not in settings:
        world.run("cache", "shared", "key")
    world.login()
    config(world, settings)
    said = world.run("mount", world.mountpoint, status=2).stderr
    assert wrong in said and "secret" not in said
    assert not world.is_mounted


def test_what_cannot_be_served_is_said(world: World, tier: Path) -> None:
    assert "needs a key" in world.run("serve-cache", tier, status=2).stderr
    world.run("cache", "shared", "key")
    assert "name the folder" in world.run("serve-cache", status=2).stderr
    assert "is no folder" in world.run("serve-cache", tier / "missing", status=2).stderr
    assert "expected an address" in world.run("serve-cache", tier, "--listen", "here", status=2).stderr
    assert "shared_plain_http" in world.run("serve-cache", tier, "--listen", "0.0.0.0:0", status=2).stderr
    with serving(world, str(tier)) as address:
        said = world.run("serve-cache", tier, "--listen", address.removeprefix("http://"), status=1).stderr
        assert "already in use" in said
