"""`coursefs service`: have systemd mount at every login."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from coursefs.cli import output
from coursefs.cli.mount import global_options
from coursefs.cli.options import Globals, pass_globals
from coursefs.errors import CoursefsError, NoAnswer

_LIMIT = 120.0  # seconds for systemctl, which waits for a mount that asks the platforms first


@click.group(no_args_is_help=False)
def service() -> None:
    """Have systemd mount at every login, and again after a crash.

    \b
    Example: coursefs service install ~/courses
    """


@service.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False)
@pass_globals
def install(options: Globals, mountpoint: Path | None) -> None:
    """Install the user unit coursefs@.service, and with MOUNTPOINT mount there now and at every login.

    `systemctl --user status` and `journalctl --user -u` know the mount by the name that is said at the end; `systemctl
    --user reload` has it read settings and sign-ins again.

    \b
    Example: coursefs service install ~/courses
    """
    from coursefs.daemon.unit import unit  # noqa: PLC0415  # not needed for --help
    from coursefs.mount.mountpoint import prepare, require_fuse  # noqa: PLC0415

    require_fuse()
    instance = None if mountpoint is None else _instance(prepare(mountpoint))
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(unit([*_program(), *global_options(options)]), encoding="utf-8")
    except OSError as error:
        raise CoursefsError(f"cannot write {file}: {error.strerror}") from None
    output.message(f"installed {file}")
    _systemctl("daemon-reload")
    if instance is not None:
        _systemctl("enable", "--now", instance)
        output.message(f"{instance}: mounted, now and at every login")


@service.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False)
@pass_globals
def uninstall(_: Globals, mountpoint: Path | None) -> None:
    """Unmount what the unit has mounted at MOUNTPOINT, and do so no more; without MOUNTPOINT, take the unit away.

    \b
    Example: coursefs service uninstall ~/courses
    """
    from coursefs.mount import mountinfo  # noqa: PLC0415  # not needed for --help

    file = _file()
    if not file.exists():
        raise CoursefsError(f"{file} is not there: nothing is installed")
    if mountpoint is not None:
        instance = _instance(mountinfo.absolute(mountpoint))
        _systemctl("disable", "--now", instance)
        output.message(f"{instance}: unmounted, and no longer mounted at login")
        return
    # of a template, `disable` takes the links of every instance away
    _systemctl("disable", file.name)
    _systemctl("stop", "coursefs@*.service")
    file.unlink()
    _systemctl("daemon-reload")
    output.message(f"removed {file}")


def _file() -> Path:
    from coursefs.daemon.unit import NAME  # noqa: PLC0415  # not needed for --help

    named = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(named) if named.startswith("/") else Path.home() / ".config"
    return folder / "systemd" / "user" / NAME


def _instance(mountpoint: Path) -> str:
    from coursefs.daemon.unit import NAME, escaped_path  # noqa: PLC0415  # not needed for --help

    return NAME.replace("@", f"@{escaped_path(str(mountpoint))}")


def _program() -> list[str]:
    """How this coursefs is called from anywhere."""
    called = Path(sys.argv[0]).absolute()
    if called.name == "coursefs" and os.access(called, os.X_OK) and called.is_file():
        return [str(called)]
    return [sys.executable, "-m", "coursefs"]


def _systemctl(*arguments: str) -> None:
    program = shutil.which("systemctl")
    if program is None:
        raise CoursefsError("systemctl is missing: this system has no systemd that could mount")
    try:
        done = subprocess.run(  # noqa: S603
            [program, "--user", *arguments], capture_output=True, text=True, timeout=_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"systemctl --user {arguments[0]} does not come back") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise CoursefsError(f"systemctl --user {arguments[0]}: {said[0] if said else 'failed'}")
