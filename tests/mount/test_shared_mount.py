"""A mount for other users of the machine: the modes of the mount decide, as docs/lab.md says."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.mount.house import house
from tests.mount.test_life import VIDEO
from tests.mount.world import LIMIT, World

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users"),
]

OWNER, STRANGER, GROUP = 45001, 45002, 45003


def sees(world: World, uid: int, *groups: int) -> bool:
    """Whether a user of these groups can list the mount and read a film of it; never a part of that."""

    def works(*command: str) -> bool:
        done = subprocess.run(
            [*command, world.path(VIDEO)],
            user=uid,
            group=uid,
            extra_groups=groups,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        return done.returncode == 0

    listed, read = works("ls"), works("cat")
    assert listed == read
    return read


@pytest.mark.parametrize(
    ("options", "seen_by"),
    [
        ("", set()),
        ("allow_other", {"owner", "group", "stranger"}),
        ("allow_other,umask=027", {"owner", "group"}),
        ("allow_other,umask=077", {"owner"}),
    ],
)
def test_the_modes_of_the_mount_say_who_sees_it(options: str, seen_by: set[str]) -> None:
    with house("-o", ",".join(filter(None, [f"uid={OWNER},gid={GROUP}", options]))) as world:
        found = {
            "owner": sees(world, OWNER),
            "group": sees(world, STRANGER, GROUP),
            "stranger": sees(world, STRANGER),
        }
        assert {name for name, is_seen in found.items() if is_seen} == seen_by
