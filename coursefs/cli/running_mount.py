"""The user's running mount, told by a command that accounts or sign-ins have changed."""

from __future__ import annotations

from coursefs.cli import output
from coursefs.errors import CoursefsError
from coursefs.settings.paths import socket_dirs


def reload() -> None:
    """Have a mount that runs read the settings and the sign-ins again, and say what it does not take up."""
    from coursefs.daemon import socket  # slow to import

    mount = socket.mount_of_user(socket_dirs())
    if mount is None:
        return
    try:
        for reply in socket.ask(mount, "reload"):
            if reply["waiting"]:
                output.message(f"unmount and mount again to apply: {', '.join(reply['waiting'])}")
    except CoursefsError as error:
        output.message(f"the running mount has not taken this up: {error}; unmount and mount again")
