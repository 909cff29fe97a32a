"""Players: programs whose reads are answered with what has come, instead of with all that they ask for.

A player asks for 128 KiB at a time and needs a tenth of it to go on: over a link of 300 KB/s the rest costs half a
second at each seek. read(2) may return less than was asked for, but many programs take that for the end of the file, or
for damage, so only programs that are known to read on get such answers. They do not map files into memory, which the
kernel refuses for files that are opened for this (FOPEN_DIRECT_IO).
"""

from __future__ import annotations

from pathlib import Path

#: names of executables: mpv and programs that are built on it, VLC, and the player of FFmpeg
_PLAYERS = frozenset({"mpv", "celluloid", "haruna", "vlc", "ffplay"})
_PROC = Path("/proc")


def is_player(thread: int, proc: Path = _PROC) -> bool:
    """Whether a thread is of a player; False where that is not knowable, as for processes of other users.

    Reading the link takes no lock of the process, so that it does not wait for one that is stuck.
    """
    try:
        executable = (proc / str(thread) / "exe").readlink().name
    except OSError:
        return False
    return executable.removesuffix(" (deleted)") in _PLAYERS  # as the kernel calls one that was replaced meanwhile
