"""Parsing of mount options."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import UsageError
from coursefs.mount.options import MountOptions, as_text, parse


def test_our_own() -> None:
    options = parse(["uid=1000,gid=1001,umask=077", "cache_dir=/big,cache_size=5GiB,offline"])
    assert options == MountOptions(1000, 1001, 0o077, Path("/big"), 5 * 2**30, offline=True)


def test_defaults_are_those_of_the_user() -> None:
    assert parse([]) == MountOptions(os.getuid(), os.getgid(), 0o022)


def test_a_line_of_fstab() -> None:
    text = "noauto,user,user=me,ro,_netdev,nofail,x-systemd.automount,comment=mine,allow_other,nosuid"
    assert parse([text]).kernel == {"allow_other", "nosuid"}


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("", False),
        ("exec", True),
        ("noexec", False),
        ("noexec,exec", True),
        ("exec,noexec", False),
        ("suid,dev", False),
    ],
)
def test_nothing_is_run_from_a_mount_unless_it_is_wanted(text: str, runs: bool) -> None:
    options = parse([text]).for_kernel
    assert ("exec" in options, "noexec" in options) == (runs, not runs)
    assert {"ro", "default_permissions", "nosuid", "nodev"} <= options


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ofline", "did you mean offline"),
        ("uid=me", "uid=me"),
        ("umask=999", "octal"),
        ("offline=yes", "takes no value"),
        ("cache_size=much", "size"),
        ("cache_dir", "needs a value"),
        ("fsname=x", "unknown option"),
        ("max_read=4096", "unknown option"),
        ("cache_dir=~nobody-of-this-name/x", "~nobody-of-this-name"),
    ],
)
def test_wrong_ones_are_named(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse([text])


def test_unknown_ones_can_be_passed_over_but_not_wrong_ones() -> None:
    assert parse(["no_such,x=y,uid=5"], sloppy=True) == parse(["uid=5"])
    with pytest.raises(UsageError):
        parse(["uid=me"], sloppy=True)


def test_a_comma_may_be_in_a_value() -> None:
    assert parse([r"cache_dir=/a\,b\\c,offline"]) == MountOptions(cache_dir=Path("/a,b\\c"), offline=True)


@given(
    st.builds(
        MountOptions,
        uid=st.integers(0, 2**32 - 1),
        gid=st.integers(0, 2**32 - 1),
        umask=st.integers(0, 0o777),
        cache_dir=st.none() | st.text("ab,\\= /", min_size=1).map(lambda text: Path("/x" + text)),
        cache_size=st.none() | st.integers(0, 2**53),
        offline=st.booleans(),
        kernel=st.frozensets(st.sampled_from(["allow_other", "nosuid", "noexec"])),
    )
)
def test_options_are_the_same_in_another_process(options: MountOptions) -> None:
    assert parse([as_text(options)]) == options
