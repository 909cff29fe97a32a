"""What may stand behind `-o`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coursefs.errors import UsageError
from coursefs.mount.options import MountOptions, parse


def test_our_own() -> None:
    options = parse(["uid=1000,gid=1001,umask=077", "cache_dir=/big,cache_size=5GiB,offline"])
    assert options == MountOptions(1000, 1001, 0o077, Path("/big"), 5 * 2**30, offline=True)


def test_defaults_are_those_of_the_user() -> None:
    assert parse([]) == MountOptions(os.getuid(), os.getgid(), 0o022)


def test_a_line_of_fstab() -> None:
    text = "noauto,user,ro,_netdev,nofail,x-systemd.automount,comment=mine,allow_other,nosuid"
    assert parse([text]).kernel == {"allow_other", "nosuid"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ofline", "did you mean offline"),
        ("uid=me", "uid=me"),
        ("umask=999", "octal"),
        ("offline=yes", "takes no value"),
        ("cache_size=much", "size"),
        ("cache_dir", "needs a value"),
        ("fsname=x", "no option"),
        ("max_read=4096", "no option"),
    ],
)
def test_wrong_ones_are_named(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse([text])
