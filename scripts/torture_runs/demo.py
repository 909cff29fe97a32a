"""The demo platform behind the hostile server: what Coursera's client asks for goes through what breaks replies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from torture_runs import children
from torture_runs.world import Trouble, World

_SETTINGS = """
[accounts.coursera]
provider = "coursera"
base_url = "http://127.0.0.1:{port}"
folder = "Coursera"
"""
#: files of the demo up to so many bytes are read and compared
_MOST = 200_000


@dataclass
class Demo:
    """The platform's process, and what its courses look like when nothing is wrong."""

    process: subprocess.Popen[str]
    golden: Mapping[str, list[object]]


def start() -> tuple[subprocess.Popen[str], str, str]:
    """The process, its address and its cookie."""
    process: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-m", "coursefs.demo", "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=children.dies_with_parent(),  # noqa: PLW1509  # this process has no threads
    )
    assert process.stdout is not None
    account = json.loads(process.stdout.readline())["accounts"]["coursera"]
    return process, account["settings"]["base_url"].removeprefix("http://"), account["secrets"]["cauth"]


def sign_in(world: World, cauth: str) -> None:
    """Add the account to the settings of the user.  Raises `Trouble`."""
    path = world.root / "config/coursefs/config.toml"
    path.write_text(path.read_text() + _SETTINGS.format(port=world.port))
    done = children.run(
        [sys.executable, "-m", "coursefs", "login", "coursera", "--base-url", f"http://127.0.0.1:{world.port}"],
        world.environment | {"COURSERA_CAUTH": cauth},
    )
    if done.returncode:
        raise Trouble(f"cannot sign in to the demo: {done.stderr}")


def look(world: World, *, most: int = _MOST, seconds: float = 60.0) -> dict[str, list[object]] | None:
    """The tree of the demo's courses as a program sees it; None when it cannot be had in time."""
    command = [sys.executable, "-m", "torture_runs.walker", str(world.mountpoint / "Coursera"), str(most)]
    done = children.run(command, world.environment, seconds=seconds)
    try:
        found: dict[str, list[object]] = json.loads(done.stdout)
    except ValueError:
        return None
    return found


def by_inode(tree: Mapping[str, list[object]]) -> dict[str, list[object]]:
    """The tree without its names: what each inode number has."""
    return {f"inode {found[0]}" if found[0] != "error" else path: found[1:] for path, found in tree.items()}


def difference(golden: Mapping[str, list[object]], now: Mapping[str, list[object]]) -> str:
    """What is missing, new or different, for a person; "" when nothing is."""
    lines = []
    for name, only in (("missing", golden.keys() - now.keys()), ("new", now.keys() - golden.keys())):
        if only:
            lines.append(f"{len(only)} {name}, {min(only, default='')!r}")
    other = sorted(key for key in golden.keys() & now.keys() if golden[key] != now[key])
    if other:
        lines.append(f"{len(other)} different, {other[0]!r}: {golden[other[0]]} is now {now[other[0]]}")
    return "; ".join(lines)
