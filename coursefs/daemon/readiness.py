"""Readiness: how a background process tells its starter and the service manager that it is ready or has failed.

The starter gets one line of JSON through a pipe; systemd gets messages of sd_notify(3).
"""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from coursefs.errors import CoursefsError

#: environment variable with the socket of the service manager
NOTIFY_VARIABLE = "NOTIFY_SOCKET"


class Manager:
    """The service manager that started this process, if any. Messages that it cannot get are dropped."""

    def __init__(self) -> None:
        """Take its address out of the environment, so that child processes do not notify it in our name."""
        self._address = os.environ.pop(NOTIFY_VARIABLE, "")

    def __bool__(self) -> bool:
        return bool(self._address)

    def ready(self, status: str) -> None:
        """The service is ready; also sent after `reloading`."""
        self._say(READY=1, STATUS=status)

    def reloading(self) -> None:
        """The settings are being reloaded; `ready` follows."""
        self._say(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)

    def stopping(self, status: str = "") -> None:
        """The service is ending; with the reason if it failed."""
        self._say(STOPPING=1, STATUS=status)

    def _say(self, **what: object) -> None:
        if not self._address:
            return
        text = "\n".join(f"{name}={' '.join(str(value).split())}" for name, value in what.items() if value != "")
        address = self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
                told.settimeout(1.0)
                told.sendto(text.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return


#: environment variable with the file descriptor of the pipe to the starter
READY_VARIABLE = "COURSEFS_READY_FD"


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a background process to its starter."""

    exit_status: int = 0
    message: str = ""  # the reason, if it is not ready
    notes: tuple[str, ...] = field(default=())  # warnings for the user, if it is ready

    def encode(self) -> bytes:
        """The report as a line of JSON for the pipe."""
        return json.dumps([self.exit_status, self.message, self.notes]).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Report | None:
        """Parse the line of a report; None if the process ended without one."""
        try:
            status, message, notes = json.loads(line)
            return cls(int(status), str(message), tuple(map(str, notes)))
        except (ValueError, TypeError):
            return None


class Readiness:
    """The reporting end: the pipe of a background process and the service manager, if there are any."""

    def __init__(self) -> None:
        self._pipe = _pipe(os.environ.pop(READY_VARIABLE, ""))
        self.is_background = self._pipe is not None
        self.manager = Manager()
        self.is_service = bool(self.manager)

    def ready(self, notes: Sequence[str] = (), status: str = "") -> None:
        """Report that the mount answers; `status` is one line for `systemctl status`."""
        self._send(Report(notes=tuple(notes)))
        if self.is_background and os.getsid(0) != os.getpid():
            with suppress(PermissionError):  # it already leads a process group
                os.setsid()  # only now: until it is mounted it must stay in the automounter's process group
        self.manager.ready(status)

    def failed(self, error: CoursefsError) -> None:
        """Report why it failed to start, or why it ends."""
        self._send(Report(error.exit_status, str(error)))
        self.manager.stopping(str(error))

    def _send(self, report: Report) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            with suppress(OSError):  # the starter has ended; the mount is not affected
                os.write(pipe, report.encode())
            with suppress(OSError):  # not a descriptor: the variable was inherited from another program
                os.close(pipe)


def _pipe(number: str) -> int | None:
    """The descriptor with this number, if it is a pipe: the variable may be inherited from another program."""
    try:
        descriptor = int(number)
        return descriptor if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else None
    except (ValueError, OverflowError, OSError):
        return None
