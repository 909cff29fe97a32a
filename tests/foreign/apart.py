"""Run a command for which nothing lies beside a mount point, as `TemporaryFileSystem=` of systemd has it.

unshare --mount --propagation slave python -m tests.foreign.apart MOUNTPOINT COMMAND…
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.ordinary import mount

_MS_BIND, _MS_RDONLY, _MS_REMOUNT = 4096, 1, 32


def main(mountpoint: Path, command: list[str]) -> None:
    """Cover the folder of the mount point with an empty one, bind the mount into it, and become the command."""
    held = os.open(mountpoint, os.O_PATH)
    mount("tmpfs", mountpoint.parent, "tmpfs", 0, "mode=755")
    mountpoint.mkdir()
    mount(f"/proc/self/fd/{held}", mountpoint, "", _MS_BIND, "")
    mount("", mountpoint.parent, "", _MS_REMOUNT | _MS_RDONLY, "")
    os.close(held)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
