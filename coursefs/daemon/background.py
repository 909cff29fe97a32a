"""Starting a process in the background, and waiting until it says that it is ready."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from coursefs.daemon.readiness import VARIABLE, Report
from coursefs.errors import CoursefsError, NoAnswer
from coursefs.files import private_folder

#: bytes that a log may have when the next process begins to write it; an older one is kept beside it
_MAX_LOG = 1 << 20


def start(arguments: Sequence[str], log: Path, deadline: float) -> Report:
    """Run `coursefs <arguments>` as a process of its own that outlives this one, and wait for its report.

    A new interpreter, not a fork: nothing of this process (threads, open files, signal handlers) gets into it.  Its
    messages go to the file `log`.  Raises `NoAnswer` when it does not report within `deadline` seconds (it is ended
    then, and unmounts), `CoursefsError` when it ends without a word.
    """
    private_folder(log.parent)
    _rotate(log)
    reading, writing = os.pipe()
    try:
        with log.open("ab") as messages:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "coursefs", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                pass_fds=(writing,),
                env={**os.environ, VARIABLE: str(writing)},
                start_new_session=True,
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
        with suppress(subprocess.TimeoutExpired):  # it tidies up behind itself
            process.wait(timeout=10)
    process.returncode = 0  # whatever it does, it goes on without us: no warning that nobody waited for it
    if report is None:
        raise CoursefsError(f"the background process ended before it was ready; its messages are in {log}")
    return report


def _rotate(log: Path) -> None:
    with suppress(FileNotFoundError):
        if log.stat().st_size > _MAX_LOG:
            log.replace(log.with_name(f"{log.name}.1"))


def _line(pipe: int, deadline: float) -> bytes:
    """Everything up to the end of the line or of the process.  Raises `TimeoutError`."""
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
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
