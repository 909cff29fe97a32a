"""Crash messages: an unexpected error as one line, without text that may be secret."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator
from pathlib import Path

from coursefs.errors import CoursefsError

_PACKAGE = Path(__file__).resolve().parents[1]


class Defect(CoursefsError):
    """An error that the code does not expect: a bug of coursefs, named by its kind and its place."""


def told(error: BaseException) -> CoursefsError:
    """Any exception as a `CoursefsError`: itself, the system's message about a file, or a `Defect`.

    If a group holds several, the first `Defect` among them is returned, else the first error.
    """
    every = [_told(cause) for cause in causes(error)]
    return next((one for one in every if isinstance(one, Defect)), every[0])


def log_unforeseen(log: logging.Logger, doing: str, error: BaseException, *, level: int = logging.ERROR) -> None:
    """Log an unexpected error: what failed, its kind and its place; at level debug also the stack.

    The text of the error is never logged: it may hold a signed URL or a part of a reply.
    """
    log.log(level, "%s: %s", doing, told(error))
    for cause in causes(error):
        for frame in traceback.extract_tb(cause.__traceback__):
            log.debug("%s, in %s, line %s: %s", type(cause).__name__, frame.filename, frame.lineno, frame.name)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The leaf exceptions of the groups that nurseries raise, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from causes(member)
    else:
        yield error


def _told(error: BaseException) -> CoursefsError:
    import sqlite3  # late: rarely needed, and this module is imported by every command

    match error:
        case CoursefsError():
            return error
        case OSError(filename=str() | bytes() as name, strerror=str() as reason):
            return CoursefsError(f"{os.fsdecode(name)}: {reason}")
        case sqlite3.OperationalError():
            return CoursefsError(f"a database of coursefs cannot be used: {error}")
    return Defect(_defect(error))


def _defect(error: BaseException) -> str:
    """The message of a `Defect`: the kind of error and its place; not its text, which may hold a signed URL."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    # the system's text for an error number holds no data of ours
    why = f" ({os.strerror(error.errno)})" if isinstance(error, OSError) and error.errno else ""
    return f"unexpected {type(error).__name__}{why}{place}; this is a bug in coursefs (coursefs -v … shows more)"
