"""Limits of a FUSE connection that can be set from outside once it is mounted."""

from __future__ import annotations

import logging
import os
import subprocess
from pathlib import Path

from coursefs.mount import mountinfo

log = logging.getLogger(__name__)

CONNECTIONS = Path("/sys/fs/fuse/connections")
DEVICES = Path("/sys/class/bdi")
#: KiB that the kernel asks for at once of a file that is read on and on.  Its default is 128, and each request costs
#: the same; with more than this a player would fetch too much at its start.
READ_AHEAD = 512
#: reads that the kernel keeps under way for the whole mount.  Its default is 12: twelve reads that wait for a slow
#: server would keep every cached one waiting too.
MAX_BACKGROUND = 128
CONGESTION_THRESHOLD = 96


def raise_limits(mountpoint: Path) -> bool:
    """Raise the limits of the connection mounted here; whoever mounted it owns the files that set them.

    Returns whether it could be done: without the fusectl file system the mount works with the kernel's defaults.
    How far the kernel reads ahead is root's to say; whoever else mounts has its default there.
    """
    try:
        there = mountinfo.at(mountpoint)
        if there is None:
            return False
        if os.geteuid() == 0:
            _raise_read_ahead(DEVICES / f"{there.device[0]}:{there.device[1]}" / "read_ahead_kb")
        connection = CONNECTIONS / str(there.device[1])
        if not connection.is_dir() and os.geteuid() == 0:
            # systemd mounts it at every start; a bare container has no systemd
            subprocess.run(  # noqa: S603
                ["mount", "-t", "fusectl", "fusectl", str(CONNECTIONS)],  # noqa: S607
                capture_output=True,
                timeout=10,
                check=False,
            )
        (connection / "max_background").write_text(str(MAX_BACKGROUND))
        (connection / "congestion_threshold").write_text(str(CONGESTION_THRESHOLD))
    except (OSError, ValueError, subprocess.SubprocessError) as error:  # whatever it is, the mount works all the same
        log.info("the kernel's limit of reads under way stays as it is: %s", error)
        return False
    return True


def _raise_read_ahead(setting: Path) -> None:
    try:
        setting.write_text(str(READ_AHEAD))
    except OSError as error:  # a container that may not write there
        log.info("the kernel reads ahead as it does by default: %s", error)
