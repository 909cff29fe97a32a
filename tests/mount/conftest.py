"""A world for every test on a real mount."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mount.world import Platform, World, platform


@pytest.fixture
def demo_platform() -> Iterator[Platform]:
    """The demo platforms."""
    with platform() as running:
        yield running
        running.require_reading()


@pytest.fixture
def world(tmp_path: Path, own_home: Path, demo_platform: Platform) -> Iterator[World]:
    """A user who is signed in to nothing."""
    mountpoint = tmp_path / "courses"
    mountpoint.mkdir()
    one = World(mountpoint, demo_platform)
    yield one
    one.tidy()


@pytest.fixture
def mounted(world: World) -> World:
    """A user who has mounted the courses of the demo platform."""
    world.login()
    world.mount()
    return world
