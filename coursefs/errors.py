"""The exception tree: every error that coursefs raises on purpose.

    CoursefsError                EIO        exit 1
    ├── UsageError               EIO        exit 2   the command line or the settings are wrong
    ├── NotAllowed               EACCES     exit 1   the platform refuses this one item (locked, switched off)
    │   ├── NotSignedIn          EACCES     exit 3   no sign-in, or it has expired
    │   └── RefusedByServer      EACCES     exit 1   a media server refuses the bytes without a reason
    ├── Gone                     ENOENT     exit 1   the platform does not have it, or no longer
    ├── NoAnswer                 ETIMEDOUT  exit 1   no answer within the deadline
    ├── Unreachable              EIO        exit 1   no network, no such host, connection refused, offline by choice
    │   └── CaptivePortal        EIO        exit 1   the network answers in place of every host, with its sign-in page
    ├── BadReply                 EIO        exit 1   a reply that cannot be used
    │   └── RouteGone            EIO        exit 1   the platform removed the route (404/405/HTML in place of JSON)
    ├── Stale                    ESTALE     exit 1   the content changed while it was open
    └── CatalogueError           EIO        exit 1   our own database cannot be read or written
        └── CatalogueDamaged     EIO        exit 1   the database was damaged and has been set aside

The message of each is one line for a person: what is wrong and, if something helps, what to do. It holds no secret: no
cookie, token or URL query.
"""

from __future__ import annotations

import errno as _errno
import traceback
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


class CoursefsError(Exception):
    """Base class of all errors that coursefs raises on purpose."""

    #: errno of the system call on the mount
    errno: int = _errno.EIO
    #: exit status of the command
    exit_status: int = 1


def named(about: str, error: object) -> str:
    """The message of an error behind the name of what it is about, which many messages begin with themselves."""
    text = str(error)
    return text if text.startswith(f"{about}:") else f"{about}: {text}"


class UsageError(CoursefsError):
    """The command line or the settings file is wrong."""

    exit_status = 2


class NotAllowed(CoursefsError):
    """The platform refuses this one item; the sign-in is valid."""

    errno = _errno.EACCES


class NotSignedIn(NotAllowed):
    """The account has no sign-in, or the platform no longer accepts it."""

    exit_status = 3


class RefusedByServer(NotAllowed):
    """A media server refuses the bytes of a file without a reason; it may refuse all files for a while."""


class Gone(CoursefsError):
    """The platform says that this does not exist."""

    errno = _errno.ENOENT


class NoAnswer(CoursefsError):
    """No answer came within the deadline."""

    errno = _errno.ETIMEDOUT


class Unreachable(CoursefsError):
    """The host cannot be reached: no network, connection refused, unknown name, or offline by choice."""


class CaptivePortal(Unreachable):
    """The network answers in place of every host, with its own sign-in page, until someone has signed in to it."""

    def __init__(self, message: str = "") -> None:
        said = "the network shows its own sign-in page (captive portal): open a browser and sign in to the network"
        super().__init__(message or said)


class BadReply(CoursefsError):
    """A reply came, but it cannot be used."""


class RouteGone(BadReply):
    """The platform no longer has this API route."""


class Stale(CoursefsError):
    """The content changed on the platform and the bytes of the opened version are no longer available."""

    errno = _errno.ESTALE


class ReadByPages(Exception):  # nothing has failed
    """These bytes take long to come: they are to be read again, page by page, as far as they are needed.

    No `CoursefsError`, because nothing has failed.  Only for a caller that does so: the kernel's page cache.
    """


class CatalogueError(CoursefsError):
    """The catalogue database cannot be read or written: a disk error, or a value that SQLite cannot store."""


class CatalogueDamaged(CatalogueError):
    """The catalogue database was damaged; it was set aside, and its content is fetched again."""


def leaf(error: BaseException) -> BaseException:
    """The only error inside nested exception groups; the group itself if it holds several."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def without_variables(error: E) -> E:
    """Remove the local variables from an error's traceback before it is kept; return the error.

    They would keep the wrong reply alive: many MB, and many times that once it is parsed. The place of the error can
    still be told. Frames that still run keep their variables.
    """
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            waiting += [cause for cause in (one.__cause__, one.__context__) if cause is not None]
            waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return error
