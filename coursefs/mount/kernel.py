"""Kernel limits of a FUSE connection: read-ahead and concurrent requests, set through /sys after mounting."""

from __future__ import annotations

import logging
import os
import subprocess
from pathlib import Path

from coursefs.model import KERNEL_READ_AHEAD
from coursefs.mount import mountinfo

log = logging.getLogger(__name__)

CONNECTIONS = Path("/sys/fs/fuse/connections")
DEVICES = Path("/sys/class/bdi")
#: KiB of the kernel's read-ahead for sequential reads. The default is 128, and each request costs the same; with more
#: than this a player would fetch too much at its start
READ_AHEAD = KERNEL_READ_AHEAD // 2**10
#: concurrent background reads of the whole mount. The default is 12: twelve reads that wait for a slow server would
#: block all reads of cached files
MAX_BACKGROUND = 128
CONGESTION_THRESHOLD = 96


def raise_limits(mountpoint: Path) -> bool:
    """Raise the limits of the connection mounted here; return whether that succeeded.

    The user who mounted owns the files of the fusectl file system. Without it, the mount works with the kernel's
    defaults. Only root can set the read-ahead.
    """
    try:
        there = mountinfo.at(mountpoint)
        if there is None:
            return False
        if os.geteuid() == 0:
            _raise_read_ahead(DEVICES / f"{there.device[0]}:{there.device[1]}" / "read_ahead_kb")
        connection = CONNECTIONS / str(there.device[1])
        if not connection.is_dir() and os.geteuid() == 0:
            # systemd mounts it at boot; a container without systemd lacks it
            subprocess.run(  # noqa: S603
                ["mount", "-t", "fusectl", "fusectl", str(CONNECTIONS)],  # noqa: S607
                capture_output=True,
                timeout=10,
                check=False,
            )
        (connection / "max_background").write_text(str(MAX_BACKGROUND))
        (connection / "congestion_threshold").write_text(str(CONGESTION_THRESHOLD))
    except (OSError, ValueError, subprocess.SubprocessError) as error:  # the mount works without
        log.info("the kernel's limit of concurrent reads stays at its default: %s", error)
        return False
    return True


def _raise_read_ahead(setting: Path) -> None:
    try:
        setting.write_text(str(READ_AHEAD))
    except OSError as error:  # in a container without write access to /sys
        log.info("the kernel's read-ahead stays at its default: %s", error)
