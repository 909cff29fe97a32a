"""What to type after a sign-in: the mount, or the same sign-in again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from coursefs.cli import output, terminal
from coursefs.settings.paths import expanded, socket_dirs

if TYPE_CHECKING:
    from coursefs.cli.output import Globals
    from coursefs.providers.platform import Platform

_MOUNTPOINT = "~/courses"


def command(options: Globals, platform: Platform, account: str, settings: Mapping[str, str]) -> str:
    """The command line that asks again for a sign-in to this account (pure)."""
    words = ["coursefs", *(["--config", str(options.config)] if options.config else []), "login", platform.name]
    for option in platform.options:
        value = settings.get(option.setting, "") if option.setting else ""
        if value and value != platform.setting(option.setting).default:
            words += [f"--{option.name}", value]
    if account != platform.name:
        words += ["--account", account]
    return shlex.join(words)


def offer_mount(options: Globals) -> None:
    """Offer to mount the courses where none is mounted, and say the next line to type."""
    from coursefs.daemon import socket  # slow to import

    running = socket.mount_of_user(socket_dirs())
    if running is not None:
        status = socket.status(running)
        if status is not None:
            output.message(f"your courses are in {status['mountpoint']}; next: ls {shlex.quote(status['mountpoint'])}")
        return
    path = expanded(Path(_MOUNTPOINT))
    if not _is_usable(path) or not terminal.yes(f"Show your courses in {_MOUNTPOINT} now?", default=True):
        output.message(f"next: coursefs mount {_MOUNTPOINT}")
        return
    from coursefs.cli.mount import mount

    mount.main([str(path)], standalone_mode=False, obj=options)
    output.message(f"next: ls {_MOUNTPOINT}")


def _is_usable(path: Path) -> bool:
    """Whether a folder can be mounted on, or can be made."""
    try:
        return not any(path.iterdir())
    except FileNotFoundError:
        return path.parent.is_dir()
    except OSError:
        return False
