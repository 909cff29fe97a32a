"""Standard input, output and error of a command, however it was started; and file names in UTF-8.

A process may be started with any of the descriptors 0, 1 and 2 closed (cron, a menu, `>&-`).  The next file that it
opens gets that number then, and messages would be written into it, even if it is a database.  So they are opened first,
such that reading gives an end of file and writing data gives an error.

Python encodes file names as the locale says, and cannot change that once it runs.  In ISO-8859-1, GBK or KOI8-R the
names of many courses could not be written at all, and others would have other bytes than in the mount.  In such a
locale the interpreter is started a second time, in UTF-8 mode.
"""

from __future__ import annotations

import fcntl
import io
import locale
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def open_missing() -> None:
    """Open the descriptors 0, 1 and 2 where they are closed.

    Data that are written to a closed standard output fail, as they do with any other program; messages to a closed
    standard error are dropped.
    """
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):  # 1: not for writing, so that it fails
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != number:  # the lowest number that is free, so this happens only in the wrong order
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = _writer(1, sys.stdout)
    if sys.stderr is None:
        sys.stderr = _writer(2, None)


class _Watched(io.FileIO):
    """A descriptor that remembers why it could not be written to: the error itself does not say whose it is."""

    failed: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failed = error
            raise


def failure() -> OSError | None:
    """Why what was written to standard output could not be delivered; None where it could be."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return error
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.failed if isinstance(raw, _Watched) else None


def give_up(stream: TextIO, number: int) -> None:
    """Drop what a stream still holds, so that the interpreter does not fail with it at its end."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
    with suppress(OSError, ValueError):
        stream.flush()


def _writer(number: int, like: TextIO | None) -> TextIO:
    """A stream to a descriptor, with encoding and buffering as of another one."""
    buffer = io.BufferedWriter(_Watched(number, "w", closefd=False))
    if isinstance(like, io.TextIOWrapper):
        is_eager = like.line_buffering or like.write_through
        return io.TextIOWrapper(buffer, encoding=like.encoding, errors=like.errors, line_buffering=is_eager)
    return io.TextIOWrapper(buffer, encoding="utf-8", errors="replace", line_buffering=number == 2)


#: tells the restarted process to use the locale's encoding for its terminal
_MARK = "coursefs-terminal"


def ensure() -> None:
    """Have file names in UTF-8 from now on; returns in a process in which they are, unless it cannot be started.

    Standard input and output keep the encoding of the locale: that is what the terminal shows.
    """
    if _MARK in sys._xoptions:
        _keep_terminal()
    elif sys.getfilesystemencoding() != "utf-8" and sys.executable:
        with suppress(OSError):
            # as bytes: what is no text in this locale arrives as it was typed
            program, *arguments = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]
            os.execv(sys.executable, [program, b"-X", b"utf8", b"-X", _MARK.encode(), *arguments])  # noqa: S606


def _keep_terminal() -> None:
    if "PYTHONIOENCODING" in os.environ and not sys.flags.ignore_environment:
        return  # it has been obeyed already
    for stream, errors in (
        (sys.stdin, "surrogateescape"),
        (sys.stdout, "backslashreplace"),
        (sys.stderr, "backslashreplace"),
    ):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=locale.getencoding(), errors=errors)
