"""How an error that ends a process is told to a person: in one line, without what may be secret."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from pathlib import Path

from coursefs.errors import CoursefsError

_PACKAGE = Path(__file__).resolve().parent


class Defect(CoursefsError):
    """An error that nobody foresaw, told by its kind and its place."""


def told(error: BaseException) -> CoursefsError:
    """The error as one of ours: itself, what the system says of a file, or a `Defect`.

    Of several in groups of nurseries it is one that nobody foresaw, if there is any.
    """
    every = [_told(cause) for cause in causes(error)]
    return next((one for one in every if isinstance(one, Defect)), every[0])


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions themselves, out of the groups in which nurseries hand them on."""
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from causes(member)
    else:
        yield error


def _told(error: BaseException) -> CoursefsError:
    import sqlite3  # noqa: PLC0415  # seldom needed

    match error:
        case CoursefsError():
            return error
        case OSError(filename=str() | bytes() as name, strerror=str() as reason):
            return CoursefsError(f"{os.fsdecode(name)}: {reason}")
        case sqlite3.OperationalError():
            return CoursefsError(f"a database of coursefs cannot be used: {error}")
    return Defect(_defect(error))


def _defect(error: BaseException) -> str:
    """What kind of error it was, and where; not its text, which may hold an address with its signature."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return f"unexpected {type(error).__name__}{place}; this is a defect (coursefs -v … shows more)"
