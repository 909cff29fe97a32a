"""A disk that fails on command: a small library that is compiled here and preloaded into the daemon."""

from __future__ import annotations

import enum
import mmap
import shutil
import struct
import subprocess
from pathlib import Path

_CONTROL = struct.Struct("=iiiiq232s")


class Call(enum.IntFlag):
    """Which calls are concerned."""

    NONE = 0
    READ = 1
    WRITE = 2
    CLOSE = 4
    SYNC = 8
    TRUNCATE = 16
    FLIP = 32  # a read gives one wrong bit
    DELAY = 64  # a write takes its time


class Shim:
    """The library and what it is to do; `environment` has it preloaded."""

    def __init__(self, folder: Path) -> None:
        """Compile it.  Raises `OSError` where there is no compiler, or none that works."""
        library = folder / "shim.so"
        source = Path(__file__).with_name("shim.c")
        if shutil.which("cc") is None:
            raise FileNotFoundError("no C compiler")
        command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise OSError(done.stderr[-500:])
        control = folder / "shim.control"
        control.write_bytes(bytes(_CONTROL.size))
        control.chmod(0o666)
        with control.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self.environment = {"LD_PRELOAD": str(library), "COURSEFS_TORTURE_SHIM": str(control)}

    def fail(self, calls: Call, below: Path, *, error: int = 0, chance: float = 1.0, delay: float = 0.0) -> None:
        """From now on these calls on files below a folder fail; nothing does with `Call.NONE`."""
        self._memory[:4] = bytes(4)  # nothing while it is being changed
        hits = self.hits
        name = str(below).encode()
        self._memory[4:] = _CONTROL.pack(0, error, int(chance * 1000), int(delay * 1000), hits, name)[4:]
        self._memory[:4] = struct.pack("=i", calls)

    def stop(self) -> int:
        """Nothing fails any more; how many calls have failed so far."""
        self._memory[:4] = bytes(4)
        return self.hits

    @property
    def hits(self) -> int:
        """Calls that have failed so far."""
        hits: int = struct.unpack_from("=q", self._memory, 16)[0]
        return hits
