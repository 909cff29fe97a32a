"""How a background process tells the command that started it whether it got ready: one line of JSON through a pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from coursefs.daemon.notify import Manager
from coursefs.errors import CoursefsError

#: names the file descriptor of the pipe to a process that was started in the background
VARIABLE = "COURSEFS_READY_FD"


@dataclass(frozen=True, slots=True)
class Report:
    """What the starter is told."""

    exit_status: int = 0
    message: str = ""  # what is wrong, when it is not ready
    notes: tuple[str, ...] = field(default=())  # what a person should know although it is ready

    def encode(self) -> bytes:
        """As the line of JSON that goes through the pipe."""
        return json.dumps([self.exit_status, self.message, self.notes]).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Report | None:
        """The report in a line; None when the process ended before it said anything."""
        try:
            status, message, notes = json.loads(line)
            return cls(int(status), str(message), tuple(map(str, notes)))
        except (ValueError, TypeError):
            return None


class Readiness:
    """The reporting end: the pipe of a background process, the service manager, or nobody."""

    def __init__(self) -> None:
        number = os.environ.pop(VARIABLE, "")
        self._pipe = int(number) if number.isdecimal() else None
        self.is_background = self._pipe is not None
        self.manager = Manager()
        self.is_service = bool(self.manager)

    def ready(self, notes: Sequence[str] = (), status: str = "") -> None:
        """Say that the mount answers; `status` is one line for who looks at the service."""
        self._send(Report(notes=tuple(notes)))
        self.manager.ready(status)

    def failed(self, error: CoursefsError) -> None:
        """Say why it never will, or why it ends."""
        self._send(Report(error.exit_status, str(error)))
        self.manager.stopping(str(error))

    def _send(self, report: Report) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            try:
                os.write(pipe, report.encode())
            except BrokenPipeError:
                pass  # the starter was ended meanwhile; the mount is there all the same
            finally:
                os.close(pipe)
