"""The Debian packages whose files are in the self-contained folder: the interpreter and its libraries."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SystemPackage:
    """A package of the system that this folder was made on."""

    name: str
    version: str
    copyright: Path


def system_packages(folder: Path) -> list[SystemPackage]:
    """The packages that own the copied files, by name; none where there is no dpkg."""
    files = [str(Path(sys.executable).resolve()), str(Path(sysconfig.get_path("stdlib"), "os.py"))]
    files += [f"*/{library.name}" for library in sorted((folder / "python" / "lib").glob("*.so*"))]
    names: set[str] = set()
    for file in files:
        try:
            done = subprocess.run(["dpkg-query", "--search", file], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return []
        names |= {line.partition(":")[0] for line in done.stdout.splitlines() if not line.startswith("diversion")}
    return [_described(name) for name in sorted(names)]


def _described(name: str) -> SystemPackage:
    ask = ["dpkg-query", "--show", "--showformat", "${Version}\n", name]
    version = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return SystemPackage(name, version, Path("/usr/share/doc", name, "copyright"))
