"""The commands of the README, typed into a shell by a user with an account and a folder ~/courses."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.mount.program import install
from tests.mount.world import LIMIT, Platform, World
from tests.unit.test_docs import ROOT

pytestmark = pytest.mark.mount

#: have a test of their own, because they need a terminal or a systemd
_ELSEWHERE = ("coursefs status --watch", "coursefs service ")
#: what is foreign in the README's blocks, and is not to be typed here
_FOREIGN = ("git ", "scripts/", "sudo ", "coursefs  /home", "install ")  # "install": typed by scripts/test-artefacts


def _lines() -> list[str]:
    lines = [line[4:] for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("    ")]
    # never what changes the machine: those lines are typed on a machine of their own (tests/foreign/test_lab.py)
    return [line for line in lines if not line.startswith((*_ELSEWHERE, *_FOREIGN)) and "sudo " not in line]


@pytest.fixture
def home(own_home: Path, tmp_path: Path, demo_platform: Platform) -> World:
    """A user with ~/courses and coursefs on the PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    install(programs)
    mountpoint = own_home / "courses"
    mountpoint.mkdir()
    (own_home / ".local/share/bash-completion/completions").mkdir(parents=True)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    return World(mountpoint, demo_platform, environment)


def test_every_line_does_what_it_says(home: World, tmp_path: Path) -> None:
    typed = 0
    try:
        for line in _lines():
            words = line.split()
            if words[:2] == ["coursefs", "login"]:
                if words[2:3] != ["coursera"]:
                    continue  # tested with its platform
                line = line.replace("VALUE", f"{home.platform.cauth} --base-url {home.platform.base_url}")  # noqa: PLW2901
            else:
                _as_it_is_before(words, home)
            line = line.replace("/backup/", f"{tmp_path}/").replace("/media/", f"{tmp_path}/")  # noqa: PLW2901
            if shutil.which(words[0]) is None and words[0] != "coursefs":
                continue
            if words[0] == "mpv":
                line += " --frames=1 --vo=null --ao=null --really-quiet"  # noqa: PLW2901
            done = subprocess.run(
                ["bash", "-c", line], capture_output=True, text=True, env=home.environment, timeout=LIMIT, check=False
            )
            assert done.returncode == 0, (line, done.stdout, done.stderr)
            typed += 1
            if words[1] in {"mount", "umount"}:
                assert home.is_mounted == (words[1] == "mount")
            if "offline" in words:
                home.umount()
    finally:
        home.tidy()
    assert typed > 8


def _as_it_is_before(words: list[str], home: World) -> None:
    """Sign in, and mount or unmount, as the line expects."""
    if not (Path(home.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml").exists() or (
        home.run("accounts").stdout == ""
    ):
        home.login()
    wants_mount = words[:2] != ["coursefs", "mount"] and words[:2] != ["coursefs", "logout"]
    if wants_mount and not home.is_mounted:
        home.mount()
    elif not wants_mount and home.is_mounted:
        home.umount()
