"""One tree for everything that can go wrong.

    CoursefsError                EIO        exit 1
    ├── UsageError               EIO        exit 2   the command line or the settings are wrong
    ├── NotAllowed               EACCES     exit 1   the platform refuses this one thing (locked, switched off)
    │   └── NotSignedIn          EACCES     exit 3   no sign-in, or it has ended
    ├── Gone                     ENOENT     exit 1   the platform does not have it (any more)
    ├── NoAnswer                 ETIMEDOUT  exit 1   no answer within the deadline
    ├── Unreachable              EIO        exit 1   no network, no such host, connection refused, offline by choice
    ├── BadReply                 EIO        exit 1   an answer that is not what was asked for
    │   └── RouteGone            EIO        exit 1   the platform removed the route (404/405/HTML in place of JSON)
    └── Stale                    ESTALE     exit 1   the content changed under an open handle and its bytes are gone

The message of each is one line for a person: what is wrong and, where there is one, what to do.  Messages hold no
secrets: no cookie, token or URL query ever goes into one.
"""

from __future__ import annotations

import errno as _errno


class CoursefsError(Exception):
    """Base of every error that coursefs raises on purpose."""

    #: what a system call on the mount answers
    errno: int = _errno.EIO
    #: what a command ends with
    exit_status: int = 1


class UsageError(CoursefsError):
    """The command line or the settings file is wrong."""

    exit_status = 2


class NotAllowed(CoursefsError):
    """The platform refuses this one thing; the session is fine."""

    errno = _errno.EACCES


class NotSignedIn(NotAllowed):
    """There is no sign-in for the account, or the platform no longer accepts it."""

    exit_status = 3


class Gone(CoursefsError):
    """The platform says that this does not exist."""

    errno = _errno.ENOENT


class NoAnswer(CoursefsError):
    """Nothing came within the deadline."""

    errno = _errno.ETIMEDOUT


class Unreachable(CoursefsError):
    """The host cannot be reached: no network, refused, unknown name, or offline by choice."""


class BadReply(CoursefsError):
    """An answer came, but not one that can be used."""


class RouteGone(BadReply):
    """The platform no longer has this route."""


class Stale(CoursefsError):
    """The content has changed and the bytes of the version that was opened are no longer to be had."""

    errno = _errno.ESTALE


def leaf(error: BaseException) -> BaseException:
    """The error itself where it is the only one in the groups that nurseries wrapped round it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
