"""Starting a background process, and waiting for its report that it is ready."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from coursefs.base.atomic_files import open_private, private_folder
from coursefs.base.installation import own_command
from coursefs.daemon.readiness import READY_VARIABLE, Report
from coursefs.errors import CoursefsError, NoAnswer

#: bytes; a larger log is rotated when the next process starts, and one old log is kept
_MAX_LOG = 1 << 20
#: seconds that a process gets to end when it is told to: longer than its last resort takes
_ENDS_WITHIN = 20.0


def start(arguments: Sequence[str], log: Path, deadline: float, *, own_session: bool = True) -> Report:
    """Run `coursefs <arguments>` as a process that outlives this one, and wait for its report.

    It is a new interpreter, not a fork: no threads, open files or signal handlers of this process get into it. Its
    messages go to the file `log`. Without `own_session` it stays in this process group until it is ready. Raises
    `NoAnswer` if there is no report within `deadline` seconds (the process is terminated then, and unmounts), and
    `CoursefsError` if it ends without a report.
    """
    private_folder(log.parent)
    _rotate(log)
    reading, writing = os.pipe()
    try:
        with _opened(log) as messages:
            process = subprocess.Popen(  # noqa: S603
                [*own_command(), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                pass_fds=(writing,),
                env={**os.environ, READY_VARIABLE: str(writing)},
                start_new_session=own_session,
                cwd="/",
            )
        os.close(writing)
        writing = -1
        line = _line(reading, deadline)
    except TimeoutError:
        _end(process)
        raise NoAnswer(f"the mount was not ready within {deadline:.0f} s; its messages are in {log}") from None
    except KeyboardInterrupt:
        _end(process)
        raise
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    report = Report.decode(line)
    if report is None or report.exit_status != 0:
        with suppress(subprocess.TimeoutExpired):  # it cleans up itself
            process.wait(timeout=10)
    process.returncode = 0  # mark it as reaped: it outlives us, and `Popen` must not warn
    if report is None:
        raise CoursefsError(f"the background process ended before it was ready; its messages are in {log}")
    return report


def _opened(log: Path) -> IO[bytes]:
    """The opened log; None if it cannot be written: a disk that is full for a log may still be fine for a mount."""
    try:
        return os.fdopen(open_private(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise
        return Path(os.devnull).open("ab")


def _rotate(log: Path) -> None:
    with suppress(FileNotFoundError):
        if log.lstat().st_size > _MAX_LOG:
            log.replace(log.with_name(f"{log.name}.1"))


def _line(pipe: int, deadline: float) -> bytes:
    """Everything up to the end of the line or of the process. Raises `TimeoutError`."""
    data = b""
    end = time.monotonic() + deadline
    while not data.endswith(b"\n"):
        readable, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        if not readable:
            raise TimeoutError
        part = os.read(pipe, 65536)
        if not part:
            break
        data += part
    return data


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
