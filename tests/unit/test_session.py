"""What libfuse and fusermount3 say, as one line with what to do."""

from __future__ import annotations

import pytest

from coursefs.mount.session import reason


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("", ""),
        ("fuse: mountpoint is busy\n", "fuse: mountpoint is busy"),
        (
            "warning\nfusermount3: mount failed: Operation not permitted\n\n",
            "fusermount3: mount failed: Operation not permitted"
            " (in a container, start it with --device /dev/fuse --cap-add SYS_ADMIN)",
        ),
        (
            "fusermount3: option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf\n",
            "fusermount3: option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf"
            " (echo user_allow_other | sudo tee -a /etc/fuse.conf)",
        ),
        (
            "fusermount3: too many FUSE filesystems mounted; mount_max=N can be set in /etc/fuse.conf\n",
            "fusermount3: too many FUSE filesystems mounted; mount_max=N can be set in /etc/fuse.conf"
            " (unmount one that is not needed; findmnt -t fuse,fuse.coursefs lists them)",
        ),
    ],
)
def test_the_last_line_counts_and_says_what_to_do(said: str, line: str) -> None:
    assert reason(said) == line
