"""How coursefs was installed: with what, the command lines that start it again, and the one that adds a package.

It is here because these must fit the installation: the self-contained folder has an interpreter that must not see the
packages of the machine, and `pip install` fails beside pipx and on Debian.
"""

from __future__ import annotations

import os
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


#: the option of the interpreter (`-X coursefs-program=PATH`) by which the launcher of the self-contained folder names
#: itself; an option and not a variable, because other programs that we start inherit variables
_PROGRAM_OPTION = "coursefs-program"


def own_command(module: str = "coursefs") -> list[str]:
    """The command line that runs a module of this installation in a process of its own.

    The process sees the same packages as this one. Without the variables of Python (`PYTHONPATH` and so on) if this
    one ignores them; never with modules of the current folder.
    """
    program = own_program()
    kept = ["-X", f"{_PROGRAM_OPTION}={program}"] if program else []
    return [sys.executable, "-I" if sys.flags.isolated else "-P", *kept, "-m", module]


def own_program() -> str | None:
    """The path of the launcher of the self-contained folder; None in every other installation."""
    program = sys._xoptions.get(_PROGRAM_OPTION)
    return program if isinstance(program, str) else None


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


#: packages whose versions matter for a bug report: the kernel's requests, the event loop, HTTP
_REPORTED = ("pyfuse3", "trio", "httpx", "httpcore", "h11", "lxml", "keyring")


def installed_versions() -> list[str]:
    """A line for each thing that coursefs runs with and on; nothing in them is personal."""
    import platform  # all of these are seldom needed, and slow to import
    import sqlite3
    import ssl

    system = os.uname()
    return [
        f"installed as    {_kind(Installation())}",
        f"Python          {platform.python_implementation()} {platform.python_version()}",
        f"system          {system.sysname} {system.release} {system.machine}, {' '.join(platform.libc_ver())}",
        *(f"{name:<15} {_version(name)}" for name in _REPORTED),
        f"SQLite          {sqlite3.sqlite_version}",
        f"TLS             {ssl.OPENSSL_VERSION}",
    ]


def _kind(where: Installation) -> str:
    if own_program():
        return "self-contained program"
    if (where.prefix / "pipx_metadata.json").exists():
        return "pipx"
    if (where.prefix / "uv-receipt.toml").exists():
        return "uv tool"
    return "system's Python" if where.prefix == where.base_prefix else "virtual environment"


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # as above

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
