"""How coursefs was installed (pipx, uv, a system package or pip), and the command that adds a package.

It is here because a message about a missing package must fit the installation: `pip install` fails beside pipx and on
Debian.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Installation:
    """Where this process runs; by default the process itself."""

    prefix: Path = Path(sys.prefix)
    base_prefix: Path = Path(sys.base_prefix)
    executable: str = sys.executable
    package: Path = Path(__file__).parent.parent  # the folder of coursefs


def command_for(package: str, system_package: str, where: Installation | None = None) -> str:
    """The command line that adds a Python package; `system_package` is its name in Debian."""
    where = where or Installation()
    if (where.prefix / "pipx_metadata.json").exists():
        return f"pipx inject {shlex.quote(where.prefix.name)} {package}"
    if (where.prefix / "uv-receipt.toml").exists():
        return f"uv tool install --with {package} {shlex.quote(where.prefix.name)}"
    if "dist-packages" in where.package.parts and "local" not in where.package.parts:
        return f"sudo apt install {system_package}"
    user = "" if where.prefix != where.base_prefix else " --user"
    return f"{shlex.quote(where.executable or 'python3')} -m pip install{user} {package}"
